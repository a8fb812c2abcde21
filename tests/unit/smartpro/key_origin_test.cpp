// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/key_origin.hpp"

#include <gtest/gtest.h>

#include "base/tlv.hpp"
#include "support/result_matchers.hpp"

namespace cas::smartpro {
namespace {

using test::value_or_throw;

constexpr char uuid[] = "a2b3c4d5-0001-4000-8000-0123456789ab";

KeyOrigin origin(std::string content_id = "channel-1") {
  return {value_or_throw(parse_key_id(uuid)), std::move(content_id), 0x0102030405060708};
}

Bytes fields(ByteView key_id, ByteView content_id, ByteView period_index) {
  return TlvWriter().field(0x80, key_id).field(0x81, content_id).field(0x82, period_index).take();
}

TEST(KeyOrigin, IsWrittenAsTheFormatSays) {
  EXPECT_EQ(to_hex(origin().encode()),
            "8010a2b3c4d50001400080000123456789ab"
            "81096368616e6e656c2d31"
            "82080102030405060708");
}

TEST(KeyOrigin, ComesBackAsItWasWritten) {
  for (const std::string& content_id :
       {std::string(), std::string("channel-1"), std::string(max_key_content_id_size, 'a'),
        std::string("\xc3\xa9\xe2\x82\xac\xf0\x9f\x8e\xac\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\xc2\xa0")}) {
    const KeyOrigin written = origin(content_id);
    EXPECT_OK(written.check());
    EXPECT_EQ(value_or_throw(KeyOrigin::parse(written.encode())), written);
  }
}

TEST(KeyOrigin, HoldsTextAlone) {
  for (const std::string& content_id : {
           std::string(max_key_content_id_size + 1, 'a'),
           std::string("a\0b", 3),
           std::string("\033[2J"),
           std::string("a\nb"),
           std::string("\x7f"),
           std::string("\xc2\x9b"),          // a control code of the second set
           std::string("\x80"),              // no first byte
           std::string("\xc3"),              // ends too early
           std::string("\xe2\x82"),          //
           std::string("\xc3\x28"),          // no byte that continues
           std::string("\xc1\xa1"),          // not the shortest form
           std::string("\xe0\x82\xa9"),      //
           std::string("\xf0\x82\x82\xac"),  //
           std::string("\xed\xa0\x80"),      // a surrogate
           std::string("\xf4\x90\x80\x80"),  // behind the last character
           std::string("\xff"),
       }) {
    SCOPED_TRACE(to_hex(as_bytes(content_id)));
    EXPECT_FAILS(origin(content_id).check(), ErrorKind::invalid_argument);
    EXPECT_FAILS(KeyOrigin::parse(origin(content_id).encode()), ErrorKind::malformed);
  }
}

TEST(KeyOrigin, RefusesFieldsThatCannotBe) {
  const Bytes id(16, 1), text{'a'}, index(8, 0);
  ASSERT_OK(KeyOrigin::parse(fields(id, text, index)));
  EXPECT_FAILS(KeyOrigin::parse(fields(Bytes(15), text, index)), ErrorKind::malformed);
  EXPECT_FAILS(KeyOrigin::parse(fields(Bytes(17), text, index)), ErrorKind::malformed);
  EXPECT_FAILS(KeyOrigin::parse(fields(id, text, Bytes(7))), ErrorKind::malformed);
  EXPECT_FAILS(KeyOrigin::parse(fields(id, text, {})), ErrorKind::malformed);
  EXPECT_FAILS(KeyOrigin::parse({}), ErrorKind::malformed);
  const Bytes whole = fields(id, text, index);
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FAILS(KeyOrigin::parse(ByteView(whole).first(size)), ErrorKind::malformed);
}

TEST(KeyOrigin, KeepsToTheRuleOfCriticality) {
  const auto with = [](TlvTag tag) { return TlvWriter().field(tag, Bytes{1}).take(); };
  Bytes critical = origin().encode(), optional = critical, twice = critical;
  append(critical, with(0x83));
  append(optional, with(0xc3));
  append(twice, TlvWriter().field(0x81, {}).take());
  EXPECT_FAILS(KeyOrigin::parse(critical), ErrorKind::unsupported);
  EXPECT_EQ(value_or_throw(KeyOrigin::parse(optional)), origin());
  EXPECT_FAILS(KeyOrigin::parse(twice), ErrorKind::malformed);
}

TEST(KeyId, IsAUuid) {
  EXPECT_EQ(key_id_text(value_or_throw(parse_key_id(uuid))), uuid);
  EXPECT_EQ(key_id_text(value_or_throw(parse_key_id("A2B3C4D5-0001-4000-8000-0123456789AB"))), uuid);
  for (const char* text : {"", "a2b3c4d5", "a2b3c4d500014000800001234567 89ab", "a2b3c4d5000140008000-0123456789ab",
                           "a2b3c4d5-0001-4000-8000-0123456789a", "a2b3c4d5-0001-4000-8000-0123456789abc",
                           "a2b3c4d5-0001-4000-8000-0123456789ab-", "a2b3c4d-50001-4000-8000-0123456789ab",
                           "g2b3c4d5-0001-4000-8000-0123456789ab", "-a2b3c4d50001400080000123456789ab",
                           "{a2b3c4d5-0001-4000-8000-01234567}"})
    EXPECT_FAILS(parse_key_id(text), ErrorKind::malformed);
}

}  // namespace
}  // namespace cas::smartpro
