// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/http_request_parser.hpp"

#include <algorithm>
#include <array>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <functional>
#include <optional>

#include "service/http_text.hpp"

namespace cas::service {

namespace {

namespace http = boost::beast::http;
using Code = boost::system::error_code;

// A last chunk takes as many bytes: "0", CRLF, CRLF.
constexpr std::size_t shortest_last_chunk = 5;

// The fields that other readers might take the first or the last of.
constexpr std::array<std::string_view, 7> only_once = {
    "authorization", "content-length", "content-type", "expect", "transfer-encoding", "host", "content-encoding"};

std::string_view view_of(boost::beast::string_view text) { return {text.data(), text.size()}; }

// RFC 3986, 3.2.2, roughly: what could not be a name or an address with a port.
bool is_host(std::string_view host) {
  return std::ranges::all_of(host, [](char c) {
    return c > ' ' && c < 127 && std::string_view("/?#@\\,\"<>").find(c) == std::string_view::npos;
  });
}

/// RFC 9112, 3.2.2: a proxy's form; the part from the path on.
std::string_view without_authority(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (target.size() < scheme.size() || !equal_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
    const auto slash = target.find_first_of("/?", scheme.size());
    return slash == std::string_view::npos || target[slash] == '?' ? std::string_view() : target.substr(slash);
  }
  return target;
}

/// Whether the path has a segment "." or "..", encoded or not: what another program takes out before it compares.
bool has_dot_segment(std::string_view path) {
  while (!path.empty()) {
    path.remove_prefix(1);  // the '/'
    const std::string_view raw = path.substr(0, path.find('/'));
    path.remove_prefix(raw.size());
    if (raw.size() > std::string_view("%2e%2e").size() || raw.find_first_of(".%") == std::string_view::npos) continue;
    const std::string segment = percent_decoded(raw, false);
    if (segment == "." || segment == "..") return true;
  }
  return false;
}

}  // namespace

struct HttpRequestParser::Implementation {
  class Beast;
  explicit Implementation(const HttpServerLimits& given) : limits(given) {}

  std::size_t take(ByteView bytes);
  void refuse(int status, std::string_view sentence);
  void refuse(const Code& code);
  void start(std::string_view method, std::string_view target, int version);
  void add(std::string_view name, std::string_view value);
  void read_field(std::string_view name, std::string_view value);
  void finish_head();
  [[nodiscard]] HttpRequest::Part keep(std::string_view text);

  HttpServerLimits limits;
  State state = State::idle;
  HttpRefusal refusal;
  HttpRequest request;
  ByteView input;  ///< Of the present call.
  bool http_1_0 = false;
  bool chunked = false;
  bool expects_continue = false;
  bool close = false, keep_alive = false;  ///< What the field "connection" says.
  std::size_t head_size = 0, framing_size = 0;
  std::unique_ptr<Beast> beast;
};

/// What Beast calls back into; it finds lines, fields and chunks.
class HttpRequestParser::Implementation::Beast final : public http::basic_parser<true> {
 public:
  explicit Beast(Implementation& owner) : owner_(owner) {
    header_limit(static_cast<std::uint32_t>(owner.limits.header_size));
    body_limit(owner.limits.body_size);
    eager(true);
  }

 private:
  // A refusal of ours ends the parsing; its code is not looked at.
  void end_if_refused(Code& code) {
    if (owner_.state == State::refused) code = http::error::bad_value;
  }
  void on_request_impl(http::verb, boost::beast::string_view method, boost::beast::string_view target, int version,
                       Code& code) override {
    owner_.start(view_of(method), view_of(target), version);
    end_if_refused(code);
  }
  void on_response_impl(int, boost::beast::string_view, int, Code&) override {}
  void on_field_impl(http::field, boost::beast::string_view name, boost::beast::string_view value,
                     Code& code) override {
    owner_.add(view_of(name), view_of(value));
    end_if_refused(code);
  }
  void on_header_impl(Code& code) override {
    owner_.finish_head();
    end_if_refused(code);
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, Code&) override {}
  std::size_t on_body_impl(boost::beast::string_view body, Code&) override {
    owner_.request.body_.append(as_bytes(view_of(body)));
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, boost::beast::string_view extension, Code& code) override {
    // Beast lets control characters stand in quotes; another reader may take them for the end of the line.
    if (std::ranges::any_of(view_of(extension), is_control))
      owner_.refuse(400, "a chunk's extension has control characters");
    owner_.framing_size += extension.size();
    if (owner_.framing_size > owner_.limits.header_size) owner_.refuse(431, "the chunks' extensions are too long");
    end_if_refused(code);
  }
  std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view body, Code& code) override {
    return on_body_impl(body, code);
  }
  void on_finish_impl(Code&) override { owner_.state = State::complete; }

