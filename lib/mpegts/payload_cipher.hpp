// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to mpegts/, not installed: what TsScrambler and TsDescrambler ask of a cipher.

#include <memory>
#include <span>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"
#include "mpegts/ts_cipher.hpp"

namespace cas::mpegts {

/// Enciphers and deciphers payloads in place under two control words. The callers see to it that sizes are right, that
/// a word was set, and that no payload overlaps another.
class PayloadCipher {
 public:
  virtual ~PayloadCipher() = default;
  /// Size of a control word in bytes.
  [[nodiscard]] virtual std::size_t word_size() const = 0;
  /// What is shorter, in bytes, stays clear.
  [[nodiscard]] virtual std::size_t min_payload() const = 0;
  /// The most payloads that a call takes; best, when it is just so many.
  [[nodiscard]] virtual std::size_t batch_size() const = 0;
  /// `word` has word_size bytes.
  [[nodiscard]] virtual Status set_word(Parity parity, const SecretBytes& word) = 0;
  /// Payloads of min_payload to 184 bytes, one to batch_size.
  [[nodiscard]] virtual Status encipher(std::span<const MutableByteView> payloads, Parity parity) = 0;
  [[nodiscard]] virtual Status decipher(std::span<const MutableByteView> payloads, Parity parity) = 0;
};

using Iv = std::array<std::uint8_t, crypto::aes_block_size>;

/// AES-128-CBC over the whole blocks; the residue stays clear.
[[nodiscard]] Result<std::unique_ptr<PayloadCipher>> make_aes_cbc_payload_cipher(const Iv& iv,
                                                                                 crypto::Workload workload);
/// AES-128-CTR with the residue, from the counter block `iv` in each packet. ErrorKind::invalid_argument for a counter
/// that TsCipherOptions::iv excludes.
[[nodiscard]] Result<std::unique_ptr<PayloadCipher>> make_aes_ctr_payload_cipher(const Iv& iv,
                                                                                 crypto::Workload workload);
/// DVB-CSA2. ErrorKind::unsupported where libdvbcsa is not built in.
[[nodiscard]] Result<std::unique_ptr<PayloadCipher>> make_csa2_payload_cipher();

}  // namespace cas::mpegts
