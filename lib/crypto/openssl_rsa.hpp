// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "crypto/openssl_handles.hpp"

namespace cas::crypto {

/// Internal to crypto/, not installed. Sets RSASSA-PSS as crypto/rsa.hpp has it, for signing or verifying; `context`
/// belongs to a digest's. On verification OpenSSL otherwise takes a salt of any size.
[[nodiscard]] bool set_rsa_pss(EVP_PKEY_CTX* context);

}  // namespace cas::crypto