  Implementation& owner_;
};

void HttpRequestParser::Implementation::refuse(int status, std::string_view sentence) {
  if (state == State::refused) return;
  state = State::refused;
  refusal = {status, sentence};
}

void HttpRequestParser::Implementation::refuse(const Code& code) {
  if (code == http::error::header_limit) {
    const bool has_line = head_size != 0 || std::ranges::find(input, '\n') != input.end();
    return has_line ? refuse(431, "the fields are too long") : refuse(414, "the request line is too long");
  }
  if (code == http::error::body_limit) return refuse(413, "the body is too long");
  if (code == http::error::bad_version) return refuse(505, "HTTP/1.1 and HTTP/1.0 are spoken here");
  if (code == http::error::bad_method || code == http::error::bad_target)
    return refuse(400, "the request line is malformed");
  if (code == http::error::bad_content_length || code == http::error::bad_transfer_encoding)
    return refuse(400, "the length of the body is open to doubt");
  if (code == http::error::bad_chunk || code == http::error::bad_chunk_extension)
    return refuse(400, "a chunk is malformed");
  refuse(400, "the request is malformed");
}

HttpRequest::Part HttpRequestParser::Implementation::keep(std::string_view text) {
  const auto begin = static_cast<std::uint32_t>(request.head_.size());
  request.head_.append(as_bytes(text));
  return {begin, static_cast<std::uint32_t>(text.size())};
}

void HttpRequestParser::Implementation::start(std::string_view method, std::string_view target, int version) {
  http_1_0 = version == 10;
  head_size = method.size() + target.size() + std::string_view("  HTTP/1.1\r\n").size();
  if (target.size() > limits.target_size) return refuse(414, "the request line is too long");
  const std::string_view from_path = without_authority(target);
  const std::string_view path = from_path.substr(0, from_path.find('?'));
  const bool printable = std::ranges::all_of(from_path, [](char c) { return c > ' ' && c < 127 && c != '#'; });
  if (!from_path.starts_with('/') || !printable || !is_percent_encoded(from_path))
    return refuse(400, "the request's target is no path");
  if (has_dot_segment(path)) return refuse(400, "the request's path has dots for segments");
  request.method_ = keep(method);
  request.target_ = keep(from_path);
}

// Beast joins folded lines (RFC 9112, 5.2) in a buffer of its own, or skips the empty first one.
void HttpRequestParser::Implementation::add(std::string_view name, std::string_view value) {
  const auto* const begin = reinterpret_cast<const char*>(input.data());
  const std::less<const char*> before;
  const char* const name_end = name.data() + name.size();
  if (before(value.data(), name_end) || before(begin + input.size(), value.data() + value.size()) ||
      std::string_view(name_end, static_cast<std::size_t>(value.data() - name_end)).find('\n') !=
          std::string_view::npos)
    return refuse(400, "a field is folded");
  const std::size_t size = name.size() + value.size() + std::string_view(": \r\n").size();
  if (state == State::body) {  // Trailers: nobody here asks for them, and they must not pass for fields of the head.
    framing_size += size;
    if (framing_size > limits.header_size) refuse(431, "the fields behind the body are too long");
    return;
  }
  head_size += size;
  if (head_size > limits.header_size || request.fields_.size() >= limits.header_fields)
    return refuse(431, "the fields are too long, or too many");
  HttpRequest::FieldParts field;
  field.name = keep(name);
  std::ranges::transform(request.head_.from(field.name.begin), request.head_.from(field.name.begin).begin(),
                         [](std::uint8_t c) { return static_cast<std::uint8_t>(ascii_lower(static_cast<char>(c))); });
  const std::string_view lower = request.part(field.name);
  if (std::ranges::find(only_once, lower) != only_once.end() && request.header(lower))
    return refuse(400, "a field stands there twice that may once");
  field.value = keep(value);
  request.fields_.push_back(field);
  read_field(request.part(field.name), request.part(field.value));
}

