// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to crypto/, not installed: what AesGcm, AesCtr and AesCbcBatch ask of a library that computes them.

#include <array>
#include <memory>
#include <span>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"
#include "crypto/aes.hpp"
#include "crypto/aes_cbc_batch.hpp"

namespace cas::crypto {

enum class Direction : int { decrypt = 0, encrypt = 1 };

using CounterBlock = std::array<std::uint8_t, aes_block_size>;

/// `counter` + `blocks` modulo 2^128, big-endian (SP 800-38A, B.1).
[[nodiscard]] inline CounterBlock counter_after(CounterBlock counter, std::uint64_t blocks) {
  unsigned carry = 0;
  for (std::size_t i = counter.size(); i-- > 0;) {
    const unsigned sum = counter[i] + static_cast<unsigned>(blocks & 0xffU) + carry;
    counter[i] = static_cast<std::uint8_t>(sum);
    carry = sum >> 8;
    blocks >>= 8;
  }
  return counter;
}

/// AES-GCM under one key, a message at a time: begin, feed as often as needed, then one of give_tag and check_tag.
/// Sizes and overlaps have been checked by the caller.
class GcmEngine {
 public:
  virtual ~GcmEngine() = default;
  [[nodiscard]] virtual Status begin(Direction direction, std::span<const std::uint8_t, gcm_nonce_size> nonce,
                                     ByteView associated) = 0;
  [[nodiscard]] virtual Status feed(ByteView in, std::uint8_t* out) = 0;
  /// Ends a message that was encrypted.
  [[nodiscard]] virtual Status give_tag(std::span<std::uint8_t, gcm_tag_size> tag) = 0;
  /// Ends a message that was decrypted: whether `tag` is its tag.
  [[nodiscard]] virtual bool check_tag(std::span<const std::uint8_t, gcm_tag_size> tag) = 0;
};

/// The key stream of AES-CTR under one key.
class CtrEngine {
 public:
  virtual ~CtrEngine() = default;
  /// Goes to byte `inside` (0 to 15) of the block whose counter block is `counter`.
  [[nodiscard]] virtual Status seek(const CounterBlock& counter, std::size_t inside) = 0;
  /// Adds the key stream and moves on.
  [[nodiscard]] virtual Status apply(ByteView in, std::uint8_t* out) = 0;
};

/// AES-128-CBC on batches. The caller has checked the sizes, and sets a key before the first batch.
class CbcBatchEngine {
 public:
  virtual ~CbcBatchEngine() = default;
  /// `key` has 16 bytes.
  [[nodiscard]] virtual Status set_key(const SecretBytes& key) = 0;
  [[nodiscard]] virtual Status run(Direction direction, std::span<const CbcMessage> messages) = 0;
};

// OpenSSL: everywhere, and best for single messages. A key has 16 or 32 bytes.
[[nodiscard]] Result<std::unique_ptr<GcmEngine>> make_openssl_gcm(const SecretBytes& key);
[[nodiscard]] Result<std::unique_ptr<CtrEngine>> make_openssl_ctr(const SecretBytes& key);
[[nodiscard]] Result<std::unique_ptr<CbcBatchEngine>> make_openssl_cbc_batch();

// libipsec-mb: nothing where it is not built in, or is no faster than OpenSSL: GCM and CTR take vector AES (VAES and
// VPCLMULQDQ with AVX-512), batches of CBC any AES instructions.
[[nodiscard]] std::unique_ptr<GcmEngine> make_ipsec_mb_gcm(const SecretBytes& key);
[[nodiscard]] std::unique_ptr<CtrEngine> make_ipsec_mb_ctr(const SecretBytes& key);
[[nodiscard]] std::unique_ptr<CbcBatchEngine> make_ipsec_mb_cbc_batch();

}  // namespace cas::crypto
