// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "crypto/key_agreement.hpp"
#include "crypto/openssl_handles.hpp"

namespace cas::crypto {

/// Internal to crypto/, not installed: values as they stand on the wire, turned into OpenSSL's keys.

/// The constants of ffdhe2048 (RFC 7919, appendix A.1) as OpenSSL has them, read once; never released, because threads
/// may outlive statics. Null if there was no memory.
struct Ffdhe2048 {
  BIGNUM* p = nullptr;
  BIGNUM* g = nullptr;
};
[[nodiscard]] const Ffdhe2048& ffdhe2048();

/// A private value as a number in the secure heap that OpenSSL treats in constant time; null if there is no memory.
[[nodiscard]] BignumHandle secret_number(ByteView big_endian);

/// A key with the public half alone. Fails as validate_dh_public does.
[[nodiscard]] Result<KeyHandle> public_key_of(DhGroup group, ByteView public_value);

/// A key with both halves, which are taken to belong together.
[[nodiscard]] Result<KeyHandle> private_key_of(const DhKeyPair& pair);

/// The public value in the form of dh_public_size(), or nothing if the key is not of that group.
[[nodiscard]] Result<Bytes> public_value_of(DhGroup group, EVP_PKEY* key);

/// The private value in the form of dh_private_size(); ErrorKind::malformed if it is larger, or if there is none.
[[nodiscard]] Result<SecretBytes> private_value_of(EVP_PKEY* key);

}  // namespace cas::crypto
