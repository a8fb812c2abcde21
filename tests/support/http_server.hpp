// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace cas::test {

/// A server of HTTP on 127.0.0.1 that says whatever a test wants it to: the truth, too much, half of it, nothing. One
/// connection at a time, one request each.
class HttpServer {
 public:
  /// One request, and the words to answer it with.
  class Exchange {
   public:
    Exchange(int socket, std::string request) : socket_(socket), request_(std::move(request)) {}
    /// Request line and header fields.
    [[nodiscard]] const std::string& request() const { return request_; }
    [[nodiscard]] std::string path() const {
      const auto start = request_.find(' ') + 1;
      return request_.substr(start, request_.find(' ', start) - start);
    }
    /// False when the client has hung up.
    bool send(std::string_view bytes) const {
      while (!bytes.empty()) {
        const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      }
      return true;
    }
    void answer(const std::string& status, std::string_view body = {}, const std::string& fields = {}) const {
      send("HTTP/1.1 " + status + "\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
           fields + "\r\n");
      send(body);
    }
    /// Until the client hangs up.
    void wait_for_the_end() const {
      char byte = 0;
      while (::recv(socket_, &byte, 1, 0) > 0) {
      }
    }

   private:
    int socket_;
    std::string request_;
  };
  using Handler = std::function<void(const Exchange&)>;

  explicit HttpServer(Handler handler)
      : handler_(std::move(handler)), listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listening_, generic, size) != 0 || ::listen(listening_, 16) != 0 ||
        ::getsockname(listening_, generic, &size) != 0)
      throw std::runtime_error("no port for a server");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~HttpServer() {
    ::shutdown(listening_, SHUT_RDWR);
    {
      const std::lock_guard lock(mutex_);
      if (connected_ >= 0) ::shutdown(connected_, SHUT_RDWR);
    }
    thread_.join();
    ::close(listening_);
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  [[nodiscard]] std::string url(const std::string& path = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }

 private:
  void serve() {
    for (;;) {
      const int connection = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) return;
      {
        const std::lock_guard lock(mutex_);
        connected_ = connection;
      }
      std::string request;
      char byte = 0;
      while (!request.ends_with("\r\n\r\n") && ::recv(connection, &byte, 1, 0) == 1) request += byte;
      if (request.ends_with("\r\n\r\n")) handler_(Exchange(connection, std::move(request)));
      const std::lock_guard lock(mutex_);
      connected_ = -1;
      ::close(connection);
    }
  }

  Handler handler_;
  int listening_;
  int port_ = 0;
  std::mutex mutex_;
  int connected_ = -1;
  std::thread thread_;
};

}  // namespace cas::test
