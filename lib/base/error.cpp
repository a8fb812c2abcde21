// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/error.hpp"

namespace cas {

const char* error_kind_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_argument: return "invalid-argument";
    case ErrorKind::malformed: return "malformed";
    case ErrorKind::truncated: return "truncated";
    case ErrorKind::unsupported: return "unsupported";
    case ErrorKind::not_found: return "not-found";
    case ErrorKind::permission_denied: return "permission-denied";
    case ErrorKind::io: return "io";
    case ErrorKind::authentication_failed: return "authentication-failed";
    case ErrorKind::refused: return "refused";
    case ErrorKind::wrong_domain: return "wrong-domain";
    case ErrorKind::revoked: return "revoked";
    case ErrorKind::outdated: return "outdated";
    case ErrorKind::expired: return "expired";
    case ErrorKind::used_up: return "used-up";
    case ErrorKind::exhausted: return "exhausted";
    case ErrorKind::card_absent: return "card-absent";
    case ErrorKind::card_reset: return "card-reset";
    case ErrorKind::cancelled: return "cancelled";
    case ErrorKind::internal: return "internal";
  }
  return "internal";
}

}  // namespace cas
