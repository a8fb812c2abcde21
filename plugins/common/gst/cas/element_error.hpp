// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <exception>
#include <utility>

#include "base/error.hpp"

/// How errors of the library become error messages of an element.
namespace cas::gst {

struct ErrorCode {
  GQuark domain;
  gint code;
};

/// For what is local and missing when an element starts (NULL->READY), and for acquisition:
///
///   not_found, card_absent, card_reset            RESOURCE / NOT_FOUND
///   permission_denied, io, cancelled              RESOURCE / OPEN_READ
///   refused, wrong_domain, revoked, expired       RESOURCE / NOT_AUTHORIZED
///   exhausted, used_up                            RESOURCE / NO_SPACE_LEFT
///   invalid_argument, malformed, truncated, unsupported, authentication_failed   LIBRARY / SETTINGS
///   internal                                      LIBRARY / FAILED
[[nodiscard]] ErrorCode error_code_at_start(ErrorKind kind);

/// For what fails on content that is being descrambled:
///
///   refused, wrong_domain, revoked, expired, used_up, exhausted, not_found, card_absent, card_reset, permission_denied,
///   cancelled
///                                                  STREAM / DECRYPT_NOKEY
///   authentication_failed, malformed, truncated, unsupported, invalid_argument   STREAM / DECRYPT
///   io                                             RESOURCE / READ
///   internal                                       LIBRARY / FAILED
[[nodiscard]] ErrorCode error_code_on_content(ErrorKind kind);

/// Posts an error message. Its text is the error's sentence; its details are a structure "details" with the field
/// "error-kind" (cas::error_kind_name), for applications that branch. To be called without locks.
void post_error(GstElement* element, ErrorCode code, const Error& error);

/// Runs the body of a virtual function that C code calls: no exception gets past. What is thrown (memory that ran out,
/// in practice) is posted as RESOURCE/NO_SPACE_LEFT, and `fallback` is the result.
template <typename Fallback, typename Body>
auto shielded(GstElement* element, Fallback fallback, Body&& body) noexcept -> decltype(body()) {
  try {
    return std::forward<Body>(body)();
  } catch (const std::exception& exception) {
    GST_ELEMENT_ERROR(element, RESOURCE, NO_SPACE_LEFT, ("Out of memory."), ("%s", exception.what()));
    return fallback;
  }
}

}  // namespace cas::gst
