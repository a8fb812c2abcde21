// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/error.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "crypto/aes.hpp"

namespace cas::service {

inline constexpr std::size_t storage_key_size = 32;

/// How keys stand in a database: those who can read or change it, its backups among them, have no key and can exchange
/// none.
///
///   12      nonce, random
///   n       the key under AES-256-GCM (NIST SP 800-38D)
///   16      tag; authenticated besides: what the row is about, which is the caller's to say
///
/// Nonces are random: one storage key is for some 2^32 keys at most. One thread at a time.
class StorageCipher {
 public:
  /// `storage_key` has storage_key_size bytes. Keeps a reference to `random`.
  [[nodiscard]] static Result<StorageCipher> create(const SecretBytes& storage_key, Random& random);

  /// `row` begins with what tells the kind of row from all others under one storage key.
  [[nodiscard]] Result<Bytes> seal(ByteView row, const SecretBytes& key);
  /// ErrorKind::authentication_failed for a row that was changed, or sealed under another storage key. `what` names it:
  /// "the stored key of ...".
  [[nodiscard]] Result<SecretBytes> open(ByteView row, ByteView sealed, const std::string& what);

 private:
  StorageCipher(crypto::AesGcm gcm, Random& random) : gcm_(std::move(gcm)), random_(random) {}
  crypto::AesGcm gcm_;
  Random& random_;
};

}  // namespace cas::service
