// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"

namespace cas::crypto {

/// HKDF with SHA-256 (RFC 5869), extract and expand; `size` up to 8,160 bytes, `info` up to 1,024.
/// `input_key` is not empty.
[[nodiscard]] Result<SecretBytes> hkdf_sha256(ByteView input_key, ByteView salt, ByteView info, std::size_t size);

/// The same for many keys from one input key: extract once, expand for each `info`. Usable by several threads at once.
class HkdfSha256 {
 public:
  [[nodiscard]] static Result<HkdfSha256> create(ByteView input_key, ByteView salt);
  [[nodiscard]] Result<SecretBytes> expand(ByteView info, std::size_t size) const;

 private:
  explicit HkdfSha256(SecretBytes pseudorandom_key) : pseudorandom_key_(std::move(pseudorandom_key)) {}
  SecretBytes pseudorandom_key_;
};

/// NIST SP 800-108 in counter mode with AES-CMAC as the PRF: 32-bit counter, label, zero byte, context, 32-bit length
/// in bits. `key` has 16, 24 or 32 bytes. `size` up to 65,536 bytes.
/// A card that has AES and nothing else can do it.
[[nodiscard]] Result<SecretBytes> kbkdf_cmac(const SecretBytes& key, std::string_view label, ByteView context,
                                             std::size_t size);

/// What a pass phrase costs to guess: scrypt (RFC 7914) parameters; memory is 128 * n * r bytes.
struct ScryptCost {
  std::uint64_t n = 1U << 15;
  std::uint32_t r = 8;
  std::uint32_t p = 1;
};

/// A key of up to 1,024 bytes from a pass phrase. Costs of more than 256 MiB, r > 1024 or p > 16 are refused: they
/// come from files.
[[nodiscard]] Result<SecretBytes> scrypt(const SecretBytes& pass_phrase, ByteView salt, const ScryptCost& cost,
                                         std::size_t size);

}  // namespace cas::crypto
