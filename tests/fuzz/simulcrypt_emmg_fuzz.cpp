// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstdlib>
#include <set>

#include "simulcrypt/emmg_client.hpp"
#include "simulcrypt/mux_server.hpp"

namespace {

using namespace cas;
using namespace cas::simulcrypt;

struct Sink final : DataSink {
  tl::expected<void, emmg::Error> open_channel(const emmg::ChannelId& channel, std::uint8_t flag) override {
    if (flag > 1) std::abort();
    if (channel.client_id == 0) return tl::unexpected(emmg::Error::unknown_client_id);
    return {};
  }
  tl::expected<DataStreamGrant, emmg::Error> open_stream(const DataStreamOrder& order) override {
    if (order.data_type > 1) std::abort();
    open.insert(next);
    return DataStreamGrant{next++, 80};
  }
  void close_stream(std::uint64_t handle) override {
    if (open.erase(handle) != 1) std::abort();
  }
  std::uint16_t allocate_bandwidth(std::uint64_t handle, std::uint16_t wanted) override {
    if (!open.contains(handle)) std::abort();
    return std::min<std::uint16_t>(wanted, 80);
  }
  void take_datagram(std::uint64_t handle, ByteView datagram) override {
    if (!open.contains(handle) || datagram.empty()) std::abort();
    taken += datagram.size();
  }
  std::set<std::uint64_t> open;
  std::uint64_t next = 1;
  std::size_t taken = 0;
};

struct Listener final : EmmgClientListener {
  void channel_opened() override {
    for (std::uint16_t id = 0; id < 4; ++id) static_cast<void>(client->open_stream(id, id, emmg::emm, {}));
  }
  void stream_opened(std::uint16_t id) override { static_cast<void>(client->request_bandwidth(id, 100, {})); }
  void stream_closed(std::uint16_t, const Problem*) override {}
  void bandwidth_allocated(std::uint16_t id, std::optional<std::uint16_t>) override {
    const ByteView datagrams[] = {{}};
    static_cast<void>(client->provide(id, datagrams));
  }
  void stream_error(std::uint16_t id, const Problem&) override { static_cast<void>(client->close_stream(id, {})); }
  void peer_misbehaved(const Problem& problem) override {
    if (problem.message.empty()) std::abort();
  }
  void channel_closed(const Problem&) override {
    if (++closed > 1) std::abort();
  }
  EmmgClient* client = nullptr;
  int closed = 0;
};

// Time passes too: a piece of the input, and then so many milliseconds.
template <typename Feed, typename Tick>
Instant play(ByteView input, Feed feed, Tick tick) {
  Instant now{0};
  while (!input.empty()) {
    const std::size_t piece = std::min<std::size_t>(input[0], input.size() - 1);
    feed(input.subspan(1, piece), now);
    input = input.subspan(1 + piece);
    if (input.empty()) break;
    now += std::chrono::milliseconds(input[0] * 50);
    tick(now);
    input = input.subspan(1);
  }
  return now;
}

}  // namespace

// A MUX over TCP and UDP, and a generator, each against a peer that says whatever it likes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  Sink sink;
  {
    MuxServer server({.max_channels = 2, .max_streams_on_channel = 3, .max_streams = 4}, sink);
    MuxSession session(server, {});
    const Instant end = play(
        input,
        [&](ByteView bytes, Instant now) {
          session.receive(bytes, now);
          static_cast<void>(server.receive_datagram(bytes, now));
        },
        [&](Instant now) { session.tick(now); });
    if (server.stream_count() != sink.open.size() || server.stream_count() > 4) std::abort();
    // No stream gets more than its 80 kbit/s and a burst; each was opened after the beginning.
    const auto per_stream = static_cast<std::size_t>(end.count() / 100'000) + 10'000;
    if (sink.taken > per_stream * sink.next) std::abort();
  }
  if (!sink.open.empty()) std::abort();
  Listener listener;
  EmmgClient client({.channel = {1, 1}}, listener);
  listener.client = &client;
  client.start({});
  play(
      input, [&](ByteView bytes, Instant now) { client.receive(bytes, now); }, [&](Instant now) { client.tick(now); });
  client.connection_lost();
  if (listener.closed != 1) std::abort();
  return 0;
}
