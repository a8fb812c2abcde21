// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to service/, not installed: the field Authorization, as clients write it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace cas::service {

/// credentials = auth-scheme [ 1*SP ( token68 / #auth-param ) ] (RFC 9110, 11.4). `token` is a view into the field.
struct HttpAuthorization {
  static constexpr std::size_t max_size = 4096;
  static constexpr std::size_t max_parameters = 24;

  std::string scheme;      ///< In lower case.
  std::string_view token;  ///< Empty when there are parameters, or nothing.
  /// Names in lower case, each once; values without quotes.
  std::vector<std::pair<std::string, std::string>> parameters;

  [[nodiscard]] const std::string* find(std::string_view name) const;
};

/// ErrorKind::malformed; the sentence quotes nothing of the field, which may hold a secret.
[[nodiscard]] Result<HttpAuthorization> parse_http_authorization(std::string_view field);

/// What a client says with Digest (RFC 7616, 3.4), as far as its form goes.
struct HttpDigestAnswer {
  std::string user;
  std::string realm;
  std::string nonce;
  std::string uri;
  std::string cnonce;
  std::string count_text;  ///< 8 digits: they are in the digest as they were written.
  std::uint32_t count = 0;
  std::string response;  ///< 64 digits in lower case.
};

/// ErrorKind::malformed; unsupported for an algorithm, quality of protection or user hash that is not offered here.
[[nodiscard]] Result<HttpDigestAnswer> parse_http_digest(const HttpAuthorization& authorization);

}  // namespace cas::service
