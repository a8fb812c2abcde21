// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/error.hpp"
#include "base/secret.hpp"
#include "crypto/openssl_handles.hpp"

namespace cas::crypto {

/// Internal to crypto/, not installed: how private keys are stored. PKCS #8 (RFC 5958) in PEM (RFC 7468), in clear or
/// under PBES2 (RFC 8018) with scrypt (RFC 7914).

/// Any private key that OpenSSL reads; the caller checks that it is of the kind it needs. ErrorKind::malformed,
/// unsupported, or permission_denied when the pass phrase does not open it.
[[nodiscard]] Result<KeyHandle> private_key_from_pem(const SecretBytes& pem, const SecretBytes& pass_phrase);

/// Encrypted with AES-256-CBC under the pass phrase; in clear when that is empty.
[[nodiscard]] Result<SecretBytes> private_key_to_pem(const EVP_PKEY* key, const SecretBytes& pass_phrase);

}  // namespace cas::crypto
