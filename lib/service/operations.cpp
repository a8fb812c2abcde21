// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/operations.hpp"

namespace cas::service {

namespace {

// Who asks are a few machines, and they send no bodies.
constexpr std::size_t max_connections = 64;
constexpr std::size_t max_body = 1024;

HttpResponse answer(const Health::Report& report) {
  HttpResponse response = HttpResponse::text(report.well ? 200 : 503, report.text());
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

}  // namespace

Status add_operations(HttpRouter& router, const MetricRegistry& registry, const Health& health) {
  const auto live = [&health](const HttpRequest&) { return answer(health.live()); };
  const auto ready = [&health](const HttpRequest&) { return answer(health.ready()); };
  CAS_TRY(router.add("GET", "/healthz", live));
  CAS_TRY(router.add("GET", "/health/live", live));
  CAS_TRY(router.add("GET", "/readyz", ready));
  CAS_TRY(router.add("GET", "/health/ready", ready));
  return router.add("GET", "/metrics", [&registry](const HttpRequest&) {
    return HttpResponse::with_body(200, MetricRegistry::content_type, copy_of(as_bytes(registry.text())));
  });
}

Result<std::unique_ptr<HttpServer>> serve_operations(EventLoop& loop, const Endpoint& at, MetricRegistry& registry,
                                                     const Health& health) {
  HttpListening listening;
  listening.address = at.address();
  listening.port = at.port();
  listening.limits.connections = max_connections;
  listening.limits.body_size = max_body;
  listening.name = "operations";
  return serve_operations(loop, std::move(listening), registry, health);
}

Result<std::unique_ptr<HttpServer>> serve_operations(EventLoop& loop, HttpListening listening, MetricRegistry& registry,
                                                     const Health& health) {
  HttpRouter router;
  CAS_TRY(add_operations(router, registry, health));
  listening.metrics = &registry;
  return HttpServer::listen(loop, std::move(listening), std::move(router));
}

}  // namespace cas::service
