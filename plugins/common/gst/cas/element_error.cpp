// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/cas/element_error.hpp"

#include "gst/cas/pointers.hpp"

namespace cas::gst {

ErrorCode error_code_at_start(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::not_found:
    case ErrorKind::card_absent:
    case ErrorKind::card_reset: return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND};
    case ErrorKind::permission_denied:
    case ErrorKind::io:
    case ErrorKind::cancelled: return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ};
    case ErrorKind::refused:
    case ErrorKind::wrong_domain:
    case ErrorKind::revoked:
    case ErrorKind::outdated:
    case ErrorKind::expired: return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_AUTHORIZED};
    case ErrorKind::used_up:
    case ErrorKind::exhausted: return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT};
    case ErrorKind::invalid_argument:
    case ErrorKind::malformed:
    case ErrorKind::truncated:
    case ErrorKind::unsupported:
    case ErrorKind::authentication_failed: return {GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS};
    case ErrorKind::internal: break;
  }
  return {GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_FAILED};
}

ErrorCode error_code_on_content(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::refused:
    case ErrorKind::wrong_domain:
    case ErrorKind::revoked:
    case ErrorKind::outdated:
    case ErrorKind::expired:
    case ErrorKind::used_up:
    case ErrorKind::exhausted:
    case ErrorKind::not_found:
    case ErrorKind::card_absent:
    case ErrorKind::card_reset:
    case ErrorKind::permission_denied:
    case ErrorKind::cancelled: return {GST_STREAM_ERROR, GST_STREAM_ERROR_DECRYPT_NOKEY};
    case ErrorKind::authentication_failed:
    case ErrorKind::malformed:
    case ErrorKind::truncated:
    case ErrorKind::unsupported:
    case ErrorKind::invalid_argument: return {GST_STREAM_ERROR, GST_STREAM_ERROR_DECRYPT};
    case ErrorKind::io: return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ};
    case ErrorKind::internal: break;
  }
  return {GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_FAILED};
}

void post_error(GstElement* element, ErrorCode code, const Error& error) {
  const char* kind = error_kind_name(error.kind);
  GstStructure* details = gst_structure_new("details", "error-kind", G_TYPE_STRING, kind, nullptr);
  gst_element_message_full_with_details(element, GST_MESSAGE_ERROR, code.domain, code.code,
                                        g_strdup(error.message.c_str()), g_strdup_printf("error kind: %s", kind),
                                        __FILE__, GST_FUNCTION, __LINE__, details);
}

}  // namespace cas::gst
