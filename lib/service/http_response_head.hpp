// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to service/, not installed.

#include <string>

#include "base/byte_queue.hpp"
#include "base/error.hpp"
#include "service/http_message.hpp"

namespace cas::service {

/// What the connection says in an answer.
enum class HttpConnectionField {
  none,        ///< HTTP/1.1 goes on.
  keep_alive,  ///< HTTP/1.0 goes on.
  close,
};

/// Whether a response can be sent: what would let a value become fields, or an answer, of its own is refused (CWE-113).
/// ErrorKind::invalid_argument.
[[nodiscard]] Status check_response(const HttpResponse& response);

/// Puts status line and fields of a checked response behind `out`. `date` is an IMF-fixdate (RFC 9110, 5.6.7).
void write_response_head(ByteQueue& out, const HttpResponse& response, std::string_view date,
                         HttpConnectionField connection);

/// RFC 9110, 6.4.1: those have no body, and no length.
[[nodiscard]] constexpr bool has_body(int status) { return status != 204 && status != 304; }

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7).
[[nodiscard]] std::string http_date(std::int64_t unix_seconds);

}  // namespace cas::service
