// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/apdu.hpp"

#include <gtest/gtest.h>

#include "support/result_matchers.hpp"

namespace cas::card {
namespace {

using test::hex;

struct Form {
  const char* name;
  std::size_t nc;
  std::optional<std::uint32_t> ne;
  const char* head;  ///< What stands before the data.
  const char* tail;  ///< What stands behind it.
};

// ISO/IEC 7816-4, table 1: the seven forms at the borders of their lengths.
const Form forms[] = {
    {"case 1", 0, {}, "80CA0102", ""},
    {"case 2 short, smallest", 0, 1, "80CA010201", ""},
    {"case 2 short, 255", 0, 255, "80CA0102FF", ""},
    {"case 2 short, 256", 0, 256, "80CA010200", ""},
    {"case 3 short, 1", 1, {}, "80CA010201", ""},
    {"case 3 short, 255", 255, {}, "80CA0102FF", ""},
    {"case 4 short, 1 and 1", 1, 1, "80CA010201", "01"},
    {"case 4 short, 255 and 256", 255, 256, "80CA0102FF", "00"},
    {"case 2 extended, 257", 0, 257, "80CA0102000101", ""},
    {"case 2 extended, 65535", 0, 65535, "80CA010200FFFF", ""},
    {"case 2 extended, 65536", 0, 65536, "80CA0102000000", ""},
    {"case 3 extended, 256", 256, {}, "80CA0102000100", ""},
    {"case 3 extended, 65535", 65535, {}, "80CA010200FFFF", ""},
    {"case 4 extended for its data, 256 and 1", 256, 1, "80CA0102000100", "0001"},
    {"case 4 extended for its answer, 1 and 257", 1, 257, "80CA0102000001", "0101"},
    {"case 4 extended, 65535 and 65536", 65535, 65536, "80CA010200FFFF", "0000"},
};

Bytes pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + 3);
  return bytes;
}

TEST(CommandApdu, EncodesAndParsesEachForm) {
  for (const Form& form : forms) {
    SCOPED_TRACE(form.name);
    const CommandApdu command{0x80, 0xca, 0x01, 0x02, pattern(form.nc), form.ne};
    Bytes wire = hex(form.head);
    append(wire, command.data);
    append(wire, hex(form.tail));
    EXPECT_EQ(command.encode(), wire);

    const auto parsed = CommandApdu::parse(wire);
    ASSERT_OK(parsed);
    EXPECT_EQ(parsed->cla, 0x80);
    EXPECT_EQ(parsed->ins, 0xca);
    EXPECT_EQ(parsed->p1, 0x01);
    EXPECT_EQ(parsed->p2, 0x02);
    EXPECT_EQ(parsed->data, command.data);
    EXPECT_EQ(parsed->ne, command.ne);
  }
}

TEST(CommandApdu, EachFormWithAByteMoreOrLessIsRefusedOrAnotherForm) {
  for (const Form& form : forms) {
    SCOPED_TRACE(form.name);
    const CommandApdu command{0x80, 0xca, 0x01, 0x02, pattern(form.nc), form.ne};
    const Bytes wire = command.encode();
    for (const bool longer : {false, true}) {
      Bytes other = wire;
      if (longer)
        other.push_back(0x01);
      else
        other.pop_back();
      const auto parsed = CommandApdu::parse(other);
      // What still parses must be exactly what was given: nothing is dropped and nothing invented.
      if (parsed) {
        std::size_t size = 4 + parsed->data.size();
        const bool extended = other.size() > 5 && other[4] == 0;
        if (!parsed->data.empty()) size += extended ? 3 : 1;
        if (parsed->ne) size += !extended ? 1 : parsed->data.empty() ? 3 : 2;
        EXPECT_EQ(size, other.size());
      }
    }
  }
}

TEST(CommandApdu, ExtendedFormOfAShortCommandIsRead) {
  const auto parsed = CommandApdu::parse(hex("00A40400 000005 F000000001 0000"));
  ASSERT_OK(parsed);
  EXPECT_EQ(parsed->data, hex("F000000001"));
  EXPECT_EQ(parsed->ne, 65536U);
  EXPECT_EQ(CommandApdu::parse(hex("00B00000 000001"))->ne, 1U);
}

TEST(CommandApdu, ShorterThanAHeaderIsTruncated) {
  for (const char* text : {"", "00", "00A4", "00A404"})
    EXPECT_FAILS(CommandApdu::parse(hex(text)), ErrorKind::truncated);
}

TEST(CommandApdu, WrongLengthsAreRefused) {
  const char* wrong[] = {
      "00A40400 0001",               // an extended form that ends within its length
      "00A40400 02 01",              // Lc 2, one byte
      "00A40400 01 01 02 03",        // Lc 1, data, and two bytes too many
      "00A40400 000001 0102",        // extended Lc 1, data, half an Le
      "00A40400 000003 0102",        // extended Lc 3, two bytes
      "00A40400 000000 01",          // extended Lc 0 with data
      "00A40400 000000 0000",        // extended Lc 0 with Le
      "00A40400 000001 01 0102 03",  // extended, and a byte too many
  };
  for (const char* text : wrong) {
    SCOPED_TRACE(text);
    EXPECT_FAILS(CommandApdu::parse(hex(text)), ErrorKind::malformed);
  }
}

TEST(CommandApdu, EveryPrefixOfALongCommandIsRefused) {
  const Bytes wire = CommandApdu{0, 0xd6, 0, 0, pattern(300), 300}.encode();
  for (std::size_t size = 0; size < wire.size(); ++size) {
    const auto parsed = CommandApdu::parse(ByteView(wire).first(size));
    // Shorter forms that happen to be whole: case 1, case 2 short, case 2 extended, and case 3 without the Le.
    const bool whole = size == 4 || size == 5 || size == 7 || size == 7 + 300;
    EXPECT_EQ(parsed.has_value(), whole) << size;
  }
}

TEST(CommandApdu, WhatHasNoEncodingEncodesToNothing) {
  EXPECT_TRUE((CommandApdu{0, 0, 0, 0, Bytes(65536), {}}.encode().empty()));
  EXPECT_TRUE((CommandApdu{0, 0, 0, 0, {}, 65537}.encode().empty()));
  EXPECT_TRUE((CommandApdu{0, 0, 0, 0, {}, 0}.encode().empty()));
}

TEST(ResponseApdu, EncodesAndParses) {
  const ResponseApdu response{hex("0102"), 0x6a82};
  EXPECT_EQ(response.encode(), hex("01026A82"));
  const auto parsed = ResponseApdu::parse(hex("01026A82"));
  ASSERT_OK(parsed);
  EXPECT_EQ(parsed->data, hex("0102"));
  EXPECT_EQ(parsed->status, sw::not_found);
  EXPECT_FALSE(parsed->ok());
  EXPECT_TRUE(ResponseApdu::parse(hex("9000"))->ok());
}

TEST(ResponseApdu, WithoutAStatusWordIsTruncated) {
  EXPECT_FAILS(ResponseApdu::parse({}), ErrorKind::truncated);
  EXPECT_FAILS(ResponseApdu::parse(hex("90")), ErrorKind::truncated);
}

TEST(StatusWord, IsDescribed) {
  EXPECT_EQ(describe_status_word(sw::conditions_not_satisfied), "6985 (conditions of use not satisfied)");
  EXPECT_EQ(describe_status_word(0x6581), "6581 (memory failure)");
  EXPECT_EQ(describe_status_word(0x1234), "1234 (status word without a meaning here)");
}

}  // namespace
}  // namespace cas::card
