// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/unit/service/http_fixture.hpp"

namespace cas::service {
namespace {

using namespace std::chrono_literals;

class HttpStopTest : public test::HttpFixture {
 protected:
  HttpStopTest() {
    EXPECT_OK(router_.add_deferred("GET", "/later", [this](HttpExchange exchange) {
      exchanges_.push_back(std::move(exchange));
      happened();
    }));
    EXPECT_OK(router_.add("POST", "/echo", [](const HttpRequest& request) {
      return HttpResponse::with_body(200, "", copy_of(request.body()));
    }));
  }
  void stop() {
    server_->stop([this] {
      stopped_ = true;
      happened();
    });
    run_ready();
  }
  bool stopped_ = false;
  std::vector<HttpExchange> exchanges_;
};

TEST_F(HttpStopTest, WithNobodyThere) {
  listen();
  const auto port = server_->port();
  server_->stop([this] {
    stopped_ = true;
    server_.reset();
  });
  EXPECT_FALSE(stopped_);
  run_ready();
  EXPECT_TRUE(stopped_);
  EXPECT_THROW(test::TcpPeer{port}, std::runtime_error);
}

TEST_F(HttpStopTest, WhatIsUnderWayIsFinished) {
  listen();
  const auto idle = connect(), waiting = connect(), half = connect();
  waiting->send(request("GET /later") + request("GET /later"));
  half->send("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbo");
  run_until([&] { return !exchanges_.empty(); });
  run_ready();
  stop();
  EXPECT_EQ(receive_all(*idle), "");
  EXPECT_TRUE(idle->at_end);
  exchanges_[0].answer(HttpResponse::text(200, "done"));
  auto answers = test::parse_answers(receive_all(*waiting));
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].body, "done\n");
  EXPECT_TRUE(answers[0].has("Connection: close"));
  half->send("dy");
  answers = test::parse_answers(receive_all(*half));
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].body, "body");
  EXPECT_FALSE(stopped_);
  idle->close();
  waiting->close();
  half->close();
  run_until([&] { return stopped_; });
}

TEST_F(HttpStopTest, NotForEver) {
  listen();
  const auto waiting = connect();
  waiting->send(request("GET /later"));
  run_until([&] { return !exchanges_.empty(); });
  stop();
  advance(9s);
  EXPECT_FALSE(stopped_);
  advance(1s);
  EXPECT_TRUE(stopped_);
  EXPECT_TRUE(exchanges_[0].abandoned());
  receive_all(*waiting);
  EXPECT_TRUE(waiting->was_reset);
}

}  // namespace
}  // namespace cas::service
