// SPDX-License-Identifier: LGPL-2.1-or-later
//
// RTP through simulcrypt-ecm-inserter (OMA BCAST): SRTP comes out, key messages come to where the SDP says, and who has
// them opens all.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <set>

#include "blocking_emmg.hpp"
#include "log_keeper.hpp"
#include "simulcrypt/bcast/srtp_protection.hpp"
#include "simulcrypt_element_test.hpp"

namespace cas::test {
namespace {

namespace bcast = simulcrypt::bcast;

constexpr std::uint32_t drm_super_cas_id = 0x00010001;
constexpr const char* rtp_caps =
    "application/x-rtp, media=(string)video, clock-rate=(int)90000, encoding-name=(string)MP2T, payload=(int)33";
constexpr GstClockTime step = 10 * GST_MSECOND;  // between packets
constexpr std::size_t payload_size = 200;

/// Where key messages arrive.
class KeySocket {
 public:
  KeySocket() : file_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    EXPECT_EQ(::bind(file_, reinterpret_cast<const sockaddr*>(&at), size), 0);
    EXPECT_EQ(::getsockname(file_, reinterpret_cast<sockaddr*>(&at), &size), 0);
    port = ntohs(at.sin_port);
  }
  ~KeySocket() { ::close(file_); }
  KeySocket(const KeySocket&) = delete;
  KeySocket& operator=(const KeySocket&) = delete;
  /// Nothing: none is there now.
  std::optional<Bytes> next() {
    Bytes message(2048);
    const ssize_t size = ::recv(file_, message.data(), message.size(), 0);
    if (size < 0) return std::nullopt;
    message.resize(static_cast<std::size_t>(size));
    return message;
  }
  std::uint16_t port = 0;

 private:
  int file_;
};

/// Packet `number` of a session. Its sequence numbers turn over soon.
Bytes rtp_packet(unsigned number, std::size_t size = payload_size) {
  const auto sequence = static_cast<std::uint16_t>(65400 + number);
  const std::uint32_t timestamp = 4'294'900'000U + number * 900;  // turns over too
  Bytes packet = {0x80, 33, static_cast<std::uint8_t>(sequence >> 8), static_cast<std::uint8_t>(sequence)};
  for (int shift = 24; shift >= 0; shift -= 8) packet.push_back(static_cast<std::uint8_t>(timestamp >> shift));
  append(packet, Bytes{1, 2, 3, 4});
  append(packet, noise(size, number + 1));
  return packet;
}

gst::BufferPtr buffer_of(ByteView bytes, GstClockTime time) {
  GstBuffer* buffer = gst_buffer_new_allocate(nullptr, bytes.size(), nullptr);
  gst_buffer_fill(buffer, 0, bytes.data(), bytes.size());
  GST_BUFFER_PTS(buffer) = time;
  return gst::BufferPtr(buffer);
}

class RtpTest : public ::testing::Test {
 protected:
  RtpTest() {
    ecmg_.parameters.section_tspkt_flag = simulcrypt::ecmg::binary_messages;
    ecmg_.parameters.lead_cw = 1;
    ecmg_.parameters.cw_per_msg = 2;
    std::ofstream(sdp_) << "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=News\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                        << "m=video 5004 RTP/SAVP 33\r\na=rtpmap:33 MP2T/90000\r\na=stkmstream:7\r\n"
                        << "a=SRTPAuthentication:3\r\na=SRTPROCTxRate:4\r\n"
                        << "m=data " << keys_.port << " UDP vnd.oma.bcast.stkm\r\n"
                        << "a=fmtp:vnd.oma.bcast.stkm streamid=7; kmstype=oma-bcast-drm-pki\r\n";
  }
  ~RtpTest() override { tear_down(); }

