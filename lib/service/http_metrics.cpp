// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/http_server_state.hpp"

namespace cas::service {

Result<HttpMetrics> HttpMetrics::create(MetricRegistry& registry, const std::string& listener) {
  HttpMetrics made;
  made.registry_ = &registry;
  made.listener_ = listener;
  const MetricLabels labels{{"listener", listener}};
  CAS_TRY_ASSIGN(made.open, registry.gauge("cas_http_connections", "Connections now.", labels));
  CAS_TRY_ASSIGN(made.waiting,
                 registry.gauge("cas_http_requests_waiting", "Requests now whose answers are not ready.", labels));
  CAS_TRY_ASSIGN(made.connections,
                 registry.counter("cas_http_connections_total", "Connections that were taken.", labels));
  CAS_TRY_ASSIGN(made.refused, registry.counter("cas_http_connections_refused_total",
                                                "Connections that were closed because there were too many.", labels));
  CAS_TRY_ASSIGN(made.tls_failures,
                 registry.counter("cas_http_tls_failures_total", "TLS handshakes that failed.", labels));
  CAS_TRY_ASSIGN(
      made.seconds_,
      registry.histogram(
          "cas_http_request_seconds", "From a request's last byte to its answer.",
          {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}, labels));
  return made;
}

void HttpMetrics::count_answer(int status, std::chrono::nanoseconds duration) {
  auto& answers = answers_[status];
  if (answers == nullptr) {
    auto made = registry_->counter("cas_http_requests_total", "Answers by status.",
                                   {{"listener", listener_}, {"code", std::to_string(status)}});
    if (!made) return;  // the registry is full
    answers = *made;
  }
  answers->add();
  seconds_->observe(std::chrono::duration<double>(duration).count());
}

}  // namespace cas::service
