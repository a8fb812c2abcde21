// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/http_server.hpp"

#include "service/http_client.hpp"
#include "tests/unit/service/http_fixture.hpp"

namespace cas::service {
namespace {

class HttpServerTest : public test::HttpFixture {
 protected:
  HttpServerTest() {
    get("/hello", [](const HttpRequest&) { return HttpResponse::text(200, "hello"); });
    get("/keys/{id}/periods/{n}", [](const HttpRequest& request) {
      return HttpResponse::text(200, std::string(request.parameter("id")) + '|' + std::string(request.parameter("n")) +
                                         '|' + request.query_value("kind").value_or("none"));
    });
    EXPECT_OK(router_.add("POST", "/echo", [](const HttpRequest& request) {
      return HttpResponse::with_body(200, "application/octet-stream", copy_of(request.body()));
    }));
    get("/large", [](const HttpRequest&) {
      return HttpResponse::with_secret(200, "application/octet-stream", SecretBytes(large));
    });
    get("/empty", [](const HttpRequest&) { return HttpResponse::with_body(204, "", copy_of(as_bytes("not sent"))); });
  }
  static constexpr std::size_t large = 8 << 20;
};

TEST_F(HttpServerTest, AnswersRequestsOfAConnectionOneAfterTheOther) {
  listen();
  const auto peer = connect();
  const auto first = ask(*peer, request("GET /hello"));
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.body, "hello\n");
  EXPECT_EQ(first.value("Date"), "Fri, 15 Jan 2027 08:00:00 GMT");
  EXPECT_EQ(first.value("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(first.value("Connection"), "");
  EXPECT_EQ(ask(*peer, request("GET /keys/a%20b%2Fc/periods/7?x&kind=a+b%26")).body, "a b/c|7|a b&\n");
  EXPECT_EQ(ask(*peer, request("POST /echo", "", "body")).body, "body");
  EXPECT_EQ(server_->counts().connections, 1U);
  EXPECT_EQ(server_->counts().requests, 3U);
  EXPECT_EQ(log_,
            (std::vector<std::string>{"GET /hello 200 6", "GET /keys/a%20b%2Fc/periods/7 200 13", "POST /echo 200 4"}));
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInTheirOrder) {
  listen();
  const auto peer = connect();
  std::string all;
  for (int i = 0; i < 100; ++i) all += request("GET /keys/k/periods/" + std::to_string(i));
  peer->send(all);
  const auto answers = test::parse_answers(
      receive(*peer, [](const auto& wire) { return wire.find("k|99|none\n") != std::string::npos; }));
  ASSERT_EQ(answers.size(), 100U);
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(answers[static_cast<std::size_t>(i)].body, "k|" + std::to_string(i) + "|none\n");
}

TEST_F(HttpServerTest, RequestsMayComeByteByByte) {
  listen();
  const auto peer = connect();
  std::string wire;
  for (const char c : request("POST /echo", "Transfer-Encoding: chunked\r\n") +
                          "3;a=b\r\nabc\r\n0A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n" + request("GET /hello")) {
    peer->send({&c, 1});
    run_ready();
    wire += peer->receive();
  }
  wire += receive(*peer, [&](const auto& more) { return (wire + more).ends_with("hello\n"); });
  const auto answers = test::parse_answers(wire);
  ASSERT_EQ(answers.size(), 2U) << wire;
  EXPECT_EQ(answers[0].body, "abc0123456789");
  EXPECT_EQ(answers[1].body, "hello\n");
}

TEST_F(HttpServerTest, TrailersAreNoFields) {
  std::string seen = "none";
  EXPECT_OK(router_.add("PUT", "/x", [&](const HttpRequest& request) {
    seen = request.header("authorization").value_or("nothing");
    return HttpResponse::text(200, "");
  }));
  listen();
  EXPECT_EQ(ask(request("PUT /x", "Transfer-Encoding: chunked\r\n") + "0\r\nAuthorization: admin\r\n\r\n").status, 200);
  EXPECT_EQ(seen, "nothing");
}

TEST_F(HttpServerTest, HeadIsGetWithoutTheBody) {
  listen();
  const auto peer = connect();
  peer->send(request("HEAD /hello") + request("HEAD /none") + request("GET /hello", "Connection: close\r\n"));
  const std::string wire = receive_all(*peer);
  const auto heads = test::parse_answers(wire.substr(0, wire.rfind("hello")), true);
  ASSERT_EQ(heads.size(), 3U);
  EXPECT_EQ(heads[0].status, 200);
  EXPECT_EQ(heads[0].value("Content-Length"), "6");
  EXPECT_EQ(heads[1].status, 404);
  EXPECT_TRUE(wire.ends_with("\r\n\r\nhello\n"));
}

TEST_F(HttpServerTest, AnAnswerWithoutContentHasNoBody) {
  listen();
  const auto peer = connect();
  peer->send(request("GET /empty", "Connection: close\r\n"));
  const std::string wire = receive_all(*peer);
  EXPECT_TRUE(wire.starts_with("HTTP/1.1 204 No Content\r\n"));
  EXPECT_TRUE(wire.ends_with("\r\n\r\n"));
  EXPECT_EQ(wire.find("Content-Length"), std::string::npos);
}

TEST_F(HttpServerTest, PathsAndMethodsThatAreNotThere) {
  listen();
  EXPECT_EQ(ask(request("GET /nothing")).status, 404);
  EXPECT_EQ(ask(request("GET /keys//periods/1")).status, 404);
  EXPECT_EQ(ask(request("GET /hello/")).status, 404);
  EXPECT_EQ(ask(request("GET /keys/%00/periods/1")).status, 404);
  const auto wrong = ask(request("DELETE /hello"));
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.value("Allow"), "GET, HEAD");
  EXPECT_EQ(ask(request("get /hello")).status, 405) << "methods are case-sensitive (RFC 9110, 9.1)";
}

TEST_F(HttpServerTest, AClientMayAskBeforeItSendsABody) {
  listen();
  const auto peer = connect();
  peer->send("POST /echo HTTP/1.1\r\nHost: test\r\nExpect: 100-Continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(receive(*peer, [](const auto& wire) { return !wire.empty(); }), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(ask(*peer, "body").body, "body");
  // Nothing to go on with: the body is there, or is too long.
  EXPECT_EQ(ask(*peer, "POST /echo HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab").body,
            "ab");
  EXPECT_EQ(
      ask(*peer, "POST /echo HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 2000000\r\n\r\n").status,
      413);
}

TEST_F(HttpServerTest, TheConnectionEndsWhenTheClientWantsIt) {
  listen();
  for (const char* text :
       {"GET /hello HTTP/1.1\r\nHost: test\r\nConnection: x, Close\r\n\r\n", "GET /hello HTTP/1.0\r\n\r\n"}) {
    const auto peer = connect();
    peer->send(text);
    const auto answers = test::parse_answers(receive_all(*peer));
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_TRUE(answers[0].has("Connection: close"));
    EXPECT_TRUE(peer->at_end);
  }
  const auto peer = connect();
  const auto kept = ask(*peer, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_TRUE(kept.has("Connection: keep-alive"));
  EXPECT_EQ(ask(*peer, "GET /hello HTTP/1.0\r\n\r\n").status, 200);
}

TEST_F(HttpServerTest, AProxysFormOfTheTargetIsUnderstood) {
  listen();
  EXPECT_EQ(ask(request("GET http://test/hello")).status, 200);
  EXPECT_EQ(ask(request("GET HTTPS://test/hello?x")).status, 200);
}

TEST_F(HttpServerTest, ALargeAnswerGoesOutAsTheClientTakesIt) {
  listen();
  const auto before = server_->counts().connections;
  test::TcpPeer peer(server_->port(), 4096);
  while (server_->counts().connections == before) run_ready();
  peer.send(request("GET /large") + request("GET /hello", "Connection: close\r\n"));
  for (int i = 0; i < 20; ++i) run_ready();
  EXPECT_TRUE(log_.empty()) << "it does not fit into what the sockets hold";
  const auto answers = test::parse_answers(receive_all(peer));
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].body, std::string(large, '\0'));
  EXPECT_EQ(answers[1].body, "hello\n");
}

TEST_F(HttpServerTest, AnswersThatCannotBeSentAreErrors) {
  const auto with_field = [this](const char* path, const char* name, const char* value) {
    get(path, [name, value](const HttpRequest&) {
      HttpResponse response = HttpResponse::text(200, "secret");
      response.headers.emplace_back(name, value);
      return response;
    });
  };
  with_field("/fine", "X-Fine", "a\tb \xc3\xa4");
  with_field("/value", "X-Value", "a\r\nSet-Cookie: evil");
  with_field("/zero", "X-Value", "a\nb");
  with_field("/name", "X Value", "a");
  with_field("/own", "content-LENGTH", "1000");
  get("/type", [](const HttpRequest&) { return HttpResponse::with_body(200, "text/plain\r\nX: y", {}); });
  get("/status", [](const HttpRequest&) { return HttpResponse::text(101, ""); });
  get("/long", [](const HttpRequest&) {
    HttpResponse response = HttpResponse::text(200, "");
    response.headers.emplace_back("X-Long", std::string(20'000, 'x'));
    return response;
  });
  listen();
  EXPECT_EQ(ask(request("GET /fine")).value("X-Fine"), "a\tb \xc3\xa4");
  for (const char* path : {"/value", "/zero", "/name", "/own", "/type", "/status", "/long"}) {
    const auto answer = ask(request(std::string("GET ") + path));
    EXPECT_EQ(answer.status, 500) << path;
    EXPECT_EQ(answer.head.find("evil"), std::string::npos);
    EXPECT_EQ(answer.body.find("secret"), std::string::npos);
  }
}

TEST_F(HttpServerTest, AddressesAndLimitsThatCannotBeAreRefused) {
  listen();
  HttpListening listening;
  listening.address = "nowhere";
  EXPECT_FAILS(HttpServer::listen(*loop_, listening, {}), ErrorKind::invalid_argument);
  listening.address = "127.0.0.1";
  listening.port = server_->port();
  EXPECT_FAILS(HttpServer::listen(*loop_, listening, {}), ErrorKind::io);
  listening.port = 0;
  listening.limits.idle = {};
  EXPECT_FAILS(HttpServer::listen(*loop_, listening, {}), ErrorKind::invalid_argument);
  listening.limits = {};
  listening.limits.header_size = 0;
  EXPECT_FAILS(HttpServer::listen(*loop_, listening, {}), ErrorKind::invalid_argument);
  listening.limits.header_size = 2U << 20;
  EXPECT_FAILS(HttpServer::listen(*loop_, listening, {}), ErrorKind::invalid_argument);
}

TEST_F(HttpServerTest, OurOwnClientUnderstandsIt) {
  if (!http_is_supported()) GTEST_SKIP() << "this build speaks no HTTP";
  listen();
  Result<HttpAnswer> answer = fail(ErrorKind::internal, "not asked");
  bool answered = false;
  std::thread client([&] {
    HttpGet get;
    get.url = "http://127.0.0.1:" + std::to_string(server_->port()) + "/large";
    get.limits.body_size = large;
    answer = http_get(get, {});
    loop_->post([&] {
      answered = true;
      happened();
    });
  });
  run_until([&] { return answered && !log_.empty(); });
  client.join();
  ASSERT_OK(answer);
  EXPECT_EQ(answer->body, Bytes(large));
}

}  // namespace
}  // namespace cas::service
