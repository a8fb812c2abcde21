// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "service/http_request_parser.hpp"
#include "service/http_router.hpp"

namespace {

using namespace cas;
using namespace cas::service;
using State = HttpRequestParser::State;

void require(bool holds) {
  if (!holds) std::abort();
}

HttpServerLimits limits() {
  HttpServerLimits small;
  small.target_size = 256;
  small.header_size = 1024;
  small.header_fields = 16;
  small.body_size = 2048;
  return small;
}

/// The request on the wire again, with its length told in one way.
std::string wire_of(const HttpRequest& request, bool http_1_0) {
  std::string wire = std::string(request.method()) + ' ' + std::string(request.target()) + " HTTP/1." +
                     (http_1_0 ? "0" : "1") + "\r\n";
  for (std::size_t i = 0; i < request.header_count(); ++i) {
    const auto [name, value] = request.header_at(i);
    if (name != "content-length" && name != "transfer-encoding")
      wire += std::string(name) + ": " + std::string(value) + "\r\n";
  }
  return wire + "content-length: " + std::to_string(request.body().size()) + "\r\n\r\n" + as_text(request.body());
}

/// What holds for each request that is taken.
void check(const HttpRequest& request, bool http_1_0, const HttpRouter& router) {
  require(!request.method().empty() && request.target().starts_with('/') && request.target().size() <= 256);
  require(std::ranges::all_of(request.target(), [](char c) { return c > ' ' && c < 127; }));
  require(request.header_count() <= 16 && request.body().size() <= 2048);
  const auto length = request.header("content-length"), coding = request.header("transfer-encoding");
  require(!length || !coding);
  require(length || coding || request.body().empty());
  if (length) {
    std::size_t told = 0;
    require(std::from_chars(length->data(), length->data() + length->size(), told).ec == std::errc());
    require(told == request.body().size());
  }
  for (std::size_t i = 0; i < request.header_count(); ++i) {
    const auto [name, value] = request.header_at(i);
    require(!name.empty() && std::ranges::none_of(name, [](char c) { return c >= 'A' && c <= 'Z'; }));
    require(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
  }
  (void)request.query_value("a");
  // Written again, it is the same request to the same parser; one more field may be one too many.
  const std::string wire = wire_of(request, http_1_0);
  HttpRequestParser again(limits());
  const std::size_t taken = again.take(as_bytes(wire));
  if (again.state() == State::refused) return require(again.refusal().status == 431);
  require(again.state() == State::complete && taken == wire.size());
  HttpRequest same = again.release();
  require(same.method() == request.method() && same.target() == request.target() && equal(same.body(), request.body()));
  (void)router.find(same);
}

struct Outcome {
  std::vector<std::string> requests;
  bool refused = false;
};

Outcome parse(ByteView stream, std::size_t step, const HttpRouter& router) {
  HttpRequestParser parser(limits());
  Outcome outcome;
  ByteQueue waiting;
  for (std::size_t at = 0; at < stream.size(); at += step) {
    waiting.append(stream.subspan(at, std::min(step, stream.size() - at)));
    while (!waiting.empty()) {
      const std::size_t taken = parser.take(waiting.view());
      require(taken <= waiting.size());
      waiting.consume(taken);
      if (parser.state() == State::refused) {
        outcome.refused = true;
        return outcome;
      }
      if (parser.state() != State::complete) break;
      const bool http_1_0 = parser.is_http_1_0();
      const HttpRequest request = parser.release();
      check(request, http_1_0, router);
      outcome.requests.push_back(wire_of(request, http_1_0));
    }
    // What waits is bounded, or it is taken.
    require(waiting.size() <= 2 * 1024 + step);
  }
  return outcome;
}

HttpRouter make_router() {
  HttpRouter router;
  for (const char* pattern : {"/", "/a", "/a/{b}", "/{a}/b", "/{a}/{b}/{c}"})
    require(router.add("GET", pattern, [](const HttpRequest&) { return HttpResponse(); }).has_value());
  return router;
}

}  // namespace

// The same requests are found however the stream is cut; where one cut leads to a refusal, no other leads to more
// requests.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const HttpRouter router = make_router();
  if (size == 0) return 0;
  const ByteView stream(data + 1, size - 1);
  const Outcome whole = parse(stream, stream.size() + 1, router);
  const Outcome cut = parse(stream, 1 + data[0] % 16, router);
  require(whole.requests == cut.requests);
  return 0;
}
