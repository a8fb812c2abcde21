// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <memory>
#include <span>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"

namespace cas::crypto {

inline constexpr std::size_t aes_block_size = 16;
inline constexpr std::size_t gcm_nonce_size = 12;
inline constexpr std::size_t gcm_tag_size = 16;

class CtrEngine;
class GcmEngine;

/// What a cipher is made for.
enum class Workload {
  messages,  ///< Single messages: made cheaply. OpenSSL computes them.
  bulk,      ///< Content: by the fastest of the libraries on this processor, chosen when the cipher is made.
};

/// AES-GCM (NIST SP 800-38D) with 96-bit nonces and 128-bit tags. Keeps its key schedule between messages: made for
/// many messages under one key, with no allocation in seal and open. The caller never gives a nonce twice for sealing.
/// One thread at a time.
class AesGcm {
 public:
  /// `key` has 16 or 32 bytes.
  [[nodiscard]] static Result<AesGcm> create(const SecretBytes& key, Workload workload = Workload::messages);
  ~AesGcm();
  AesGcm(AesGcm&&) noexcept;
  AesGcm& operator=(AesGcm&&) noexcept;

  /// Encrypts the pieces one after the other into `cipher_text`, which has exactly their size together, and writes the
  /// tag. A single piece may be `cipher_text` itself (in place); any other overlap is refused with
  /// ErrorKind::invalid_argument, as is an output of another size.
  [[nodiscard]] Status seal(std::span<const std::uint8_t, gcm_nonce_size> nonce, ByteView associated,
                            std::span<const ByteView> plain, MutableByteView cipher_text,
                            std::span<std::uint8_t, gcm_tag_size> tag);
  /// The reverse. Nothing in `plain` may be used before this succeeds; on ErrorKind::authentication_failed it has been
  /// cleansed.
  [[nodiscard]] Status open(std::span<const std::uint8_t, gcm_nonce_size> nonce, ByteView associated,
                            std::span<const ByteView> cipher_text, std::span<const std::uint8_t, gcm_tag_size> tag,
                            MutableByteView plain);

 private:
  explicit AesGcm(std::unique_ptr<GcmEngine> engine);
  std::unique_ptr<GcmEngine> engine_;
};

/// AES-CTR (NIST SP 800-38A): a key stream that can be entered at any byte. One thread at a time.
class AesCtr {
 public:
  /// `key` has 16 or 32 bytes; `initial_counter` is the counter block of byte 0.
  [[nodiscard]] static Result<AesCtr> create(const SecretBytes& key,
                                             std::span<const std::uint8_t, aes_block_size> initial_counter,
                                             Workload workload = Workload::messages);
  ~AesCtr();
  AesCtr(AesCtr&&) noexcept;
  AesCtr& operator=(AesCtr&&) noexcept;

  /// Goes to byte `position` of the key stream; the counter block is initial + position / 16 modulo 2^128.
  [[nodiscard]] Status seek(std::uint64_t position);
  /// Encrypts or decrypts and moves on. `out` has the size of `in`, and may be the same memory.
  [[nodiscard]] Status apply(ByteView in, MutableByteView out);

 private:
  AesCtr(std::unique_ptr<CtrEngine> engine, std::span<const std::uint8_t, aes_block_size> initial_counter);
  std::unique_ptr<CtrEngine> engine_;
  std::array<std::uint8_t, aes_block_size> initial_counter_{};
};

/// AES-CBC without padding, for whole blocks. `key` has 16 or 32 bytes.
[[nodiscard]] Result<Bytes> aes_cbc_encrypt(const SecretBytes& key, std::span<const std::uint8_t, aes_block_size> iv,
                                            ByteView plain);
[[nodiscard]] Result<SecretBytes> aes_cbc_decrypt(const SecretBytes& key,
                                                  std::span<const std::uint8_t, aes_block_size> iv,
                                                  ByteView cipher_text);

/// The block cipher itself (FIPS 197) on one block, for keys that are derived from others: the result is a secret.
/// `key` has 16 or 32 bytes.
[[nodiscard]] Result<SecretBytes> aes_encrypt_block(const SecretBytes& key,
                                                    std::span<const std::uint8_t, aes_block_size> block);

/// AES key wrap with the default initial value (RFC 3394, 2.2.1): `secret` of 16 to 4,096 bytes, a multiple of 8,
/// becomes 8 bytes longer. `key` has 32 bytes. Sizes that cannot be are ErrorKind::invalid_argument.
inline constexpr std::size_t key_wrap_overhead = 8;
[[nodiscard]] Result<Bytes> aes_key_wrap(const SecretBytes& key, const SecretBytes& secret);
/// The reverse (RFC 3394, 2.2.2). ErrorKind::authentication_failed when it was wrapped under another key, or changed.
[[nodiscard]] Result<SecretBytes> aes_key_unwrap(const SecretBytes& key, ByteView wrapped);

}  // namespace cas::crypto
