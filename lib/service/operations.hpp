// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>

#include "service/health.hpp"
#include "service/http_server.hpp"
#include "service/metrics.hpp"

namespace cas::service {

/// What those who run a daemon ask it:
///
///   GET /metrics                  all series of the registry, for Prometheus
///   GET /healthz, /health/live    200 when the program is live, 503 otherwise, with its findings as text
///   GET /readyz, /health/ready    the same for ready
///
/// Keeps references to both, which live as long as the router and its server. invalid_argument when such a route is
/// there already.
[[nodiscard]] Status add_operations(HttpRouter& router, const MetricRegistry& registry, const Health& health);

/// A server of its own for that, which a daemon has at an address inside:
///
///   CAS_TRY_ASSIGN(const Endpoint at, Endpoint::parse(option));  // ADDRESS:PORT
///   CAS_TRY_ASSIGN(auto operations, serve_operations(loop, at, registry, health));
///
/// Small limits, no TLS. `registry` and `health` live as long as it. Errors of HttpServer::listen.
[[nodiscard]] Result<std::unique_ptr<HttpServer>> serve_operations(EventLoop& loop, const Endpoint& at,
                                                                   MetricRegistry& registry, const Health& health);
/// The same with limits, TLS and a log as the caller wants them. `listening.metrics` is set by it.
[[nodiscard]] Result<std::unique_ptr<HttpServer>> serve_operations(EventLoop& loop, HttpListening listening,
                                                                   MetricRegistry& registry, const Health& health);

}  // namespace cas::service
