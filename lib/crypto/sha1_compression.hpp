// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <span>

#include "base/bytes.hpp"

namespace cas::crypto {

/// Internal to crypto/, not installed. SHA-1's compression function (FIPS 180-4, 6.1.2) on its initial value and one
/// block, which is G(t, block) of FIPS 186-2, appendix 3.3: no padding, no length. False if OpenSSL gives none.
[[nodiscard]] bool sha1_compress(std::span<const std::uint8_t, 64> block, std::span<std::uint8_t, 20> out);

}  // namespace cas::crypto
