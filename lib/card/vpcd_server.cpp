// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/vpcd_server.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "base/secret.hpp"
#include "card/socket_wait.hpp"

namespace cas::card {

namespace {

using std::chrono::milliseconds;

constexpr std::uint8_t control_power_off = 0;
constexpr std::uint8_t control_power_on = 1;
constexpr std::uint8_t control_reset = 2;
constexpr std::uint8_t control_atr = 4;
constexpr std::size_t length_size = 2;
constexpr std::size_t smallest_apdu = 4;
constexpr std::size_t largest_payload = 0xffff;
constexpr std::size_t largest_atr = 33;

// How serving ended, beside failures.
enum class End { stopped, connection_lost, slot_taken, card_died };

// One connection with the driver: whole messages in, whole answers out. It blocks in the socket's calls themselves,
// since a poll before each would be felt at 20,000 APDUs a second; a stop wakes them by shutting the socket down.
class DriverConnection {
 public:
  DriverConnection(FileDescriptor socket, milliseconds silence_limit, const std::stop_token& stop)
      : socket_(std::move(socket)),
        stop_(stop),
        on_stop_(stop, Shutdown{socket_.get()}),
        buffer_(length_size + largest_payload) {
    ::fcntl(socket_.get(), F_SETFL, ::fcntl(socket_.get(), F_GETFL) & ~O_NONBLOCK);
    limit_silence(silence_limit);
  }
  ~DriverConnection() { cleanse(buffer_); }
  DriverConnection(const DriverConnection&) = delete;
  DriverConnection& operator=(const DriverConnection&) = delete;

  // The payload of the next message; valid until the next call.
  tl::expected<ByteView, End> receive() {
    consume();
    for (;;) {
      if (filled_ >= length_size) {
        const std::size_t size = static_cast<std::size_t>(buffer_[0]) << 8 | buffer_[1];
        if (filled_ >= length_size + size) {
          message_size_ = length_size + size;
          return ByteView(buffer_).subspan(length_size, size);
        }
      }
      if (const auto end = fill()) return tl::unexpected(*end);
    }
  }

  // One write for length and data: two would cost the driver's side a delayed acknowledgement.
  std::optional<End> send(ByteView payload) {
    Bytes message;
    const ScopedCleanse cleanse_message(message);
    message.reserve(length_size + payload.size());
    message.push_back(static_cast<std::uint8_t>(payload.size() >> 8));
    message.push_back(static_cast<std::uint8_t>(payload.size() & 0xff));
    append(message, payload);
    ByteView rest = message;
    while (!rest.empty()) {
      const ssize_t sent = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent > 0) {
        rest = rest.subspan(static_cast<std::size_t>(sent));
      } else if (errno != EINTR) {
        return lost();
      }
    }
    return std::nullopt;
  }

 private:
  struct Shutdown {
    int descriptor;
    void operator()() const { (void)::shutdown(descriptor, SHUT_RDWR); }
  };

  // Zero stands for no limit.
  void limit_silence(milliseconds limit) {
    const timeval time{limit.count() / 1000, (limit.count() % 1000) * 1000};
    (void)::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  }

  [[nodiscard]] End lost() const { return stop_.stop_requested() ? End::stopped : End::connection_lost; }

