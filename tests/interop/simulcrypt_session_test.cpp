// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whole sessions as Wireshark's SimulCrypt dissector reads them: all that crosses between an ECMG, an EMMG and
// simulcrypt-ecm-inserter over TCP and UDP. There is nothing in them that the dissector (of Wireshark 4.0 on) has no
// name for: a message or parameter that it does not know is a complaint, and fails.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/hex.hpp"
#include "elements/blocking_emmg.hpp"
#include "elements/simulcrypt_element_test.hpp"
#include "simulcrypt/message_framing.hpp"
#include "support/recording_relay.hpp"
#include "support/relay_capture.hpp"

namespace cas::test {
namespace {

constexpr std::uint16_t ecmg_port = 2000, mux_port = 2001;  // in the capture only

/// A message as the dissector tells of it.
struct Dissected {
  RelayCapture::Origin origin;
  std::string name;  ///< "" where it knows none.
  unsigned version = 0;
  std::size_t size = 0;
  std::vector<std::pair<std::string, std::string>> parameters;  ///< Names and values, in hexadecimal.
  std::vector<std::string> explanations;                        ///< Of error codes.

  /// "> CW_PROVISION ECM_CHANNEL_ID=0001 ...": > is to the server.
  [[nodiscard]] std::string text() const {
    std::string all = (origin.to_server ? "> " : "< ") + name;
    for (const auto& [parameter, value] : parameters) all += " " + parameter + "=" + value;
    return all;
  }
};

struct Dissection {
  std::vector<Dissected> messages;
  std::vector<std::string> complaints;  ///< Lines that tell of something malformed, unknown or left over.
};

std::string attribute(const std::string& line, const std::string& name) {
  const std::string start = " " + name + "=\"";
  const auto at = line.find(start);
  if (at == std::string::npos) return {};
  const auto from = at + start.size();
  return line.substr(from, line.find('"', from) - from);
}

/// "Message Type: CHANNEL_SETUP (0x0001)": CHANNEL_SETUP. Nothing where the dissector has a number only.
std::string name_in(const std::string& shown) {
  const auto from = shown.find(": "), to = shown.find(" (0x");
  if (from == std::string::npos || to == std::string::npos) return {};
  const std::string name = shown.substr(from + 2, to - from - 2);
  return name == "Unknown" ? std::string() : name;
}

/// Reads PDML, which tshark writes a field a line.
class PdmlReader {
 public:
  explicit PdmlReader(const std::vector<RelayCapture::Origin>& origins) : origins_(origins) {}

  void take(const std::string& line) {
    const std::string name = attribute(line, "name"), shown = attribute(line, "showname"),
                      value = attribute(line, "value");
    if (name == "num") {
      packet_ = static_cast<std::size_t>(std::stoul(attribute(line, "show"))) - 1;
    } else if (line.find("<proto ") != std::string::npos && name == "simulcrypt") {
      auto& message = result.messages.emplace_back();
      message.origin = origins_.at(packet_);
    } else if (name.starts_with("_ws.") || name == "data" || name == "simulcrypt.parameter.value") {
      result.complaints.push_back(line);
    } else if (name.starts_with("simulcrypt.") && !result.messages.empty()) {
      take_field(result.messages.back(), name, shown, value);
    }
  }

  Dissection result;

 private:
  void take_field(Dissected& message, const std::string& name, const std::string& shown, const std::string& value) {
    if (name == "simulcrypt.version") {
      message.version = static_cast<unsigned>(std::stoul(value, nullptr, 16));
    } else if (name == "simulcrypt.message.type") {
      message.name = name_in(shown);
      if (message.name.empty()) result.complaints.push_back(shown);
    } else if (name == "simulcrypt.message.len") {
      message.size = simulcrypt::message_header_size + std::stoul(value, nullptr, 16);
    } else if (name == "simulcrypt.parameter.type") {
      message.parameters.emplace_back(name_in(shown), "");
      if (message.parameters.back().first.empty()) result.complaints.push_back(shown);
    } else if (!message.parameters.empty() && name != "simulcrypt.parameter.len" && name != "simulcrypt.parameter" &&
               !name.starts_with("simulcrypt.parameter.ca_")) {
      message.parameters.back().second = value;
      if (name == "simulcrypt.error_status") message.explanations.push_back(shown);
    }
  }

