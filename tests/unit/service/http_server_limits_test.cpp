// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/unit/service/http_fixture.hpp"

namespace cas::service {
namespace {

using namespace std::chrono_literals;

class HttpLimitsTest : public test::HttpFixture {
 protected:
  HttpLimitsTest() {
    get("/hello", [](const HttpRequest&) { return HttpResponse::text(200, "hello"); });
    EXPECT_OK(router_.add("POST", "/echo", [](const HttpRequest& request) {
      return HttpResponse::with_body(200, "", copy_of(request.body()));
    }));
    EXPECT_OK(router_.add_deferred("GET", "/later", [this](HttpExchange exchange) {
      exchanges_.push_back(std::move(exchange));
      happened();
    }));
  }
  test::HttpAnswerText only_answer(test::TcpPeer& peer) {
    const auto answers = test::parse_answers(receive_all(peer));
    EXPECT_EQ(answers.size(), 1U);
    return answers.empty() ? test::HttpAnswerText{} : answers.front();
  }
  std::vector<HttpExchange> exchanges_;
};

TEST_F(HttpLimitsTest, FieldsThatComeTooSlowly) {
  listen();
  const auto peer = connect();
  // A byte each second keeps nothing open (slowloris).
  peer->send("GET /hello HTTP/1.1\r\n");
  run_ready();
  for (int i = 0; i < 9; ++i) {
    peer->send("X");
    advance(1s);
  }
  EXPECT_EQ(peer->receive(), "");
  peer->send("X");
  advance(1s);
  EXPECT_EQ(only_answer(*peer).status, 408);
  EXPECT_EQ(server_->counts().refused_requests, 1U);
}

TEST_F(HttpLimitsTest, ABodyThatComesTooSlowly) {
  listen();
  const auto peer = connect();
  peer->send("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\n");
  run_ready();
  for (int i = 0; i < 29; ++i) {
    peer->send("X");
    advance(1s);
  }
  EXPECT_EQ(peer->receive(), "");
  peer->send("X");
  advance(1s);
  EXPECT_EQ(only_answer(*peer).status, 408);
}

TEST_F(HttpLimitsTest, AConnectionThatIsNotUsed) {
  listen();
  const auto fresh = connect();
  const auto used = connect();
  EXPECT_EQ(ask(*used, request("GET /hello")).status, 200);
  advance(59s);
  EXPECT_EQ(fresh->receive(), "");
  EXPECT_FALSE(fresh->at_end);
  EXPECT_EQ(ask(*used, request("GET /hello")).status, 200);
  advance(1s);
  EXPECT_EQ(receive_all(*fresh), "") << "there was no request that could be answered";
  EXPECT_FALSE(used->at_end);
  advance(59s);
  EXPECT_EQ(receive_all(*used), "");
}

TEST_F(HttpLimitsTest, AnswersThatAreNotReady) {
  listen();
  const auto peer = connect();
  peer->send(request("GET /later"));
  run_until([&] { return !exchanges_.empty(); });
  EXPECT_EQ(server_->counts().waiting, 1U);
  advance(59s);
  EXPECT_FALSE(exchanges_[0].abandoned());
  advance(1s);
  EXPECT_EQ(only_answer(*peer).status, 503);
  EXPECT_TRUE(exchanges_[0].abandoned());
  EXPECT_EQ(server_->counts().waiting, 0U);
  exchanges_[0].answer(HttpResponse::text(200, "too late"));
  EXPECT_EQ(server_->counts().waiting, 0U);
}

TEST_F(HttpLimitsTest, AClientThatTakesNothing) {
  get("/large", [](const HttpRequest&) { return HttpResponse::with_body(200, "", Bytes(32 << 20)); });
  listen();
  const auto peer = connect();
  peer->send(request("GET /large"));
  run_ready();
  advance(29s);
  EXPECT_EQ(server_->counts().open, 1U);
  advance(2s);
  EXPECT_EQ(server_->counts().open, 0U);
  EXPECT_EQ(server_->counts().abandoned, 1U);
}

TEST_F(HttpLimitsTest, TooManyConnections) {
  listening_.limits.connections = 2;
  listen();
  const auto one = connect(), two = connect();
  test::TcpPeer three(server_->port());
  EXPECT_EQ(receive_all(three), "");
  EXPECT_EQ(server_->counts().refused, 1U);
  one->close();
  while (server_->counts().open == 2) run_ready();
  EXPECT_EQ(ask(request("GET /hello")).status, 200);
}

TEST_F(HttpLimitsTest, TooManyRequestsWait) {
  listening_.limits.requests = 1;
  listen();
  const auto one = connect(), two = connect();
  one->send(request("GET /later"));
  run_until([&] { return !exchanges_.empty(); });
  const auto refused = ask(*two, request("GET /hello"));
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.value("Retry-After"), "1");
  exchanges_[0].answer(HttpResponse::text(200, "now"));
  EXPECT_EQ(ask(*two, request("GET /hello")).status, 200);
}

TEST_F(HttpLimitsTest, WhatIsSentAheadIsBounded) {
  listen();
  const auto peer = connect();
  peer->send(request("GET /later"));
  run_until([&] { return !exchanges_.empty(); });
  // More than the sockets hold: it would all go through if the server took it.
  const std::string more = request("POST /echo", "", std::string(64 << 10, 'x'));
  std::size_t sent = 0;
  for (int i = 0; i < 2000; ++i) {
    sent += peer->send_some(std::string_view(more).substr(sent % more.size()));
    run_ready();
  }
  EXPECT_LT(sent, 16U << 20);
  EXPECT_GT(sent, more.size());
  exchanges_[0].answer(HttpResponse::text(200, "now"));
  // Then all of it is read, and answered.
  std::size_t answers = 0;
  receive(*peer, [&](const std::string& all) {
    answers = 0;
    for (auto at = all.find("HTTP/1.1 200"); at != std::string::npos; at = all.find("HTTP/1.1 200", at + 1)) ++answers;
    return answers >= 1 + sent / more.size();
  });
  EXPECT_EQ(answers, 1 + sent / more.size());
}

}  // namespace
}  // namespace cas::service
