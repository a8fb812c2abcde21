// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service_bench_load.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string_view>

namespace cas::bench {

namespace {

constexpr std::string_view request =
    "GET /keys HTTP/1.1\r\nHost: localhost\r\nAccept: application/xml\r\nUser-Agent: bench\r\n\r\n";

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "bench_service: %s\n", what);
  std::exit(1);
}

}  // namespace

double TimedThread::cpu_seconds() const {
  clockid_t clock{};
  timespec time{};
  if (pthread_getcpuclockid(thread_.native_handle(), &clock) != 0 || clock_gettime(clock, &time) != 0)
    give_up("a thread has no clock");
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

struct HttpLoad::Connection {
  Connection(std::uint16_t port, bool secure) : socket(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) give_up("cannot connect");
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!secure) return;
    context.reset(SSL_CTX_new(TLS_client_method()));
    session.reset(SSL_new(context.get()));
    SSL_set_fd(session.get(), socket);
    if (SSL_connect(session.get()) != 1) give_up("no TLS");
  }
  ~Connection() { ::close(socket); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void ask() {
    const int size = static_cast<int>(request.size());
    const auto sent = session ? SSL_write(session.get(), request.data(), size)
                              : ::send(socket, request.data(), request.size(), MSG_NOSIGNAL);
    if (sent != size) give_up("cannot send");
  }
  std::size_t receive(char* into, std::size_t room) {
    const auto got = session ? SSL_read(session.get(), into, static_cast<int>(room)) : ::recv(socket, into, room, 0);
    if (got <= 0) give_up("the server hung up");
    return static_cast<std::size_t>(got);
  }

  int socket;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context{nullptr, &SSL_CTX_free};
  std::unique_ptr<SSL, decltype(&SSL_free)> session{nullptr, &SSL_free};
};

HttpLoad::HttpLoad(std::uint16_t port, bool secure, std::size_t connections) {
  for (std::size_t i = 0; i < connections; ++i) connections_.push_back(std::make_unique<Connection>(port, secure));
  // How long an answer is.
  std::string answer;
  std::array<char, 16384> buffer{};
  connections_[0]->ask();
  constexpr std::string_view field = "Content-Length: ";
  while (answer.find("\r\n\r\n") == std::string::npos)
    answer.append(buffer.data(), connections_[0]->receive(buffer.data(), buffer.size()));
  const auto head = answer.find("\r\n\r\n") + 4, at = answer.find(field);
  std::size_t body = 0;
  if (!answer.starts_with("HTTP/1.1 200 ") || at == std::string::npos ||
      std::from_chars(answer.data() + at + field.size(), answer.data() + answer.size(), body).ec != std::errc())
    give_up("the server does not answer with 200");
  answer_size_ = head + body;
  while (answer.size() < answer_size_)
    answer.append(buffer.data(), connections_[0]->receive(buffer.data(), buffer.size()));
}

HttpLoad::~HttpLoad() = default;

void HttpLoad::run(std::size_t requests) {
  std::array<char, 16384> buffer{};
  for (std::size_t i = 0; i < requests; ++i) {
    for (const auto& connection : connections_) connection->ask();
    for (const auto& connection : connections_) {
      std::size_t got = 0;
      while (got < answer_size_) got += connection->receive(buffer.data(), buffer.size());
      if (got != answer_size_) give_up("an answer is longer than the first");
    }
  }
}

}  // namespace cas::bench
