// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <span>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"
#include "crypto/aes.hpp"

namespace cas::crypto {

class CbcBatchEngine;

/// The longest message of a batch, in bytes: what libipsec-mb can count.
inline constexpr std::size_t cbc_batch_max_message = 65'520;

/// One message of a batch.
struct CbcMessage {
  std::uint8_t* data;      ///< Worked on in place. Apart from every other message, and from every IV, of its batch.
  std::size_t size;        ///< In bytes: whole blocks, up to cbc_batch_max_message; nothing is done with 0.
  const std::uint8_t* iv;  ///< aes_block_size bytes, which are only read; several messages may share them.
};

/// AES-128-CBC (NIST SP 800-38A, 6.2) without padding, on many short messages at once under one key. Within a message,
/// each block that is encrypted waits for the one before; several messages side by side are what keeps a processor
/// busy. No allocation after `create`. One thread at a time.
class AesCbcBatch {
 public:
  /// `key` has 16 bytes.
  [[nodiscard]] static Result<AesCbcBatch> create(const SecretBytes& key, Workload workload = Workload::bulk);
  ~AesCbcBatch();
  AesCbcBatch(AesCbcBatch&&) noexcept;
  AesCbcBatch& operator=(AesCbcBatch&&) noexcept;

  /// Another key of 16 bytes for the batches that follow. ErrorKind::invalid_argument for another size: then the key
  /// stays as it is.
  [[nodiscard]] Status set_key(const SecretBytes& key);

  /// Any number of messages. ErrorKind::invalid_argument when one has not whole blocks, or is too long: then nothing
  /// has been changed.
  [[nodiscard]] Status encrypt(std::span<const CbcMessage> messages);
  /// The reverse, with the same errors.
  [[nodiscard]] Status decrypt(std::span<const CbcMessage> messages);

 private:
  explicit AesCbcBatch(std::unique_ptr<CbcBatchEngine> engine);
  std::unique_ptr<CbcBatchEngine> engine_;
};

}  // namespace cas::crypto
