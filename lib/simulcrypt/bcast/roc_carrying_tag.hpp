// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to bcast/, not installed.

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "crypto/mac.hpp"
#include "simulcrypt/bcast/tek.hpp"

namespace cas::simulcrypt::bcast {

inline constexpr std::size_t srtp_tag_size = 10;
inline constexpr std::size_t roc_size = 4;

/// The session authentication key of SRTP with AES-CM (RFC 3711, 4.3.1, label 1; no key derivation rate).
[[nodiscard]] Result<SecretBytes> srtp_authentication_key(ByteView master_key, ByteView master_salt);

/// The authentication tag that carries the ROC (RFC 4771, 2): ROC, then 6 bytes of the MAC. libsrtp knows the tag of
/// RFC 3711 alone, 10 bytes of the same MAC: these turn one into the other.
class RocCarryingTag {
 public:
  /// For the packets of one TEK.
  [[nodiscard]] static Result<RocCarryingTag> create(const Tek& tek);

  /// The tag of RFC 3711 that libsrtp wrote becomes one that carries `roc`.
  static void put(std::span<std::uint8_t, srtp_tag_size> tag, std::uint32_t roc);
  [[nodiscard]] static std::uint32_t roc_of(std::span<const std::uint8_t, srtp_tag_size> tag);
  /// Verifies the tag over `authenticated`, which is the packet before its MKI, and turns it into that of RFC 3711.
  /// False: it does not verify.
  [[nodiscard]] bool take(ByteView authenticated, std::span<std::uint8_t, srtp_tag_size> tag);

 private:
  explicit RocCarryingTag(crypto::HmacSha1 mac) : mac_(std::move(mac)) {}
  crypto::HmacSha1 mac_;
};

}  // namespace cas::simulcrypt::bcast
