// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/relay_stream.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "base/clock.hpp"
#include "base/secret.hpp"

namespace cas::card {

namespace {

using std::chrono::milliseconds;

constexpr std::size_t chunk_size = 16384;
// What is thrown away, at most, of one who keeps on talking after the end.
constexpr int max_unheard_chunks = 64;
constexpr int keep_alive_idle_s = 20;
constexpr int keep_alive_interval_s = 10;
constexpr int keep_alive_probes = 3;

tl::unexpected<Error> stopped() { return fail(ErrorKind::cancelled, "the exchange was given up"); }
tl::unexpected<Error> gone(const std::string& why) {
  return fail(ErrorKind::truncated, "the other side closed the connection" + why);
}

void set_option(int socket, int level, int name, int value) {
  (void)::setsockopt(socket, level, name, &value, sizeof value);
}

}  // namespace

Deadline::Deadline(milliseconds from_now) : at_(system_clock().monotonic() + from_now) {}

milliseconds Deadline::left() const {
  // Upwards: a wait of 0 ms would spin in the last one.
  const auto left = std::chrono::ceil<milliseconds>(at_ - system_clock().monotonic());
  return std::max(left, milliseconds(0));
}

RelayStream::~RelayStream() {
  tls_.close();
  const Bytes farewell = tls_.take_output();
  if (socket_.valid() && !farewell.empty())
    (void)::send(socket_.get(), farewell.data(), farewell.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

Status RelayStream::flush(const Waiter& waiter, const Deadline& deadline) {
  const Bytes output = tls_.take_output();
  ByteView rest = output;
  while (!rest.empty()) {
    const ssize_t sent = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      rest = rest.subspan(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      switch (waiter.wait(socket_.get(), POLLOUT, deadline.left())) {
        case Waited::stopped: return stopped();
        case Waited::timed_out: return fail(ErrorKind::truncated, "the other side takes nothing more");
        case Waited::ready: break;
      }
    } else if (errno != EINTR) {
      return gone(" (" + system_error_text(errno) + ")");
    }
  }
  return {};
}

Result<bool> RelayStream::fill(const Waiter& waiter, const Deadline& deadline) {
  std::array<std::uint8_t, chunk_size> chunk;
  for (;;) {
    const ssize_t got = ::recv(socket_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (got > 0) {
      tls_.receive(ByteView(chunk).first(static_cast<std::size_t>(got)));
      return true;
    }
    if (got == 0) return gone("");
    if (errno == EAGAIN) {
      switch (waiter.wait(socket_.get(), POLLIN, deadline.left())) {
        case Waited::stopped: return stopped();
        case Waited::timed_out: return false;
        case Waited::ready: break;
      }
    } else if (errno != EINTR) {
      return gone(" (" + system_error_text(errno) + ")");
    }
  }
}

Status RelayStream::handshake(const Waiter& waiter, const Deadline& deadline) {
  for (;;) {
    const Result<bool> done = tls_.handshake();
    // Also after a failure: it holds the alert that tells the other side.
    const Status flushed = flush(waiter, deadline);
    if (!done) return fail(done.error());
    CAS_TRY(flushed);
    if (*done) return {};
    CAS_TRY_ASSIGN(const bool more, fill(waiter, deadline));
    if (!more) return fail(ErrorKind::truncated, "the other side did not finish the TLS handshake in time");
  }
}

Status RelayStream::send(RelayFrameType type, ByteView payload, const Waiter& waiter, const Deadline& deadline) {
  Bytes frame = encode_relay_frame(type, payload);
  const ScopedCleanse cleanse_frame(frame);
  CAS_TRY(tls_.write(frame));
  return flush(waiter, deadline);
}

Result<std::optional<RelayFrame>> RelayStream::receive(const Waiter& waiter, const Deadline& deadline) {
  Bytes plain(chunk_size);
  const ScopedCleanse cleanse_plain(plain);
  for (;;) {
    CAS_TRY_ASSIGN(std::optional<RelayFrame> frame, parser_.next());
    if (frame) return frame;
    const auto got = tls_.read(plain);
    if (!got) {
      (void)flush(waiter, deadline);
      return fail(got.error());
    }
    if (!*got) {
      CAS_TRY(flush(waiter, deadline));  // Answers of TLS itself, to a key update.
      CAS_TRY_ASSIGN(const bool more, fill(waiter, deadline));
      if (!more) return std::optional<RelayFrame>();
    } else if (**got == 0) {
      return gone(parser_.within_frame() ? " within a frame" : "");
    } else {
      parser_.append(ByteView(plain).first(**got));
    }
  }
}

void RelayStream::finish(const Waiter& waiter, const Deadline& deadline) {
  tls_.close();
  if (!flush(waiter, deadline)) return;
  (void)::shutdown(socket_.get(), SHUT_WR);
  std::array<std::uint8_t, chunk_size> chunk;
  for (int chunks = 0; chunks < max_unheard_chunks;) {
    const ssize_t got = ::recv(socket_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return;
    if (got > 0)
      ++chunks;
    else if (waiter.wait(socket_.get(), POLLIN, deadline.left()) != Waited::ready)
      return;
  }
}

std::string relay_place(const std::string& host, std::uint16_t port) {
  const bool bracketed = host.find(':') != std::string::npos;
  return (bracketed ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

void prepare_relay_socket(int socket) {
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, keep_alive_idle_s);
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, keep_alive_interval_s);
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, keep_alive_probes);
}

Result<FileDescriptor> connect_relay_socket(const std::string& host, std::uint16_t port, const Waiter& waiter,
                                            const Deadline& deadline) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found); code != 0) {
    const bool for_now = code == EAI_AGAIN || code == EAI_SYSTEM || code == EAI_MEMORY;
    return fail(for_now ? ErrorKind::card_absent : ErrorKind::not_found,
                "no host " + host + " of a card relay is known: " + ::gai_strerror(code));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> targets(found, &::freeaddrinfo);
  int error = 0;
  for (const addrinfo* target = found; target != nullptr; target = target->ai_next) {
    FileDescriptor socket(
        ::socket(target->ai_family, target->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, target->ai_protocol));
    error = errno;
    if (!socket.valid()) continue;
    prepare_relay_socket(socket.get());
    error = ::connect(socket.get(), target->ai_addr, target->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
      const Waited waited = waiter.wait(socket.get(), POLLOUT, deadline.left());
      if (waited == Waited::stopped) return stopped();
      socklen_t size = sizeof error;
      if (waited == Waited::timed_out)
        error = ETIMEDOUT;
      else if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    }
    if (error == 0) return socket;
  }
  return fail(ErrorKind::card_absent, "no card relay answers at " + relay_place(host, port) + " (" +
                                          system_error_text(error) + "): start it there with cas-card relay");
}

}  // namespace cas::card
