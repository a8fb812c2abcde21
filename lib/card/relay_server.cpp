// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/relay_server.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <list>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "card/relay_session.hpp"
#include "card/relay_stream.hpp"

namespace cas::card {

namespace {

using std::chrono::milliseconds;

constexpr int backlog = 64;
constexpr milliseconds after_failed_accept{100};
constexpr milliseconds farewell_limit{1'000};

std::string address_text(const sockaddr_storage& address, socklen_t size) {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (::getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, host.data(), host.size(), port.data(),
                    port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return "an unknown address";
  const std::string text = host.data();
  return (text.find(':') != std::string::npos ? "[" + text + "]" : text) + ":" + port.data();
}

Result<FileDescriptor> listen_at(const std::string& host, std::uint16_t port) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found); code != 0)
    return fail(ErrorKind::not_found, "cannot listen at " + host + ": " + ::gai_strerror(code));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> targets(found, &::freeaddrinfo);
  FileDescriptor socket(
      ::socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, found->ai_protocol));
  const int on = 1;
  if (!socket.valid() || ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(socket.get(), found->ai_addr, found->ai_addrlen) != 0 || ::listen(socket.get(), backlog) != 0) {
    const int error = errno;
    return fail(error == EACCES ? ErrorKind::permission_denied : ErrorKind::io,
                "cannot listen at " + relay_place(host, port) + ": " + system_error_text(error));
  }
  return socket;
}

Result<std::uint16_t> port_of(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return fail(ErrorKind::io, "cannot tell the port that is listened at: " + system_error_text(errno));
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port
                                             : reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

}  // namespace

class RelayServer::State {
 public:
  State(std::shared_ptr<Card> card, RelayServing serving, crypto::TlsContext tls, FileDescriptor listener,
        std::uint16_t listening_at)
      : port(listening_at),
        card_(std::move(card)),
        serving_(std::move(serving)),
        tls_(std::move(tls)),
        listener_(std::move(listener)) {}

  Status run(const std::stop_token& stop);

  const std::uint16_t port;

 private:
  struct Connection {
    std::thread thread;
    std::atomic<bool> over = false;
  };

  void accept(const std::stop_token& stop, const Waiter& waiter);
  void forget_those_that_are_over();
  void serve(FileDescriptor socket, const std::string& peer, const std::stop_token& stop);
  Status greet(RelayStream& stream, const Waiter& waiter);
  bool claim_card(const std::stop_token& stop);
  void lend_card(RelayStream& stream, const std::string& peer, const std::string& subject, const Waiter& waiter,
                 const std::stop_token& stop);
  void release_card();
  void log(const RelayEvent& event);

  const std::shared_ptr<Card> card_;
  const RelayServing serving_;
  const crypto::TlsContext tls_;
  const FileDescriptor listener_;
  std::list<Connection> connections_;  // The thread of run only.

  std::mutex claim_;
  std::condition_variable_any released_;
  bool claimed_ = false;

  std::mutex log_;
};

Status RelayServer::State::run(const std::stop_token& stop) {
  const Waiter waiter(stop);
  if (!waiter.valid()) return fail(ErrorKind::io, "no event descriptor: " + system_error_text(errno));
  while (waiter.wait(listener_.get(), POLLIN, milliseconds(-1)) != Waited::stopped) accept(stop, waiter);
  for (Connection& connection : connections_) connection.thread.join();
  connections_.clear();
  return {};
}

void RelayServer::State::accept(const std::stop_token& stop, const Waiter& waiter) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  FileDescriptor socket(
      ::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket.valid()) {
    // No descriptors left, for example: not to be asked again at once.
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) (void)waiter.wait(-1, 0, after_failed_accept);
    return;
  }
  const std::string peer = address_text(address, size);
  forget_those_that_are_over();
  if (connections_.size() >= serving_.max_connections) {
    log({RelayEvent::Kind::rejected, peer, {}, "there are too many connections"});
    return;
  }
  prepare_relay_socket(socket.get());
  Connection& connection = connections_.emplace_back();
  try {
    connection.thread = std::thread([this, &connection, stop, peer, socket = std::move(socket)]() mutable {
      serve(std::move(socket), peer, stop);
      connection.over = true;
    });
  } catch (const std::system_error& error) {
    connections_.pop_back();
    log({RelayEvent::Kind::rejected, peer, {}, std::string("no thread can be started: ") + error.what()});
  }
}

void RelayServer::State::forget_those_that_are_over() {
  for (auto connection = connections_.begin(); connection != connections_.end();) {
    if (connection->over) {
      connection->thread.join();
      connection = connections_.erase(connection);
    } else {
      ++connection;
    }
  }
}