  const std::vector<RelayCapture::Origin>& origins_;
  std::size_t packet_ = 0;
};

Dissection dissect(const RecordingRelay::Pieces& pieces, std::uint16_t port) {
  RelayCapture capture;
  capture.add(pieces, port);
  const TemporaryFolder folder;
  const auto file = folder.path() / "session.pcap";
  capture.save(file);
  const std::string number = std::to_string(port);
  const std::string command = "tshark -r '" + file.string() + "' -d tcp.port==" + number +
                              ",simulcrypt -d udp.port==" + number + ",simulcrypt -J simulcrypt -T pdml 2>/dev/null";
  PdmlReader reader(capture.origins());
  std::FILE* const output = popen(command.c_str(), "r");
  std::array<char, 8192> buffer;
  std::string line;
  while (output != nullptr && std::fgets(buffer.data(), static_cast<int>(buffer.size()), output) != nullptr) {
    line += buffer.data();
    if (line.back() != '\n') continue;
    reader.take(line);
    line.clear();
  }
  EXPECT_TRUE(output != nullptr && pclose(output) == 0);
  return std::move(reader.result);
}

/// How many bytes crossed, by connection and way.
std::map<std::pair<std::size_t, bool>, std::size_t> sizes_of(const RecordingRelay::Pieces& pieces) {
  std::map<std::pair<std::size_t, bool>, std::size_t> sizes;
  for (const RelayedPiece& piece : pieces)
    if (!piece.bytes.empty()) sizes[{piece.connection, piece.to_server}] += piece.bytes.size();
  return sizes;
}
std::map<std::pair<std::size_t, bool>, std::size_t> sizes_of(const std::vector<Dissected>& messages) {
  std::map<std::pair<std::size_t, bool>, std::size_t> sizes;
  for (const Dissected& message : messages)
    sizes[{message.origin.connection, message.origin.to_server}] += message.size;
  return sizes;
}

/// Whether a whole message of this type has crossed on a connection.
bool has_message(const RecordingRelay::Pieces& pieces, std::size_t connection, bool to_server, std::uint16_t type) {
  simulcrypt::MessageFraming framing;
  for (const RelayedPiece& piece : pieces)
    if (piece.connection == connection && piece.to_server == to_server) framing.append(piece.bytes);
  for (auto next = framing.next(); next.found != simulcrypt::MessageFraming::Found::nothing; next = framing.next())
    if (next.header.type == type) return true;
  return false;
}
bool has_ended(const RecordingRelay::Pieces& pieces, std::size_t connection) {
  return std::ranges::any_of(pieces, [&](const RelayedPiece& piece) {
    return piece.kind == RelayedPiece::Kind::ended && piece.connection == connection && piece.to_server;
  });
}

std::string hex16(std::size_t number) {
  return to_hex(Bytes{static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)});
}

class SimulcryptSession : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::system("tshark --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "tshark is not installed";
  }

  static simulcrypt::EcmgServerSettings testing_soon() {
    simulcrypt::EcmgServerSettings settings;
    settings.test_interval = std::chrono::milliseconds(50);
    return settings;
  }
  static PropertyList through(const RecordingRelay& relay, const PropertyList& more) {
    PropertyList properties = with(more, {{"ecmg", relay.address()}, {"crypto-period", "1000"}, {"ecm-wait", "60000"}});
    return properties;
  }

  /// All was read, and understood.
  static std::vector<Dissected> read(const RecordingRelay::Pieces& pieces, std::uint16_t port) {
    Dissection dissection = dissect(pieces, port);
    EXPECT_EQ(dissection.complaints, std::vector<std::string>());
    EXPECT_EQ(sizes_of(dissection.messages), sizes_of(pieces)) << "bytes were left over";
    for (const Dissected& message : dissection.messages) EXPECT_EQ(message.version, 3U) << message.text();
    return std::move(dissection.messages);
  }
  static std::vector<std::string> texts_of(const std::vector<Dissected>& messages, std::size_t connection) {
    std::vector<std::string> texts;
    for (const Dissected& message : messages)
      if (message.origin.connection == connection) texts.push_back(message.text());
    return texts;
  }

