// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/unit/service/http_fixture.hpp"

namespace cas::service {
namespace {

/// Requests that another reader of the same bytes may understand in another way (RFC 9112, 11.2), or that are none.
class HttpRefusalTest : public test::HttpFixture {
 protected:
  void SetUp() override {
    for (const char* method : {"GET", "POST"})
      EXPECT_OK(router_.add(method, "/{any}", [this](const HttpRequest& request) {
        seen_.push_back(std::string(request.method()) + ' ' + as_text(request.body()));
        return HttpResponse::text(200, "taken");
      }));
    listen();
  }
  /// What stands behind a request that is refused must not be taken for one.
  void expect_refused(const std::string& wire, int status) {
    SCOPED_TRACE(wire.substr(0, 200));
    const auto peer = connect();
    EXPECT_EQ(ask(*peer, request("GET /first")).status, 200);
    seen_.clear();
    peer->send(wire + "GET /smuggled HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    const auto answers = test::parse_answers(receive_all(*peer));
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers[0].status, status) << answers[0].body;
    EXPECT_TRUE(answers[0].has("Connection: close"));
    EXPECT_TRUE(seen_.empty());
  }
  void expect_taken(const std::string& wire) {
    SCOPED_TRACE(wire.substr(0, 200));
    EXPECT_EQ(ask(wire).status, 200);
  }
  static std::string post(const std::string& fields, const std::string& body = {}) {
    return "POST /x HTTP/1.1\r\nHost: test\r\n" + fields + "\r\n" + body;
  }

