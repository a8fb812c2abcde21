// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/error.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "crypto/aes.hpp"
#include "kex/key_material.hpp"

namespace cas::kex {

inline constexpr std::size_t storage_key_size = 32;

/// How keys stand in a database: those who can read or change it, its backups among them, have no key and can exchange
/// none.
///
///   12      nonce, random
///   n       the key under AES-256-GCM (NIST SP 800-38D)
///   16      tag; authenticated besides: "CKS1", key id (16), initialisation vector (16), name
///
/// Nonces are random: one storage key is for some 2^32 keys at most. One thread at a time.
class StoredKeyCipher {
 public:
  /// `storage_key` has storage_key_size bytes. Keeps a reference to `random`.
  [[nodiscard]] static Result<StoredKeyCipher> create(const SecretBytes& storage_key, Random& random);

  [[nodiscard]] Result<Bytes> seal(ByteView name, const KeyMaterial& key);
  /// ErrorKind::authentication_failed for a row that was changed, or sealed under another storage key.
  [[nodiscard]] Result<SecretBytes> open(ByteView name, const Uuid& kid, const InitialisationVector& iv,
                                         ByteView sealed);

 private:
  StoredKeyCipher(crypto::AesGcm gcm, Random& random) : gcm_(std::move(gcm)), random_(random) {}
  crypto::AesGcm gcm_;
  Random& random_;
};

}  // namespace cas::kex
