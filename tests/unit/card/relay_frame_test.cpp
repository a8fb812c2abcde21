// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/relay_frame.hpp"

#include <gtest/gtest.h>

#include "support/result_matchers.hpp"
#include "support/vector_file.hpp"

namespace cas::card {
namespace {

using test::hex;

Bytes header(std::uint8_t type, std::uint32_t size) {
  Bytes bytes{type};
  for (const int shift : {24, 16, 8, 0}) bytes.push_back(static_cast<std::uint8_t>(size >> shift));
  return bytes;
}

TEST(RelayFrame, IsFoundHoweverItArrives) {
  Bytes stream = encode_relay_frame(RelayFrameType::command, hex("00a4040000"));
  append(stream, encode_relay_frame(RelayFrameType::ping, {}));
  append(stream, encode_relay_frame(RelayFrameType::response, Bytes(max_relay_response, 7)));
  for (const std::size_t step : {std::size_t{1}, std::size_t{6}, std::size_t{1000}, stream.size()}) {
    RelayFrameParser parser;
    std::vector<RelayFrame> found;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      parser.append(ByteView(stream).subspan(at, std::min(step, stream.size() - at)));
      for (;;) {
        auto frame = parser.next();
        ASSERT_OK(frame);
        if (!*frame) break;
        found.push_back(std::move(**frame));
      }
    }
    ASSERT_EQ(found.size(), 3U) << step;
    EXPECT_EQ(found[0].type, RelayFrameType::command);
    EXPECT_EQ(found[0].payload, hex("00a4040000"));
    EXPECT_EQ(found[1].type, RelayFrameType::ping);
    EXPECT_EQ(found[2].payload, Bytes(max_relay_response, 7));
    EXPECT_FALSE(parser.within_frame());
  }
}

// By its header alone: before there is a byte of what it announces.
TEST(RelayFrame, OfAWrongSizeIsRefusedByItsHeader) {
  struct Case {
    std::uint8_t type;
    std::uint32_t least;
    std::uint32_t most;
  };
  const Case cases[] = {{0x01, 1, 1025},  {0x02, 0, 0},    {0x03, 0, 1024}, {0x04, 4, 65544},
                        {0x05, 2, 65538}, {0x06, 0, 0},    {0x07, 0, 0},    {0x08, 0, 1024},
                        {0x09, 0, 1024},  {0x0a, 1, 1025}, {0x0b, 0, 0}};
  const auto outcome = [](std::uint8_t type, std::uint32_t size) {
    RelayFrameParser parser;
    parser.append(header(type, size));
    return parser.next();
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(int{each.type});
    EXPECT_OK(outcome(each.type, each.least));
    EXPECT_OK(outcome(each.type, each.most));
    EXPECT_FAILS(outcome(each.type, each.most + 1), ErrorKind::malformed);
    EXPECT_FAILS(outcome(each.type, 0xffffffff), ErrorKind::malformed);
    if (each.least > 0) EXPECT_FAILS(outcome(each.type, each.least - 1), ErrorKind::malformed);
  }
  for (const std::uint8_t type : {std::uint8_t{0x00}, std::uint8_t{0x0c}, std::uint8_t{0x7f}, std::uint8_t{0xff}})
    EXPECT_FAILS(outcome(type, 0), ErrorKind::malformed);
}

TEST(RelayFrame, WaitsForItsRest) {
  RelayFrameParser parser;
  parser.append(hex("0a0000000302"));
  auto frame = parser.next();
  ASSERT_OK(frame);
  EXPECT_FALSE(*frame);
  EXPECT_TRUE(parser.within_frame());
  parser.append(hex("4142"));
  frame = parser.next();
  ASSERT_OK(frame);
  ASSERT_TRUE(*frame);
  const auto error = parse_relay_error((*frame)->payload);
  ASSERT_OK(error);
  EXPECT_EQ(error->code, RelayErrorCode::version);
  EXPECT_EQ(error->why, "AB");
}

TEST(RelayFrame, TextIsFitForATerminal) {
  EXPECT_EQ(as_text(encode_relay_text("a\nb\x1b[31m\xc3\xa9\x7f")), "a?b?[31m???");
  EXPECT_EQ(encode_relay_text(std::string(3000, 'x')).size(), max_relay_text);
  EXPECT_FAILS(parse_relay_text(as_bytes("a\nb")), ErrorKind::malformed);
  EXPECT_FAILS(parse_relay_text(as_bytes("\x1b[31m")), ErrorKind::malformed);
  EXPECT_FAILS(parse_relay_text(as_bytes("\xc3\xa9")), ErrorKind::malformed);
  EXPECT_FAILS(parse_relay_text(Bytes(max_relay_text + 1, 'x')), ErrorKind::malformed);
  EXPECT_FAILS(parse_relay_hello(hex("011b")), ErrorKind::malformed);
  EXPECT_FAILS(parse_relay_error(hex("001b")), ErrorKind::malformed);
  EXPECT_FAILS(parse_relay_hello({}), ErrorKind::truncated);
  EXPECT_FAILS(parse_relay_error({}), ErrorKind::truncated);
}

TEST(RelayFrame, WhatALaterVersionSaysIsReadAsFarAsItCanBe) {
  const auto hello = parse_relay_hello(hex("02ff00ff"));
  ASSERT_OK(hello);
  EXPECT_EQ(hello->version, 2);
  const auto error = parse_relay_error(hex("7741"));
  ASSERT_OK(error);
  EXPECT_EQ(error->code, RelayErrorCode::other);
}

TEST(RelayFrame, IsAsInTheVectors) {
  test::for_each_vector("card/relay_frames.txt", [](test::Vector& vector) {
    SCOPED_TRACE(vector.text("case"));
    const Bytes wire = vector.hex("frame");
    RelayFrameParser parser;
    parser.append(wire);
    const auto frame = parser.next();
    ASSERT_OK(frame);
    ASSERT_TRUE(*frame);
    EXPECT_FALSE(parser.within_frame());
    EXPECT_EQ(static_cast<std::uint64_t>((*frame)->type), vector.number("type"));
    EXPECT_EQ((*frame)->payload, vector.hex("payload"));
    EXPECT_EQ(encode_relay_frame((*frame)->type, (*frame)->payload), wire);
    if ((*frame)->type == RelayFrameType::hello) {
      const auto hello = parse_relay_hello((*frame)->payload);
      ASSERT_OK(hello);
      EXPECT_EQ(hello->version, vector.number("version"));
      EXPECT_EQ(hello->description, vector.text("text"));
      EXPECT_EQ(encode_relay_hello(*hello), (*frame)->payload);
    } else if ((*frame)->type == RelayFrameType::error) {
      const auto error = parse_relay_error((*frame)->payload);
      ASSERT_OK(error);
      EXPECT_EQ(static_cast<std::uint64_t>(error->code), vector.number("code"));
      EXPECT_EQ(error->why, vector.text("text"));
      EXPECT_EQ(encode_relay_error(*error), (*frame)->payload);
    }
  });
}

}  // namespace
}  // namespace cas::card
