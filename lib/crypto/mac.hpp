// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <initializer_list>
#include <memory>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"

namespace cas::crypto {

inline constexpr std::size_t cmac_size = 16;
using Cmac = std::array<std::uint8_t, cmac_size>;

/// AES-CMAC (NIST SP 800-38B, RFC 4493) over the parts one after the other. `key` has 16, 24 or 32 bytes.
[[nodiscard]] Result<Cmac> aes_cmac(const SecretBytes& key, std::initializer_list<ByteView> parts);

/// HMAC-SHA-256 (RFC 2104) over the parts one after the other.
[[nodiscard]] Result<std::array<std::uint8_t, 32>> hmac_sha256(const SecretBytes& key,
                                                               std::initializer_list<ByteView> parts);

/// HMAC-SHA-512 (RFC 2104) over the parts one after the other.
[[nodiscard]] Result<std::array<std::uint8_t, 64>> hmac_sha512(const SecretBytes& key,
                                                               std::initializer_list<ByteView> parts);

inline constexpr std::size_t sha1_size = 20;

/// HMAC-SHA-1 (RFC 2104) over the parts one after the other, for protocols that have no other: MIKEY (RFC 3830, 4.2.4)
/// and SRTP (RFC 3711, 4.2.1). What is ours uses hmac_sha256.
[[nodiscard]] Result<std::array<std::uint8_t, sha1_size>> hmac_sha1(const SecretBytes& key,
                                                                    std::initializer_list<ByteView> parts);

/// The same for many messages under one key, which is set up once. One thread at a time.
class HmacSha1 {
 public:
  [[nodiscard]] static Result<HmacSha1> create(const SecretBytes& key);
  ~HmacSha1();
  HmacSha1(HmacSha1&&) noexcept;
  HmacSha1& operator=(HmacSha1&&) noexcept;

  [[nodiscard]] Result<std::array<std::uint8_t, sha1_size>> compute(std::initializer_list<ByteView> parts);

 private:
  struct State;
  explicit HmacSha1(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cas::crypto