void RelayServer::State::serve(FileDescriptor socket, const std::string& peer, const std::stop_token& stop) {
  using Kind = RelayEvent::Kind;
  const Waiter waiter(stop);
  auto tls = crypto::TlsSession::server(tls_);
  if (!waiter.valid() || !tls) return log({Kind::rejected, peer, {}, "no room for a connection"});
  RelayStream stream(std::move(socket), std::move(*tls));
  if (const Status greeted = greet(stream, waiter); !greeted) {
    log({Kind::rejected, peer, stream.peer_subject(), greeted.error().message});
    stream.finish(waiter, Deadline(farewell_limit));
    return;
  }
  const std::string subject = stream.peer_subject();
  if (!claim_card(stop)) {
    const std::string why = "another client has the card: try again when it has left";
    log({Kind::refused, peer, subject, why});
    if (stream.send(RelayFrameType::error, encode_relay_error({RelayErrorCode::busy, why}), waiter,
                    Deadline(farewell_limit)))
      stream.finish(waiter, Deadline(farewell_limit));
    return;
  }
  lend_card(stream, peer, subject, waiter, stop);
}

// Up to the client's hello, which has to be there in time.
Status RelayServer::State::greet(RelayStream& stream, const Waiter& waiter) {
  const Deadline deadline(serving_.handshake_limit);
  CAS_TRY(stream.handshake(waiter, deadline));
  CAS_TRY_ASSIGN(const std::optional<RelayFrame> frame, stream.receive(waiter, deadline));
  if (!frame) return fail(ErrorKind::truncated, "the client did not say hello in time");
  const auto refuse = [&](RelayErrorCode code, std::string why) -> tl::unexpected<Error> {
    (void)stream.send(RelayFrameType::error, encode_relay_error({code, why}), waiter, Deadline(farewell_limit));
    return fail(ErrorKind::malformed, std::move(why));
  };
  if (frame->type != RelayFrameType::hello)
    return refuse(RelayErrorCode::unexpected, "the first frame of a client is its hello");
  const auto hello = parse_relay_hello(frame->payload);
  if (!hello) return refuse(RelayErrorCode::unexpected, hello.error().message);
  if (hello->version != relay_version) {
    return refuse(RelayErrorCode::version, "the client speaks version " + std::to_string(hello->version) +
                                               " of the protocol, and this relay version " +
                                               std::to_string(relay_version));
  }
  return {};
}

bool RelayServer::State::claim_card(const std::stop_token& stop) {
  std::unique_lock lock(claim_);
  if (!released_.wait_for(lock, stop, serving_.busy_patience, [this] { return !claimed_; })) return false;
  claimed_ = true;
  return true;
}

void RelayServer::State::lend_card(RelayStream& stream, const std::string& peer, const std::string& subject,
                                   const Waiter& waiter, const std::stop_token& stop) {
  log({RelayEvent::Kind::connected, peer, subject, {}});
  RelaySession session(*card_, stream, serving_, waiter, stop);
  const Error why = session.run();
  card_->disconnect();
  log({RelayEvent::Kind::left, peer, subject, why.message});
  release_card();
}

void RelayServer::State::release_card() {
  const std::lock_guard lock(claim_);
  claimed_ = false;
  released_.notify_one();
}

void RelayServer::State::log(const RelayEvent& event) {
  const std::lock_guard lock(log_);
  serving_.log(event);
}

RelayServer::RelayServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
RelayServer::~RelayServer() = default;

Result<std::unique_ptr<RelayServer>> RelayServer::listen(std::shared_ptr<Card> card, RelayServing serving) {
  const crypto::TlsCredentials credentials{serving.certificate_file, serving.key_file, serving.key_pin_source,
                                           serving.authority_file};
  CAS_TRY_ASSIGN(crypto::TlsContext tls, crypto::TlsContext::create(crypto::TlsRole::server, credentials));
  CAS_TRY_ASSIGN(FileDescriptor listener, listen_at(serving.host, serving.port));
  CAS_TRY_ASSIGN(const std::uint16_t port, port_of(listener.get()));
  auto state = std::make_unique<State>(std::move(card), std::move(serving), std::move(tls), std::move(listener), port);
  return std::unique_ptr<RelayServer>(new RelayServer(std::move(state)));
}

std::uint16_t RelayServer::port() const { return state_->port; }

Status RelayServer::run(std::stop_token stop) { return state_->run(stop); }

}  // namespace cas::card
