// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/operations.hpp"

#include "tests/unit/service/http_fixture.hpp"

namespace cas::service {
namespace {

TEST(HealthTest, TellsWhatIsWrong) {
  Health health;
  EXPECT_TRUE(health.live().well);
  EXPECT_EQ(health.live().text(), "ok");
  Status store, peer;
  health.add_live("store", [&] { return store; });
  health.add_ready("peer", [&] { return peer; });
  EXPECT_EQ(health.live().text(), "store: ok");
  EXPECT_EQ(health.ready().text(), "store: ok\npeer: ok");
  peer = fail(ErrorKind::io, "is not\nthere");
  EXPECT_TRUE(health.live().well);
  EXPECT_FALSE(health.ready().well);
  EXPECT_EQ(health.ready().text(), "store: ok\npeer: is not there");
  peer = {};
  store = fail(ErrorKind::io, "is full");
  EXPECT_FALSE(health.live().well);
  EXPECT_FALSE(health.ready().well) << "ready is live, too";
  store = {};
  EXPECT_TRUE(health.ready().well);
  health.set_stopping();
  EXPECT_TRUE(health.live().well);
  EXPECT_FALSE(health.ready().well);
}

class OperationsTest : public test::HttpFixture {
 protected:
  ~OperationsTest() override { server_.reset(); }  // before what it counts in
  void serve() {
    auto made = serve_operations(*loop_, *Endpoint::parse("127.0.0.1:0"), registry_, health_);
    ASSERT_OK(made);
    server_ = std::move(*made);
  }
  MetricRegistry registry_;
  Health health_;
};

TEST_F(OperationsTest, AnswersWhatIsAsked) {
  Status well;
  health_.add_ready("peer", [&] { return well; });
  auto counter = registry_.counter("things_total", "Things.");
  ASSERT_OK(counter);
  (*counter)->add(7);
  serve();
  for (const char* path : {"/healthz", "/health/live", "/readyz", "/health/ready"})
    EXPECT_EQ(ask(request(std::string("GET ") + path)).status, 200) << path;
  well = fail(ErrorKind::io, "is gone");
  EXPECT_EQ(ask(request("GET /healthz")).status, 200);
  const auto ready = ask(request("GET /readyz"));
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(ready.body, "peer: is gone\n");
  EXPECT_EQ(ready.value("Cache-Control"), "no-store");
  const auto metrics = ask(request("GET /metrics"));
  EXPECT_EQ(metrics.status, 200);
  EXPECT_EQ(metrics.value("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_NE(metrics.body.find("\nthings_total 7\n"), std::string::npos);
  EXPECT_EQ(ask(request("POST /metrics")).status, 405);
}

TEST_F(OperationsTest, TheServerCountsItself) {
  serve();
  (void)ask(request("GET /healthz"));
  (void)ask(request("GET /nothing"));
  (void)ask("no request\r\n\r\n");
  const std::string text = ask(request("GET /metrics")).body;
  for (const char* line : {"cas_http_requests_total{code=\"200\",listener=\"operations\"} 1",
                           "cas_http_connections_total{listener=\"operations\"} 4",
                           "cas_http_requests_total{code=\"404\",listener=\"operations\"} 1",
                           "cas_http_requests_total{code=\"400\",listener=\"operations\"} 1",
                           "cas_http_request_seconds_count{listener=\"operations\"} 3",
                           "cas_http_requests_waiting{listener=\"operations\"} 1",
                           "cas_http_tls_failures_total{listener=\"operations\"} 0",
                           "cas_http_connections_refused_total{listener=\"operations\"} 0"})
    EXPECT_NE(text.find(std::string("\n") + line + '\n'), std::string::npos) << line << '\n' << text;
}

TEST_F(OperationsTest, RoutesOfAnotherServerMayHaveThem) {
  HttpRouter router;
  EXPECT_OK(add_operations(router, registry_, health_));
  EXPECT_FAILS(add_operations(router, registry_, health_), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace cas::service
