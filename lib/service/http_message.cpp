// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/http_message.hpp"

#include <algorithm>
#include <array>

#include "service/http_text.hpp"

namespace cas::service {

std::string_view HttpRequest::part(Part part) const {
  return {reinterpret_cast<const char*>(head_.view().data()) + part.begin, part.size};
}

std::string_view HttpRequest::path() const {
  const std::string_view all = target();
  return all.substr(0, all.find('?'));
}

std::string_view HttpRequest::query() const {
  const std::string_view all = target();
  const auto mark = all.find('?');
  return mark == std::string_view::npos ? std::string_view() : all.substr(mark + 1);
}

std::optional<std::string> HttpRequest::query_value(std::string_view name) const {
  std::string_view rest = query();
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const auto equals = pair.find('=');
    if (percent_decoded(pair.substr(0, equals), true) != name) continue;
    return equals == std::string_view::npos ? std::string() : percent_decoded(pair.substr(equals + 1), true);
  }
  return std::nullopt;
}

std::string_view HttpRequest::parameter(std::string_view name) const {
  const auto found = std::ranges::find(parameters_, name, &decltype(parameters_)::value_type::first);
  return found == parameters_.end() ? std::string_view() : std::string_view(found->second);
}

std::optional<std::string_view> HttpRequest::header(std::string_view name) const {
  for (const FieldParts& field : fields_)
    if (part(field.name) == name) return part(field.value);
  return std::nullopt;
}

namespace {

void cleanse_body(std::variant<Bytes, SecretBytes>& body) {
  if (Bytes* const bytes = std::get_if<Bytes>(&body)) cleanse(*bytes);
}

}  // namespace

HttpResponse::~HttpResponse() { cleanse_body(body); }

HttpResponse& HttpResponse::operator=(HttpResponse&& other) noexcept {
  if (this == &other) return *this;
  cleanse_body(body);
  status = other.status;
  content_type = std::move(other.content_type);
  headers = std::move(other.headers);
  body = std::move(other.body);
  close = other.close;
  return *this;
}

ByteView HttpResponse::body_view() const {
  if (const Bytes* const bytes = std::get_if<Bytes>(&body)) return *bytes;
  return std::get<SecretBytes>(body).reveal();
}

HttpResponse HttpResponse::text(int status, std::string_view sentence) {
  Bytes body = copy_of(as_bytes(sentence));
  body.push_back('\n');
  return with_body(status, "text/plain; charset=utf-8", std::move(body));
}

HttpResponse HttpResponse::with_body(int status, std::string content_type, Bytes body) {
  HttpResponse response;
  response.status = status;
  response.content_type = std::move(content_type);
  response.body = std::move(body);
  return response;
}

HttpResponse HttpResponse::with_secret(int status, std::string content_type, SecretBytes body) {
  HttpResponse response;
  response.status = status;
  response.content_type = std::move(content_type);
  response.body = std::move(body);
  return response;
}

std::string_view http_status_name(int status) {
  struct Name {
    int status;
    std::string_view name;
  };
  static constexpr std::array names = {
      Name{200, "OK"},
      Name{201, "Created"},
      Name{202, "Accepted"},
      Name{204, "No Content"},
      Name{206, "Partial Content"},
      Name{301, "Moved Permanently"},
      Name{302, "Found"},
      Name{303, "See Other"},
      Name{304, "Not Modified"},
      Name{307, "Temporary Redirect"},
      Name{308, "Permanent Redirect"},
      Name{400, "Bad Request"},
      Name{401, "Unauthorized"},
      Name{403, "Forbidden"},
      Name{404, "Not Found"},
      Name{405, "Method Not Allowed"},
      Name{406, "Not Acceptable"},
      Name{408, "Request Timeout"},
      Name{409, "Conflict"},
      Name{410, "Gone"},
      Name{411, "Length Required"},
      Name{412, "Precondition Failed"},
      Name{413, "Content Too Large"},
      Name{414, "URI Too Long"},
      Name{415, "Unsupported Media Type"},
      Name{417, "Expectation Failed"},
      Name{422, "Unprocessable Content"},
      Name{428, "Precondition Required"},
      Name{429, "Too Many Requests"},
      Name{431, "Request Header Fields Too Large"},
      Name{500, "Internal Server Error"},
      Name{501, "Not Implemented"},
      Name{502, "Bad Gateway"},
      Name{503, "Service Unavailable"},
      Name{504, "Gateway Timeout"},
      Name{505, "HTTP Version Not Supported"},
  };
  const auto found = std::ranges::find(names, status, &Name::status);
  if (found != names.end()) return found->name;
  static constexpr std::array<std::string_view, 4> classes = {"Success", "Redirection", "Client Error", "Server Error"};
  return status >= 200 && status < 600 ? classes[static_cast<std::size_t>(status / 100 - 2)] : "Unknown";
}

}  // namespace cas::service
