// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/byte_queue.hpp"
#include "base/bytes.hpp"
#include "base/secret.hpp"
#include "crypto/tls.hpp"
#include "service/endpoint.hpp"

namespace cas::service {

/// A request as a server takes it (RFC 9110, RFC 9112): complete, and well-formed. Credentials and keys may be in it, so
/// fields and body are cleansed when it goes. Moves. Views are good as long as the request is neither moved nor gone.
class HttpRequest {
 public:
  struct Field {
    std::string_view name;  ///< In lower case.
    std::string_view value;
  };

  [[nodiscard]] std::string_view method() const { return part(method_); }
  /// As the client wrote it, without scheme and authority; printable ASCII that begins with '/'.
  [[nodiscard]] std::string_view target() const { return part(target_); }
  /// The target up to the query, percent-encoded as the client wrote it.
  [[nodiscard]] std::string_view path() const;
  /// What is behind the first '?', percent-encoded; empty when there is none.
  [[nodiscard]] std::string_view query() const;
  /// The first value of that name in the query, which has the form NAME=VALUE&..., decoded. Any byte may be in it.
  [[nodiscard]] std::optional<std::string> query_value(std::string_view name) const;
  /// What stands in the place of {name} in the route's pattern, decoded: not empty, and without control characters, but
  /// '/' may be in it. Empty when the pattern has no such name.
  [[nodiscard]] std::string_view parameter(std::string_view name) const;

  /// The first field of that name, which is given in lower case. Fields that make no sense twice (host, authorization,
  /// content-type, content-length, expect) stand there once.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
  [[nodiscard]] std::size_t header_count() const { return fields_.size(); }
  [[nodiscard]] Field header_at(std::size_t index) const {
    return {part(fields_[index].name), part(fields_[index].value)};
  }

  [[nodiscard]] ByteView body() const { return body_.view(); }

  [[nodiscard]] const Endpoint& peer() const { return peer_; }
  /// Whether it came over TLS.
  [[nodiscard]] bool secure() const { return secure_; }
  /// The client's certificate, which chains to the server's authorities; null without one. Lives on with a copy of the
  /// pointer.
  [[nodiscard]] const std::shared_ptr<const crypto::TlsPeer>& client() const { return client_; }

 private:
  friend class HttpRequestParser;
  friend class HttpRouter;
  friend class HttpSession;
  struct Part {
    std::uint32_t begin = 0;
    std::uint32_t size = 0;
  };
  struct FieldParts {
    Part name;
    Part value;
  };
  [[nodiscard]] std::string_view part(Part part) const;

  ByteQueue head_;  ///< Method, target and fields, one behind the other.
  Part method_;
  Part target_;
  std::vector<FieldParts> fields_;
  ByteQueue body_;
  std::vector<std::pair<std::string_view, std::string>> parameters_;  ///< Names are the router's.
  Endpoint peer_;
  bool secure_ = false;
  std::shared_ptr<const crypto::TlsPeer> client_;
};

/// An answer. A body of SecretBytes is for keys; both kinds are cleansed when they have been sent.
struct HttpResponse {
  int status = 200;          ///< 200 to 599. With 204 and 304 no body is sent.
  std::string content_type;  ///< Empty: the field is left out.
  /// Names are tokens (RFC 9110, 5.6.2), values have no control characters; content-type, content-length,
  /// transfer-encoding, connection and date are the server's own. An answer with others is not sent, but a 500.
  std::vector<std::pair<std::string, std::string>> headers;
  std::variant<Bytes, SecretBytes> body;
  bool close = false;  ///< The connection ends behind it.

  HttpResponse() = default;
  ~HttpResponse();
  HttpResponse(HttpResponse&&) noexcept = default;
  HttpResponse& operator=(HttpResponse&& other) noexcept;
  HttpResponse(const HttpResponse&) = delete;
  HttpResponse& operator=(const HttpResponse&) = delete;

  [[nodiscard]] ByteView body_view() const;

  /// "text/plain; charset=utf-8", for people: a line end is put behind it.
  [[nodiscard]] static HttpResponse text(int status, std::string_view sentence);
  [[nodiscard]] static HttpResponse with_body(int status, std::string content_type, Bytes body);
  [[nodiscard]] static HttpResponse with_secret(int status, std::string content_type, SecretBytes body);
};

/// "Not Found" for 404; what is not known has the name of its class (RFC 9110, 15).
[[nodiscard]] std::string_view http_status_name(int status);

}  // namespace cas::service
