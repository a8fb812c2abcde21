// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cas {

/// Bytes that are nobody's secret. Secrets live in SecretBytes.
using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;
using MutableByteView = std::span<std::uint8_t>;

/// The bytes of a text, without a terminating zero.
[[nodiscard]] inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// The text whose bytes are `bytes`; nothing is checked for being UTF-8.
[[nodiscard]] inline std::string as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

[[nodiscard]] inline Bytes copy_of(ByteView bytes) { return {bytes.begin(), bytes.end()}; }

/// Not inline: g++ 12 at -O3 then sees overflows where there are none.
void append(Bytes& to, ByteView bytes);

/// Compares public bytes; for secrets see crypto::constant_time_equal.
[[nodiscard]] bool equal(ByteView a, ByteView b);

/// Lower-case hexadecimal without separators.
[[nodiscard]] std::string to_hex(ByteView bytes);

}  // namespace cas
