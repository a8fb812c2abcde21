// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

#include "base/error.hpp"
#include "base/secret.hpp"
#include "crypto/digest.hpp"

namespace cas::dcas {

// Sizes that the paper gives (IV.1.B, tables 2 and 3), and that of RANDHMAC, which it leaves open.
inline constexpr std::size_t device_key_size = 16;                    ///< Ki
inline constexpr std::size_t device_keys_size = 3 * device_key_size;  ///< K1 || K2 || K3
inline constexpr std::size_t rand_size = 40;
inline constexpr std::size_t kpk_size = 20;
inline constexpr std::size_t cwek_size = 16;
inline constexpr std::size_t hmac_key_size = 20;
inline constexpr std::size_t rand_hmac_size = 20;
inline constexpr std::size_t confirmation_size = 2 * crypto::sha256_size;

/// Table 2: KPK = PRF(H(K1 || K2 || K3 || SM_ID || TP_ID || RAND)) msb(160). It may be all 0xFF, which is no key: draw
/// another RAND then. ErrorKind::invalid_argument for other sizes.
[[nodiscard]] Result<SecretBytes> derive_kpk(const SecretBytes& device_keys, std::string_view sm, std::string_view tp,
                                             const SecretBytes& rand);

/// A KPK that says that the pair is refused: all bytes 0xFF (IV.2.B, step 3).
[[nodiscard]] SecretBytes refusal_kpk();
[[nodiscard]] bool is_refusal(const SecretBytes& kpk);

/// What control words go from SM to TP under.
struct ControlWordKeys {
  SecretBytes cwek;
  SecretBytes hmac_key;
  /// H(CWEK) || H(HMAC_KEY), by which the TP shows that it has the same keys.
  [[nodiscard]] Result<SecretBytes> confirmation() const;
};

/// What both sides know when they make the keys.
struct KeyInputs {
  std::string_view sm, tp;
  const SecretBytes& kpk;
  const SecretBytes& rand_hmac;
};

/// Table 3: CWEK = H(KPK || SM_ID || TP_ID) msb(128), HMAC_KEY = H(RANDHMAC || SM_ID || TP_ID) msb(160).
[[nodiscard]] Result<ControlWordKeys> derive_paper_keys(const KeyInputs& inputs);

/// The extended suite, with HKDF-SHA-256 (RFC 5869), the digest of the messages so far as its salt:
///
///   CWEK     = HKDF(Z || KPK, salt, "DCAS CWEK 2" || SM_ID || TP_ID)          16 bytes
///   HMAC_KEY = HKDF(Z || RANDHMAC, salt, "DCAS HMAC_KEY 2" || SM_ID || TP_ID) 20 bytes
///
/// Z is the value that SM and TP share by ephemeral Diffie-Hellman.
[[nodiscard]] Result<ControlWordKeys> derive_extended_keys(const KeyInputs& inputs, const SecretBytes& shared,
                                                           const crypto::Sha256Digest& transcript);

}  // namespace cas::dcas
