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
  if (storage_key.size() != storage_key_size) return fail(ErrorKind::invalid_argument, "a storage key has 32 bytes");
  CAS_TRY_ASSIGN(auto gcm, crypto::AesGcm::create(storage_key));
  return StoredKeyCipher(std::move(gcm), random);
}

Result<Bytes> StoredKeyCipher::seal(ByteView name, const KeyMaterial& key) {
  Bytes sealed(crypto::gcm_nonce_size + key.value.size() + crypto::gcm_tag_size);
  const auto nonce = std::span(sealed).first<crypto::gcm_nonce_size>();
  CAS_TRY(random_.fill(nonce));
  const ByteView value = key.value.reveal();
  CAS_TRY(gcm_.seal(nonce, associated(name, key.kid, key.iv), {&value, 1},
                    std::span(sealed).subspan(crypto::gcm_nonce_size, value.size()),
                    std::span(sealed).last<crypto::gcm_tag_size>()));
  return sealed;
}

Result<SecretBytes> StoredKeyCipher::open(ByteView name, const Uuid& kid, const InitialisationVector& iv,
                                          ByteView sealed) {
  constexpr std::size_t around = crypto::gcm_nonce_size + crypto::gcm_tag_size;
  if (sealed.size() < around) return fail(ErrorKind::malformed, "a stored key is too short");
  SecretBytes value(sealed.size() - around);
  const ByteView cipher_text = sealed.subspan(crypto::gcm_nonce_size, value.size());
  const auto opened = gcm_.open(sealed.first<crypto::gcm_nonce_size>(), associated(name, kid, iv), {&cipher_text, 1},
                                sealed.last<crypto::gcm_tag_size>(), value.reveal_mutable());
  if (!opened)
    return fail(ErrorKind::authentication_failed,
                "the stored key " + kid.text() + " was changed, or stored under another storage key");
  return value;
}

}  // namespace cas::kex
