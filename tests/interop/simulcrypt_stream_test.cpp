// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What others make of a stream that was scrambled here: FFmpeg, Wireshark and GStreamer's demultiplexer find its programs,
// streams and CA systems, and nothing to complain of.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "simulcrypt/head_end.hpp"
#include "support/plain_ecmg.hpp"
#include "support/seeded_random.hpp"
#include "support/temporary_folder.hpp"
#include "support/test_multiplex.hpp"
#include "support/test_receiver.hpp"

namespace cas::simulcrypt {
namespace {

bool has_program(const std::string& name) {
  return std::system(("command -v " + name + " >/dev/null 2>&1").c_str()) == 0;
}

/// What a command prints; complaints, too, where it sends them there (2>&1).
std::string output_of(const std::string& command) {
  std::string all;
  std::FILE* const output = popen(command.c_str(), "r");
  if (output == nullptr) return all;
  std::array<char, 4096> buffer;
  for (std::size_t got = 0; (got = std::fread(buffer.data(), 1, buffer.size(), output)) > 0;)
    all.append(buffer.data(), got);
  pclose(output);
  return all;
}

struct SilentListener final : HeadEndListener {
  void period_began(const GroupName&, std::uint16_t, const ContentKey*, std::uint64_t, StreamTime) override {}
  void went_clear(const GroupName&, std::uint64_t, StreamTime) override {}
  void ecm_missing(const GroupName&, const std::string&, std::uint16_t, WithoutEcm) override {}
  void service_found(std::uint16_t, const std::string&, const std::vector<GroupStream>&) override {}
  void service_gone(std::uint16_t) override {}
  void problem(const std::string& what) override { ADD_FAILURE() << what; }
};

class ScrambledStream : public ::testing::Test {
 protected:
  static constexpr std::uint16_t ca_system_id = 0x4a01;

  ScrambledStream() {
    settings_.cipher = mpegts::TsCipher::cissa;
    settings_.systems.push_back({"one", ca_system_id, std::make_shared<test::PlainEcmg>()});
    ServiceSettings& service = settings_.services.emplace_back();
    service.period = std::chrono::seconds(1);
    service.systems.push_back({.system = "one"});
    service.systems[0].ecm_pid = mpegts::Pid{0x700};
  }

  /// Scrambles a stream with EMMs in it, and gives where it is.
  std::string scramble(ByteView stream) {
    Bytes bytes(stream.begin(), stream.end()), out;
    test::SeededRandom random(3);
    auto head_end = test::value_or_throw(HeadEnd::create(settings_, listener_, random));
    const Bytes emm = test::hex("827005 0102030405");
    for (MutableByteView rest(bytes); !rest.empty();) {
      const MutableByteView run = rest.first(std::min(rest.size(), 50 * mpegts::packet_size));
      rest = rest.subspan(run.size());
      head_end->push_data(0x4a010001, 1, 0, 0, emm);
      append(out, test::value_or_throw(head_end->process(run)));
    }
    append(out, head_end->finish());
    const auto path = folder_.path() / "scrambled.ts";
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(out.data()), static_cast<std::streamsize>(out.size()));
    return path.string();
  }

