// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/roc_carrying_tag.hpp"

#include <algorithm>

#include "base/reader.hpp"
#include "crypto/aes.hpp"
#include "crypto/constant_time.hpp"

namespace cas::simulcrypt::bcast {

// RFC 3711, 4.3.1 and 4.3.3: the key stream of AES-CM under the master key, with the label added to the master salt
// seven bytes from its end, and 16 bits of counter behind.
Result<SecretBytes> srtp_authentication_key(ByteView master_key, ByteView master_salt) {
  constexpr std::uint8_t label = 1;
  constexpr std::size_t salt_size = 14;
  if (master_key.size() != tek_key_size || master_salt.size() != salt_size) {
    return fail(ErrorKind::invalid_argument, "SRTP's master key has 16 bytes, and 14 of salt");
  }
  std::array<std::uint8_t, crypto::aes_block_size> counter{};
  std::ranges::copy(master_salt, counter.begin());
  counter[salt_size - 7] ^= label;
  CAS_TRY_ASSIGN(auto cipher, crypto::AesCtr::create(SecretBytes::copy_of(master_key), counter));
  SecretBytes key(crypto::sha1_size);
  CAS_TRY(cipher.apply(key.reveal(), key.reveal_mutable()));
  return key;
}

Result<RocCarryingTag> RocCarryingTag::create(const Tek& tek) {
  const ByteView material = tek.material.reveal();
  if (material.size() <= tek_key_size) return fail(ErrorKind::invalid_argument, "A TEK has more than 16 bytes");
  CAS_TRY_ASSIGN(const SecretBytes key,
                 srtp_authentication_key(material.first(tek_key_size), material.subspan(tek_key_size)));
  CAS_TRY_ASSIGN(crypto::HmacSha1 mac, crypto::HmacSha1::create(key));
  return RocCarryingTag(std::move(mac));
}

void RocCarryingTag::put(std::span<std::uint8_t, srtp_tag_size> tag, std::uint32_t roc) {
  std::copy_backward(tag.begin(), tag.end() - roc_size, tag.end());
  for (std::size_t i = 0; i < roc_size; ++i) tag[i] = static_cast<std::uint8_t>(roc >> (24 - 8 * i));
}

std::uint32_t RocCarryingTag::roc_of(std::span<const std::uint8_t, srtp_tag_size> tag) {
  return ByteReader(tag).u32().value_or(0);
}

bool RocCarryingTag::take(ByteView authenticated, std::span<std::uint8_t, srtp_tag_size> tag) {
  const auto mac = mac_.compute({authenticated, tag.first<roc_size>()});
  if (!mac) return false;
  const ByteView whole(*mac);
  if (!crypto::constant_time_equal(whole.first(srtp_tag_size - roc_size), tag.subspan<roc_size>())) return false;
  std::ranges::copy(whole.first(srtp_tag_size), tag.begin());
  return true;
}

}  // namespace cas::simulcrypt::bcast
