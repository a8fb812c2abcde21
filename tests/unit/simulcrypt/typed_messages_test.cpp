// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "simulcrypt/ecmg_messages.hpp"
#include "simulcrypt/emmg_messages.hpp"
#include "simulcrypt/grammar.hpp"
#include "support/result_matchers.hpp"

namespace cas::simulcrypt {
namespace {

using test::hex;

// What was written passes the checker, and is this on the wire (laid out by hand after the tables of TS 103 197).
MessageView passed(const Grammar& grammar, const ByteQueue& out, const char* wire) {
  EXPECT_EQ(to_hex(out.view()), to_hex(hex(wire)));
  const CheckedMessage message =
      check(grammar, read_message_header(out.view()), out.view().subspan(message_header_size));
  EXPECT_FALSE(message.fault);
  return message.message.value();
}

TEST(EcmgMessages, ChannelSetup) {
  ByteQueue out;
  ASSERT_OK((ecmg::ChannelSetup{1, 0x4adc0001}.write(out, 3)));
  const auto read = ecmg::ChannelSetup::from(passed(ecmg_grammar(), out, "03 0001 000e 000e00020001 000100044adc0001"));
  EXPECT_EQ(read.channel_id, 1);
  EXPECT_EQ(read.super_cas_id, 0x4adc0001U);
}

TEST(EcmgMessages, ChannelStatusWithAllItsDelays) {
  ecmg::ChannelStatus status;
  status.channel_id = 0x0102;
  status.parameters = {1, -1, -32768, -500, 32767, 300, -300, 100, 400, 50, 2, 3, 250};
  ByteQueue out;
  ASSERT_OK(status.write(out, 2));
  const auto read = ecmg::ChannelStatus::from(
      passed(ecmg_grammar(), out,
             "02 0003 0051 000e00020102 0002000101 00160002ffff 001700028000 00030002fe0c 000400027fff 00050002012c"
             "00060002fed4 000700020064 000800020190 000900020032 000a000102 000b000103 000c000200fa"));
  EXPECT_EQ(read.channel_id, 0x0102);
  EXPECT_EQ(read.parameters, status.parameters);
}

TEST(EcmgMessages, ChannelStatusWithoutWhatIsOptional) {
  ecmg::ChannelStatus status;
  ByteQueue out;
  ASSERT_OK(status.write(out, 3));
  const auto read = ecmg::ChannelStatus::from(
      passed(ecmg_grammar(), out,
             "03 0003 0039 000e00020000 0002000100 000300020000 000400020000 000700020064 000800020000 00090002000a"
             "000a000101 000b000102 000c00020064"));
  EXPECT_EQ(read.parameters, status.parameters);
  EXPECT_FALSE(read.parameters.ac_delay_start);
}

TEST(EcmgMessages, OfAChannelAlone) {
  for (const auto type : {ecmg::channel_test, ecmg::channel_close}) {
    ByteQueue out;
    ASSERT_OK(ecmg::ChannelMessage{0xfffe}.write(out, 3, type));
    const auto message = passed(ecmg_grammar(), out,
                                type == ecmg::channel_test ? "03 0002 0006 000e0002fffe" : "03 0004 0006 000e0002fffe");
    EXPECT_EQ(ecmg::ChannelMessage::from(message).channel_id, 0xfffe);
  }
}

TEST(EcmgMessages, OfAStreamAlone) {
  const std::pair<ecmg::MessageType, const char*> cases[] = {
      {ecmg::stream_test, "03 0102 000c 000e00020001 000f00020002"},
      {ecmg::stream_close_request, "03 0104 000c 000e00020001 000f00020002"},
      {ecmg::stream_close_response, "03 0105 000c 000e00020001 000f00020002"}};
  for (const auto& [type, wire] : cases) {
    ByteQueue out;
    ASSERT_OK((ecmg::StreamMessage{1, 2}.write(out, 3, type)));
    const auto read = ecmg::StreamMessage::from(passed(ecmg_grammar(), out, wire));
    EXPECT_EQ(read.channel_id, 1);
    EXPECT_EQ(read.stream_id, 2);
  }
}

TEST(EcmgMessages, Errors) {
  ecmg::ErrorMessage error;
  error.channel_id = 1;
  error.statuses = {0x0008, 0x8001};
  error.status_count = 2;
  const Bytes information = hex("000e");
  error.information = information;
  ByteQueue out;
  ASSERT_OK(error.write(out, 3));
  auto read = ecmg::ErrorMessage::from(
      passed(ecmg_grammar(), out, "03 0005 0018 000e00020001 700000020008 700000028001 70010002000e"));
  EXPECT_EQ(std::vector<std::uint16_t>(read.status().begin(), read.status().end()),
            (std::vector<std::uint16_t>{0x0008, 0x8001}));
  EXPECT_EQ(to_hex(read.information), "000e");
  EXPECT_FALSE(read.stream_id);
  out.clear();
  error.stream_id = 9;
  error.information = {};
  ASSERT_OK(error.write(out, 2));
  read = ecmg::ErrorMessage::from(
      passed(ecmg_grammar(), out, "02 0106 0018 000e00020001 000f00020009 700000020008 700000028001"));
  EXPECT_EQ(read.stream_id, 9);
}

TEST(EcmgMessages, AnErrorOfVeryManyStatusesIsReadAsFarAsThereIsRoom) {
  ByteQueue out;
  MessageWriter writer(out, 3, ecmg::channel_error);
  writer.u16(ecmg::ecm_channel_id, 1);
  for (std::uint16_t i = 1; i <= 100; ++i) writer.u16(ecmg::error_status, i);
  ASSERT_OK(writer.finish());
  const auto message = MessageView::parse(out.view());
  ASSERT_OK(message);
  const auto read = ecmg::ErrorMessage::from(*message);
  EXPECT_EQ(read.status().size(), ecmg::ErrorMessage::max_statuses);
  EXPECT_EQ(read.status()[7], 8);
}

TEST(EcmgMessages, StreamSetupAndStatus) {
  ByteQueue out;
  ASSERT_OK((ecmg::StreamSetup{1, 2, 3, 100}.write(out, 3)));
  const auto setup = ecmg::StreamSetup::from(
      passed(ecmg_grammar(), out, "03 0101 0018 000e00020001 000f00020002 001900020003 001000020064"));
  EXPECT_EQ(setup.ecm_id, 3);
  EXPECT_EQ(setup.nominal_cp_duration, 100);
  out.clear();
  ASSERT_OK((ecmg::StreamStatus{1, 2, 3, true}.write(out, 3)));
  const auto status = ecmg::StreamStatus::from(
      passed(ecmg_grammar(), out, "03 0103 0017 000e00020001 000f00020002 001900020003 0011000101"));
  EXPECT_EQ(status.stream_id, 2);
  EXPECT_TRUE(status.access_criteria_each_time);
}

TEST(EcmgMessages, CwProvision) {
  const Bytes first = hex("1111111111111111");
  const Bytes second = hex("2222222222222222");
  ecmg::CwProvision provision;
  provision.channel_id = 1;
  provision.stream_id = 2;
  provision.cp_number = 65535;
  provision.word_list[0] = {65535, first};
  provision.word_list[1] = {0, second};
  provision.word_count = 2;
  provision.cp_duration = 100;
  provision.access_criteria = as_bytes("AC");
  provision.cw_encryption = as_bytes("E");
  ByteQueue out;
  ASSERT_OK(provision.write(out, 3));
  const auto read = ecmg::CwProvision::from(
      passed(ecmg_grammar(), out,
             "03 0201 003f 000e00020001 000f00020002 00120002ffff 0018000145 0014000affff1111111111111111"
             "0014000a00002222222222222222 001300020064 000d00024143"));
  ASSERT_EQ(read.words().size(), 2U);
  EXPECT_EQ(read.words()[1].cp_number, 0);
  EXPECT_EQ(copy_of(read.words()[1].word), second);
  EXPECT_EQ(read.cp_duration, 100);
  EXPECT_EQ(as_text(read.access_criteria.value()), "AC");
  EXPECT_EQ(as_text(read.cw_encryption.value()), "E");
  EXPECT_EQ(read.cp_number, 65535);
}

TEST(EcmgMessages, EcmResponse) {
  const Bytes ecm = hex("80700101");
  ByteQueue out;
  ASSERT_OK((ecmg::EcmResponse{1, 2, 3, ecm}.write(out, 3)));
  const auto read = ecmg::EcmResponse::from(
      passed(ecmg_grammar(), out, "03 0202 001a 000e00020001 000f00020002 001200020003 0015000480700101"));
  EXPECT_EQ(read.cp_number, 3);
  EXPECT_EQ(copy_of(read.datagram), ecm);
  out.clear();
  EXPECT_FAILS((ecmg::EcmResponse{1, 2, 3, Bytes(65530)}.write(out, 3)), ErrorKind::exhausted);
  EXPECT_TRUE(out.empty());
}

// TS 103 197, 5.3: CW_per_msg. The number of a crypto-period wraps.
TEST(EcmgMessages, TheWindowOfCryptoPeriods) {
  const auto first = [](std::uint16_t cp, std::uint8_t lead, std::uint8_t per_message) {
    ecmg::ChannelParameters parameters;
    parameters.lead_cw = lead;
    parameters.cw_per_msg = per_message;
    return ecmg::first_word_of(cp, parameters);
  };
  EXPECT_EQ(first(10, 0, 1), 10);
  EXPECT_EQ(first(10, 1, 2), 10);
  EXPECT_EQ(first(10, 1, 1), 11);
  EXPECT_EQ(first(10, 1, 3), 9);
  EXPECT_EQ(first(0, 1, 3), 65535);
  EXPECT_EQ(first(65535, 2, 2), 0);
}

TEST(EmmgMessages, OfChannels) {
  ByteQueue out;
  ASSERT_OK((emmg::ChannelSetup{{0x4adc0001, 2}, 1}.write(out, 3, emmg::channel_setup)));
  auto setup =
      emmg::ChannelSetup::from(passed(emmg_grammar(), out, "03 0011 0013 000100044adc0001 000300020002 0002000101"));
  EXPECT_EQ(setup.channel, (emmg::ChannelId{0x4adc0001, 2}));
  EXPECT_EQ(setup.section_tspkt_flag, 1);
  out.clear();
  ASSERT_OK((emmg::ChannelSetup{{1, 2}, 0}.write(out, 1, emmg::channel_status)));
  passed(emmg_grammar(), out, "01 0013 0013 0001000400000001 000300020002 0002000100");
  out.clear();
  ASSERT_OK((emmg::ChannelMessage{{1, 2}}.write(out, 5, emmg::channel_test)));
  EXPECT_EQ(
      emmg::ChannelMessage::from(passed(emmg_grammar(), out, "05 0012 000e 0001000400000001 000300020002")).channel,
      (emmg::ChannelId{1, 2}));
  out.clear();
  ASSERT_OK((emmg::ChannelMessage{{1, 2}}.write(out, 5, emmg::channel_close)));
  passed(emmg_grammar(), out, "05 0014 000e 0001000400000001 000300020002");
}

TEST(EmmgMessages, OfStreams) {
  ByteQueue out;
  ASSERT_OK((emmg::StreamSetup{{1, 2}, 3, 4, emmg::private_data}.write(out, 3, emmg::stream_setup)));
  const auto setup = emmg::StreamSetup::from(
      passed(emmg_grammar(), out, "03 0111 001f 0001000400000001 000300020002 000400020003 000800020004 0007000101"));
  EXPECT_EQ(setup.stream_id, 3);
  EXPECT_EQ(setup.data_id, 4);
  EXPECT_EQ(setup.data_type, emmg::private_data);
  out.clear();
  ASSERT_OK((emmg::StreamSetup{{1, 2}, 3, 4, emmg::emm}.write(out, 3, emmg::stream_status)));
  passed(emmg_grammar(), out, "03 0113 001f 0001000400000001 000300020002 000400020003 000800020004 0007000100");
  const std::pair<emmg::MessageType, const char*> cases[] = {
      {emmg::stream_test, "0112"}, {emmg::stream_close_request, "0114"}, {emmg::stream_close_response, "0115"}};
  for (const auto& [type, digits] : cases) {
    out.clear();
    ASSERT_OK((emmg::StreamMessage{{1, 2}, 3}.write(out, 3, type)));
    const std::string wire = "03" + std::string(digits) + "0014 0001000400000001 000300020002 000400020003";
    EXPECT_EQ(emmg::StreamMessage::from(passed(emmg_grammar(), out, wire.c_str())).stream_id, 3);
  }
}

TEST(EmmgMessages, Bandwidth) {
  ByteQueue out;
  ASSERT_OK((emmg::StreamBandwidth{{1, 2}, 3, 500}.write(out, 3, emmg::stream_bw_request)));
  auto read = emmg::StreamBandwidth::from(
      passed(emmg_grammar(), out, "03 0117 001a 0001000400000001 000300020002 000400020003 0006000201f4"));
  EXPECT_EQ(read.bandwidth, 500);
  out.clear();
  ASSERT_OK((emmg::StreamBandwidth{{1, 2}, 3, {}}.write(out, 3, emmg::stream_bw_allocation)));
  read = emmg::StreamBandwidth::from(
      passed(emmg_grammar(), out, "03 0118 0014 0001000400000001 000300020002 000400020003"));
  EXPECT_FALSE(read.bandwidth);
}

TEST(EmmgMessages, Errors) {
  emmg::ErrorMessage error;
  error.channel = {1, 2};
  error.statuses = {0x000f};
  error.status_count = 1;
  ByteQueue out;
  ASSERT_OK(error.write(out, 3));
  passed(emmg_grammar(), out, "03 0015 0014 0001000400000001 000300020002 70000002000f");
  out.clear();
  error.stream_id = 3;
  const Bytes information = hex("0005");
  error.information = information;
  ASSERT_OK(error.write(out, 3));
  const auto read = emmg::ErrorMessage::from(
      passed(emmg_grammar(), out, "03 0116 0020 0001000400000001 000300020002 000400020003 70000002000f 700100020005"));
  EXPECT_EQ(read.stream_id, 3);
  ASSERT_EQ(read.status().size(), 1U);
  EXPECT_EQ(read.status()[0], 0x000f);
  EXPECT_EQ(to_hex(read.information), "0005");
}

TEST(EmmgMessages, DataProvisionWithAndWithoutItsStream) {
  const Bytes emm = hex("82700101");
  const ByteView datagrams[] = {emm, {}};
  ByteQueue out;
  ASSERT_OK((emmg::DataProvision{1, 2, 3, 4}.write(out, 3, datagrams)));
  auto message =
      passed(emmg_grammar(), out,
             "03 0211 0026 0001000400000001 000300020002 000400020003 000800020004 0005000482700101 00050000");
  auto read = emmg::DataProvision::from(message);
  EXPECT_EQ(read.channel_id, 2);
  EXPECT_EQ(read.stream_id, 3);
  EXPECT_EQ(read.data_id, 4);
  EXPECT_EQ(emmg::size_of_datagrams(message), 4U);
  out.clear();
  ASSERT_OK((emmg::DataProvision{1, {}, {}, 4}.write(out, 3, datagrams)));
  read = emmg::DataProvision::from(
      passed(emmg_grammar(), out, "03 0211 001a 0001000400000001 000800020004 0005000482700101 00050000"));
  EXPECT_FALSE(read.channel_id);
  EXPECT_FALSE(read.stream_id);
  EXPECT_EQ(read.client_id, 1U);
}

}  // namespace
}  // namespace cas::simulcrypt