  PlainEcmgServer ecmg_{0x4a010001, testing_soon()};
  TestMultiplex multiplex_{{.bit_rate = 2'000'000}};
};

// ------------------------------------------------------------------------------------------------------- ECMG and SCS

constexpr const char* channel_status_text =
    "CHANNEL_STATUS ECM_CHANNEL_ID=0001 SECTION_TSPKT_FLAG=00 AC_DELAY_START=0000 AC_DELAY_STOP=0000 DELAY_START=ff9c "
    "DELAY_STOP=0000 TRANSITION_DELAY_START=ff38 TRANSITION_DELAY_STOP=0000 ECM_REP_PERIOD=0064 MAX_STREAMS=0064 "
    "MIN_CP_DURATION=0001 LEAD_CW=01 CW_PER_MESSAGE=02 MAX_COMP_TIME=0064";

/// Takes the channel's tests and their answers out, which may stand anywhere behind the set-up. Gives how many there
/// were.
std::size_t take_channel_tests(std::vector<std::string>& texts) {
  const std::string test = "< CHANNEL_TEST ECM_CHANNEL_ID=0001", answer = std::string("> ") + channel_status_text;
  const auto tests = std::ranges::count(texts, test);
  EXPECT_EQ(std::ranges::count(texts, answer), tests);
  std::erase_if(texts, [&](const std::string& text) { return text == test || text == answer; });
  return static_cast<std::size_t>(tests);
}

TEST_F(SimulcryptSession, WithAnEcmgIsReadAsItWas) {
  ecmg_.parameters.ac_delay_start = 0;
  ecmg_.parameters.ac_delay_stop = 0;
  ecmg_.parameters.delay_start = -100;
  ecmg_.parameters.transition_delay_start = -200;
  ecmg_.parameters.transition_delay_stop = 0;
  RecordingRelay relay(ecmg_.port());
  Bytes out;
  {
    InserterHarness inserter(through(relay, {{"super-cas-id", "0x4a010001"}, {"access-criteria", "0a0b"}}));
    ASSERT_EQ(inserter.push(multiplex_.seconds(1.5)), GST_FLOW_OK);
    ecmg_.refusals = 1;
    ASSERT_EQ(inserter.push(multiplex_.seconds(2)), GST_FLOW_OK);
    append(out, inserter.output());
    EXPECT_EQ(ecmg_.refusals, 0);
    ASSERT_TRUE(relay.wait_until([](const RecordingRelay::Pieces& pieces) {
      return has_message(pieces, 0, true, simulcrypt::ecmg::channel_status);
    }));
  }
  ASSERT_TRUE(relay.wait_until([](const RecordingRelay::Pieces& pieces) { return has_ended(pieces, 0); }));
  const auto messages = read(relay.pieces(), ecmg_port);
  auto texts = texts_of(messages, 0);
  EXPECT_GE(take_channel_tests(texts), 1U);

  // What the ECMG was asked for, and gave, by its own word; the one that it refused is asked for again.
  const std::vector<Bytes> words = ecmg_.words(), ecms = ecmg_.ecms();
  ASSERT_GE(ecms.size(), 4U);
  ASSERT_EQ(words.size(), 2 * (ecms.size() + 1));
  std::vector<std::string> expected = {
      "> CHANNEL_SETUP ECM_CHANNEL_ID=0001 SUPER_CAS_ID=4a010001",
      std::string("< ") + channel_status_text,
      "> STREAM_SETUP ECM_CHANNEL_ID=0001 ECM_STREAM_ID=0001 ECM_ID=0001 NOMINAL_CP_DURATION=000a",
      "< STREAM_STATUS ECM_CHANNEL_ID=0001 ECM_STREAM_ID=0001 ECM_ID=0001 ACCESS_CRITERIA_TRANSFER_MODE=00",
  };
  std::size_t refused_at = 0;
  for (std::size_t request = 0, cp = 0; request <= ecms.size(); ++request) {
    const std::string stream = " ECM_CHANNEL_ID=0001 ECM_STREAM_ID=0001";
    const std::string ask = "> CW_PROVISION" + stream + " CP_NUMBER=" + hex16(cp) + " CP_CW_COMBINATION=" + hex16(cp) +
                            to_hex(words[2 * request]) + " CP_CW_COMBINATION=" + hex16(cp + 1) +
                            to_hex(words[2 * request + 1]);
    const bool refused = expected.size() < texts.size() - 1 && texts[expected.size() + 1].starts_with("< STREAM_ERROR");
    // Access criteria go with the first, and behind an error, of which nobody knows what became of them.
    expected.push_back(ask +
                       (request == 0 || (refused_at != 0 && request == refused_at + 1) ? " ACCESS_CRITERIA=0a0b" : ""));
    if (refused) {
      EXPECT_EQ(std::exchange(refused_at, request), 0U);
      expected.push_back("< STREAM_ERROR" + stream + " ERROR_STATUS=000d");
    } else if (cp < ecms.size()) {
      expected.push_back("< ECM_RESPONSE" + stream + " CP_NUMBER=" + hex16(cp) + " ECM_DATAGRAM=" + to_hex(ecms[cp]));
      ++cp;
    }
  }
  expected.emplace_back("> STREAM_CLOSE_REQUEST ECM_CHANNEL_ID=0001 ECM_STREAM_ID=0001");
  expected.emplace_back("< STREAM_CLOSE_RESPONSE ECM_CHANNEL_ID=0001 ECM_STREAM_ID=0001");
  expected.emplace_back("> CHANNEL_CLOSE ECM_CHANNEL_ID=0001");
  EXPECT_NE(refused_at, 0U);
  ASSERT_EQ(texts.size(), expected.size());
  for (std::size_t number = 0; number < texts.size(); ++number) EXPECT_EQ(texts[number], expected[number]) << number;

  // It is those ECMs that receivers have.
  TestReceiver receiver(mpegts::TsCipher::cissa, plain_ca_system_id);
  receiver.push(out);
  ASSERT_EQ(receiver.ecm_pids.size(), 1U);
  EXPECT_GE(receiver.ecms[*receiver.ecm_pids.begin()].size(), 30U);
  EXPECT_EQ(receiver.undecodable, 0U);
}

