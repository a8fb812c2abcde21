// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace cas::service {

/// What a server may cost at most.
struct HttpLimits {
  std::size_t body_size = 1U << 20;           ///< Bytes; a longer body is broken off.
  std::chrono::milliseconds connect{10'000};  ///< Until a connection stands.
  std::chrono::milliseconds stalled{20'000};  ///< Without any byte, in whole seconds, at least one.
  std::chrono::milliseconds total{300'000};
  int redirects = 5;
};

/// What a server said of a file the last time, so that it need not send it again (RFC 9110, 13.1). Empty: nothing.
struct HttpValidators {
  std::string etag;
  std::string last_modified;
  bool operator==(const HttpValidators&) const = default;
};

struct HttpGet {
  std::string url;  ///< http: or https:. A redirect does not lead from https: to http:.
  HttpValidators known;
  HttpLimits limits;
  /// Looks at the body of a 200 as it comes in, whenever there is more of it; an error breaks off, and is the result.
  /// May be empty.
  std::function<Status(ByteView so_far)> look;
};

struct HttpAnswer {
  bool not_modified = false;  ///< 304: what is known holds.
  Bytes body;
  HttpValidators validators;
};

/// Whether this build speaks HTTP (libcurl).
[[nodiscard]] bool http_is_supported();

/// Gets a resource; certificates of https: servers are verified by the system's authorities. Waits, and ends at once
/// with ErrorKind::cancelled when `stop` is
/// requested. ErrorKind::not_found for 404 and 410; permission_denied for 401 and 403; exhausted for a body that is too
/// long; authentication_failed for a
/// server whose certificate does not verify; invalid_argument for another kind of URL; unsupported without libcurl; io
/// for all else. Any thread.
[[nodiscard]] Result<HttpAnswer> http_get(const HttpGet& request, std::stop_token stop);

/// The URL without user name and password, for people.
[[nodiscard]] std::string url_for_people(std::string_view url);

}  // namespace cas::service
