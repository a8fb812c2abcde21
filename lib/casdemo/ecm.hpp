// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <span>

#include "base/clock.hpp"
#include "base/secret.hpp"
#include "casdemo/access_criteria.hpp"
#include "casdemo/nonce_sequence.hpp"
#include "crypto/aes.hpp"

namespace cas::casdemo {

// ECMs of the demonstration system (docs/formats/casdemo.md): a CA section of at most 133 bytes. Big-endian.
//
//    0   3  section header; table_id 80 when the crypto-period is even, 81 when it is odd
//    3   1  version, 1
//    4   1  n, number of control words, 1 to 4
//    5   1  s, size of each, 8 or 16
//    6   2  number of the crypto-period that the ECM is of
//    8   2  number of the crypto-period of the first word; the others are of those that follow, modulo 65,536
//   10   8  time at the head-end, in seconds since 1970
//   18   2  id of the entitlement key
//   20   1  a, size of the access criteria, 4 to 20
//   21   a  access criteria; they name the product
//       12  nonce
//      n*s  the words, encrypted
//       16  tag
//
// AES-128-GCM under the entitlement key; all that stands before the words is associated data.

/// Tells the keys of a product apart. Key ids of consecutive keys are consecutive: a receiver has one even and one odd.
using KeyId = std::uint16_t;

inline constexpr std::size_t entitlement_key_size = 16;
inline constexpr std::size_t max_ecm_words = 4;
inline constexpr std::size_t max_control_word_size = 16;
inline constexpr std::size_t max_ecm_size = 133;
inline constexpr std::uint8_t ecm_table_id_even = 0x80;
inline constexpr std::uint8_t ecm_table_id_odd = 0x81;

struct EcmRequest {
  std::uint16_t crypto_period = 0;
  std::uint16_t first_word = 0;     ///< The crypto-period of words[0].
  std::span<const ByteView> words;  ///< 1 to 4, all of 8 bytes or all of 16; secrets of the caller.
  UnixSeconds time = 0;             ///< From 1970 on.
};

/// Makes the ECMs under one entitlement key. No allocation after it is made. One thread at a time.
class EcmWriter {
 public:
  /// `key` has 16 bytes. Keeps `random`. ErrorKind::invalid_argument; else as `random` fails.
  [[nodiscard]] static Result<EcmWriter> create(ProductId product, KeyId key_id, const SecretBytes& key,
                                                Random& random);

  /// Writes an ECM to the start of `out`, and gives its size; `out` has max_ecm_size bytes.
  /// ErrorKind::invalid_argument for words of another number or size, another product, or a time before 1970.
  [[nodiscard]] Result<std::size_t> write(const EcmRequest& request, const AccessCriteria& criteria,
                                          std::span<std::uint8_t, max_ecm_size> out);

  [[nodiscard]] ProductId product() const { return product_; }
  [[nodiscard]] KeyId key_id() const { return key_id_; }

 private:
  EcmWriter(ProductId product, KeyId key_id, crypto::AesGcm cipher, NonceSequence nonces)
      : product_(product), key_id_(key_id), cipher_(std::move(cipher)), nonces_(std::move(nonces)) {}

  ProductId product_;
  KeyId key_id_;
  crypto::AesGcm cipher_;
  NonceSequence nonces_;
};

/// What anybody can see of an ECM. Nothing of it is authenticated before open_ecm_words. Views into the section.
struct EcmView {
  std::uint16_t crypto_period = 0;
  std::uint16_t first_word = 0;
  std::size_t word_size = 0;
  std::size_t words = 0;
  UnixSeconds time = 0;
  KeyId key_id = 0;
  AccessCriteria criteria{0};
  ByteView associated;
  std::span<const std::uint8_t, crypto::gcm_nonce_size> nonce;
  ByteView cipher_text;
  std::span<const std::uint8_t, crypto::gcm_tag_size> tag;

  /// ErrorKind::truncated, malformed; unsupported for another version.
  [[nodiscard]] static Result<EcmView> parse(ByteView section);
};

/// The words one after the other. ErrorKind::authentication_failed when `key` is not the one it was made under, or the
/// ECM was changed; invalid_argument when `key` has not 16 bytes.
[[nodiscard]] Result<SecretBytes> open_ecm_words(const EcmView& ecm, const SecretBytes& key);

}  // namespace cas::casdemo
