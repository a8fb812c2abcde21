// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/uri.hpp"

#include <gtest/gtest.h>

#include "support/result_matchers.hpp"

namespace cas::card {
namespace {

struct Good {
  const char* text;
  CardUri uri;
};

TEST(CardUri, IsParsed) {
  const Good all[] = {
      {"pcsc:", {CardUri::Kind::pcsc, "", "", ""}},
      {"pcsc:?", {CardUri::Kind::pcsc, "", "", ""}},
      {"PCSC:?reader=Virtual%20PCD%2000%2000", {CardUri::Kind::pcsc, "Virtual PCD 00 00", "", ""}},
      {"pcsc:?reader=A=B+C%26D", {CardUri::Kind::pcsc, "A=B+C&D", "", ""}},
      {"soft:/home/ann/a.card?pin-source=file:/home/ann/pin", {CardUri::Kind::soft, "", "/home/ann/a.card", "file:/home/ann/pin"}},
      {"soft:a.card?pin-source=env:CARD_PIN", {CardUri::Kind::soft, "", "a.card", "env:CARD_PIN"}},
      {"soft:a%3Fb%25.card?pin-source=file:p%26q", {CardUri::Kind::soft, "", "a?b%.card", "file:p&q"}},
      {"Soft:cards/renderer.card", {CardUri::Kind::soft, "", "cards/renderer.card", "file:cards/renderer.card.pin"}},
      {"soft:/%2Fsrv/a.card", {CardUri::Kind::soft, "", "//srv/a.card", "file://srv/a.card.pin"}},
      {"soft:%c3%a9.card", {CardUri::Kind::soft, "", "\xc3\xa9.card", "file:\xc3\xa9.card.pin"}},
  };
  for (const Good& good : all) {
    SCOPED_TRACE(good.text);
    const auto parsed = parse_card_uri(good.text);
    ASSERT_OK(parsed);
    EXPECT_EQ(parsed->kind, good.uri.kind);
    EXPECT_EQ(parsed->reader, good.uri.reader);
    EXPECT_EQ(parsed->path, good.uri.path);
    EXPECT_EQ(parsed->pin_source, good.uri.pin_source);
    // What is written parses to the same.
    const auto again = parse_card_uri(format_card_uri(*parsed));
    ASSERT_OK(again);
    EXPECT_EQ(again->reader, good.uri.reader);
    EXPECT_EQ(again->path, good.uri.path);
    EXPECT_EQ(again->pin_source, good.uri.pin_source);
  }
}

TEST(CardUri, IsWritten) {
  EXPECT_EQ(format_card_uri({CardUri::Kind::pcsc, "", "", ""}), "pcsc:");
  EXPECT_EQ(format_card_uri({CardUri::Kind::pcsc, "Virtual PCD", "", ""}), "pcsc:?reader=Virtual%20PCD");
  EXPECT_EQ(format_card_uri({CardUri::Kind::soft, "", "/a b/c.card", ""}), "soft:/a%20b/c.card");
  EXPECT_EQ(format_card_uri({CardUri::Kind::soft, "", "c.card", "file:c.card.pin"}), "soft:c.card");
  EXPECT_EQ(format_card_uri({CardUri::Kind::soft, "", "c.card", "file:/x&y"}), "soft:c.card?pin-source=file:/x%26y");
}

TEST(CardUri, OfTheLargestNamesIsWrittenAndParsed) {
  const std::string longest(4096, ' ');
  const CardUri uri{CardUri::Kind::soft, "", longest, "file:" + longest.substr(5)};
  const auto again = parse_card_uri(format_card_uri(uri));
  ASSERT_OK(again);
  EXPECT_EQ(again->path, uri.path);
  EXPECT_EQ(again->pin_source, uri.pin_source);
  EXPECT_FAILS(parse_card_uri("soft:" + longest + "a"), ErrorKind::invalid_argument);
  EXPECT_FAILS(parse_card_uri("pcsc:?reader=" + longest + "a"), ErrorKind::invalid_argument);
}

TEST(CardUri, IsRefused) {
  const char* wrong[] = {
      "", "card", "pcsc", "pkcs11:token=x", "file:/a.card",
      "pcsc:Virtual", "pcsc://host", "pcsc:?slot=1", "pcsc:?reader", "pcsc:?reader=", "pcsc:?reader=a&reader=b", "pcsc:?pin-source=env:A",
      "soft:", "soft:?pin-source=env:A", "soft:///a.card", "soft://host/a.card", "soft:a?pin-source=", "soft:a?pin-source=/b",
      "soft:a?pin-source=http://b", "soft:a?reader=b", "soft:a?mode=ro", "soft:a&b=c?x", "soft:a?&", "soft:a?=b",
      "soft:a%", "soft:a%2", "soft:a%zz", "soft:a%00b", "soft:a#b", "soft:a?pin-source=file:b#c", "soft:a?pin-source=file:%0",
  };
  for (const char* text : wrong) {
    SCOPED_TRACE(text);
    EXPECT_FAILS(parse_card_uri(text), ErrorKind::invalid_argument);
  }
  EXPECT_FAILS(parse_card_uri("soft:" + std::string(10000, 'a')), ErrorKind::invalid_argument);
  EXPECT_FAILS(parse_card_uri(std::string_view("soft:a\0b", 8)), ErrorKind::invalid_argument);
}

TEST(CardUri, PassPhraseInItIsRefusedAndNotRepeated) {
  for (const char* text : {"soft:a?pin-value=hunter2", "soft:a?pin-source=env:A&pin-value=hunter2", "pcsc:?pin-value=hunter2",
                           "soft:a?passphrase=hunter2", "soft:a?pin=hunter2", "soft:a?password=hunter2", "soft:a?pin-source=hunter2", "soft:a?hunter2"}) {
    SCOPED_TRACE(text);
    const auto parsed = parse_card_uri(text);
    EXPECT_FAILS(parsed, ErrorKind::invalid_argument);
    EXPECT_EQ(parsed.error().message.find("hunter2"), std::string::npos);
  }
}

}  // namespace
}  // namespace cas::card