  PropertyList usual() const { return with(usual_properties(ecmg_), {{"sdp", sdp_.string()}}); }
  void make(const PropertyList& properties) {
    element_ = make_inserter(properties);
    gst_element_set_bus(element_.get(), bus_.get());
    harness_.reset(gst_harness_new_with_element(element_.get(), "sink", "src"));
  }
  void tear_down() {
    harness_.reset();
    if (!element_) return;
    gst_element_set_state(element_.get(), GST_STATE_NULL);
    gst_element_set_bus(element_.get(), nullptr);
    element_.reset();
  }
  /// stream-start, caps and a segment. False: the caps are refused.
  bool begin(const char* text = rtp_caps) {
    if (gst_element_set_state(element_.get(), GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) return false;
    const gst::CapsPtr caps(gst_caps_from_string(text));
    GstPad* const sink = GST_PAD_PEER(harness_->srcpad);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    return gst_pad_send_event(sink, gst_event_new_stream_start("rtp")) &&
           gst_pad_send_event(sink, gst_event_new_caps(caps.get())) &&
           gst_pad_send_event(sink, gst_event_new_segment(&segment));
  }
  GstFlowReturn push(gst::BufferPtr buffer) { return gst_pad_chain(GST_PAD_PEER(harness_->srcpad), buffer.release()); }
  /// Packets `first` to `last`, and what has come of them is received.
  void send(unsigned first, unsigned last, bool timed = true) {
    for (unsigned number = first; number < last; ++number) {
      sent_.push_back(rtp_packet(number));
      ASSERT_EQ(push(buffer_of(sent_.back(), timed ? number * step : GST_CLOCK_TIME_NONE)), GST_FLOW_OK) << number;
      receive();
    }
  }
  /// Key messages first, which are sent before the packets that they open; then packets.
  void receive() {
    while (const auto message = keys_.next()) {
      ++messages_;
      auto id = static_cast<std::uint16_t>((*message)[5] << 8 | (*message)[6]);
      ByteView words = ByteView(*message).subspan(9);
      for (unsigned word = 0; word < (*message)[7]; ++word, ++id, words = words.subspan((*message)[8]))
        if (teks_.insert(id).second) EXPECT_OK(srtp_.add_tek({id, SecretBytes::copy_of(words.first((*message)[8]))}));
    }
    while (GstBuffer* pulled = gst_harness_try_pull(harness_.get())) {
      const gst::BufferPtr buffer(pulled);
      times_.push_back(GST_BUFFER_PTS(pulled));
      Bytes packet;
      {
        const gst::MappedBuffer map(pulled, GST_MAP_READ);
        packet = copy_of(map.bytes());
      }
      const bcast::SrtpResult opened = srtp_.unprotect(packet);
      if (opened.outcome == bcast::SrtpOutcome::done) {
        packet.resize(opened.size);
        opened_.push_back(packet);
      } else {
        not_opened_.push_back(buffer_bytes(pulled));
      }
    }
  }
  static Bytes buffer_bytes(GstBuffer* buffer) {
    const gst::MappedBuffer map(buffer, GST_MAP_READ);
    return copy_of(map.bytes());
  }
  void expect_all_opened() {
    EXPECT_TRUE(not_opened_.empty()) << not_opened_.size() << " packets were not opened";
    ASSERT_EQ(opened_.size(), sent_.size());
    for (std::size_t i = 0; i < sent_.size(); ++i) EXPECT_EQ(to_hex(opened_[i]), to_hex(sent_[i])) << i;
  }
  gst::StructurePtr stats() const {
    GstStructure* stats = nullptr;
    g_object_get(element_.get(), "stats", &stats, nullptr);
    return gst::StructurePtr(stats);
  }
  /// That the caps are refused, with a sentence that has `says` in it.
  void expect_refused(const PropertyList& properties, const std::string& says) {
    make(properties);
    EXPECT_FALSE(begin()) << says;
    const auto error = next_error(bus_.get());
    ASSERT_TRUE(error) << "no error: " << says;
    EXPECT_NE(error->text.find(says), std::string::npos) << error->text;
    // Whoever pushes all the same does no harm.
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_send_event(GST_PAD_PEER(harness_->srcpad), gst_event_new_segment(&segment));
    EXPECT_EQ(push(buffer_of(rtp_packet(0), 0)), GST_FLOW_NOT_NEGOTIATED);
    tear_down();
  }

  TemporaryFolder folder_;
  const std::filesystem::path sdp_ = folder_.path() / "service.sdp";
  KeySocket keys_;
  PlainEcmgServer ecmg_{drm_super_cas_id};
  gst::ObjectPtr<GstBus> bus_{gst_bus_new()};
  gst::ObjectPtr<GstElement> element_;
  HarnessPtr harness_;
  bcast::SrtpUnprotection srtp_ =
      value_or_throw(bcast::SrtpUnprotection::create({.roc_carriage = bcast::RocCarriage::mode_2, .roc_rate = 4}));
  std::set<std::uint16_t> teks_;
  unsigned messages_ = 0;
  std::vector<Bytes> sent_, opened_, not_opened_;
  std::vector<GstClockTime> times_;
};

TEST_F(RtpTest, WhoHasTheKeyMessagesOpensAll) {
  make(usual());
  ASSERT_TRUE(begin());
  send(0, 550);
  expect_all_opened();
  EXPECT_EQ(teks_.size(), 7U);  // six periods have begun, and the next one's is told
  EXPECT_GT(messages_, 30U) << "they are not repeated";
  for (std::size_t i = 0; i < times_.size(); ++i) EXPECT_EQ(times_[i], i * step);
  for (guint cp = 0; cp < 6; ++cp) {
    const auto period = InserterHarness::wait_for_message(bus_.get(), "simulcrypt-period", nullptr);
    EXPECT_EQ(uint_of(period.get(), "cp-number"), cp);
    EXPECT_EQ(uint64_of(period.get(), "packet"), cp * 100);
    EXPECT_EQ(uint64_of(period.get(), "stream-time"), cp * GST_SECOND);
  }
  const auto counters = stats();
  EXPECT_EQ(uint64_of(counters.get(), "rtp-packets"), 550U);
  EXPECT_EQ(uint64_of(counters.get(), "rtp-packets-protected"), 550U);
  EXPECT_EQ(uint64_of(counters.get(), "key-messages"), messages_);
  EXPECT_EQ(uint64_of(counters.get(), "key-messages-lost"), 0U);
  const gst::CapsPtr caps(gst_pad_get_current_caps(GST_PAD_PEER(harness_->sinkpad)));
  const gst::CapsPtr expected(gst_caps_from_string(
      "application/x-srtp, media=(string)video, clock-rate=(int)90000, encoding-name=(string)MP2T, payload=(int)33"));
  EXPECT_TRUE(gst_caps_is_equal(caps.get(), expected.get()));
}

TEST_F(RtpTest, BuffersWithoutTimesGoByTheirTimeStamps) {
  make(usual());
  ASSERT_TRUE(begin());
  send(0, 250, false);
  expect_all_opened();
  EXPECT_EQ(teks_.size(), 4U);
}

TEST_F(RtpTest, ListsAndLongPacketsGoTheSameWay) {
  make(usual());
  ASSERT_TRUE(begin());
  for (unsigned number = 0; number < 300; number += 10) {
    GstBufferList* list = gst_buffer_list_new();
    for (unsigned i = number; i < number + 10; ++i) {
      sent_.push_back(rtp_packet(i, i % 3 == 0 ? 9000 : payload_size));
      gst_buffer_list_add(list, buffer_of(sent_.back(), i * step).release());
    }
    ASSERT_EQ(gst_pad_chain_list(GST_PAD_PEER(harness_->srcpad), list), GST_FLOW_OK);
    receive();
  }
  expect_all_opened();
}

TEST_F(RtpTest, WhatIsNoRtpPacketIsLeftOut) {
  make(usual());
  ASSERT_TRUE(begin());
  send(0, 20);
  ASSERT_EQ(push(buffer_of(Bytes(5, 0x80), 20 * step)), GST_FLOW_OK);
  ASSERT_EQ(push(buffer_of({}, 20 * step)), GST_FLOW_OK);
  send(20, 40);
  expect_all_opened();
  EXPECT_EQ(uint64_of(stats().get(), "rtp-packets-refused"), 2U);
}

TEST_F(RtpTest, WithholdsWhatHasNoKeyMessage) {
  ecmg_.kill();
  make({{"ecmg", ecmg_.address()},
        {"super-cas-id", std::to_string(drm_super_cas_id)},
        {"sdp", sdp_.string()},
        {"before-first-period", "withheld"}});
  ASSERT_TRUE(begin());
  send(0, 50);
  EXPECT_TRUE(opened_.empty() && not_opened_.empty());
  EXPECT_EQ(uint64_of(stats().get(), "rtp-packets-withheld"), 50U);
}

TEST_F(RtpTest, EndsWithAnErrorWhereItIsToldTo) {
  make(with(usual(), {{"without-ecm", "stop"}, {"ecm-wait", "1000"}}));
  ASSERT_TRUE(begin());
  send(0, 80);
  ecmg_.kill();
  GstFlowReturn flow = GST_FLOW_OK;
  for (unsigned number = 80; number < 400 && flow == GST_FLOW_OK; ++number)
    flow = push(buffer_of(rtp_packet(number), number * step));
  EXPECT_EQ(flow, GST_FLOW_ERROR);
  EXPECT_POSTED(bus_.get(), GST_STREAM_ERROR, GST_STREAM_ERROR_ENCODE, "refused");
}

TEST_F(RtpTest, SaysWhatIsWrongWithTheDescription) {
  expect_refused(usual_properties(ecmg_), "'sdp'");
  expect_refused(with(usual_properties(ecmg_), {{"key-source", "upstream"}}), "transport streams");
  expect_refused(with(usual(), {{"sdp", (folder_.path() / "none").string()}}), "none");
  expect_refused(with(usual(), {{"sdp-media", "1"}}), "'sdp-media'");
  expect_refused(with(usual(), {{"super-cas-id", "0x4a010001"}}), "0x0001");
  expect_refused(with(usual(), {{"super-cas-id", "0x00020001"}}), "stkmstream");
  expect_refused(with(usual(), {{"ltkm-address", "host.example:1"}}), "host.example");
  const auto other = folder_.path() / "other.sdp";
  std::ofstream(other) << std::string(2 * 1024 * 1024, '\n');
  expect_refused(with(usual(), {{"sdp", other.string()}}), "other.sdp");
  std::ofstream(other) << "v=0\nthis is none\n";
  expect_refused(with(usual(), {{"sdp", other.string()}}), "Line 2");
  std::ofstream(other) << "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n"
                       << "m=video 5004 RTP/AVP 33\na=stkmstream:7\n"
                       << "m=data 5006 UDP vnd.oma.bcast.stkm\n"
                       << "a=fmtp:vnd.oma.bcast.stkm streamid=7; kmstype=oma-bcast-drm-pki\n";
  expect_refused(with(usual(), {{"sdp", other.string()}}), "RTP/");
}

TEST_F(RtpTest, RefusesAnEcmgThatMakesEcms) {
  ecmg_.parameters.section_tspkt_flag = simulcrypt::ecmg::sections;
  make(with(usual(), {{"ecm-wait", "0"}, {"before-first-period", "withheld"}}));
  ASSERT_TRUE(begin());
  const auto lost = InserterHarness::wait_for_message(
      bus_.get(), "simulcrypt-ecmg", [](const GstStructure* said) { return text_of(said, "state") == "lost"; });
  EXPECT_NE(text_of(lost.get(), "why").find("section_TSpkt_flag 0"), std::string::npos) << text_of(lost.get(), "why");
  send(0, 20);
  EXPECT_TRUE(opened_.empty() && not_opened_.empty());
  EXPECT_EQ(ecmg_.orders(), 0U);
}

TEST_F(RtpTest, SendsLongTermKeyMessagesToTheirAddress) {
  KeySocket ltkms;
  make(with(usual(), {{"emm-listen", "127.0.0.1:0"}, {"ltkm-address", "127.0.0.1:" + std::to_string(ltkms.port)}}));
  ASSERT_TRUE(begin());
  const auto port = static_cast<std::uint16_t>(uint_of(stats().get(), "emm-port"));
  // Who has EMMs, or is of no profile, is at the wrong door.
  constexpr std::uint16_t invalid_value = 0x000d, unknown_client = 0x000e;
  BlockingEmmg with_emms(port, 0x00010008, simulcrypt::emmg::sections, invalid_value);
  BlockingEmmg of_dvb(port, 0x4a010008, simulcrypt::emmg::binary_messages, unknown_client);
  BlockingEmmg generator(port, 0x00010007, simulcrypt::emmg::binary_messages);
  generator.open_stream(3);
  const Bytes message = noise(700, 5);  // of any form
  generator.send(3, message);
  generator.test_channel();
  unsigned number = 0;
  std::optional<Bytes> arrived;
  for (; number < 500 && !arrived; ++number) {
    send(number, number + 1);
    arrived = ltkms.next();
  }
  ASSERT_TRUE(arrived);
  EXPECT_EQ(to_hex(*arrived), to_hex(message));
  send(number, number + 10);
  EXPECT_FALSE(ltkms.next()) << "it was sent twice";
  expect_all_opened();
}

TEST_F(RtpTest, TellsNobodyATek) {
  std::string said;
  {
    const LogKeeper keeper;
    make(usual());
    ASSERT_TRUE(begin());
    send(0, 250);
    const gst::TextPtr counters(gst_structure_to_string(stats().get()));
    said = counters.get();
    while (GstMessage* message = gst_bus_pop(bus_.get())) {
      if (const GstStructure* structure = gst_message_get_structure(message)) {
        const gst::TextPtr text(gst_structure_to_string(structure));
        said += text.get();
      }
      gst_message_unref(message);
    }
    tear_down();
    said += keeper.text();
  }
  ASSERT_NE(said.find("simulcrypt-ecm-inserter"), std::string::npos) << "the log was not kept";
  const std::vector<Bytes> words = ecmg_.words();
  ASSERT_GE(words.size(), 4U);
  for (const Bytes& word : words) EXPECT_EQ(said.find(to_hex(word)), std::string::npos);
}

TEST_F(RtpTest, ATransportStreamBehindASessionIsRefused) {
  make(usual());
  ASSERT_TRUE(begin());
  send(0, 5);
  const gst::CapsPtr caps(gst_caps_from_string(transport_stream_caps));
  EXPECT_FALSE(gst_pad_send_event(GST_PAD_PEER(harness_->srcpad), gst_event_new_caps(caps.get())));
  EXPECT_TRUE(next_error(bus_.get()));
}

TEST_F(RtpTest, TakesOtherAccessCriteriaAndGoesClearWhilePlaying) {
  make(with(usual(), {{"access-criteria", "010100"}}));
  ASSERT_TRUE(begin());
  send(0, 150);
  EXPECT_EQ(to_hex(ecmg_.criteria()), "010100");
  set_property(element_.get(), "access-criteria", "010101");
  send(150, 350);
  EXPECT_EQ(to_hex(ecmg_.criteria()), "010101");
  expect_all_opened();
  set_property(element_.get(), "scramble", "false");
  const std::size_t before = sent_.size();
  send(350, 400);
  EXPECT_EQ(opened_.size(), before);
  ASSERT_EQ(not_opened_.size(), 50U);
  for (std::size_t i = 0; i < 50; ++i) EXPECT_EQ(to_hex(not_opened_[i]), to_hex(sent_[before + i]));
  InserterHarness::wait_for_message(bus_.get(), "simulcrypt-clear", nullptr);
  set_property(element_.get(), "scramble", "true");
  send(400, 650);
  EXPECT_EQ(not_opened_.size(), 50U);
  EXPECT_EQ(opened_.size(), sent_.size() - 50);
  EXPECT_EQ(ecmg_.open_streams(), 1U);
}

TEST_F(RtpTest, GivesEachEcmgItsOwnCriteriaWhateverTheOrderOfTheFile) {
  PlainEcmgServer other(0x00010002);
  other.parameters = ecmg_.parameters;
  KeySocket other_keys;
  const auto sdp = folder_.path() / "two.sdp";
  std::ofstream(sdp) << "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=News\nc=IN IP4 127.0.0.1\nt=0 0\n"
                     << "m=video 5004 RTP/SAVP 33\na=rtpmap:33 MP2T/90000\na=stkmstream:7\na=stkmstream:8\n"
                     << "a=SRTPAuthentication:3\na=SRTPROCTxRate:4\n"
                     << "m=data " << keys_.port << " UDP vnd.oma.bcast.stkm\n"
                     << "a=fmtp:vnd.oma.bcast.stkm streamid=7; kmstype=oma-bcast-drm-pki\n"
                     << "m=data " << other_keys.port << " UDP vnd.oma.bcast.stkm\n"
                     << "a=fmtp:vnd.oma.bcast.stkm streamid=8; kmstype=oma-bcast-drm-pki\n";
  const auto file = folder_.path() / "head-end.toml";
  const auto system = [](const char* name, const char* criteria) {
    return std::string("[[service.system]]\necmg = '") + name + "'\naccess_criteria = '" + criteria + "'\n";
  };
  const auto write = [&](const std::string& systems) {
    std::ofstream(file) << "[[ecmg]]\nname = 'one'\nsuper_cas_id = 0x00010001\naddresses = ['" << ecmg_.address()
                        << "']\n[[ecmg]]\nname = 'two'\nsuper_cas_id = 0x00010002\naddresses = ['" << other.address()
                        << "']\n[[service]]\ncrypto_period = '1s'\n"
                        << systems;
  };
  write(system("one", "01") + system("two", "02"));
  make({{"config", file.string()}, {"sdp", sdp.string()}, {"ecm-wait", "60000"}});
  ASSERT_TRUE(begin());
  send(0, 150);
  EXPECT_EQ(to_hex(ecmg_.criteria()), "01");
  EXPECT_EQ(to_hex(other.criteria()), "02");
  write(system("two", "12") + system("one", "11"));
  set_property(element_.get(), "config", file.string());
  send(150, 350);
  EXPECT_EQ(to_hex(ecmg_.criteria()), "11");
  EXPECT_EQ(to_hex(other.criteria()), "12");
  expect_all_opened();
}

TEST_F(RtpTest, TimeGoesOnAfterAFlush) {
  make(usual());
  ASSERT_TRUE(begin());
  send(0, 250);
  GstPad* const sink = GST_PAD_PEER(harness_->srcpad);
  ASSERT_TRUE(gst_pad_send_event(sink, gst_event_new_flush_start()));
  ASSERT_TRUE(gst_pad_send_event(sink, gst_event_new_flush_stop(TRUE)));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  ASSERT_TRUE(gst_pad_send_event(sink, gst_event_new_segment(&segment)));
  // The buffers' times begin anew; crypto-periods do not wait until they have caught up.
  for (unsigned number = 250; number < 500; ++number) {
    sent_.push_back(rtp_packet(number));
    ASSERT_EQ(push(buffer_of(sent_.back(), (number - 250) * step)), GST_FLOW_OK);
    receive();
  }
  expect_all_opened();
  EXPECT_EQ(teks_.size(), 6U);
}

TEST_F(RtpTest, RunsTwice) {
  make(usual());
  ASSERT_TRUE(begin());
  send(0, 120);
  expect_all_opened();
  ASSERT_EQ(gst_element_set_state(element_.get(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  sent_.clear();
  opened_.clear();
  // Words are drawn anew, under the same numbers; the receiver is a new one too.
  teks_.clear();
  srtp_ = value_or_throw(bcast::SrtpUnprotection::create({.roc_carriage = bcast::RocCarriage::mode_2, .roc_rate = 4}));
  ASSERT_TRUE(begin());
  send(0, 250);
  expect_all_opened();
  EXPECT_EQ(uint64_of(stats().get(), "rtp-packets"), 250U);
}

}  // namespace
}  // namespace cas::test
