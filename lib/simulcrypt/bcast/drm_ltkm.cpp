// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/drm_ltkm.hpp"

#include <algorithm>

#include "base/reader.hpp"
#include "base/writer.hpp"
#include "crypto/aes.hpp"
#include "crypto/constant_time.hpp"
#include "crypto/kdf.hpp"
#include "crypto/mac.hpp"

namespace cas::simulcrypt::bcast {

namespace {

constexpr std::uint8_t version = 1;
constexpr std::size_t pair_size = service_key_size + service_seed_size;
constexpr std::size_t wrapped_size = pair_size + crypto::key_wrap_overhead;

Result<SecretBytes> derived(const SecretBytes& key, const char* label) {
  return crypto::kbkdf_cmac(key, label, {}, 32);
}

Result<Bytes> mac_of(const SecretBytes& key, ByteView covered) {
  CAS_TRY_ASSIGN(const SecretBytes mac_key, derived(key, "OMA BCAST LTKM authentication"));
  CAS_TRY_ASSIGN(const auto mac, crypto::hmac_sha256(mac_key, {covered}));
  return copy_of(ByteView(mac).first(drm_ltkm_mac_size));
}

Result<ServiceKey> read_key(ByteReader& reader, const SecretBytes& wrapping_key) {
  ServiceKey key;
  CAS_TRY_ASSIGN(const std::uint8_t kind, reader.u8());
  if (kind > 1) return fail(ErrorKind::unsupported, "A key of a long term key message is of no known kind");
  key.kind = static_cast<ServiceKey::Kind>(kind);
  CAS_TRY_ASSIGN(key.id, reader.u32());
  CAS_TRY_ASSIGN(const std::uint64_t from, reader.u64());
  CAS_TRY_ASSIGN(const std::uint64_t until, reader.u64());
  CAS_TRY_ASSIGN(const ByteView wrapped, reader.bytes(wrapped_size));
  if (from >= until || until >> 62 != 0) {
    return fail(ErrorKind::malformed, "A key of a long term key message is valid at no time");
  }
  key.valid_from = static_cast<UnixSeconds>(from);
  key.valid_until = static_cast<UnixSeconds>(until);
  CAS_TRY_ASSIGN(const SecretBytes pair, crypto::aes_key_unwrap(wrapping_key, wrapped));
  key.key = SecretBytes::copy_of(pair.reveal().first(service_key_size));
  key.seed = SecretBytes::copy_of(pair.reveal().last(service_seed_size));
  return key;
}

}  // namespace

Result<Bytes> seal_drm_ltkm(std::uint32_t bsm, std::uint64_t issue, const DrmRecipient& recipient,
                            const std::vector<ServiceKey>& keys) {
  if (keys.empty() || keys.size() > max_ltkm_keys) {
    return fail(ErrorKind::invalid_argument, "A long term key message carries 1 to 16 keys");
  }
  CAS_TRY_ASSIGN(const SecretBytes wrapping_key, derived(recipient.key, "OMA BCAST LTKM wrap"));
  ByteWriter out;
  out.u8(version).u8(recipient.device_id ? 1 : 0).u32(bsm);
  if (recipient.device_id) out.u64(*recipient.device_id);
  out.u64(issue).u8(static_cast<std::uint8_t>(keys.size()));
  for (const ServiceKey& key : keys) {
    CAS_TRY(check_service_key(key));
    SecretBytes pair(pair_size);
    std::ranges::copy(key.key.reveal(), pair.reveal_mutable().begin());
    std::ranges::copy(key.seed.reveal(), pair.reveal_mutable().subspan(service_key_size).begin());
    CAS_TRY_ASSIGN(const Bytes wrapped, crypto::aes_key_wrap(wrapping_key, pair));
    out.u8(static_cast<std::uint8_t>(key.kind)).u32(key.id);
    out.u64(static_cast<std::uint64_t>(key.valid_from)).u64(static_cast<std::uint64_t>(key.valid_until)).bytes(wrapped);
  }
  CAS_TRY_ASSIGN(const Bytes mac, mac_of(recipient.key, out.view()));
  return out.bytes(mac).take();
}

Result<DrmLtkm> open_drm_ltkm(ByteView message, std::uint32_t bsm, const DrmRecipient& recipient) {
  if (message.size() > max_drm_ltkm_size || message.size() <= drm_ltkm_mac_size) {
    return fail(ErrorKind::malformed, "A long term key message has not the size of one");
  }
  ByteReader reader(message.first(message.size() - drm_ltkm_mac_size));
  DrmLtkm ltkm;
  CAS_TRY_ASSIGN(const std::uint8_t its_version, reader.u8());
  if (its_version != version) return fail(ErrorKind::unsupported, "The long term key message is of another version");
  CAS_TRY_ASSIGN(const std::uint8_t addressing, reader.u8());
  if (addressing > 1) return fail(ErrorKind::unsupported, "The long term key message is addressed in an unknown way");
  CAS_TRY_ASSIGN(ltkm.bsm, reader.u32());
  if (addressing == 1) {
    CAS_TRY_ASSIGN(ltkm.device_id, reader.u64());
  }
  if (ltkm.bsm != bsm || ltkm.device_id != recipient.device_id) {
    return fail(ErrorKind::not_found, "The long term key message is for others");
  }
  CAS_TRY_ASSIGN(const Bytes mac, mac_of(recipient.key, message.first(message.size() - drm_ltkm_mac_size)));
  if (!crypto::constant_time_equal(mac, message.last(drm_ltkm_mac_size))) {
    return fail(ErrorKind::authentication_failed, "The MAC of a long term key message does not verify");
  }
  CAS_TRY_ASSIGN(ltkm.issue, reader.u64());
  CAS_TRY_ASSIGN(const std::size_t count, reader.u8());
  if (count == 0 || count > max_ltkm_keys) {
    return fail(ErrorKind::malformed, "A long term key message carries 1 to 16 keys");
  }
  CAS_TRY_ASSIGN(const SecretBytes wrapping_key, derived(recipient.key, "OMA BCAST LTKM wrap"));
  for (std::size_t i = 0; i < count; ++i) {
    CAS_TRY_ASSIGN(ServiceKey key, read_key(reader, wrapping_key));
    ltkm.keys.push_back(std::move(key));
  }
  CAS_TRY(reader.expect_end("The long term key message"));
  return ltkm;
}

}  // namespace cas::simulcrypt::bcast
