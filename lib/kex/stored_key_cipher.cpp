// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/stored_key_cipher.hpp"

#include <array>

#include "base/writer.hpp"

namespace cas::kex {

namespace {

Bytes associated(ByteView name, const Uuid& kid, const InitialisationVector& iv) {
  ByteWriter out;
  out.bytes(as_bytes("CKS1")).bytes(kid.bytes).bytes(iv).bytes(name);
  return out.take();
}

}  // namespace

Result<StoredKeyCipher> StoredKeyCipher::create(const SecretBytes& storage_key, Random& random) {
  CAS_TRY_ASSIGN(auto cipher, service::StorageCipher::create(storage_key, random));
  return StoredKeyCipher(std::move(cipher));
}

Result<Bytes> StoredKeyCipher::seal(ByteView name, const KeyMaterial& key) {
  return cipher_.seal(associated(name, key.kid, key.iv), key.value);
}

Result<SecretBytes> StoredKeyCipher::open(ByteView name, const Uuid& kid, const InitialisationVector& iv,
                                          ByteView sealed) {
  return cipher_.open(associated(name, kid, iv), sealed, "the stored key " + kid.text());
}

}  // namespace cas::kex
