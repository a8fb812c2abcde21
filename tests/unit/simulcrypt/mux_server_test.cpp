// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/mux_server.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "simulcrypt/emmg_client.hpp"
#include "support/allocation_count.hpp"
#include "support/result_matchers.hpp"
#include "unit/simulcrypt/emmg_events.hpp"
#include "unit/simulcrypt/wire.hpp"

namespace cas::simulcrypt {
namespace {

using cas::test::hex;
using std::chrono::milliseconds;
using test::packet;
using test::section;
using test::wire;

constexpr emmg::ChannelId channel{0x4adc0001, 2};

struct Sink final : DataSink {
  tl::expected<void, emmg::Error> open_channel(const emmg::ChannelId& id, std::uint8_t) override {
    if (id.client_id == 0xbad) return tl::unexpected(emmg::Error::unknown_client_id);
    return {};
  }
  tl::expected<DataStreamGrant, emmg::Error> open_stream(const DataStreamOrder& order) override {
    if (order.data_id == 0xbad) return tl::unexpected(emmg::Error::unknown_data_id);
    open.insert(next_handle);
    return DataStreamGrant{next_handle++, bandwidth};
  }
  void close_stream(std::uint64_t handle) override { open.erase(handle); }
  std::uint16_t allocate_bandwidth(std::uint64_t, std::uint16_t wanted) override { return std::min(wanted, most); }
  void take_datagram(std::uint64_t handle, ByteView datagram) override {
    last_handle = handle;
    bytes += datagram.size();
    ++count;
  }

  std::optional<std::uint16_t> bandwidth;
  std::uint16_t most = 1000;
  std::set<std::uint64_t> open;
  std::uint64_t next_handle = 100;
  std::uint64_t last_handle = 0;
  std::size_t bytes = 0;
  std::size_t count = 0;
};

struct Listener final : MuxServerListener {
  void channel_opened(const emmg::ChannelId&) override { text += "+"; }
  void channel_closed(const emmg::ChannelId&) override { text += "-"; }
  void peer_misbehaved(const emmg::ChannelId&, const Problem& problem, bool ends) override {
    last = problem;
    text += ends ? "!" : "?";
  }
  std::string text;
  Problem last;
};

// A server whose generator is the test.
class MuxServerTest : public ::testing::Test {
 protected:
  std::unique_ptr<MuxSession> connect() {
    if (!server) server.emplace(settings, sink, &listener);
    return std::make_unique<MuxSession>(*server, now);
  }
  std::string ask(MuxSession& of, ByteView bytes) {
    of.receive(bytes, now);
    return test::names_in(emmg_grammar(), test::take_output(of));
  }
  std::string ask(ByteView bytes) { return ask(*session, bytes); }
  Bytes setup(emmg::ChannelId id = channel, std::uint8_t flag = 0) {
    return wire(emmg::ChannelSetup{id, flag}, 3, emmg::channel_setup);
  }
  Bytes stream_setup(std::uint16_t id, std::uint16_t data_id, std::uint8_t type = 0, emmg::ChannelId of = channel) {
    return wire(emmg::StreamSetup{of, id, data_id, type}, 3, emmg::stream_setup);
  }
  Bytes stream(emmg::MessageType type, std::uint16_t id = 3) { return wire(emmg::StreamMessage{channel, id}, 3, type); }
  Bytes data(std::vector<Bytes> datagrams, emmg::DataProvision head = {channel.client_id, 2, 3, 4}) {
    const std::vector<ByteView> views(datagrams.begin(), datagrams.end());
    return wire(head, 3, std::span<const ByteView>(views));
  }
  void open() {
    session = connect();
    EXPECT_EQ(ask(setup()), "channel_status");
    EXPECT_EQ(ask(stream_setup(3, 4)), "stream_status");
  }
  std::uint16_t bandwidth(std::optional<std::uint16_t> wanted) {
    session->receive(wire(emmg::StreamBandwidth{channel, 3, wanted}, 3, emmg::stream_bw_request), now);
    const Bytes bytes = test::take_output(*session);
    const auto message = MessageView::parse(bytes);
    EXPECT_OK(message);
    EXPECT_EQ(message->type(), emmg::stream_bw_allocation);
    return message->u16(emmg::bandwidth).value();
  }

