// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/cpix_encryption.hpp"

#include <algorithm>

#include "crypto/aes.hpp"
#include "crypto/constant_time.hpp"
#include "crypto/mac.hpp"

namespace cas::kex {

namespace {

constexpr std::size_t document_key_size = 32;
constexpr std::size_t mac_key_size = 64;
constexpr std::size_t block = crypto::aes_block_size;

/// PKCS #7 (RFC 5652, 6.3): 1 to 16 bytes, each with their number.
SecretBytes padded(const SecretBytes& value) {
  const std::size_t padding = block - value.size() % block;
  SecretBytes whole(value.size() + padding);
  std::ranges::copy(value.reveal(), whole.reveal_mutable().begin());
  std::ranges::fill(whole.reveal_mutable().subspan(value.size()), static_cast<std::uint8_t>(padding));
  return whole;
}

Result<SecretBytes> unpadded(const SecretBytes& whole) {
  // The MAC was right: whoever made it has the keys, so nothing is told by which byte is wrong.
  const std::size_t padding = whole.empty() ? 0 : whole.reveal().back();
  if (padding < 1 || padding > block || padding > whole.size() ||
      !std::ranges::all_of(whole.reveal().last(padding), [&](std::uint8_t byte) { return byte == padding; }))
    return fail(ErrorKind::authentication_failed, "a content key does not decrypt");
  return SecretBytes::copy_of(whole.reveal().first(whole.size() - padding));
}

Result<CpixEncryptedValue> encrypt(const SecretBytes& value, const SecretBytes& document_key,
                                   const SecretBytes& mac_key, Random& random) {
  std::array<std::uint8_t, block> iv{};
  CAS_TRY(random.fill(iv));
  CAS_TRY_ASSIGN(const Bytes cipher_text, crypto::aes_cbc_encrypt(document_key, iv, padded(value).reveal()));
  CpixEncryptedValue encrypted;
  append(encrypted.cipher_value, iv);
  append(encrypted.cipher_value, cipher_text);
  CAS_TRY_ASSIGN(const auto mac, crypto::hmac_sha512(mac_key, {encrypted.cipher_value}));
  encrypted.mac.assign(mac.begin(), mac.end());
  return encrypted;
}

Result<SecretBytes> decrypt(const CpixEncryptedValue& encrypted, const SecretBytes& document_key,
                            const SecretBytes& mac_key) {
  CAS_TRY_ASSIGN(const auto mac, crypto::hmac_sha512(mac_key, {encrypted.cipher_value}));
  if (!crypto::constant_time_equal(mac, encrypted.mac))
    return fail(ErrorKind::authentication_failed, "a content key was changed on its way: its ValueMAC is not right");
  const ByteView all = encrypted.cipher_value;
  if (all.size() < 2 * block || all.size() % block != 0)
    return fail(ErrorKind::authentication_failed, "a content key does not decrypt");
  const auto iv = all.first<block>();
  CAS_TRY_ASSIGN(const SecretBytes whole, crypto::aes_cbc_decrypt(document_key, iv, all.subspan(block)));
  return unpadded(whole);
}

}  // namespace

bool has_encrypted_keys(const CpixDocument& document) {
  return std::ranges::any_of(document.keys, [](const CpixContentKey& key) { return key.encrypted.has_value(); });
}

Status encrypt_keys(CpixDocument& document, Random& random) {
  if (document.recipients.empty()) return {};
  if (document.recipients.size() > max_recipients)
    return fail(ErrorKind::exhausted,
                "DeliveryDataList: keys are encrypted for at most " + std::to_string(max_recipients) + " recipients");
  CAS_TRY_ASSIGN(const SecretBytes document_key, random_secret(random, document_key_size));
  CAS_TRY_ASSIGN(const SecretBytes mac_key, random_secret(random, mac_key_size));
  for (CpixRecipient& recipient : document.recipients) {
    const auto to = crypto::RsaPublicKey::from_certificate(recipient.certificate);
    if (!to) return fail_in("DeliveryData/DeliveryKey", to.error());
    CAS_TRY_ASSIGN(recipient.document_key, to->encrypt(document_key, crypto::OaepHash::sha1));
    CAS_TRY_ASSIGN(recipient.mac_key, to->encrypt(mac_key, crypto::OaepHash::sha1));
    recipient.algorithm = aes_256_cbc_uri;
  }
  for (CpixContentKey& key : document.keys) {
    if (key.value.empty()) continue;
    CAS_TRY_ASSIGN(key.encrypted, encrypt(key.value, document_key, mac_key, random));
    key.value.reset();
  }
  return {};
}

Status decrypt_keys(CpixDocument& document, const crypto::RsaPrivateKey& key) {
  if (!has_encrypted_keys(document)) return {};
  const auto ours = std::ranges::find_if(
      document.recipients, [&](const CpixRecipient& recipient) { return key.belongs_to(recipient.certificate); });
  if (ours == document.recipients.end())
    return fail(ErrorKind::refused, "the keys are encrypted, and none of DeliveryData is for our certificate");
  if (ours->algorithm != aes_256_cbc_uri)
    return fail(ErrorKind::unsupported, "DocumentKey/@Algorithm: only aes256-cbc is known");
  if (ours->document_key.empty() || ours->mac_key.empty())
    return fail(ErrorKind::refused, "the keys are encrypted, and our DeliveryData has no DocumentKey or no MACMethod");
  CAS_TRY_ASSIGN(const SecretBytes document_key, key.decrypt(ours->document_key, crypto::OaepHash::sha1));
  CAS_TRY_ASSIGN(const SecretBytes mac_key, key.decrypt(ours->mac_key, crypto::OaepHash::sha1));
  if (document_key.size() != document_key_size)
    return fail(ErrorKind::unsupported, "DocumentKey: a document key has 32 bytes");
  std::vector<SecretBytes> values;
  for (const CpixContentKey& each : document.keys) {
    if (!each.encrypted) {
      values.emplace_back();
      continue;
    }
    CAS_TRY_ASSIGN(SecretBytes value, decrypt(*each.encrypted, document_key, mac_key));
    values.push_back(std::move(value));
  }
  for (std::size_t at = 0; at < values.size(); ++at)
    if (document.keys[at].encrypted) document.keys[at].value = std::move(values[at]);
  for (CpixContentKey& each : document.keys) each.encrypted.reset();
  return {};
}

}  // namespace cas::kex
