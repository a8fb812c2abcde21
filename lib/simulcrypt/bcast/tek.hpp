// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"

namespace cas::simulcrypt::bcast {

/// What protects the traffic of an IP service (traffic_protection_protocol). The data plane of SRTP is here
/// (srtp_protection.hpp); of the others parameters and key messages are.
enum class TrafficProtection : std::uint8_t { ipsec = 0, srtp = 1, ismacryp = 2 };

/// The crypto suite of SRTP; the service's SDP says which.
enum class SrtpSuite : std::uint8_t {
  aes_cm_128_hmac_sha1_80,  ///< RFC 3711, RFC 4568, 6.2.1.
  aead_aes_128_gcm,         ///< RFC 7714.
};

inline constexpr std::size_t tek_key_size = 16;  ///< AES-128, in all of them.

/// How many bytes of a TEK follow its 16 bytes of key: SRTP's master salt (14; 12 with AES-GCM), ISMACryp's salt (8),
/// or IPsec's authentication key (20, HMAC-SHA-1-96).
[[nodiscard]] constexpr std::size_t tek_rest_size(TrafficProtection protection, SrtpSuite suite) {
  switch (protection) {
    case TrafficProtection::ipsec: return 20;
    case TrafficProtection::ismacryp: return 8;
    case TrafficProtection::srtp: return suite == SrtpSuite::aead_aes_128_gcm ? 12 : 14;
  }
  return 0;
}

/// The size of a traffic encryption key as the control word of CP_CW_combination carries it: key, then the rest.
[[nodiscard]] constexpr std::size_t tek_size(TrafficProtection protection, SrtpSuite suite) {
  return tek_key_size + tek_rest_size(protection, suite);
}
inline constexpr std::size_t max_tek_size = 64;

/// A traffic encryption key of one crypto-period. Its TEK id is the CP_number, which scrambler and generators know
/// alike: SRTP's MKI is the TEK id (2 bytes), ISMACryp's key indicator too, IPsec's SPI is 0x00010000 plus the TEK id
/// (RFC 4303, 2.1: 0 to 255 are reserved).
struct Tek {
  std::uint16_t id = 0;
  SecretBytes material;
};

inline constexpr std::uint32_t first_spi = 0x00010000;
[[nodiscard]] constexpr std::uint32_t spi_of(std::uint16_t tek_id) { return first_spi + tek_id; }

/// Whether TEK `a` is of a later period than `b`, in the arithmetic of serial numbers (RFC 1982) modulo 65,536.
[[nodiscard]] constexpr bool is_later_tek(std::uint16_t a, std::uint16_t b) {
  return a != b && static_cast<std::uint16_t>(a - b) < 0x8000;
}

/// Control words under a key that both ends of ECMG <-> SCS hold (CW_encryption, TS 103 197, 5.5.7, whose form is left
/// to the user). Our parameter: algorithm (1 byte, 1: AES-128-GCM), key number (1), nonce (12). Each word of the
/// CW_provision is followed by a tag of 16 bytes; its nonce is the parameter's with the number of its crypto-period
/// added (XOR) to the last two bytes, and the parameter and that number are under the tag.
class CwEncryption {
 public:
  static constexpr std::size_t parameter_size = 14;
  static constexpr std::size_t overhead = 16;  ///< What a word grows by.

  /// `key` has 16 bytes.
  [[nodiscard]] static Result<CwEncryption> create(SecretBytes key, std::uint8_t key_number);

  /// A CW_encryption for one CW_provision, which no other one may use.
  [[nodiscard]] Result<Bytes> new_parameter(Random& random) const;
  [[nodiscard]] Result<SecretBytes> seal(ByteView parameter, std::uint16_t cp_number, ByteView word) const;
  /// ErrorKind::unsupported: another algorithm or key; malformed; authentication_failed.
  [[nodiscard]] Result<SecretBytes> open(ByteView parameter, std::uint16_t cp_number, ByteView sealed) const;

 private:
  CwEncryption(SecretBytes key, std::uint8_t key_number) : key_(std::move(key)), key_number_(key_number) {}
  [[nodiscard]] Status check_parameter(ByteView parameter) const;

  SecretBytes key_;
  std::uint8_t key_number_;
};

}  // namespace cas::simulcrypt::bcast
