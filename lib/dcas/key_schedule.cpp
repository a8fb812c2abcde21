// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/key_schedule.hpp"

#include <algorithm>

#include "crypto/fips186_prf.hpp"
#include "crypto/kdf.hpp"
#include "dcas/identity.hpp"

namespace cas::dcas {

namespace {

constexpr std::uint8_t refusal_byte = 0xff;

/// H(parts) msb(8 * size): the digest's first bytes.
Result<SecretBytes> hash_to(std::size_t size, std::initializer_list<ByteView> parts) {
  CAS_TRY_ASSIGN(crypto::Sha256Digest digest, crypto::sha256(parts));
  SecretBytes out = SecretBytes::copy_of(ByteView(digest).first(size));
  cleanse(digest);
  return out;
}

SecretBytes joined(const SecretBytes& a, const SecretBytes& b) {
  SecretBytes out(a.size() + b.size());
  std::ranges::copy(a.reveal(), out.reveal_mutable().begin());
  std::ranges::copy(b.reveal(), out.reveal_mutable().subspan(a.size()).begin());
  return out;
}

Status check_sizes(const KeyInputs& inputs) {
  if (inputs.kpk.size() != kpk_size || inputs.rand_hmac.size() != rand_hmac_size)
    return fail(ErrorKind::malformed, "KPK and RANDHMAC have 20 bytes each");
  return {};
}

Result<SecretBytes> expand(const SecretBytes& input, const crypto::Sha256Digest& salt, std::string_view label,
                           ByteView ids, std::size_t size) {
  Bytes info = copy_of(as_bytes(label));
  append(info, ids);
  return crypto::hkdf_sha256(input.reveal(), salt, info, size);
}

}  // namespace

Result<SecretBytes> derive_kpk(const SecretBytes& device_keys, std::string_view sm, std::string_view tp,
                               const SecretBytes& rand) {
  if (device_keys.size() != device_keys_size || rand.size() != rand_size)
    return fail(ErrorKind::invalid_argument, "a KPK is made of three keys of 16 bytes and of 40 random bytes");
  CAS_TRY_ASSIGN(const SecretBytes seed,
                 hash_to(crypto::sha256_size, {device_keys.reveal(), key_pairing_id(sm, tp), rand.reveal()}));
  return crypto::fips186_prf(seed, kpk_size);
}

SecretBytes refusal_kpk() {
  SecretBytes kpk(kpk_size);
  std::ranges::fill(kpk.reveal_mutable(), refusal_byte);
  return kpk;
}

bool is_refusal(const SecretBytes& kpk) {
  return std::ranges::all_of(kpk.reveal(), [](std::uint8_t byte) { return byte == refusal_byte; });
}

Result<SecretBytes> ControlWordKeys::confirmation() const {
  CAS_TRY_ASSIGN(const SecretBytes of_cwek, hash_to(crypto::sha256_size, {cwek.reveal()}));
  CAS_TRY_ASSIGN(const SecretBytes of_hmac_key, hash_to(crypto::sha256_size, {hmac_key.reveal()}));
  return joined(of_cwek, of_hmac_key);
}

Result<ControlWordKeys> derive_paper_keys(const KeyInputs& inputs) {
  CAS_TRY(check_sizes(inputs));
  const Bytes ids = key_pairing_id(inputs.sm, inputs.tp);
  ControlWordKeys keys;
  CAS_TRY_ASSIGN(keys.cwek, hash_to(cwek_size, {inputs.kpk.reveal(), ids}));
  CAS_TRY_ASSIGN(keys.hmac_key, hash_to(hmac_key_size, {inputs.rand_hmac.reveal(), ids}));
  return keys;
}

Result<ControlWordKeys> derive_extended_keys(const KeyInputs& inputs, const SecretBytes& shared,
                                             const crypto::Sha256Digest& transcript) {
  CAS_TRY(check_sizes(inputs));
  const Bytes ids = key_pairing_id(inputs.sm, inputs.tp);
  ControlWordKeys keys;
  CAS_TRY_ASSIGN(keys.cwek, expand(joined(shared, inputs.kpk), transcript, "DCAS CWEK 2", ids, cwek_size));
  CAS_TRY_ASSIGN(keys.hmac_key,
                 expand(joined(shared, inputs.rand_hmac), transcript, "DCAS HMAC_KEY 2", ids, hmac_key_size));
  return keys;
}

}  // namespace cas::dcas
