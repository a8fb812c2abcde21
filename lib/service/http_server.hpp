// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/tls.hpp"
#include "service/event_loop.hpp"
#include "service/http_limits.hpp"
#include "service/http_message.hpp"
#include "service/http_router.hpp"
#include "service/metrics.hpp"

namespace cas::service {

/// TLS 1.3, and 1.2 with ephemeral keys (see crypto::TlsServerPolicy).
struct HttpTls {
  crypto::TlsCredentials credentials;
  crypto::TlsClients clients = crypto::TlsClients::anonymous;
};

/// An answer that has been given, for a log. The views are good for the call only.
struct HttpAccess {
  const Endpoint& peer;
  std::string_view client;               ///< The subject of the client's certificate; empty without one.
  std::string_view method;               ///< Empty for what was no request.
  std::string_view path;                 ///< Printable ASCII, without the query, which may hold secrets.
  int status = 0;                        ///< 0: the client went away before.
  std::size_t size = 0;                  ///< Of the body that was sent.
  std::chrono::nanoseconds duration{0};  ///< From the request's last byte.
};

struct HttpListening {
  std::string address = "127.0.0.1";  ///< As in TcpListening.
  std::uint16_t port = 0;             ///< 0: a free one.
  std::optional<HttpTls> tls;         ///< Nothing: http:.
  HttpServerLimits limits;
  /// On the loop's thread; may be empty.
  std::function<void(const HttpAccess&)> access_log;
  /// Where the server counts itself; may be null, lives as long as the server. The series begin with cas_http_ and have
  /// the label listener="NAME".
  MetricRegistry* metrics = nullptr;
  std::string name = "http";
};

/// A server of HTTP/1.1 and HTTP/1.0 (RFC 9110, RFC 9112), over TLS or not, with what is needed to stand in front of
/// strangers: limits of size and of time, and one reading of each request. Requests of a connection are answered one
/// after the other, in their order. On its loop's thread only; goes before its loop, and not from within a handler.
class HttpServer {
 public:
  struct Counts {
    std::uint64_t connections = 0;       ///< Taken.
    std::uint64_t refused = 0;           ///< Connections beyond the limit.
    std::uint64_t tls_failures = 0;      ///< Handshakes that failed, or took too long.
    std::uint64_t requests = 0;          ///< That were complete and well-formed.
    std::uint64_t refused_requests = 0;  ///< That were not, or came too slowly.
    std::uint64_t abandoned = 0;         ///< Whose client went away before the answer.
    std::size_t open = 0;                ///< Connections now.
    std::size_t waiting = 0;             ///< Requests now whose answers are not ready.
  };

  /// Errors of TcpServer::listen and of TlsContext::create_server; invalid_argument for limits that are 0 or too large.
  [[nodiscard]] static Result<std::unique_ptr<HttpServer>> listen(EventLoop& loop, HttpListening listening,
                                                                  HttpRouter router);
  /// Drops the connections that are left.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  [[nodiscard]] const Endpoint& local() const;
  [[nodiscard]] std::uint16_t port() const { return local().port(); }
  [[nodiscard]] Counts counts() const;

  /// Reads the files of TLS again, for connections that come from now on. When that fails, all stays as it is. A success
  /// without TLS.
  [[nodiscard]] Status reload_tls();

  /// Graceful stop: takes no more connections, ends those that are idle, and the others behind the answer that is under
  /// way; after HttpServerLimits::stop at once. `done` is called in `run` when none is
  /// left, and may destroy the server.
  void stop(std::function<void()> done);

  /// For the sessions.
  struct State;

 private:
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cas::service
