// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/openssl_error.hpp"

#include <openssl/err.h>

namespace cas::crypto {

tl::unexpected<Error> fail_openssl(ErrorKind kind, std::string what) {
  // The oldest entry is the cause; what follows tells through which functions it came.
  const char* reason = ERR_reason_error_string(ERR_peek_error());
  drop_openssl_errors();
  if (reason != nullptr) what.append(" (OpenSSL: ").append(reason).append(")");
  return fail(kind, std::move(what));
}

void drop_openssl_errors() { ERR_clear_error(); }

}  // namespace cas::crypto
