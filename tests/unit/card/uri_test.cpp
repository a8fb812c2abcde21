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
      {"soft:/home/ann/a.card?pin-source=file:/home/ann/pin",
       {CardUri::Kind::soft, "", "/home/ann/a.card", "file:/home/ann/pin"}},
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

TEST(CardUri, OfARelayIsParsedAndWritten) {
  CardUri uri{CardUri::Kind::relay, "", "", "", "vault.example", 7816, "/a/desk.pem", "/a/desk.key", "/a/ca.pem",
              "vault.example"};
  const auto expect = [&](const std::string& text, const std::string& written) {
    SCOPED_TRACE(text);
    const auto parsed = parse_card_uri(text);
    ASSERT_OK(parsed);
    EXPECT_EQ(parsed->kind, uri.kind);
    EXPECT_EQ(parsed->host, uri.host);
    EXPECT_EQ(parsed->port, uri.port);
    EXPECT_EQ(parsed->certificate, uri.certificate);
    EXPECT_EQ(parsed->key, uri.key);
    EXPECT_EQ(parsed->authority, uri.authority);
    EXPECT_EQ(parsed->server_name, uri.server_name);
    EXPECT_EQ(parsed->pin_source, uri.pin_source);
    EXPECT_EQ(parsed->path + parsed->reader, "");
    EXPECT_EQ(format_card_uri(*parsed), written);
    ASSERT_OK(parse_card_uri(written));
    EXPECT_EQ(format_card_uri(*parse_card_uri(written)), written);
  };
  const std::string files = "?cert=/a/desk.pem&key=/a/desk.key&ca=/a/ca.pem";
  expect("relay:vault.example:7816" + files, "relay:vault.example:7816" + files);
  expect("RELAY:vault.example:7816?ca=/a/ca.pem&key=/a/desk.key&cert=/a/desk.pem&name=vault.example",
         "relay:vault.example:7816" + files);
  uri.pin_source = "env:KEY_PIN";
  uri.server_name = "10.0.0.7";
  expect("relay:vault.example:7816" + files + "&pin-source=env:KEY_PIN&name=10.0.0.7",
         "relay:vault.example:7816" + files + "&name=10.0.0.7&pin-source=env:KEY_PIN");
  uri.pin_source.clear();
  uri.host = uri.server_name = "fd00::7";
  uri.port = 65535;
  uri.certificate = "a&b.pem";
  expect("relay:[fd00::7]:65535?cert=a%26b.pem&key=/a/desk.key&ca=/a/ca.pem",
         "relay:[fd00::7]:65535?cert=a%26b.pem&key=/a/desk.key&ca=/a/ca.pem");
}

TEST(CardUri, OfARelayIsRefused) {
  const std::string files = "?cert=c&key=k&ca=a";
  const std::string longest(253, 'h');
  ASSERT_OK(parse_card_uri("relay:" + longest + ":1" + files));
  for (const std::string& place : {std::string(),
                                   std::string("host"),
                                   std::string("host:"),
                                   std::string(":1"),
                                   std::string("host:0"),
                                   std::string("host:65536"),
                                   std::string("host:-1"),
                                   std::string("host:+1"),
                                   std::string("host: 1"),
                                   std::string("host:1a"),
                                   std::string("host:0x1"),
                                   std::string("//host:1"),
                                   std::string("ann@host:1"),
                                   std::string("fd00::7:1"),
                                   std::string("[fd00::7]"),
                                   std::string("[fd00::7:1"),
                                   std::string("fd00::7]:1"),
                                   std::string("[host]:1"),
                                   std::string("[]:1"),
                                   std::string("[127.0.0.1]:1"),
                                   std::string("[fe80::1%25eth0]:1"),
                                   std::string("[[::1]]:1"),
                                   std::string("ho%73t:1"),
                                   std::string("ho st:1"),
                                   std::string("-host:1"),
                                   std::string(".host:1"),
                                   std::string("host/a:1"),
                                   longest + "h:1"}) {
    SCOPED_TRACE(place);
    EXPECT_FAILS(parse_card_uri("relay:" + place + files), ErrorKind::invalid_argument);
  }
  for (const char* query :
       {"", "?", "?cert=c&key=k", "?cert=c&ca=a", "?key=k&ca=a", "?cert=&key=k&ca=a", "?cert=c&key=k&ca=a&ca=b",
        "?cert=c&key=k&ca=a&reader=r", "?cert=c&key=k&ca=a&name=a%20b", "?cert=c&key=k&ca=a&name=[::1]",
        "?cert=c&key=k&ca=a&name=", "?cert=c&key=k&ca=a&pin-source=secret", "?cert=c&key=k&ca=a&pin-value=secret",
        "?cert=c&key=k&ca=a#f"}) {
    SCOPED_TRACE(query);
    const auto parsed = parse_card_uri(std::string("relay:host:1") + query);
    EXPECT_FAILS(parsed, ErrorKind::invalid_argument);
    EXPECT_EQ(parsed.error().message.find("secret"), std::string::npos);
  }
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
      "",
      "card",
      "pcsc",
      "pkcs11:token=x",
      "file:/a.card",
      "pcsc:Virtual",
      "pcsc://host",
      "pcsc:?slot=1",
      "pcsc:?reader",
      "pcsc:?reader=",
      "pcsc:?reader=a&reader=b",
      "pcsc:?pin-source=env:A",
      "soft:",
      "soft:?pin-source=env:A",
      "soft:///a.card",
      "soft://host/a.card",
      "soft:a?pin-source=",
      "soft:a?pin-source=/b",
      "soft:a?pin-source=http://b",
      "soft:a?reader=b",
      "soft:a?mode=ro",
      "soft:a&b=c?x",
      "soft:a?&",
      "soft:a?=b",
      "soft:a%",
      "soft:a%2",
      "soft:a%zz",
      "soft:a%00b",
      "soft:a#b",
      "soft:a?pin-source=file:b#c",
      "soft:a?pin-source=file:%0",
  };
  for (const char* text : wrong) {
    SCOPED_TRACE(text);
    EXPECT_FAILS(parse_card_uri(text), ErrorKind::invalid_argument);
  }
  EXPECT_FAILS(parse_card_uri("soft:" + std::string(10000, 'a')), ErrorKind::invalid_argument);
  EXPECT_FAILS(parse_card_uri(std::string_view("soft:a\0b", 8)), ErrorKind::invalid_argument);
}

TEST(CardUri, PassPhraseInItIsRefusedAndNotRepeated) {
  for (const char* text : {"soft:a?pin-value=hunter2", "soft:a?pin-source=env:A&pin-value=hunter2",
                           "pcsc:?pin-value=hunter2", "soft:a?passphrase=hunter2", "soft:a?pin=hunter2",
                           "soft:a?password=hunter2", "soft:a?pin-source=hunter2", "soft:a?hunter2"}) {
    SCOPED_TRACE(text);
    const auto parsed = parse_card_uri(text);
    EXPECT_FAILS(parsed, ErrorKind::invalid_argument);
    EXPECT_EQ(parsed.error().message.find("hunter2"), std::string::npos);
  }
}

}  // namespace
}  // namespace cas::card
