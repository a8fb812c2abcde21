// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/storage_cipher.hpp"

namespace cas::service {

Result<StorageCipher> StorageCipher::create(const SecretBytes& storage_key, Random& random) {
  if (storage_key.size() != storage_key_size) return fail(ErrorKind::invalid_argument, "a storage key has 32 bytes");
  CAS_TRY_ASSIGN(auto gcm, crypto::AesGcm::create(storage_key));
  return StorageCipher(std::move(gcm), random);
}

Result<Bytes> StorageCipher::seal(ByteView row, const SecretBytes& key) {
  Bytes sealed(crypto::gcm_nonce_size + key.size() + crypto::gcm_tag_size);
  const auto nonce = std::span(sealed).first<crypto::gcm_nonce_size>();
  CAS_TRY(random_.fill(nonce));
  const ByteView value = key.reveal();
  CAS_TRY(gcm_.seal(nonce, row, {&value, 1}, std::span(sealed).subspan(crypto::gcm_nonce_size, value.size()),
                    std::span(sealed).last<crypto::gcm_tag_size>()));
  return sealed;
}

Result<SecretBytes> StorageCipher::open(ByteView row, ByteView sealed, const std::string& what) {
  constexpr std::size_t around = crypto::gcm_nonce_size + crypto::gcm_tag_size;
  if (sealed.size() < around) return fail(ErrorKind::malformed, what + " is too short");
  SecretBytes value(sealed.size() - around);
  const ByteView cipher_text = sealed.subspan(crypto::gcm_nonce_size, value.size());
  const auto opened = gcm_.open(sealed.first<crypto::gcm_nonce_size>(), row, {&cipher_text, 1},
                                sealed.last<crypto::gcm_tag_size>(), value.reveal_mutable());
  if (!opened)
    return fail(ErrorKind::authentication_failed, what + " was changed, or stored under another storage key");
  return value;
}

}  // namespace cas::service
