// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What somebody else's reader makes of our messages: Wireshark's SimulCrypt dissector.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "base/writer.hpp"
#include "simulcrypt/ecmg_messages.hpp"
#include "simulcrypt/emmg_messages.hpp"
#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"

namespace cas::simulcrypt {
namespace {

constexpr std::uint16_t port = 2000;  // in the capture only: nothing is opened

// A capture of raw IPv4 with one TCP segment for each message, from and to 10.0.0.1. The dissector does not need
// checksums.
class Capture {
 public:
  Capture() {
    writer_.u32(0xa1b2c3d4).u16(2).u16(4).u32(0).u32(0).u32(0x40000).u32(101);  // LINKTYPE_RAW
  }
  void add(ByteView payload) {
    const auto size = static_cast<std::uint32_t>(40 + payload.size());
    writer_.u32(seconds_++).u32(0).u32(size).u32(size);
    writer_.u8(0x45).u8(0).u16(static_cast<std::uint16_t>(size)).u32(0).u8(64).u8(6).u16(0);
    writer_.u32(0x0a000001).u32(0x0a000001);
    writer_.u16(40000).u16(port).u32(sequence_).u32(1).u8(0x50).u8(0x18).u16(0xffff).u32(0);
    writer_.bytes(payload);
    sequence_ += static_cast<std::uint32_t>(payload.size());
  }
  void save(const std::filesystem::path& path) const {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(writer_.view().data()), static_cast<std::streamsize>(writer_.size()));
  }

 private:
  ByteWriter writer_;
  std::uint32_t seconds_ = 1'800'000'000;
  std::uint32_t sequence_ = 1;
};

bool has_tshark() { return std::system("tshark --version >/dev/null 2>&1") == 0; }

// A line a message: the fields' values, separated by blanks; those that it lacks are left out.
std::vector<std::string> dissected(const std::filesystem::path& capture, const std::vector<std::string>& fields) {
  std::string command = "tshark -r '" + capture.string() + "' -d tcp.port==" + std::to_string(port) +
                        ",simulcrypt -T fields -E separator=/s -E occurrence=a -E aggregator=,";
  for (const std::string& field : fields) command += " -e " + field;
  command += " 2>/dev/null";
  std::vector<std::string> lines;
  std::FILE* const output = popen(command.c_str(), "r");
  if (output == nullptr) return lines;
  std::array<char, 4096> buffer;
  while (std::fgets(buffer.data(), static_cast<int>(buffer.size()), output) != nullptr) {
    std::string line;
    for (const char each : std::string(buffer.data()))
      if (each != '\n' && (each != ' ' || (!line.empty() && line.back() != ' '))) line += each;
    while (!line.empty() && line.back() == ' ') line.pop_back();
    lines.push_back(line);
  }
  pclose(output);
  return lines;
}

class Dissection : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_tshark()) GTEST_SKIP() << "tshark is not installed";
  }
  template <typename Message, typename... Arguments>
  void add(const char* expected, const Message& message, std::uint8_t version, Arguments... arguments) {
    ByteQueue queue;
    ASSERT_OK(message.write(queue, version, arguments...));
    capture_.add(queue.view());
    expected_.emplace_back(expected);
  }
  void compare(std::vector<std::string> fields) {
    const test::TemporaryFolder folder;
    const auto path = folder.path() / "simulcrypt.pcap";
    capture_.save(path);
    fields.insert(fields.begin(), {"_ws.col.Protocol", "simulcrypt.version", "simulcrypt.message.type",
                                   "simulcrypt.message.interface"});
    fields.emplace_back("_ws.malformed");
    fields.emplace_back("_ws.expert.message");
    const auto lines = dissected(path, fields);
    ASSERT_EQ(lines.size(), expected_.size());
    for (std::size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(lines[i], expected_[i]) << i;
  }

 private:
  Capture capture_;
  std::vector<std::string> expected_;
};