  HeadEndSettings settings_;
  SilentListener listener_;
  test::TemporaryFolder folder_;
};

TEST_F(ScrambledStream, HasNoGapsForWireshark) {
  if (!has_program("tshark")) GTEST_SKIP() << "tshark is not installed";
  for (const unsigned nulls : {50U, 0U}) {
    test::TestMultiplex multiplex({.bit_rate = 2'000'000, .services = 2, .null_per_mille = nulls});
    const std::string path = scramble(multiplex.seconds(4));
    EXPECT_EQ(output_of("tshark -r " + path + " -Y 'mp2t.cc.drop || mp2t.tei == 1 || _ws.malformed' 2>/dev/null"), "");
    // ECMs are there, on their PIDs, and the service's packets are scrambled with both words.
    const auto count = [&](const std::string& filter) {
      const std::string lines = output_of("tshark -r " + path + " -Y '" + filter + "' 2>/dev/null");
      return std::count(lines.begin(), lines.end(), '\n');
    };
    EXPECT_GT(count("mp2t.pid == 0x700"), 30);
    EXPECT_GT(count("mp2t.pid == 0x701"), 30);
    EXPECT_GT(count("mp2t.pid == 0x101 && mp2t.tsc == 2"), 500);
    EXPECT_GT(count("mp2t.pid == 0x101 && mp2t.tsc == 3"), 500);
    // CAT and PMT as another reads them.
    const std::string tables =
        output_of("tshark -r " + path + " -Y 'mpeg_pmt || mpeg_ca' -T fields -e mpeg_descr.ca.pid 2>/dev/null");
    EXPECT_NE(tables.find("0x0700"), std::string::npos) << tables.substr(0, 200);
    EXPECT_NE(tables.find("0x0701"), std::string::npos) << tables.substr(0, 200);
    EXPECT_NE(tables.find("0x1f0"), std::string::npos) << "no EMMs in the CAT";
  }
}

TEST_F(ScrambledStream, WithItsVideoInTheClearPlaysInFfmpeg) {
  if (!has_program("ffmpeg")) GTEST_SKIP() << "ffmpeg is not installed";
  const std::string clear = (folder_.path() / "clear.ts").string();
  ASSERT_EQ(
      output_of("ffmpeg -v error -y -f lavfi -i testsrc=size=320x240:rate=25 -f lavfi -i sine -t 4 -c:v mpeg2video "
                "-c:a mp2 -muxrate 3000000 -f mpegts " +
                clear + " 2>&1"),
      "");
  std::ifstream file(clear, std::ios::binary);
  const Bytes stream{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  settings_.services[0].components = Components::audio;
  const std::string path = scramble(stream);
  // Every picture of the clear stream, the same ones. What cannot be decoded is told of: the sound.
  const auto pictures = [](const std::string& of) {
    return output_of("ffmpeg -v fatal -i " + of + " -map 0:v -f framemd5 - 2>/dev/null");
  };
  const std::string before = pictures(clear), after = pictures(path);
  EXPECT_GT(std::count(before.begin(), before.end(), '\n'), 100);
  EXPECT_EQ(before, after);
  const std::string said = output_of("ffmpeg -v debug -i " + path + " -map 0:v -f null - 2>&1");
  for (const char* complaint :
       {"Continuity check failed", "Packet corrupt", "PES packet size mismatch", "CRC", "DTS discontinuity"})
    EXPECT_EQ(said.find(complaint), std::string::npos) << complaint;
  if (!has_program("ffprobe")) return;
  const std::string show =
      "ffprobe -v quiet -show_entries program=program_num,pmt_pid:stream=id,codec_name -of compact ";
  EXPECT_NE(output_of(show + path).find("mpeg2video"), std::string::npos);
}

TEST_F(ScrambledStream, HasItsTablesForGStreamer) {
  if (!has_program("gst-launch-1.0")) GTEST_SKIP() << "gst-launch-1.0 is not installed";
  test::TestMultiplex multiplex({.bit_rate = 2'000'000});
  const std::string path = scramble(multiplex.seconds(3));
  for (const char* reader : {"tsparse", "tsdemux"}) {
    const std::string said = output_of(
        "GST_DEBUG_NO_COLOR=1 GST_DEBUG=mpegts*:5,tsdemux:5 timeout 60 gst-launch-1.0 filesrc location=" + path +
        " ! " + reader + " ! fakesink 2>&1");
    EXPECT_NE(said.find("mpegts"), std::string::npos) << said.substr(0, 500);
    for (const char* complaint : {"CONTINUITY: Mismatch", "bad CRC", "CRC differ", "corrupt"})
      EXPECT_EQ(said.find(complaint), std::string::npos) << reader << ": " << complaint << " in\n"
                                                         << said.substr(0, 4000);
    EXPECT_NE(said.find("PMT"), std::string::npos) << reader;
  }
}

}  // namespace
}  // namespace cas::simulcrypt
