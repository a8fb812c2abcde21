// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to service/, not installed.

#include <map>
#include <unordered_set>

#include "service/http_exchange_state.hpp"
#include "service/http_server.hpp"
#include "service/tcp_server.hpp"

namespace cas::service {

class HttpSession;

/// The server's own series.
class HttpMetrics {
 public:
  [[nodiscard]] static Result<HttpMetrics> create(MetricRegistry& registry, const std::string& listener);
  void count_answer(int status, std::chrono::nanoseconds duration);

  Gauge* open = nullptr;
  Gauge* waiting = nullptr;
  Counter* connections = nullptr;
  Counter* refused = nullptr;
  Counter* tls_failures = nullptr;

 private:
  MetricRegistry* registry_ = nullptr;
  std::string listener_;
  Histogram* seconds_ = nullptr;
  std::map<int, Counter*> answers_;  ///< By status.
};

/// What the sessions of a server share.
struct HttpServer::State {
  State(EventLoop& given_loop, HttpListening given_listening, HttpRouter given_router)
      : loop(given_loop),
        listening(std::move(given_listening)),
        router(std::move(given_router)),
        mailbox(std::make_shared<HttpMailbox>(given_loop)) {}

  [[nodiscard]] std::chrono::nanoseconds time() const;  ///< Of the clock itself, for durations.
  [[nodiscard]] const std::string& date();
  void begin_waiting();
  void end_waiting();
  void forget(HttpSession& session);
  void finish_stop();

  EventLoop& loop;
  HttpListening listening;
  HttpRouter router;
  std::shared_ptr<HttpMailbox> mailbox;
  std::optional<crypto::TlsContext> tls;
  std::optional<HttpMetrics> metrics;
  Counts counts;
  std::unordered_set<HttpSession*> sessions;
  std::int64_t date_of = -1;
  std::string date_text;
  bool stopping = false;
  Timer stop_limit;
  std::function<void()> on_stopped;
  std::unique_ptr<TcpServer> tcp;
};

}  // namespace cas::service
