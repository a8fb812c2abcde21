// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <initializer_list>

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

}  // namespace cas::crypto
