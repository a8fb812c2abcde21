// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "kex/key_material.hpp"
#include "service/storage_cipher.hpp"

namespace cas::kex {

using service::storage_key_size;

/// How keys stand in a database (StorageCipher), each bound to what is known of it: "CKS1", key id (16), initialisation
/// vector (16), name. One thread at a time.
class StoredKeyCipher {
 public:
  /// `storage_key` has storage_key_size bytes. Keeps a reference to `random`.
  [[nodiscard]] static Result<StoredKeyCipher> create(const SecretBytes& storage_key, Random& random);

  [[nodiscard]] Result<Bytes> seal(ByteView name, const KeyMaterial& key);
  /// ErrorKind::authentication_failed for a row that was changed, or sealed under another storage key.
  [[nodiscard]] Result<SecretBytes> open(ByteView name, const Uuid& kid, const InitialisationVector& iv,
                                         ByteView sealed);

 private:
  explicit StoredKeyCipher(service::StorageCipher cipher) : cipher_(std::move(cipher)) {}
  service::StorageCipher cipher_;
};

}  // namespace cas::kex
