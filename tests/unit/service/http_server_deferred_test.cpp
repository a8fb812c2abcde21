// SPDX-License-Identifier: LGPL-2.1-or-later
#include <thread>

#include "tests/unit/service/http_fixture.hpp"

namespace cas::service {
namespace {

using namespace std::chrono_literals;

class HttpDeferredTest : public test::HttpFixture {
 protected:
  HttpDeferredTest() {
    EXPECT_OK(router_.add_deferred("GET", "/later/{n}", [this](HttpExchange exchange) {
      exchanges_.push_back(std::move(exchange));
      happened();
    }));
    EXPECT_OK(router_.add_deferred("GET", "/dropped", [](const HttpExchange&) {}));
    get("/now", [](const HttpRequest&) { return HttpResponse::text(200, "now"); });
  }
  void wait_for_requests(std::size_t count) {
    run_until([&] { return exchanges_.size() >= count; });
  }
  std::vector<HttpExchange> exchanges_;
};

TEST_F(HttpDeferredTest, AnswersLaterFromATimer) {
  listen();
  const auto peer = connect();
  peer->send(request("GET /later/1"));
  wait_for_requests(1);
  const Timer timer = loop_->after(5s, [this] {
    EXPECT_EQ(exchanges_[0].request().parameter("n"), "1");
    exchanges_[0].answer(HttpResponse::text(200, "later"));
    exchanges_[0].answer(HttpResponse::text(200, "twice"));
  });
  run_ready();
  EXPECT_EQ(peer->receive(), "");
  advance(5s);
  EXPECT_EQ(ask(*peer, "").body, "later\n");
  EXPECT_EQ(ask(*peer, request("GET /now")).body, "now\n");
}

TEST_F(HttpDeferredTest, WhatStandsBehindItWaits) {
  listen();
  const auto peer = connect();
  peer->send(request("GET /later/1") + request("GET /now") + request("GET /later/2") +
             request("GET /now", "Connection: close\r\n"));
  wait_for_requests(1);
  run_ready();
  EXPECT_EQ(peer->receive(), "");
  exchanges_[0].answer(HttpResponse::text(200, "one"));
  wait_for_requests(2);
  exchanges_[1].answer(HttpResponse::text(200, "two"));
  const auto answers = test::parse_answers(receive_all(*peer));
  ASSERT_EQ(answers.size(), 4U);
  EXPECT_EQ(answers[0].body + answers[1].body + answers[2].body + answers[3].body, "one\nnow\ntwo\nnow\n");
}

TEST_F(HttpDeferredTest, AnotherThreadMayAnswer) {
  listen();
  const auto one = connect(), two = connect();
  one->send(request("GET /later/1"));
  two->send(request("GET /later/2"));
  wait_for_requests(2);
  std::thread worker([exchanges = std::move(exchanges_)]() mutable {
    for (HttpExchange& exchange : exchanges)
      exchange.answer(
          HttpResponse::with_secret(200, "", SecretBytes::copy_of(as_bytes(exchange.request().parameter("n")))));
  });
  worker.join();
  EXPECT_EQ(ask(*one, "").body, "1");
  EXPECT_EQ(ask(*two, "").body, "2");
}

TEST_F(HttpDeferredTest, AnExchangeThatIsDroppedIsAnError) {
  listen();
  EXPECT_EQ(ask(request("GET /dropped")).status, 500);
  const auto peer = connect();
  peer->send(request("GET /later/1"));
  wait_for_requests(1);
  std::thread worker(
      [exchange = std::move(exchanges_[0])]() mutable { const HttpExchange gone = std::move(exchange); });
  worker.join();
  EXPECT_EQ(ask(*peer, "").status, 500);
}

TEST_F(HttpDeferredTest, TheClientMayGoAway) {
  listen();
  const auto peer = connect();
  peer->send(request("GET /later/1"));
  wait_for_requests(1);
  EXPECT_FALSE(exchanges_[0].abandoned());
  peer->close();
  while (server_->counts().open != 0) run_ready();
  EXPECT_TRUE(exchanges_[0].abandoned());
  EXPECT_EQ(exchanges_[0].request().parameter("n"), "1");
  EXPECT_EQ(server_->counts().abandoned, 1U);
  EXPECT_EQ(server_->counts().waiting, 0U);
  EXPECT_EQ(log_, std::vector<std::string>{"GET /later/1 0 0"});
  exchanges_[0].answer(HttpResponse::text(200, "to nobody"));
  run_ready();
  EXPECT_EQ(log_.size(), 1U);
}

TEST_F(HttpDeferredTest, TheServerMayGoAway) {
  listen();
  const auto peer = connect();
  peer->send(request("GET /later/1") + request("GET /later/2"));
  wait_for_requests(1);
  server_.reset();
  EXPECT_TRUE(exchanges_[0].abandoned());
  std::thread worker(
      [exchange = std::move(exchanges_[0])]() mutable { exchange.answer(HttpResponse::text(200, "to nobody")); });
  worker.join();
  run_ready();
  EXPECT_EQ(receive_all(*peer), "");
}

}  // namespace
}  // namespace cas::service
