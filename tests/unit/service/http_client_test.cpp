// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/http_client.hpp"

#include <gtest/gtest.h>

#include "tests/support/http_server.hpp"
#include "tests/support/result_matchers.hpp"

namespace cas::service {
namespace {

using test::HttpServer;

class HttpClient : public testing::Test {
 protected:
  void SetUp() override {
    if (!http_is_supported()) GTEST_SKIP() << "this build speaks no HTTP";
  }
  static Result<HttpAnswer> get(const std::string& url, HttpValidators known = {}) {
    HttpGet request;
    request.url = url;
    request.known = std::move(known);
    return http_get(request, {});
  }
};

TEST_F(HttpClient, GetsWhatThereIs) {
  const HttpServer server([](const HttpServer::Exchange& exchange) {
    exchange.answer("200 OK", "path " + exchange.path(),
                    "ETag: \"v1\"\r\nLast-Modified: Mon, 01 Jan 2026 00:00:00 GMT\r\n");
  });
  const auto answer = get(server.url("/a/b"));
  ASSERT_OK(answer);
  EXPECT_EQ(as_text(answer->body), "path /a/b");
  EXPECT_FALSE(answer->not_modified);
  EXPECT_EQ(answer->validators, (HttpValidators{"\"v1\"", "Mon, 01 Jan 2026 00:00:00 GMT"}));
}

TEST_F(HttpClient, AsksForWhatIsNewAlone) {
  const HttpServer server([](const HttpServer::Exchange& exchange) {
    const std::string& request = exchange.request();
    const bool known = request.find("If-None-Match: \"v1\"\r\n") != std::string::npos ||
                       request.find("If-Modified-Since: yesterday\r\n") != std::string::npos;
    exchange.answer(known ? "304 Not Modified" : "200 OK", known ? "" : "new");
  });
  EXPECT_FALSE(get(server.url())->not_modified);
  EXPECT_FALSE(get(server.url(), {"\"v0\"", ""})->not_modified);
  EXPECT_TRUE(get(server.url(), {"\"v1\"", ""})->not_modified);
  EXPECT_TRUE(get(server.url(), {"", "yesterday"})->not_modified);
  EXPECT_FALSE(get(server.url(), {"", "yesterday\r\nIf-None-Match: \"v1\""})
                   ->not_modified);  // a validator makes no header fields
}

TEST_F(HttpClient, TellsFailuresApart) {
  const HttpServer server([](const HttpServer::Exchange& exchange) {
    exchange.answer(exchange.path().substr(1) + " No", "a page that says no");
  });
  EXPECT_FAILS(get(server.url("/404")), ErrorKind::not_found);
  EXPECT_FAILS(get(server.url("/410")), ErrorKind::not_found);
  EXPECT_FAILS(get(server.url("/401")), ErrorKind::permission_denied);
  EXPECT_FAILS(get(server.url("/403")), ErrorKind::permission_denied);
  EXPECT_FAILS(get(server.url("/500")), ErrorKind::io);
  EXPECT_FAILS(get(server.url("/204")), ErrorKind::io);
  EXPECT_FAILS(get("http://127.0.0.1:1/"), ErrorKind::io);
  EXPECT_FAILS(get("file:///etc/passwd"), ErrorKind::invalid_argument);
  EXPECT_FAILS(get("https://"), ErrorKind::invalid_argument);
}

TEST_F(HttpClient, FollowsAFewRedirectsAndOnlyToHttp) {
  const HttpServer server([](const HttpServer::Exchange& exchange) {
    const std::string path = exchange.path();
    if (path == "/end") return exchange.answer("200 OK", "here", "ETag: \"end\"\r\n");
    exchange.answer("302 Found", "not this",
                    path == "/once"   ? "Location: /end\r\nETag: \"start\"\r\n"
                    : path == "/file" ? "Location: file:///etc/passwd\r\n"
                                      : "Location: /loop\r\n");
  });
  const auto answer = get(server.url("/once"));
  ASSERT_OK(answer);
  EXPECT_EQ(as_text(answer->body), "here");
  EXPECT_EQ(answer->validators.etag, "\"end\"");
  EXPECT_FALSE(get(server.url("/file")).has_value());
  EXPECT_FAILS(get(server.url("/loop")), ErrorKind::io);
}

TEST_F(HttpClient, ABodyIsBrokenOffWhereItIsTooLong) {
  const HttpServer server([](const HttpServer::Exchange& exchange) {
    exchange.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    const std::string megabyte(1U << 20, 'x');
    for (int i = 0; i < 100; ++i)
      if (!exchange.send(megabyte)) return;
  });
  HttpGet request;
  request.url = server.url();
  request.limits.body_size = 1000;
  EXPECT_FAILS(http_get(request, {}), ErrorKind::exhausted);
  request.limits.body_size = 1U << 30;
  request.look = [](ByteView so_far) { return so_far.empty() ? Status{} : fail(ErrorKind::refused, "seen enough"); };
  EXPECT_FAILS(http_get(request, {}), ErrorKind::refused);
}

TEST_F(HttpClient, ABodyThatIsCutOffIsNone) {
  const HttpServer server([](const HttpServer::Exchange& exchange) {
    exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
  });
  EXPECT_FAILS(get(server.url()), ErrorKind::io);
}

TEST_F(HttpClient, AServerThatSaysNothingIsLeft) {
  const HttpServer server([](const HttpServer::Exchange& exchange) { exchange.wait_for_the_end(); });
  HttpGet request;
  request.url = server.url();
  request.limits.total = std::chrono::milliseconds(50);
  EXPECT_FAILS(http_get(request, {}), ErrorKind::io);
}

TEST_F(HttpClient, AStopEndsTheWaitAtOnce) {
  std::stop_source stop;
  const HttpServer server([&](const HttpServer::Exchange& exchange) {
    exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    stop.request_stop();
    exchange.wait_for_the_end();
  });
  HttpGet request;
  request.url = server.url();
  EXPECT_FAILS(http_get(request, stop.get_token()), ErrorKind::cancelled);
  EXPECT_FAILS(http_get(request, stop.get_token()), ErrorKind::cancelled);
}

TEST(UrlForPeople, HasNoPassword) {
  EXPECT_EQ(url_for_people("https://ann:secret@lists.example/studio/?a=b@c"), "https://lists.example/studio/?a=b@c");
  EXPECT_EQ(url_for_people("http://lists.example/a@b"), "http://lists.example/a@b");
  EXPECT_EQ(url_for_people("http://a@b@c"), "http://c");
  EXPECT_EQ(url_for_people("/a/file"), "/a/file");
}

}  // namespace
}  // namespace cas::service