TEST_F(Dissection, OfEcmgMessagesIsWhatWasWritten) {
  ecmg::ChannelStatus status;
  status.channel_id = 1;
  status.parameters = {0, -100, -101, -102, 103, 104, -105, 106, 107, 108, 9, 10, 111};
  ecmg::ErrorMessage error;
  error.channel_id = 1;
  error.statuses = {0x0008, 0x7001};
  error.status_count = 2;
  const Bytes information{0x00, 0x0e};
  error.information = information;
  ecmg::ErrorMessage stream_error = error;
  stream_error.stream_id = 2;
  const Bytes word{1, 2, 3, 4, 5, 6, 7, 8};
  const Bytes ecm{0x80, 0x70, 0x01, 0xaa};
  ecmg::CwProvision provision;
  provision.channel_id = 1;
  provision.stream_id = 2;
  provision.cp_number = 65535;
  provision.word_list[0] = {65535, word};
  provision.word_list[1] = {0, word};
  provision.word_count = 2;
  provision.cp_duration = 100;
  provision.access_criteria = as_bytes("AC");

  add("SIMULCRYPT 0x03 0x0001 1 0x4adc0001 1", ecmg::ChannelSetup{1, 0x4adc0001}, 3);
  add("SIMULCRYPT 0x02 0x0002 1 1", ecmg::ChannelMessage{1}, 2, ecmg::channel_test);
  add("SIMULCRYPT 0x03 0x0003 1 1 0x00 -100 -101 -102 103 104 -105 106 107 108 9 10 111", status, 3);
  add("SIMULCRYPT 0x03 0x0004 1 1", ecmg::ChannelMessage{1}, 3, ecmg::channel_close);
  add("SIMULCRYPT 0x03 0x0005 1 1 8,28673 000e", error, 3);
  add("SIMULCRYPT 0x03 0x0101 1 1 2 3 100", ecmg::StreamSetup{1, 2, 3, 100}, 3);
  add("SIMULCRYPT 0x03 0x0102 1 1 2", ecmg::StreamMessage{1, 2}, 3, ecmg::stream_test);
  add("SIMULCRYPT 0x03 0x0103 1 1 2 3 1", ecmg::StreamStatus{1, 2, 3, true}, 3);
  add("SIMULCRYPT 0x03 0x0104 1 1 2", ecmg::StreamMessage{1, 2}, 3, ecmg::stream_close_request);
  add("SIMULCRYPT 0x03 0x0105 1 1 2", ecmg::StreamMessage{1, 2}, 3, ecmg::stream_close_response);
  add("SIMULCRYPT 0x03 0x0106 1 1 2 8,28673 000e", stream_error, 3);
  add("SIMULCRYPT 0x03 0x0201 1 1 2 65535 ffff0102030405060708,00000102030405060708 100 4143", provision, 3);
  add("SIMULCRYPT 0x03 0x0202 1 1 2 65535 807001aa", ecmg::EcmResponse{1, 2, 65535, ecm}, 3);
  compare({"simulcrypt.super_cas_id",
           "simulcrypt.ecm_channel_id",
           "simulcrypt.ecm_stream_id",
           "simulcrypt.ecm_id",
           "simulcrypt.nominal_cp_duration",
           "simulcrypt.access_criteria_transfer_mode",
           "simulcrypt.section_tspkt_flag",
           "simulcrypt.ac_delay_start",
           "simulcrypt.ac_delay_stop",
           "simulcrypt.delay_start",
           "simulcrypt.delay_stop",
           "simulcrypt.transition_delay_start",
           "simulcrypt.transition_delay_stop",
           "simulcrypt.ecm_rep_period",
           "simulcrypt.max_streams",
           "simulcrypt.min_cp_duration",
           "simulcrypt.lead_cw",
           "simulcrypt.cw_per_msg",
           "simulcrypt.max_comp_time",
           "simulcrypt.cp_number",
           "simulcrypt.cp_cw_combination",
           "simulcrypt.cp_duration",
           "simulcrypt.access_criteria",
           "simulcrypt.ecm_datagram",
           "simulcrypt.error_status",
           "simulcrypt.error_information"});
}

TEST_F(Dissection, OfEmmgMessagesIsWhatWasWritten) {
  const emmg::ChannelId channel{0x4adc0001, 2};
  emmg::ErrorMessage error;
  error.channel = channel;
  error.statuses = {0x000f};
  error.status_count = 1;
  emmg::ErrorMessage stream_error = error;
  stream_error.stream_id = 3;
  const Bytes emm{0x82, 0x70, 0x01, 0xaa};
  const std::array<ByteView, 2> datagrams{emm, emm};
  const std::span<const ByteView> both(datagrams);

  add("SIMULCRYPT 0x03 0x0011 2 1255931905 2 0x01", emmg::ChannelSetup{channel, 1}, 3, emmg::channel_setup);
  add("SIMULCRYPT 0x01 0x0012 2 1255931905 2", emmg::ChannelMessage{channel}, 1, emmg::channel_test);
  add("SIMULCRYPT 0x05 0x0013 2 1255931905 2 0x00", emmg::ChannelSetup{channel, 0}, 5, emmg::channel_status);
  add("SIMULCRYPT 0x03 0x0014 2 1255931905 2", emmg::ChannelMessage{channel}, 3, emmg::channel_close);
  add("SIMULCRYPT 0x03 0x0015 2 1255931905 2 15", error, 3);
  add("SIMULCRYPT 0x03 0x0111 2 1255931905 2 3 4 1", emmg::StreamSetup{channel, 3, 4, 1}, 3, emmg::stream_setup);
  add("SIMULCRYPT 0x03 0x0112 2 1255931905 2 3", emmg::StreamMessage{channel, 3}, 3, emmg::stream_test);
  add("SIMULCRYPT 0x03 0x0113 2 1255931905 2 3 4 0", emmg::StreamSetup{channel, 3, 4, 0}, 3, emmg::stream_status);
  add("SIMULCRYPT 0x03 0x0114 2 1255931905 2 3", emmg::StreamMessage{channel, 3}, 3, emmg::stream_close_request);
  add("SIMULCRYPT 0x03 0x0115 2 1255931905 2 3", emmg::StreamMessage{channel, 3}, 3, emmg::stream_close_response);
  add("SIMULCRYPT 0x03 0x0116 2 1255931905 2 3 15", stream_error, 3);
  add("SIMULCRYPT 0x03 0x0117 2 1255931905 2 3 500", emmg::StreamBandwidth{channel, 3, 500}, 3,
      emmg::stream_bw_request);
  add("SIMULCRYPT 0x03 0x0118 2 1255931905 2 3 400", emmg::StreamBandwidth{channel, 3, 400}, 3,
      emmg::stream_bw_allocation);
  add("SIMULCRYPT 0x03 0x0211 2 1255931905 2 3 4 827001aa,827001aa", emmg::DataProvision{channel.client_id, 2, 3, 4}, 3,
      both);
  compare({"simulcrypt.client_id", "simulcrypt.data_channel_id", "simulcrypt.data_stream_id", "simulcrypt.data_id",
           "simulcrypt.data_type", "simulcrypt.section_tspkt_flag", "simulcrypt.bandwidth", "simulcrypt.datagram",
           "simulcrypt.error_status", "simulcrypt.error_information"});
}

}  // namespace
}  // namespace cas::simulcrypt
