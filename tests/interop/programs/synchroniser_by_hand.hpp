// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <stdexcept>
#include <string>

#include "simulcrypt/ecmg_messages.hpp"
#include "tests/unit/simulcrypt/wire.hpp"

namespace cas::test {

namespace ecmg = simulcrypt::ecmg;

/// A synchroniser by hand: what it says is written at once, what it is answered is waited for.
class Synchroniser {
 public:
  explicit Synchroniser(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0)
      throw std::runtime_error("cannot connect");
  }
  ~Synchroniser() { ::close(socket_); }
  Synchroniser(const Synchroniser&) = delete;
  Synchroniser& operator=(const Synchroniser&) = delete;

  void say(ByteView bytes) { static_cast<void>(::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL)); }
  /// The next message, by name; "end" when the connection has ended, "reset" when it broke.
  std::string hear() {
    for (;;) {
      const std::size_t size = in_.size() < 5 ? 0 : 5U + (in_[3] << 8 | in_[4]);
      if (size != 0 && in_.size() >= size) {
        last_.assign(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(size));
        in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(size));
        return simulcrypt::test::names_in(simulcrypt::ecmg_grammar(), last_);
      }
      pollfd wait{socket_, POLLIN, 0};
      if (::poll(&wait, 1, 30'000) != 1) return "nothing in 30 s";
      std::uint8_t buffer[4096];
      const ssize_t got = ::recv(socket_, buffer, sizeof buffer, 0);
      if (got <= 0) return got == 0 ? "end" : "reset";
      in_.insert(in_.end(), buffer, buffer + got);
    }
  }
  std::string ask(ByteView bytes) {
    say(bytes);
    return hear();
  }
  std::string ask(const Bytes& bytes) { return ask(ByteView(bytes)); }
  template <typename Message>
  std::string ask(const Message& message) {
    return ask(simulcrypt::test::wire(message, 3));
  }
  /// A CW_provision of words 1.. and 2.., for crypto-period 6.
  std::string ask_for_ecm(std::uint16_t channel, std::uint16_t stream, std::optional<ByteView> criteria = {}) {
    ecmg::CwProvision provision;
    provision.channel_id = channel;
    provision.stream_id = stream;
    provision.cp_number = 6;
    provision.word_list[0] = {6, word(0)};
    provision.word_list[1] = {7, word(1)};
    provision.word_count = 2;
    provision.access_criteria = criteria;
    return ask(provision);
  }
  /// The same with one word of 16 bytes.
  std::string ask_for_ecm_of_one_word(std::uint16_t channel, std::uint16_t stream) {
    static const Bytes word(16, 0x5a);
    ecmg::CwProvision provision;
    provision.channel_id = channel;
    provision.stream_id = stream;
    provision.cp_number = 6;
    provision.word_list[0] = {6, word};
    provision.word_count = 1;
    return ask(provision);
  }
  /// Of the ECM_response that was heard last.
  [[nodiscard]] Bytes ecm() const {
    const auto header = simulcrypt::MessageHeader{last_[0], static_cast<std::uint16_t>(last_[1] << 8 | last_[2]),
                                                  static_cast<std::uint16_t>(last_.size() - 5)};
    const auto checked = simulcrypt::check(simulcrypt::ecmg_grammar(), header, ByteView(last_).subspan(5));
    return copy_of(ecmg::EcmResponse::from(*checked.message).datagram);
  }
  [[nodiscard]] const Bytes& last() const { return last_; }
  static ByteView word(std::size_t index) {
    static const std::array<Bytes, 2> words{Bytes{1, 2, 3, 6, 5, 6, 7, 18}, Bytes{9, 8, 7, 24, 5, 4, 3, 12}};
    return words[index];
  }

 private:
  int socket_;
  Bytes in_, last_;
};

}  // namespace cas::test