void HttpRequestParser::Implementation::read_field(std::string_view name, std::string_view value) {
  if (name == "content-length") {
    // RFC 9112, 6.3: Beast takes lists of equal numbers.
    if (value.empty() || !std::ranges::all_of(value, is_ascii_digit))
      return refuse(400, "the length of the body is no number");
  } else if (name == "transfer-encoding") {
    chunked = true;
    // Beast overlooks codings that it does not know, and the body would be taken for the next request.
    if (!equal_ignoring_case(value, "chunked")) return refuse(501, "chunked is the only transfer coding here");
    // RFC 9112, 6.1: such a message may have been framed by somebody who did not know the field.
    if (http_1_0) return refuse(400, "HTTP/1.0 has no transfer codings");
  } else if (name == "connection") {
    for_each_element(value, [this](std::string_view option) {
      if (equal_ignoring_case(option, "close")) close = true;
      if (equal_ignoring_case(option, "keep-alive")) keep_alive = true;
    });
  } else if (name == "expect" && !http_1_0) {
    if (!equal_ignoring_case(value, "100-continue")) return refuse(417, "100-continue is the only expectation here");
    expects_continue = true;
  } else if (name == "host" && !is_host(value)) {
    refuse(400, "the field host is malformed");
  }
}

void HttpRequestParser::Implementation::finish_head() {
  // RFC 9112, 6.1 and 6.3: both together is how requests are smuggled.
  if (chunked && request.header("content-length")) return refuse(400, "the length of the body is open to doubt");
  // RFC 9112, 3.2.
  if (!http_1_0 && !request.header("host")) return refuse(400, "the field host is missing");
  state = State::body;
}

std::size_t HttpRequestParser::Implementation::take(ByteView bytes) {
  if (bytes.empty()) return 0;
  if (state == State::idle) {
    beast = std::make_unique<Beast>(*this);
    state = State::head;
  }
  // Beast takes a piece of a chunk's header only whole, and asserts that a last chunk has its bytes.
  if (state == State::body && chunked && bytes.size() < shortest_last_chunk) return 0;
  input = bytes;
  Code code;
  const std::size_t taken = beast->put({bytes.data(), bytes.size()}, code);
  if (code && code != http::error::need_more) refuse(code);
  input = {};
  // What Beast waits for within a body is one line, or all trailers.
  if (state == State::body && bytes.size() - taken > limits.header_size)
    refuse(431, "what frames the chunks is too long");
  return taken;
}

HttpRequestParser::HttpRequestParser(const HttpServerLimits& limits)
    : implementation_(std::make_unique<Implementation>(limits)) {}
HttpRequestParser::~HttpRequestParser() = default;

std::size_t HttpRequestParser::take(ByteView bytes) { return implementation_->take(bytes); }
HttpRequestParser::State HttpRequestParser::state() const { return implementation_->state; }
const HttpRefusal& HttpRequestParser::refusal() const { return implementation_->refusal; }
bool HttpRequestParser::is_http_1_0() const { return implementation_->http_1_0; }
bool HttpRequestParser::take_expectation() { return std::exchange(implementation_->expects_continue, false); }

bool HttpRequestParser::keep_alive() const {
  return !implementation_->close && (!implementation_->http_1_0 || implementation_->keep_alive);
}

HttpRequest HttpRequestParser::release() {
  Implementation& all = *implementation_;
  HttpRequest released = std::exchange(all.request, {});
  all.state = State::idle;
  all.http_1_0 = all.chunked = all.expects_continue = all.close = all.keep_alive = false;
  all.head_size = all.framing_size = 0;
  return released;
}

}  // namespace cas::service
