// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>

#include "simulcrypt/ecmg_client.hpp"
#include "simulcrypt/ecmg_server.hpp"

namespace {

using namespace cas;
using namespace cas::simulcrypt;

struct Generator final : EcmGenerator {
  tl::expected<ecmg::ChannelParameters, ecmg::Error> open_channel(std::uint32_t super_cas_id) override {
    if (super_cas_id == 0) return tl::unexpected(ecmg::Error::unknown_super_cas_id);
    ecmg::ChannelParameters parameters;
    parameters.max_streams = 4;
    return parameters;
  }
  tl::expected<EcmStreamGrant, ecmg::Error> open_stream(const EcmStreamOrder& order) override {
    if (!open.insert(next).second) std::abort();
    return EcmStreamGrant{(order.ecm_id & 1) != 0, next++};
  }
  void close_stream(std::uint64_t handle) override {
    if (open.erase(handle) != 1) std::abort();
  }
  std::size_t longest_ecm() const override { return 32; }
  EcmAnswer make_ecm(const EcmOrder& order, MutableByteView out) override {
    // What the session has promised.
    if (!open.contains(order.handle) || out.size() != 32 || order.words.size() != 2) std::abort();
    for (std::size_t i = 0; i < 2; ++i)
      if (order.words[i].cp_number != static_cast<std::uint16_t>(order.cp_number + i) || order.words[i].word.empty())
        std::abort();
    last = order.ticket;
    if (order.cp_number % 3 == 0) return EcmAnswer::later();
    if (order.cp_number % 7 == 0) return EcmAnswer::refused(ecmg::Error::out_of_storage);
    std::ranges::fill(out, std::uint8_t{0x80});
    return EcmAnswer::ready(order.cp_number % 33);
  }
  std::set<std::uint64_t> open;
  std::uint64_t next = 1;
  EcmTicket last;
};

struct Listener final : EcmgClientListener {
  void channel_opened(const ecmg::ChannelParameters& parameters) override {
    if (parameters.cw_per_msg == 0 || parameters.cw_per_msg > ecmg::max_words) std::abort();
    for (std::uint16_t id = 0; id < 4; ++id) static_cast<void>(client->open_stream(id, id, 100, {}));
  }
  void stream_opened(std::uint16_t id) override { provide(id, 0xfffe); }
  void stream_closed(std::uint16_t, const Problem*) override {}
  void ecm_received(std::uint16_t id, std::uint16_t cp, ByteView) override {
    if (client->is_closed() || cp != asked[id]) std::abort();  // only what was asked for
    provide(id, static_cast<std::uint16_t>(cp + 1));
  }
  void provision_failed(std::uint16_t id, std::uint16_t cp, const Problem&) override {
    if (cp != asked[id]) std::abort();
    if (cp % 2 == 0) static_cast<void>(client->close_stream(id, {}));
  }
  void peer_misbehaved(const Problem& problem) override {
    if (problem.message.empty()) std::abort();
  }
  void channel_closed(const Problem&) override {
    if (++closed > 1) std::abort();
  }
  void provide(std::uint16_t id, std::uint16_t cp) {
    static constexpr std::array<std::uint8_t, 8> word{};
    std::array<ecmg::ControlWord, ecmg::max_words> words;
    const std::size_t count = client->parameters().cw_per_msg;
    for (std::size_t i = 0; i < count; ++i) words[i] = {static_cast<std::uint16_t>(client->words_for(cp) + i), word};
    CwProvisionRequest request;
    request.cp_number = cp;
    request.words = {words.data(), count};
    if (client->takes_provision(id) != client->provision(id, request, {}).has_value()) std::abort();
    asked[id] = cp;
  }
  EcmgClient* client = nullptr;
  std::array<std::uint16_t, 65536> asked{};
  int closed = 0;
};

// Time passes too: a piece of the input, and then so many milliseconds.
template <typename Feed, typename Tick>
void play(ByteView input, Feed feed, Tick tick) {
  Instant now{0};
  while (!input.empty()) {
    const std::size_t piece = std::min<std::size_t>(input[0], input.size() - 1);
    feed(input.subspan(1, piece), now);
    input = input.subspan(1 + piece);
    if (input.empty()) return;
    now += std::chrono::milliseconds(input[0] * 50);
    tick(now);
    input = input.subspan(1);
  }
}

}  // namespace

// A server and a client, each against a peer that says whatever it likes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  Generator generator;
  {
    EcmgServer server({.max_channels = 2, .max_streams = 3}, generator);
    EcmgSession session(server, {});
    play(
        input, [&](ByteView bytes, Instant now) { session.receive(bytes, now); },
        [&](Instant now) {
          session.tick(now);
          static_cast<void>(server.complete(generator.last, {}));
          if (server.stream_count() != generator.open.size()) std::abort();
        });
  }
  if (!generator.open.empty()) std::abort();
  static Listener listener;
  listener.closed = 0;
  EcmgClient client({.channel_id = 1, .super_cas_id = 1}, listener);
  listener.client = &client;
  client.start({});
  play(
      input, [&](ByteView bytes, Instant now) { client.receive(bytes, now); }, [&](Instant now) { client.tick(now); });
  client.connection_lost();
  if (listener.closed != 1) std::abort();
  return 0;
}