  std::optional<End> fill() {
    for (;;) {
      // Debian's driver writes length and data apart. Its kernel holds the data back until we acknowledge the length,
      // and ours delays that for 40 ms unless told otherwise, before each receive anew.
      const int on = 1;
      (void)::setsockopt(socket_.get(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
      const ssize_t got = ::recv(socket_.get(), buffer_.data() + filled_, buffer_.size() - filled_, 0);
      if (got > 0) {
        if (!std::exchange(heard_, true)) limit_silence(milliseconds(0));
        filled_ += static_cast<std::size_t>(got);
        return std::nullopt;
      }
      if (got < 0 && errno == EAGAIN) return End::slot_taken;
      if (got == 0 || errno != EINTR) return lost();
    }
  }

  // Takes the message that was handed out from the buffer's front. The driver speaks only when answered, so that what
  // follows is a few bytes at most.
  void consume() {
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(message_size_),
              buffer_.begin() + static_cast<std::ptrdiff_t>(filled_), buffer_.begin());
    filled_ -= message_size_;
    message_size_ = 0;
  }

  FileDescriptor socket_;
  const std::stop_token stop_;
  std::stop_callback<Shutdown> on_stop_;  // Before the socket is closed, this is gone.
  Bytes buffer_;
  std::size_t filled_ = 0;
  std::size_t message_size_ = 0;
  bool heard_ = false;
};

// One message of the driver; something is returned when the connection is to end.
std::optional<End> answer(ByteView message, VirtualCard& card, DriverConnection& connection) {
  if (message.size() == 1) {
    switch (message[0]) {
      case control_power_off: card.power_off(); break;
      case control_power_on: card.power_on(); break;
      case control_reset: card.reset(); break;
      case control_atr: {
        const Bytes atr = card.atr();
        // Empty, the driver would take the card for dead; longer, pcscd refuses it.
        if (atr.size() < 2 || atr.size() > largest_atr) return End::card_died;
        return connection.send(atr);
      }
      default: break;  // No control that we know; an APDU has four bytes at least.
    }
    return std::nullopt;
  }
  if (message.empty()) return std::nullopt;
  if (message.size() < smallest_apdu) return connection.send(Bytes{0x67, 0x00});
  std::optional<Bytes> response = card.transmit(message);
  if (!response || response->size() < 2 || response->size() > largest_payload) return End::card_died;
  const ScopedCleanse cleanse_response(*response);
  return connection.send(*response);
}

End serve_connection(FileDescriptor socket, VirtualCard& card, const VpcdServing& serving,
                     const std::stop_token& stop) {
  DriverConnection connection(std::move(socket), serving.silence_limit, stop);
  for (;;) {
    const auto message = connection.receive();
    if (!message) return message.error();
    if (const auto end = answer(*message, card, connection)) return *end;
  }
}

struct Attempt {
  FileDescriptor socket;  // Not valid: not connected.
  bool stopped = false;
  int error = 0;
};

Attempt connect_to(const addrinfo& target, const Waiter& waiter) {
  Attempt attempt;
  FileDescriptor socket(
      ::socket(target.ai_family, target.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, target.ai_protocol));
  attempt.error = errno;
  if (!socket.valid()) return attempt;
  const int on = 1;
  (void)::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  attempt.error = ::connect(socket.get(), target.ai_addr, target.ai_addrlen) == 0 ? 0 : errno;
  if (attempt.error == EINPROGRESS) {
    attempt.stopped = waiter.wait(socket.get(), POLLOUT, milliseconds(-1)) == Waited::stopped;
    if (attempt.stopped) return attempt;
    socklen_t size = sizeof attempt.error;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &attempt.error, &size) != 0) attempt.error = errno;
  }
  if (attempt.error == 0) attempt.socket = std::move(socket);
  return attempt;
}

Attempt connect_to_any(const addrinfo* targets, const Waiter& waiter) {
  Attempt attempt;
  for (const addrinfo* target = targets; target != nullptr; target = target->ai_next) {
    attempt = connect_to(*target, waiter);
    if (attempt.socket.valid() || attempt.stopped) break;
  }
  return attempt;
}

Status explain(End end, const std::string& place) {
  switch (end) {
    case End::stopped: return {};
    case End::card_died:
      return fail(ErrorKind::card_absent, "the virtual card at " + place + " died and was taken out of the reader");
    case End::slot_taken:
      return fail(ErrorKind::io,
                  "the virtual reader at " + place + " has a card already: take that out, or use the other slot");
    case End::connection_lost: break;
  }
  return fail(ErrorKind::io, "the virtual reader at " + place + " closed the connection: is pcscd still running?");
}

}  // namespace

Status serve_vpcd(const VpcdAddress& address, VirtualCard& card, const VpcdServing& serving,
                  const std::stop_token& stop) {
  const std::string place = address.host + " port " + std::to_string(address.port);
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int code = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &wanted, &found);
      code != 0) {
    return fail(ErrorKind::not_found, "no such host as " + address.host + ": " + ::gai_strerror(code));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> targets(found, &::freeaddrinfo);
  const Waiter waiter(stop);
  if (!waiter.valid()) return fail(ErrorKind::io, "no event descriptor: " + system_error_text(errno));

  while (!stop.stop_requested()) {
    Attempt attempt = connect_to_any(targets.get(), waiter);
    if (attempt.stopped) break;
    if (attempt.socket.valid()) {
      serving.inserted();
      const End end = serve_connection(std::move(attempt.socket), card, serving, stop);
      card.power_off();
      if (end == End::stopped) break;
      if (!serving.reinsert) return explain(end, place);
    } else if (!serving.reinsert) {
      return fail(ErrorKind::io, "no virtual reader listens at " + place + " (" + system_error_text(attempt.error) +
                                     "): install vsmartcard-vpcd, and start pcscd");
    }
    (void)waiter.wait(-1, 0, serving.reinsert_after);
  }
  return {};
}

}  // namespace cas::card