TEST_F(SimulcryptSession, ThatAnEcmgRefusesIsReadAsItWas) {
  RecordingRelay relay(ecmg_.port());
  {
    InserterHarness inserter(through(relay, {{"super-cas-id", "0x12345678"}}));
    inserter.wait_for_ecmg("lost");
  }
  ASSERT_TRUE(relay.wait_until([](const RecordingRelay::Pieces& pieces) { return has_ended(pieces, 0); }));
  const auto messages = read(relay.pieces(), ecmg_port);
  EXPECT_EQ(texts_of(messages, 0),
            (std::vector<std::string>{"> CHANNEL_SETUP ECM_CHANNEL_ID=0001 SUPER_CAS_ID=12345678",
                                      "< CHANNEL_ERROR ECM_CHANNEL_ID=0001 ERROR_STATUS=0005"}));
  ASSERT_GE(messages.size(), 2U);
  EXPECT_EQ(messages[1].explanations, std::vector<std::string>{"Error status: Unknown super CAS ID value (5)"});
}

// ------------------------------------------------------------------------------------------------------- EMMG and MUX

TEST_F(SimulcryptSession, WithAnEmmgIsReadAsItWas) {
  Bytes emm(1000, 0x33);
  emm[0] = 0x82;
  emm[1] = 0x70 | (997 >> 8);
  emm[2] = 997 & 0xff;
  const Bytes short_emm = test::hex("827005 0102030405");
  std::size_t sent = 0, refused = 0;
  RecordingRelay::Pieces pieces;
  {
    InserterHarness inserter({{"ecmg", ecmg_.address()}, {"emm-listen", "127.0.0.1:0"}, {"emm-bandwidth", "8"}});
    RecordingRelay relay(static_cast<std::uint16_t>(uint_of(inserter.stats().get(), "emm-port")));
    BlockingEmmg emmg(relay.port(), 0x4a010007);
    emmg.open_stream(3);
    emmg.ask_for_bandwidth(3, 400);
    const std::array<ByteView, 2> two{short_emm, short_emm};
    emmg.send(3, two);
    // Until it is too much.
    while (emmg.errors.empty() && sent < 1000) {
      emmg.send(3, emm);
      ++sent;
      emmg.test_channel();
    }
    refused = emmg.errors.size();
    send_by_udp(relay.udp_port(), {0x4b010001, std::nullopt, std::nullopt, 9}, short_emm);
    send_by_udp(relay.udp_port(), {0x4a010007, 1, 3, 3}, short_emm);
    emmg.close_stream(3);
    emmg.close_channel();
    ASSERT_TRUE(relay.wait_until([](const RecordingRelay::Pieces& seen) {
      const auto datagrams = std::ranges::count(seen, RelayedPiece::Kind::datagram, &RelayedPiece::kind);
      return has_ended(seen, 0) && datagrams == 2;
    }));
    pieces = relay.pieces();
  }
  const auto messages = read(pieces, mux_port);
  const std::string channel = " CLIENT_ID=4a010007 DATA_CHANNEL_ID=0001", stream = channel + " DATA_STREAM_ID=0003";
  std::vector<std::string> expected = {
      "> CHANNEL_SETUP" + channel + " SECTION_TSPKT_FLAG=00",
      "< CHANNEL_STATUS" + channel + " SECTION_TSPKT_FLAG=00",
      "> STREAM_SETUP" + stream + " DATA_ID=0003 DATA_TYPE=00",
      "< STREAM_STATUS" + stream + " DATA_ID=0003 DATA_TYPE=00",
      "> STREAM_BW_REQUEST" + stream + " BANDWIDTH=0190",
      "< STREAM_BW_ALLOCATION" + stream + " BANDWIDTH=0008",
      "> DATA_PROVISION" + stream + " DATA_ID=0003 DATAGRAM=" + to_hex(short_emm) + " DATAGRAM=" + to_hex(short_emm),
  };
  for (std::size_t number = 1; number <= sent; ++number) {
    expected.push_back("> DATA_PROVISION" + stream + " DATA_ID=0003 DATAGRAM=" + to_hex(emm));
    expected.push_back("> CHANNEL_TEST" + channel);
    expected.push_back("< CHANNEL_STATUS" + channel + " SECTION_TSPKT_FLAG=00");
  }
  expected.push_back("> STREAM_CLOSE_REQUEST" + stream);
  expected.push_back("< STREAM_CLOSE_RESPONSE" + stream);
  expected.push_back("> CHANNEL_CLOSE" + channel);
  EXPECT_EQ(refused, 1U);
  const auto refusal =
      std::ranges::find_if(messages, [](const Dissected& message) { return message.name == "STREAM_ERROR"; });
  ASSERT_NE(refusal, messages.end());
  EXPECT_EQ(refusal->explanations, std::vector<std::string>{"Error status: Exceeded bandwidth (15)"});
  auto texts = texts_of(messages, 0);
  // The error of the last one crosses the test of the channel, or not.
  const auto error = std::ranges::find(texts, "< STREAM_ERROR" + stream + " ERROR_STATUS=000f");
  ASSERT_NE(error, texts.end());
  EXPECT_LE(texts.end() - error, 6);
  texts.erase(error);
  ASSERT_EQ(texts.size(), expected.size());
  for (std::size_t number = 0; number < texts.size(); ++number) EXPECT_EQ(texts[number], expected[number]) << number;
  EXPECT_EQ(texts_of(messages, RecordingRelay::udp_connection),
            (std::vector<std::string>{
                "> DATA_PROVISION CLIENT_ID=4b010001 DATA_ID=0009 DATAGRAM=" + to_hex(short_emm),
                "> DATA_PROVISION" + stream + " DATA_ID=0003 DATAGRAM=" + to_hex(short_emm),
            }));
}

}  // namespace
}  // namespace cas::test