  MuxServerSettings settings;
  Sink sink;
  Listener listener;
  std::optional<MuxServer> server;
  std::unique_ptr<MuxSession> session;
  Instant now{std::chrono::hours(5)};
};

TEST(LeakyBucket, LetsARatePassExactly) {
  const Instant start{std::chrono::hours(1)};
  LeakyBucket bucket(8, 1000, start);  // 1 byte in a millisecond
  EXPECT_TRUE(bucket.pass(1000, start));
  EXPECT_FALSE(bucket.pass(1, start));
  EXPECT_FALSE(bucket.pass(1, start + std::chrono::nanoseconds(999'999)));
  EXPECT_TRUE(bucket.pass(1, start + milliseconds(1)));
  EXPECT_FALSE(bucket.pass(1, start + milliseconds(1)));
  EXPECT_FALSE(bucket.pass(1, start));  // time does not go back
  EXPECT_FALSE(bucket.pass(1, start + milliseconds(1)));
  EXPECT_FALSE(bucket.pass(1001, start + std::chrono::hours(1000)));
  EXPECT_TRUE(bucket.pass(1000, start + std::chrono::hours(200000)));
  bucket.set(0, 1000, start + std::chrono::hours(200000));
  EXPECT_FALSE(bucket.pass(0, start + std::chrono::hours(200001)));
}

TEST_F(MuxServerTest, TakesData) {
  open();
  EXPECT_EQ(ask(data({section(0x82, 20), {}, section(0x83, 30)})), "");
  EXPECT_EQ(sink.count, 2U);
  EXPECT_EQ(sink.bytes, 56U);
  EXPECT_EQ(sink.last_handle, 100U);
  EXPECT_EQ(ask(wire(emmg::ChannelMessage{channel}, 3, emmg::channel_test)), "channel_status");
  EXPECT_EQ(ask(stream(emmg::stream_test)), "stream_status");
  EXPECT_EQ(ask(stream(emmg::stream_close_request)), "stream_close_response");
  EXPECT_TRUE(sink.open.empty());
  EXPECT_EQ(ask(wire(emmg::ChannelMessage{channel}, 3, emmg::channel_close)), "");
  EXPECT_TRUE(session->is_closed());
  EXPECT_EQ(server->channel_count(), 0U);
  EXPECT_EQ(listener.text, "+-");
}

TEST_F(MuxServerTest, RefusesChannels) {
  settings.max_channels = 2;
  session = connect();
  EXPECT_EQ(ask(wire(emmg::ChannelMessage{channel}, 3, emmg::channel_test)), "channel_error 0006");
  EXPECT_EQ(ask(data({{}})), "channel_error 0006");
  EXPECT_EQ(ask(setup({0xbad, 1})), "channel_error 000e");
  EXPECT_EQ(ask(setup(channel, 2)), "channel_error 000d");
  EXPECT_EQ(ask(setup()), "channel_status");
  EXPECT_EQ(ask(setup()), "channel_error 0011");
  EXPECT_EQ(ask(setup({1, 1})), "channel_error 0007");
  EXPECT_EQ(ask(wire(emmg::ChannelMessage{{channel.client_id, 7}}, 3, emmg::channel_test)), "channel_error 0006");
  EXPECT_EQ(ask(wire(emmg::ChannelMessage{{7, 2}}, 3, emmg::channel_test)), "channel_error 000e");
  const auto second = connect();
  EXPECT_EQ(ask(*second, setup()), "channel_error 0011");
  EXPECT_EQ(ask(*second, setup({channel.client_id, 3})), "channel_status");
  const auto third = connect();
  EXPECT_EQ(ask(*third, setup({channel.client_id, 4})), "channel_error 0007");
  session.reset();
  EXPECT_EQ(ask(*third, setup()), "channel_status");
}

TEST_F(MuxServerTest, TakesBinaryMessagesWhenToldTo) {
  settings.binary_messages = true;
  session = connect();
  // OMA BCAST, 14.1.1.3.4: other forms of datagrams, and long term key messages of the Smartcard Profile, are refused.
  const emmg::ChannelId drm{0x00010001, 2};
  EXPECT_EQ(ask(setup(drm, 0)), "channel_error 000d");
  EXPECT_EQ(ask(setup(drm, 1)), "channel_error 000d");
  EXPECT_EQ(ask(setup(drm, 3)), "channel_error 000d");
  session = connect();
  EXPECT_EQ(ask(setup({0x00020001, 2}, 2)), "channel_error 000e");
  EXPECT_EQ(ask(setup(channel, 2)), "channel_error 000e");
  EXPECT_EQ(ask(setup(drm, 2)), "channel_status");
  EXPECT_EQ(ask(stream_setup(3, 4, emmg::private_data, drm)), "stream_error 000d");
  EXPECT_EQ(ask(stream_setup(3, 4, emmg::emm, drm)), "stream_status");
  emmg::DataProvision provision;
  provision.client_id = drm.client_id;
  provision.data_id = 5;
  const Bytes key_message(33, 0xaa);
  const ByteView datagrams[] = {key_message};
  ByteQueue datagram;
  ASSERT_OK(provision.write(datagram, 3, datagrams));
  EXPECT_EQ(server->receive_datagram(datagram.view(), now), UdpOutcome::taken);
  EXPECT_EQ(sink.bytes, 33U);
  provision.client_id = 0x00020001;
  datagram.clear();
  ASSERT_OK(provision.write(datagram, 3, datagrams));
  EXPECT_EQ(server->receive_datagram(datagram.view(), now), UdpOutcome::refused);
}

TEST_F(MuxServerTest, SpeaksTheVersionOfTheGenerator) {
  for (const int version : {1, 2, 3, 4, 5}) {
    session = connect();
    session->receive(wire(emmg::ChannelSetup{channel, 0}, static_cast<std::uint8_t>(version), emmg::channel_setup),
                     now);
    EXPECT_EQ(session->output()[0], version);
    test::take_output(*session);
    EXPECT_EQ(ask(wire(emmg::ChannelMessage{channel}, static_cast<std::uint8_t>(version % 5 + 1), emmg::channel_test)),
              "channel_error 0002");
  }
  session = connect();
  session->receive(wire(emmg::ChannelSetup{channel, 0}, 6, emmg::channel_setup), now);
  EXPECT_EQ(session->output()[0], 5);
  EXPECT_EQ(ask({}), "channel_error 0002");
}

TEST_F(MuxServerTest, RefusesStreams) {
  settings.max_streams_on_channel = 2;
  settings.max_streams = 3;
  open();
  EXPECT_EQ(ask(stream_setup(3, 5)), "stream_error 0012");
  EXPECT_EQ(ask(stream_setup(4, 4)), "stream_error 0013");
  EXPECT_EQ(ask(stream_setup(4, 5, 2)), "stream_error 000d");
  EXPECT_EQ(ask(stream_setup(4, 0xbad)), "stream_error 0010");
  EXPECT_EQ(ask(stream_setup(4, 4, emmg::private_data)), "stream_status");
  EXPECT_EQ(ask(stream_setup(5, 6)), "stream_error 0008");
  const auto second = connect();
  const emmg::ChannelId other{7, 1};
  EXPECT_EQ(ask(*second, setup(other)), "channel_status");
  EXPECT_EQ(ask(*second, stream_setup(1, 4, 0, other)), "stream_status");
  EXPECT_EQ(ask(*second, stream_setup(2, 5, 0, other)), "stream_error 0009");
  session.reset();
  EXPECT_EQ(server->stream_count(), 1U);
  EXPECT_EQ(ask(*second, stream_setup(2, 5, 0, other)), "stream_status");
}

TEST_F(MuxServerTest, RefusesDataThatBelongsNowhere) {
  open();
  const Bytes emm = section(0x82, 20);
  EXPECT_EQ(ask(data({emm}, {channel.client_id, {}, 3, 4})), "channel_error 000c");
  EXPECT_EQ(ask(data({emm}, {channel.client_id, 2, {}, 4})), "channel_error 000c");
  EXPECT_EQ(ask(data({emm}, {7, 2, 3, 4})), "channel_error 000e");
  EXPECT_EQ(ask(data({emm}, {channel.client_id, 7, 3, 4})), "channel_error 0006");
  EXPECT_EQ(ask(data({emm}, {channel.client_id, 2, 7, 4})), "stream_error 0005");
  EXPECT_EQ(ask(data({emm}, {channel.client_id, 2, 3, 7})), "stream_error 0010");
  EXPECT_EQ(ask(stream(emmg::stream_test, 7)), "stream_error 0005");
  EXPECT_EQ(ask(stream(emmg::stream_close_response)), "stream_error 0001");
  Bytes cut = emm;
  cut.pop_back();
  EXPECT_EQ(ask(data({emm, cut})), "stream_error 000d");
  EXPECT_EQ(ask(data({Bytes(188, 0x47)})), "stream_error 000d");
  EXPECT_EQ(sink.count, 0U);
}

TEST_F(MuxServerTest, TakesPackets) {
  session = connect();
  ask(setup(channel, 1));
  ask(stream_setup(3, 4));
  Bytes packets = packet();
  append(packets, packet());
  EXPECT_EQ(ask(data({packets})), "");
  packets[188] = 0x46;
  EXPECT_EQ(ask(data({packets})), "stream_error 000d");
  EXPECT_EQ(sink.bytes, 2U * 188);
}

TEST_F(MuxServerTest, GrantsBandwidthAndPolicesIt) {
  settings.burst = milliseconds(100);
  settings.least_burst = 0;
  open();
  EXPECT_EQ(bandwidth({}), 0xffff);  // not policed yet
  EXPECT_EQ(bandwidth(5000), 1000);
  EXPECT_EQ(bandwidth({}), 1000);
  // 1,000 kbit/s for 100 ms: 12,500 bytes, which five of these are.
  Bytes emm(2500, 0x82);
  emm[1] = 0x70 | 2497 >> 8;
  emm[2] = static_cast<std::uint8_t>(2497 & 0xff);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask(data({emm})), "") << i;
  EXPECT_EQ(ask(data({section(0x82, 20)})), "stream_error 000f");
  EXPECT_EQ(sink.bytes, 12500U);
  now += milliseconds(20);
  EXPECT_EQ(ask(data({emm, section(0x82, 20)})), "stream_error 000f");  // all of a message or nothing
  EXPECT_EQ(ask(data({emm})), "");
  EXPECT_EQ(ask(data({emm})), "stream_error 000f");
  EXPECT_EQ(sink.bytes, 15000U);
  EXPECT_EQ(bandwidth(0), 0);
  now += std::chrono::hours(1);
  EXPECT_EQ(ask(data({section(0x82, 20)})), "stream_error 000f");
}

TEST_F(MuxServerTest, NeverExceedsWhatItGrantedOverALongTime) {
  sink.bandwidth = 100;
  open();
  const Bytes emm = section(0x82, 250);
  for (int i = 0; i < 60000; ++i) {  // a minute, at 2 Mbit/s
    ask(data({emm}));
    now += milliseconds(1);
  }
  EXPECT_LE(sink.bytes, 100U * 1000 / 8 * 61);
  EXPECT_GE(sink.bytes, 100U * 1000 / 8 * 60);
}

TEST_F(MuxServerTest, TakesDataOverUdpWithAndWithoutItsStream) {
  open();
  const Bytes emm = section(0x82, 20);
  EXPECT_EQ(server->receive_datagram(data({emm}), now), UdpOutcome::taken);
  EXPECT_EQ(server->receive_datagram(data({emm}, {channel.client_id, {}, {}, 4}), now), UdpOutcome::taken);
  EXPECT_EQ(sink.last_handle, 100U);
  EXPECT_EQ(server->receive_datagram(data({emm}, {channel.client_id, 2, 9, 4}), now), UdpOutcome::refused);
  EXPECT_EQ(server->receive_datagram(data({emm}, {channel.client_id, 9, 3, 4}), now), UdpOutcome::refused);
  // A stream that was never set up.
  EXPECT_EQ(server->receive_datagram(data({emm, {}}, {8, {}, {}, 4}), now), UdpOutcome::taken);
  EXPECT_EQ(sink.last_handle, 101U);
  EXPECT_EQ(server->receive_datagram(data({emm}, {8, 5, 6, 4}), now), UdpOutcome::taken);
  EXPECT_EQ(sink.last_handle, 101U);
  EXPECT_EQ(sink.count, 4U);
  EXPECT_EQ(server->stream_count(), 2U);
  EXPECT_EQ(server->receive_datagram(data({emm}, {8, {}, {}, 0xbad}), now), UdpOutcome::refused);
  session.reset();
  server.reset();
  EXPECT_TRUE(sink.open.empty());
}

TEST_F(MuxServerTest, AStreamThatIsSetUpTakesThePlaceOfOneOverUdp) {
  settings.max_streams = 1;
  session = connect();
  const Bytes datagram = data({section(0x82, 20)}, {channel.client_id, {}, {}, 4});
  EXPECT_EQ(server->receive_datagram(datagram, now), UdpOutcome::taken);
  ask(setup());
  EXPECT_EQ(ask(stream_setup(2, 9)), "stream_error 0009");
  EXPECT_EQ(ask(stream_setup(3, 4)), "stream_status");
  EXPECT_EQ(sink.open, std::set<std::uint64_t>{101});
  EXPECT_EQ(server->receive_datagram(datagram, now), UdpOutcome::taken);
  EXPECT_EQ(sink.last_handle, 101U);
}

TEST_F(MuxServerTest, ClosesSilentStreamsOverUdp) {
  session = connect();
  EXPECT_EQ(server->receive_datagram(data({section(0x82, 20)}, {8, {}, {}, 4}), now), UdpOutcome::taken);
  now += std::chrono::minutes(4);
  EXPECT_EQ(server->receive_datagram(data({section(0x82, 20)}, {8, {}, {}, 4}), now), UdpOutcome::taken);
  now += std::chrono::minutes(5) - milliseconds(1);
  server->tick(now);
  EXPECT_EQ(server->stream_count(), 1U);
  now += milliseconds(1);
  server->tick(now);
  EXPECT_EQ(server->stream_count(), 0U);
  EXPECT_TRUE(sink.open.empty());
}

TEST_F(MuxServerTest, PolicesUdpToo) {
  sink.bandwidth = 8;
  settings.least_burst = 50;
  settings.burst = milliseconds(0);
  session = connect();
  const Bytes emm = section(0x82, 20);
  EXPECT_EQ(server->receive_datagram(data({emm, emm}, {8, {}, {}, 4}), now), UdpOutcome::taken);
  EXPECT_EQ(server->receive_datagram(data({emm}, {8, {}, {}, 4}), now), UdpOutcome::exceeded_bandwidth);
  now += milliseconds(23);
  EXPECT_EQ(server->receive_datagram(data({emm}, {8, {}, {}, 4}), now), UdpOutcome::taken);
}

TEST_F(MuxServerTest, RefusesUdpThatIsNoData) {
  settings.max_streams = 1;
  session = connect();
  const Bytes good = data({section(0x82, 20)}, {8, {}, {}, 4});
  Bytes bytes = good;
  bytes.pop_back();
  EXPECT_EQ(server->receive_datagram(bytes, now), UdpOutcome::malformed);
  bytes = good;
  bytes.push_back(0);
  EXPECT_EQ(server->receive_datagram(bytes, now), UdpOutcome::malformed);
  bytes = good;
  bytes[0] = 6;
  EXPECT_EQ(server->receive_datagram(bytes, now), UdpOutcome::malformed);
  EXPECT_EQ(server->receive_datagram({}, now), UdpOutcome::malformed);
  EXPECT_EQ(server->receive_datagram(setup(), now), UdpOutcome::malformed);
  EXPECT_EQ(server->receive_datagram(data({hex("8270")}, {8, {}, {}, 4}), now), UdpOutcome::malformed);
  EXPECT_EQ(server->receive_datagram(good, now), UdpOutcome::taken);
  EXPECT_EQ(server->receive_datagram(data({section(0x82, 20)}, {8, {}, {}, 5}), now), UdpOutcome::refused);
  EXPECT_EQ(server->stream_count(), 1U);
}

TEST_F(MuxServerTest, EndsASessionOfInvalidMessages) {
  open();
  EXPECT_EQ(ask(hex("03 0777 0000")), "channel_error 0003");
  EXPECT_EQ(ask(hex("03 0012 0000")), "channel_error 000c");
  EXPECT_EQ(ask(data({section(0x82, 20)})), "");
  EXPECT_EQ(ask(hex("03 0012 0003 000000")), "channel_error 0001");
  EXPECT_EQ(ask(hex("03 0012 0005 0001000100")), "channel_error 000b");
  listener.text.clear();
  EXPECT_EQ(ask(hex("03 0015 0000")), "");
  EXPECT_EQ(listener.text, "?-!");
  EXPECT_TRUE(session->is_closed());
  EXPECT_TRUE(sink.open.empty());
}

TEST_F(MuxServerTest, RefusesWhatIsTooLong) {
  settings.longest_message = 100;
  open();
  Bytes bytes = hex("03 0211 0065");
  bytes.resize(5 + 0x65);
  EXPECT_EQ(ask(bytes), "channel_error 0004");
  EXPECT_EQ(ask(data({section(0x82, 20)})), "");
}

TEST_F(MuxServerTest, TellsOfErrorsOfTheGenerator) {
  open();
  emmg::ErrorMessage error;
  error.channel = channel;
  error.statuses[0] = 0x8002;
  error.status_count = 1;
  EXPECT_EQ(ask(wire(error, 3)), "");
  EXPECT_EQ(listener.last.what, Misbehaviour::reported_error);
}

TEST_F(MuxServerTest, WaitsForTheSetUpAndTestsAfterwards) {
  session = connect();
  EXPECT_EQ(session->next_deadline(), now + settings.set_up_time_out);
  now += milliseconds(10000);
  session->tick(now);
  EXPECT_TRUE(session->is_closed());
  EXPECT_FALSE(session->wants_input());
  open();
  now += milliseconds(30000);
  session->tick(now);
  EXPECT_EQ(ask({}), "channel_test");
  EXPECT_EQ(ask(wire(emmg::ChannelSetup{channel, 0}, 3, emmg::channel_status)), "");
  now += milliseconds(30000);
  session->tick(now);
  EXPECT_EQ(ask({}), "channel_test");
  EXPECT_EQ(session->next_deadline(), now + settings.test_time_out);
  now += milliseconds(10000);
  session->tick(now);
  EXPECT_TRUE(session->is_closed());
  EXPECT_EQ(server->channel_count(), 0U);
}

TEST_F(MuxServerTest, TakesNoMemoryForData) {
  sink.bandwidth = 60000;
  open();
  const Bytes bytes = data({section(0x82, 20), section(0x83, 30)});
  ask(bytes);
  const std::size_t before = cas::test::allocation_count();
  for (int i = 0; i < 100; ++i) {
    session->receive(bytes, now);
    EXPECT_EQ(server->receive_datagram(bytes, now), UdpOutcome::taken);
  }
  EXPECT_EQ(cas::test::allocation_count(), before);
  EXPECT_EQ(sink.count, 402U);
}

// Our client against our server, over a connection that delivers a few bytes at a time.
TEST_F(MuxServerTest, ServesOurClient) {
  for (std::uint8_t version = 1; version <= 5; ++version) {
    sink.count = 0;
    session = connect();
    test::EmmgEvents events;
    EmmgClient client({.channel = channel, .version = version}, events);
    const auto exchange = [&] {
      while (!client.output().empty() || !session->output().empty()) {
        const Bytes up = copy_of(client.output().first(std::min<std::size_t>(client.output().size(), 7)));
        client.sent(up.size());
        session->receive(up, now);
        const Bytes down = copy_of(session->output().first(std::min<std::size_t>(session->output().size(), 11)));
        session->sent(down.size());
        client.receive(down, now);
      }
    };
    client.start(now);
    exchange();
    ASSERT_OK(client.open_stream(1, 2, emmg::emm, now));
    exchange();
    ASSERT_OK(client.request_bandwidth(1, 100, now));
    exchange();
    EXPECT_EQ(events.take(), "channel opened; stream 1 opened; bandwidth 1 100");
    const Bytes emm = section(0x82, 250);
    for (int i = 0; i < 60; ++i) ASSERT_OK(client.provide(1, std::vector<ByteView>{emm}));
    exchange();
    EXPECT_EQ(sink.count, 49U);  // 12,500 bytes: a second of 100 kbit/s
    EXPECT_EQ(events.take().substr(0, 46), "error 1 reported-error; error 1 reported-error");
    EXPECT_EQ(events.last_problem.error_status, 0x000f);
    ASSERT_OK(client.close_stream(1, now));
    exchange();
    EXPECT_EQ(events.take(), "stream 1 closed");
    client.close_channel();
    exchange();
    EXPECT_TRUE(session->is_closed());
    EXPECT_TRUE(sink.open.empty());
  }
}

}  // namespace
}  // namespace cas::simulcrypt
