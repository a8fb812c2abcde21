// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stdexcept>
#include <vector>

#include "base/clock.hpp"
#include "simulcrypt/emmg_client.hpp"
#include "support/result_matchers.hpp"

namespace cas::test {

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}

/// An EMMG on a blocking socket: says what it has to say, and waits for answers.
class BlockingEmmg final : private simulcrypt::EmmgClientListener {
 public:
  /// `refused_with`: the MUX is to refuse the channel with this error_status.
  BlockingEmmg(std::uint16_t port, std::uint32_t client_id,
               std::uint8_t section_tspkt_flag = simulcrypt::emmg::sections,
               std::optional<std::uint16_t> refused_with = std::nullopt)
      : socket_(::socket(AF_INET, SOCK_STREAM, 0)),
        refused_with_(refused_with),
        client_({.channel = {client_id, 1}, .section_tspkt_flag = section_tspkt_flag}, *this) {
    const sockaddr_in at = loopback(port);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0)
      throw std::runtime_error("cannot connect to the MUX");
    client_.start(now());
    wait_until([this] { return client_.is_open() || client_.is_closed(); });
    EXPECT_EQ(client_.is_closed(), refused_with_.has_value());
  }
  ~BlockingEmmg() override { ::close(socket_); }
  BlockingEmmg(const BlockingEmmg&) = delete;
  BlockingEmmg& operator=(const BlockingEmmg&) = delete;

  void open_stream(std::uint16_t data_id) {
    ASSERT_OK(client_.open_stream(data_id, data_id, simulcrypt::emmg::emm, now()));
    wait_until([this] { return streams_opened > 0; });
  }
  void ask_for_bandwidth(std::uint16_t stream, std::uint16_t kbit_per_second) {
    allocated.reset();
    ASSERT_OK(client_.request_bandwidth(stream, kbit_per_second, now()));
    wait_until([this] { return allocated.has_value(); });
  }
  void send(std::uint16_t stream, ByteView emm) { send(stream, std::span(&emm, 1)); }
  /// Several in one message.
  void send(std::uint16_t stream, std::span<const ByteView> emms) {
    ASSERT_OK(client_.provide(stream, emms));
    speak();
  }
  /// Tests the channel, as if nothing had come for long. All that was sent before has been looked at then.
  void test_channel() {
    const simulcrypt::Instant due = client_.next_deadline().value();
    client_.tick(due);
    const std::size_t before = received_;
    wait_until([&] { return received_ > before; });
  }
  void close_stream(std::uint16_t stream) {
    ASSERT_OK(client_.close_stream(stream, now()));
    wait_until([this] { return streams_closed > 0; });
  }
  /// Says so, and no more.
  void close_channel() {
    client_.close_channel();
    speak();
    ::shutdown(socket_, SHUT_WR);
  }
  void wait_until(const std::function<bool()>& done) {
    const simulcrypt::Instant limit = now() + std::chrono::minutes(1);
    while (!done() && now() < limit) {
      speak();
      pollfd waiting{socket_, POLLIN, 0};
      if (::poll(&waiting, 1, 1000) <= 0) continue;
      std::array<std::uint8_t, 4096> buffer;
      const ssize_t got = ::recv(socket_, buffer.data(), buffer.size(), 0);
      if (got <= 0) break;
      received_ += static_cast<std::size_t>(got);
      client_.receive(ByteView(buffer).first(static_cast<std::size_t>(got)), now());
    }
    EXPECT_TRUE(done());
  }

  int streams_opened = 0, streams_closed = 0;
  std::optional<std::uint16_t> allocated;
  std::vector<std::uint16_t> errors;

 private:
  static simulcrypt::Instant now() { return system_clock().monotonic(); }
  void speak() {
    while (!client_.output().empty()) {
      const ssize_t sent = ::send(socket_, client_.output().data(), client_.output().size(), MSG_NOSIGNAL);
      if (sent <= 0) throw std::runtime_error("the MUX has gone");
      client_.sent(static_cast<std::size_t>(sent));
    }
  }
  void channel_opened() override {}
  void stream_opened(std::uint16_t) override { ++streams_opened; }
  void stream_closed(std::uint16_t, const simulcrypt::Problem*) override { ++streams_closed; }
  void bandwidth_allocated(std::uint16_t, std::optional<std::uint16_t> kbit_per_second) override {
    allocated = kbit_per_second.value_or(0);
  }
  void stream_error(std::uint16_t, const simulcrypt::Problem& problem) override {
    errors.push_back(problem.error_status);
  }
  void peer_misbehaved(const simulcrypt::Problem& problem) override { ADD_FAILURE() << problem.message; }
  void channel_closed(const simulcrypt::Problem& why) override {
    EXPECT_EQ(std::optional(why.error_status), refused_with_) << why.message;
  }

  int socket_;
  std::optional<std::uint16_t> refused_with_;
  std::size_t received_ = 0;
  simulcrypt::EmmgClient client_;
};

/// A data_provision in a UDP datagram.
inline void send_by_udp(std::uint16_t port, const simulcrypt::emmg::DataProvision& provision, ByteView emm) {
  ByteQueue message;
  ASSERT_OK(provision.write(message, 3, std::span(&emm, 1)));
  const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
  const sockaddr_in at = loopback(port);
  EXPECT_GT(::sendto(socket, message.view().data(), message.view().size(), 0, reinterpret_cast<const sockaddr*>(&at),
                     sizeof at),
            0);
  ::close(socket);
}

}  // namespace cas::test
