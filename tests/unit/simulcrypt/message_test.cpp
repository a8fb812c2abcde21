// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/message.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "simulcrypt/message_framing.hpp"
#include "support/result_matchers.hpp"

namespace cas::simulcrypt {
namespace {

using test::hex;

// A channel_setup: ECM_channel_id 1, Super_CAS_id 0x4ADC0001, in the order that TS 103 197 lists them.
const char* const channel_setup = "03 0001 000e 000e 0002 0001 0001 0004 4adc0001";

Bytes copy_of_queue(const ByteQueue& queue) { return copy_of(queue.view()); }

TEST(Message, IsWrittenAsTheStandardLaysItOut) {
  ByteQueue out;
  MessageWriter writer(out, 3, 0x0001);
  writer.u16(0x000e, 1).u32(0x0001, 0x4adc0001);
  ASSERT_OK(writer.finish());
  EXPECT_EQ(copy_of_queue(out), hex(channel_setup));
}

TEST(Message, IsReadInAnyOrderOfParameters) {
  for (const char* wire : {channel_setup, "03 0001 000e 0001 0004 4adc0001 000e 0002 0001"}) {
    const Bytes bytes = hex(wire);
    const auto message = MessageView::parse(bytes);
    ASSERT_OK(message);
    EXPECT_EQ(message->version(), 3);
    EXPECT_EQ(message->type(), 0x0001);
    EXPECT_EQ(message->u16(0x000e), 1);
    EXPECT_EQ(message->u32(0x0001), 0x4adc0001U);
  }
}

TEST(Message, GivesAValueOfAnotherSizeAsBytesOnly) {
  const Bytes bytes = hex("02 0201 0012 000f 0003 010203 0010 0000 000f 0003 040506");
  const auto message = MessageView::parse(bytes);
  ASSERT_OK(message);
  EXPECT_FALSE(message->u8(0x000f));
  EXPECT_FALSE(message->u16(0x000f));
  EXPECT_FALSE(message->u32(0x000f));
  EXPECT_FALSE(message->find(0x0011));
  EXPECT_EQ(to_hex(message->find(0x000f).value()), "010203");
  EXPECT_TRUE(message->find(0x0010).value().empty());
  std::vector<std::uint16_t> tags;
  for (const Parameter& parameter : *message) tags.push_back(parameter.tag);
  EXPECT_EQ(tags, (std::vector<std::uint16_t>{0x000f, 0x0010, 0x000f}));
}

TEST(Message, WithoutParametersIsOne) {
  const Bytes bytes = hex("02 0002 0000");
  const auto message = MessageView::parse(bytes);
  ASSERT_OK(message);
  EXPECT_EQ(message->begin(), message->end());
}

TEST(Message, ThatDoesNotEndWhereItSaysIsRefused) {
  EXPECT_FAILS(MessageView::parse(hex("")), ErrorKind::truncated);
  EXPECT_FAILS(MessageView::parse(hex("03000100")), ErrorKind::truncated);
  EXPECT_FAILS(MessageView::parse(hex("03 0001 000e 000e 0002 0001 0001 0004 4adc00")), ErrorKind::truncated);
  EXPECT_FAILS(MessageView::parse(hex("03 0001 000e 000e 0002 0001 0001 0004 4adc0001 00")), ErrorKind::malformed);
}

TEST(Message, WhoseParametersDoNotFillItIsRefused) {
  EXPECT_FAILS(MessageView::parse(hex("03 0001 0003 000e 00")), ErrorKind::malformed);
  EXPECT_FAILS(MessageView::parse(hex("03 0001 0005 000e 0002 00")), ErrorKind::malformed);
  EXPECT_FAILS(MessageView::parse(hex("03 0001 0007 000e 0002 0001 00")), ErrorKind::malformed);
  EXPECT_FAILS(MessageView::parse(hex("03 0001 0004 000e ffff")), ErrorKind::malformed);
}

TEST(Message, WithTooManyParametersIsRefused) {
  ByteQueue out;
  {
    MessageWriter writer(out, 3, 0x0211);
    for (std::size_t i = 0; i < max_parameters; ++i) writer.bytes(0x0005, {});
    ASSERT_OK(writer.finish());
  }
  EXPECT_OK(MessageView::parse(out.view()));
  out.clear();
  {
    MessageWriter writer(out, 3, 0x0211);
    for (std::size_t i = 0; i <= max_parameters; ++i) writer.bytes(0x0005, {});
    ASSERT_OK(writer.finish());
  }
  EXPECT_FAILS(MessageView::parse(out.view()), ErrorKind::malformed);
}

TEST(MessageWriter, FillsTheLongestMessageAndNoLongerOne) {
  ByteQueue out;
  out.append(hex("aa"));
  {
    MessageWriter writer(out, 3, 0x0211);
    writer.bytes(0x0005, Bytes(max_message_body - 4, 1));
    ASSERT_OK(writer.finish());
  }
  EXPECT_OK(MessageView::parse(out.view().subspan(1)));
  out.truncate(1);
  {
    MessageWriter writer(out, 3, 0x0211);
    writer.bytes(0x0005, Bytes(max_message_body - 4, 1));
    writer.bytes(0x0005, {});
    EXPECT_FAILS(writer.finish(), ErrorKind::exhausted);
  }
  EXPECT_EQ(copy_of_queue(out), hex("aa"));
  {
    MessageWriter writer(out, 3, 0x0211);
    EXPECT_FALSE(writer.begin_value(0x0005, max_message_body - 3));
    const auto room = writer.begin_value(0x0005, max_message_body - 4);
    ASSERT_TRUE(room);
    (*room)[0] = 7;
    writer.end_value(1);
    ASSERT_OK(writer.finish());
  }
  EXPECT_EQ(copy_of_queue(out), hex("aa 03 0211 0005 0005 0001 07"));
}

TEST(MessageWriter, LeavesNothingBehindWhenItIsAbandoned) {
  ByteQueue out;
  { MessageWriter(out, 3, 0x0001).u16(0x000e, 1); }
  EXPECT_TRUE(out.empty());
}

TEST(MessageFraming, FindsMessagesHoweverTheyArrive) {
  Bytes stream = hex(channel_setup);
  append(stream, hex("02 0002 0000"));
  append(stream, hex("02 0201 0007 000d 0003 414243"));
  for (std::size_t step = 1; step <= stream.size(); ++step) {
    MessageFraming framing;
    Bytes found;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      framing.append(ByteView(stream).subspan(at, std::min(step, stream.size() - at)));
      for (auto next = framing.next(); next.found != MessageFraming::Found::nothing; next = framing.next()) {
        ASSERT_EQ(next.found, MessageFraming::Found::message);
        found.push_back(next.header.version);
        found.push_back(static_cast<std::uint8_t>(next.header.type >> 8));
        found.push_back(static_cast<std::uint8_t>(next.header.type));
        found.push_back(static_cast<std::uint8_t>(next.header.length >> 8));
        found.push_back(static_cast<std::uint8_t>(next.header.length));
        append(found, next.body);
      }
    }
    EXPECT_EQ(found, stream) << step;
    EXPECT_FALSE(framing.within_message());
  }
}

TEST(MessageFraming, SaysWhenTheConnectionEndsWithinAMessage) {
  MessageFraming framing;
  framing.append(hex("0300"));
  EXPECT_EQ(framing.next().found, MessageFraming::Found::nothing);
  EXPECT_TRUE(framing.within_message());
  framing.clear();
  EXPECT_FALSE(framing.within_message());
}

// By its header alone, and the next message is found behind it.
TEST(MessageFraming, PassesOverWhatIsTooLong) {
  Bytes stream = hex("03 0201 0011");
  append(stream, Bytes(0x11, 0xee));
  append(stream, hex("03 0201 0010"));
  append(stream, Bytes(0x10, 0xdd));
  for (std::size_t step = 1; step <= stream.size(); ++step) {
    MessageFraming framing(0x10);
    std::vector<MessageFraming::Found> found;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      framing.append(ByteView(stream).subspan(at, std::min(step, stream.size() - at)));
      for (auto next = framing.next(); next.found != MessageFraming::Found::nothing; next = framing.next()) {
        found.push_back(next.found);
        if (next.found == MessageFraming::Found::message) {
          EXPECT_EQ(copy_of(next.body), Bytes(0x10, 0xdd));
        }
      }
      if (at + step == message_header_size) {
        EXPECT_EQ(found.size(), 1U);
      }
    }
    EXPECT_EQ(found, (std::vector{MessageFraming::Found::too_long, MessageFraming::Found::message})) << step;
    EXPECT_FALSE(framing.within_message());
  }
}

}  // namespace
}  // namespace cas::simulcrypt