  std::vector<std::string> seen_;
};

TEST_F(HttpRefusalTest, LengthsThatAreOpenToDoubt) {
  expect_taken(post("Content-Length: 3\r\n", "abc"));
  expect_taken(post("Content-Length: 003\r\n", "abc"));
  expect_taken(post("Transfer-Encoding: Chunked\r\n", "0\r\n\r\n"));
  expect_refused(post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400);
  expect_refused(post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n"), 400);
  expect_refused(post("Transfer-Encoding: gzip\r\nContent-Length: 3\r\n", "abc"), 501);
  expect_refused(post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), 400);
  expect_refused(post("Content-Length: 3\r\nContent-Length: 4\r\n", "abc"), 400);
  expect_refused(post("Content-Length: 3, 3\r\n", "abc"), 400);
  for (const char* length : {"", "+3", "-3", "0x3", "3 3", "3a", "18446744073709551616", "99999999999999999999999"})
    expect_refused(post("Content-Length: " + std::string(length) + "\r\n", "abc"), 400);
  expect_refused(post("Content-Length : 3\r\n", "abc"), 400);
}

TEST_F(HttpRefusalTest, TransferCodingsThatAreNotKnown) {
  for (const char* coding :
       {"gzip", "identity", "chunked, gzip", "gzip, chunked", "xchunked", "chunked;q=1", "\"chunked\""})
    expect_refused(post("Transfer-Encoding: " + std::string(coding) + "\r\n", "0\r\n\r\n"), 501);
  expect_refused(post("Transfer-Encoding: \r\n", "0\r\n\r\n"), 501);
  expect_refused(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400);
  expect_refused(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"), 400);
  expect_refused(post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 501);
  expect_refused(post("Transfer-Encoding:\x0b"
                      "chunked\r\n",
                      "0\r\n\r\n"),
                 400);
  expect_refused(post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400);
  expect_refused("POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
}

TEST_F(HttpRefusalTest, ChunksThatAreNone) {
  const auto chunked = [](const std::string& body) { return post("Transfer-Encoding: chunked\r\n", body); };
  expect_taken(chunked("3;name=value;other=\"quo\\\"ted\"\r\nabc\r\n0\r\n\r\n"));
  for (const char* body :
       {"x\r\nabc\r\n0\r\n\r\n", "\r\n\r\n0\r\n\r\n", "0x3\r\nabc\r\n0\r\n\r\n", "-3\r\nabc\r\n0\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n", " 3\r\nabc\r\n0\r\n\r\n", "3 \r\nabc\r\n0\r\n\r\n", "3\nabc\r\n0\r\n\r\n",
        "3\rabc\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "3\r\nabc\n0\r\n\r\n", "3\r\nabc0\r\n\r\n",
        "3;\r\nabc\r\n0\r\n\r\n", "3;a=\"\n\"\r\nabc\r\n0\r\n\r\n", "3;a=\"\r\n\"\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\nno field\r\n\r\n", "3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n", "3,3\r\nabc\r\n0\r\n\r\n"})
    expect_refused(chunked(body), 400);
  for (const char* size : {"FFFFFFFFFFFFFFFF", "7FFFFFFFFFFFFFFF", "100001"})
    expect_refused(chunked(std::string(size) + "\r\nabc\r\n0\r\n\r\n"), 413);
  expect_refused(chunked("10000000000000003\r\nabc\r\n0\r\n\r\n"), 400);
}

TEST_F(HttpRefusalTest, LinesThatEndInAnotherWay) {
  expect_refused("GET /x HTTP/1.1\nHost: test\n\n", 505);
  expect_refused("GET /x HTTP/1.1\r\nHost: test\n\r\n", 400);
  expect_refused("GET /x HTTP/1.1\r\nHost: test\r\nA: b\nContent-Length: 3\r\n\r\n", 400);
  expect_refused("GET /x HTTP/1.1\r\nHost: test\r\nA: b\rContent-Length: 3\r\n\r\n", 400);
  expect_refused("GET /x HTTP/1.1\r\nHost: test\r\nA: b\r\n\rGET /", 400);
  expect_refused(std::string("GET /x HTTP/1.1\r\nHost: test\r\nA: b") + '\0' + "c\r\n\r\n", 400);
  expect_refused("GET /x HTTP/1.1\r\nHost: test\r\nA: b\x7f\r\n\r\n", 400);
}

TEST_F(HttpRefusalTest, FoldedFields) {
  expect_refused(post("X: a\r\n b\r\n"), 400);
  expect_refused(post("X:\r\n b\r\n"), 400);
  expect_refused(post("X: a\r\n\tb\r\n"), 400);
  expect_refused(post("X: a\r\n \r\n"), 400);
  expect_refused(post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), 400);
  expect_refused("GET /x HTTP/1.1\r\n Host: test\r\n\r\n", 400);
}

TEST_F(HttpRefusalTest, FieldsThatAreNone) {
  for (const char* field : {": x", "no colon", "a b: c", "\"a\": c", "a\xc3\xa4: c", "(a): b"})
    expect_refused(post(std::string(field) + "\r\n"), 400);
  expect_taken(post("X-Letters: \xc3\xa4\r\nEmpty:\r\n"));
}

TEST_F(HttpRefusalTest, HostsThatAreMissingTwiceOrNone) {
  expect_refused("GET /x HTTP/1.1\r\n\r\n", 400);
  expect_refused("GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400);
  expect_refused("GET /x HTTP/1.1\r\nHost: a b\r\n\r\n", 400);
  expect_refused("GET /x HTTP/1.1\r\nHost: a/b\r\n\r\n", 400);
  expect_refused("GET /x HTTP/1.1\r\nHost: user@a\r\n\r\n", 400);
  expect_taken("GET /x HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n");
  expect_taken("GET /x HTTP/1.0\r\n\r\n");
}

TEST_F(HttpRefusalTest, FieldsThatStandThereTwice) {
  for (const char* name : {"Authorization", "AUTHORIZATION", "Content-Type", "Content-Encoding"})
    expect_refused(
        post("authorization: a\r\ncontent-type: a\r\ncontent-encoding: a\r\n" + std::string(name) + ": b\r\n"), 400);
  expect_refused(post("Expect: 100-continue\r\nExpect: 100-continue\r\n"), 400);
  expect_taken(post("Accept: a\r\nAccept: b\r\n"));
}

TEST_F(HttpRefusalTest, TargetsThatAreNoPaths) {
  for (const char* target : {"*", "x", "test:443", "http://test", "http://test?x", "ftp://test/x", "/x#y", "/%", "/%4",
                             "/%4g", "/x?a=%zz", "/\xc3\xa4"})
    expect_refused("GET " + std::string(target) + " HTTP/1.1\r\nHost: test\r\n\r\n", 400);
  for (const char* path : {"/.", "/..", "/x/../y", "/%2e", "/%2E%2e/y", "/.%2e", "/x/./y"})
    expect_refused("GET " + std::string(path) + " HTTP/1.1\r\nHost: test\r\n\r\n", 400);
  expect_taken("GET /... HTTP/1.1\r\nHost: test\r\n\r\n");
  expect_taken("GET /.x?../.. HTTP/1.1\r\nHost: test\r\n\r\n");
}

TEST_F(HttpRefusalTest, RequestLinesThatAreNone) {
  for (const char* line : {"GET  /x HTTP/1.1", "GET\t/x HTTP/1.1", " GET /x HTTP/1.1", "G(T /x HTTP/1.1", "GET /x", "",
                           "\x16\x03\x01\x02"})
    expect_refused(std::string(line) + "\r\nHost: test\r\n\r\n", 400);
  for (const char* line : {"GET /x  HTTP/1.1", "GET /x y HTTP/1.1"})
    expect_refused(std::string(line) + "\r\nHost: test\r\n\r\n", 505);
  for (const char* version : {"HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "HTTP/1.10", "http/1.1", "HTTP/1,1", "ICY/1.1"})
    expect_refused("GET /x " + std::string(version) + "\r\nHost: test\r\n\r\n", 505);
  expect_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
}

TEST_F(HttpRefusalTest, ExpectationsThatAreNotKnown) { expect_refused(post("Expect: more\r\n"), 417); }

TEST_F(HttpRefusalTest, WhatIsTooLong) {
  expect_refused("GET /" + std::string(4096, 'x') + " HTTP/1.1\r\nHost: test\r\n\r\n", 414);
  expect_refused("GET /" + std::string(40'000, 'x'), 414);
  expect_refused(post("X: " + std::string(16 * 1024, 'x') + "\r\n"), 431);
  expect_refused("GET /x HTTP/1.1\r\nX: " + std::string(40'000, 'x'), 431);
  std::string fields;
  for (int i = 0; i < 62; ++i) fields += "X: y\r\n";
  expect_taken(post(fields));
  expect_refused(post(fields + "X: y\r\nX: y\r\n"), 431);
  expect_refused(post("Content-Length: 1048577\r\n"), 413);
  expect_taken(post("Content-Length: 1048576\r\n", std::string(1'048'576, 'x')));
  const std::string half = "80000\r\n" + std::string(0x80000, 'x') + "\r\n";
  expect_taken(post("Transfer-Encoding: chunked\r\n", half + half + "0\r\n\r\n"));
  expect_refused(post("Transfer-Encoding: chunked\r\n", half + half + "1\r\nx\r\n0\r\n\r\n"), 413);
}

TEST_F(HttpRefusalTest, ChunksMayNotBeMostlyFraming) {
  const std::string head = post("Transfer-Encoding: chunked\r\n");
  expect_refused(head + "1;" + std::string(40'000, 'x') + "\r\nx\r\n0\r\n\r\n", 431);
  std::string extensions;
  for (int i = 0; i < 20; ++i) extensions += "1;" + std::string(1000, 'x') + "\r\nx\r\n";
  expect_refused(head + extensions + "0\r\n\r\n", 431);
  std::string trailers;
  for (int i = 0; i < 20; ++i) trailers += "T: " + std::string(1000, 'x') + "\r\n";
  expect_refused(head + "0\r\n" + trailers + "\r\n", 431);
  expect_refused(head + "0\r\n" + trailers, 431);
  expect_refused(head + std::string(40'000, '0'), 431);
}

}  // namespace
}  // namespace cas::service
