// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/http_request_parser.hpp"

#include <gtest/gtest.h>

#include "service/http_response_head.hpp"
#include "tests/support/result_matchers.hpp"

namespace cas::service {
namespace {

using State = HttpRequestParser::State;

struct Outcome {
  std::vector<std::string> requests;
  State state = State::idle;
  int status = 0;
  bool operator==(const Outcome&) const = default;
};

std::string text_of(const HttpRequest& request) {
  std::string text = std::string(request.method()) + ' ' + std::string(request.target());
  for (std::size_t i = 0; i < request.header_count(); ++i)
    text += ' ' + std::string(request.header_at(i).name) + '=' + std::string(request.header_at(i).value);
  return text + ' ' + as_text(request.body());
}

/// Gives the wire in pieces, as a session does.
Outcome parse(std::string_view wire, std::size_t first, std::size_t step) {
  HttpRequestParser parser((HttpServerLimits()));
  Outcome outcome;
  ByteQueue waiting;
  for (std::size_t at = 0, size = first; at < wire.size() && outcome.state != State::refused; at += size, size = step) {
    waiting.append(as_bytes(wire.substr(at, size)));
    while (!waiting.empty()) {
      waiting.consume(parser.take(waiting.view()));
      outcome.state = parser.state();
      if (outcome.state != State::complete) break;
      outcome.requests.push_back(text_of(parser.release()));
      outcome.state = parser.state();
    }
  }
  if (outcome.state == State::refused) outcome.status = parser.refusal().status;
  return outcome;
}

TEST(HttpRequestParserTest, IsTheSameHoweverTheBytesAreCut) {
  const std::string wire =
      "GET /a?b HTTP/1.1\r\nHost: one\r\nX-Y:  z \r\n\r\n"
      "POST /c HTTP/1.1\r\nhost: two\r\nContent-Length: 5\r\n\r\nhello"
      "POST /d HTTP/1.1\r\nHost: three\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n3;e=f\r\nyz!\r\n0\r\nT: u\r\n\r\n"
      "PUT /e HTTP/1.0\r\n\r\n"
      "POST /f HTTP/1.1\r\nHost: four\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  const Outcome whole = parse(wire, wire.size(), wire.size());
  EXPECT_EQ(whole.requests,
            (std::vector<std::string>{"GET /a?b host=one x-y=z ", "POST /c host=two content-length=5 hello",
                                      "POST /d host=three transfer-encoding=chunked xyz!", "PUT /e ",
                                      "POST /f host=four transfer-encoding=chunked "}));
  EXPECT_EQ(whole.state, State::idle);
  for (std::size_t step = 1; step < wire.size(); ++step) EXPECT_EQ(parse(wire, step, step), whole) << step;
  for (std::size_t first = 1; first < wire.size(); ++first) EXPECT_EQ(parse(wire, first, wire.size()), whole) << first;
  // Whatever is missing, nothing is taken that is not whole.
  for (std::size_t size = 1; size < wire.size(); ++size) {
    const Outcome part = parse(wire.substr(0, size), size, size);
    EXPECT_LE(part.requests.size(), whole.requests.size());
    EXPECT_NE(part.state, State::refused) << size;
    for (std::size_t i = 0; i < part.requests.size(); ++i) EXPECT_EQ(part.requests[i], whole.requests[i]);
  }
}

TEST(HttpRequestParserTest, ValuesOfTheQuery) {
  HttpRequestParser parser((HttpServerLimits()));
  const std::string wire = "GET /?a=1&b=&c&a=2&%64=%00%26+x&=e&&f==g HTTP/1.0\r\n\r\n";
  ASSERT_EQ(parser.take(as_bytes(wire)), wire.size());
  const HttpRequest request = parser.release();
  EXPECT_EQ(request.query_value("a"), "1");
  EXPECT_EQ(request.query_value("b"), "");
  EXPECT_EQ(request.query_value("c"), "");
  EXPECT_EQ(request.query_value("d"), std::string("\0& x", 4));
  EXPECT_EQ(request.query_value("f"), "=g");
  EXPECT_EQ(request.query_value("g"), std::nullopt);
}

TEST(HttpRequestParserTest, ARequestMovesAsAWhole) {
  HttpRequestParser parser((HttpServerLimits()));
  const std::string wire = "POST /p?q HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\nx";
  ASSERT_EQ(parser.take(as_bytes(wire)), wire.size());
  HttpRequest first = parser.release();
  const HttpRequest second = std::move(first);
  EXPECT_EQ(text_of(second), "POST /p?q host=test content-length=1 x");
  EXPECT_EQ(second.path(), "/p");
  EXPECT_EQ(second.query(), "q");
}

TEST(HttpDateTest, IsAnImfFixdate) {
  EXPECT_EQ(http_date(784'111'777), "Sun, 06 Nov 1994 08:49:37 GMT") << "RFC 9110, 5.6.7";
  EXPECT_EQ(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(http_date(951'782'400), "Tue, 29 Feb 2000 00:00:00 GMT");
}

TEST(HttpStatusTest, HasAName) {
  EXPECT_EQ(http_status_name(404), "Not Found");
  EXPECT_EQ(http_status_name(418), "Client Error");
  EXPECT_EQ(http_status_name(299), "Success");
}

}  // namespace
}  // namespace cas::service
