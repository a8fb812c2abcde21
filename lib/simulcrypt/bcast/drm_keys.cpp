// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/drm_keys.hpp"

#include <algorithm>
#include <array>

#include "base/reader.hpp"
#include "base/writer.hpp"
#include "crypto/aes.hpp"
#include "crypto/constant_time.hpp"
#include "crypto/kdf.hpp"
#include "crypto/mac.hpp"

namespace cas::simulcrypt::bcast {

namespace {

constexpr std::array<std::uint8_t, crypto::aes_block_size> zero_iv{};

Result<SecretBytes> authentication_key(const ServiceKey& key) {
  const char* label = key.kind == ServiceKey::Kind::service ? "OMA BCAST SAK" : "OMA BCAST PAK";
  return crypto::kbkdf_cmac(key.seed, label, {}, crypto::sha1_size);
}

Result<Bytes> mac_of(const ServiceKey& key, ByteView covered) {
  CAS_TRY_ASSIGN(const SecretBytes mac_key, authentication_key(key));
  CAS_TRY_ASSIGN(const auto mac, crypto::hmac_sha1(mac_key, {covered}));
  return copy_of(ByteView(mac).first(stkm_mac_size));
}

// RFC 5652, 6.3: as many bytes as are missing to a whole block, 1 to 16, each of that value.
Result<Bytes> encrypt_tek(const SecretBytes& key, ByteView tek) {
  const std::size_t pad = crypto::aes_block_size - tek.size() % crypto::aes_block_size;
  SecretBytes padded(tek.size() + pad);
  std::ranges::copy(tek, padded.reveal_mutable().begin());
  std::ranges::fill(padded.reveal_mutable().last(pad), static_cast<std::uint8_t>(pad));
  return crypto::aes_cbc_encrypt(key, zero_iv, padded.reveal());
}

Result<SecretBytes> decrypt_tek(const SecretBytes& key, ByteView encrypted) {
  CAS_TRY_ASSIGN(const SecretBytes padded, crypto::aes_cbc_decrypt(key, zero_iv, encrypted));
  // The MAC has been verified: whoever made the message knows the key, and is told nothing new by this refusal.
  const ByteView plain = padded.reveal();
  const std::size_t pad = plain.back();
  if (pad == 0 || pad > crypto::aes_block_size || pad >= plain.size() ||
      !std::ranges::all_of(plain.last(pad), [pad](std::uint8_t byte) { return byte == pad; })) {
    return fail(ErrorKind::malformed, "The traffic key material of a short term key message is not padded");
  }
  return SecretBytes::copy_of(plain.first(plain.size() - pad));
}

}  // namespace

Bytes key_index_of(TrafficProtection protection, std::uint16_t tek_id) {
  if (protection == TrafficProtection::ipsec) return ByteWriter().u32(spi_of(tek_id)).take();
  return ByteWriter().u16(tek_id).take();
}

Result<std::uint16_t> tek_id_of(TrafficProtection protection, ByteView key_index) {
  ByteReader reader(key_index);
  if (protection == TrafficProtection::ipsec && key_index.size() == 4) {
    const std::uint32_t spi = *reader.u32();
    if (spi >> 16 == first_spi >> 16) return static_cast<std::uint16_t>(spi);
  } else if (protection != TrafficProtection::ipsec && key_index.size() == 2) {
    return *reader.u16();
  }
  return fail(ErrorKind::malformed, "The key index of a short term key message is no TEK id");
}

Result<Bytes> seal_drm_stkm(const DrmStkmContent& content, const ServiceKey* service, const ServiceKey* programme) {
  if (service == nullptr && programme == nullptr) {
    return fail(ErrorKind::invalid_argument, "A short term key message needs a service key or a programme key");
  }
  const SecretBytes& tek_key = programme != nullptr ? programme->key : service->key;
  DrmStkm stkm;
  stkm.protection_after_reception = content.protection_after_reception;
  stkm.protection = content.protection;
  stkm.traffic_authentication = content.traffic_authentication;
  stkm.lifetime_exponent = content.lifetime_exponent;
  stkm.timestamp = content.timestamp;
  stkm.access_criteria = content.access_criteria;
  const Bytes index = key_index_of(content.protection, content.tek_id);
  const Bytes next_index = key_index_of(content.protection, static_cast<std::uint16_t>(content.tek_id + 1));
  CAS_TRY_ASSIGN(const Bytes tek, encrypt_tek(tek_key, content.tek));
  Bytes next_tek, pek;
  stkm.key_index = index;
  stkm.encrypted_tek = tek;
  if (content.next_tek) {
    CAS_TRY_ASSIGN(next_tek, encrypt_tek(tek_key, *content.next_tek));
    stkm.next = DrmStkm::Next{next_index, next_tek};
  }
  if (programme != nullptr) stkm.programme = DrmStkm::Protection{programme->id, {}, 0};
  if (service != nullptr) stkm.service = DrmStkm::Protection{service->id, {}, 0};
  if (programme != nullptr && service != nullptr) {
    CAS_TRY_ASSIGN(pek, crypto::aes_cbc_encrypt(service->key, zero_iv, programme->key.reveal()));
    stkm.encrypted_pek = pek;
  }
  CAS_TRY_ASSIGN(Bytes message, stkm.write());
  const auto authenticate = [&message](const DrmStkm::Protection& part, const ServiceKey& key) -> Status {
    CAS_TRY_ASSIGN(const Bytes mac, mac_of(key, ByteView(message).first(part.covered)));
    std::ranges::copy(mac, MutableByteView(message).subspan(part.covered).begin());
    return {};
  };
  // The service's MAC covers the programme's.
  if (programme != nullptr) CAS_TRY(authenticate(*stkm.programme, *programme));
  if (service != nullptr) CAS_TRY(authenticate(*stkm.service, *service));
  return message;
}

Result<OpenedDrmStkm> open_drm_stkm(ByteView message, const DrmStkm& stkm, const ServiceKey& key) {
  const bool of_service = key.kind == ServiceKey::Kind::service;
  const std::optional<DrmStkm::Protection>& part = of_service ? stkm.service : stkm.programme;
  if (!part || part->cid_extension != key.id) {
    return fail(ErrorKind::not_found, "The short term key message is of another service or programme");
  }
  CAS_TRY_ASSIGN(const Bytes mac, mac_of(key, message.first(part->covered)));
  if (!crypto::constant_time_equal(mac, part->mac)) {
    return fail(ErrorKind::authentication_failed, "The MAC of a short term key message does not verify");
  }
  SecretBytes tek_key = key.key.clone();
  if (of_service && stkm.programme) {
    CAS_TRY_ASSIGN(tek_key, crypto::aes_cbc_decrypt(key.key, zero_iv, stkm.encrypted_pek));
  }
  OpenedDrmStkm opened;
  CAS_TRY_ASSIGN(opened.tek_id, tek_id_of(stkm.protection, stkm.key_index));
  CAS_TRY_ASSIGN(opened.tek, decrypt_tek(tek_key, stkm.encrypted_tek));
  if (stkm.next) {
    CAS_TRY_ASSIGN(const std::uint16_t next_id, tek_id_of(stkm.protection, stkm.next->key_index));
    if (next_id != static_cast<std::uint16_t>(opened.tek_id + 1)) {
      return fail(ErrorKind::malformed, "The next TEK of a short term key message does not follow its TEK");
    }
    CAS_TRY_ASSIGN(opened.next_tek, decrypt_tek(tek_key, stkm.next->encrypted_tek));
  }
  return opened;
}

}  // namespace cas::simulcrypt::bcast
