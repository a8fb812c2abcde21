// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace cas::smartpro {

/// The id of a key as key servers and packagers give it (ISO/IEC 23001-7: KID), a UUID.
using KeyId = std::array<std::uint8_t, 16>;
/// 36 letters: lower case, hyphens.
[[nodiscard]] std::string key_id_text(const KeyId& id);
/// ErrorKind::malformed: not 32 hexadecimal digits of either case with hyphens as a UUID has them.
[[nodiscard]] Result<KeyId> parse_key_id(std::string_view text);

inline constexpr std::size_t max_key_content_id_size = 256;

/// Which key of a key server scrambles a content: for devices that ask for it there, under another DRM or CA system.
/// What the content carries has to be "sufficient to enable unambiguous key requests from client devices". Nothing of
/// it is secret, and the domain's own devices need none of it.
///
/// TLV (base/tlv.hpp):
///   80 16  key id                                                                                    critical
///   81 n   content id as the key server knows it, up to 256 bytes of UTF-8 without control codes     critical
///   82 8   crypto-period's number                                                                    critical
struct KeyOrigin {
  KeyId key_id{};
  std::string content_id;  ///< May be empty.
  std::uint64_t period_index = 0;

  /// ErrorKind::invalid_argument: the content id is too long, or no text for a terminal or a structure.
  [[nodiscard]] Status check() const;
  [[nodiscard]] Bytes encode() const;
  /// ErrorKind::malformed; unsupported: it has a critical field of a later version.
  [[nodiscard]] static Result<KeyOrigin> parse(ByteView bytes);

  bool operator==(const KeyOrigin&) const = default;
};

}  // namespace cas::smartpro
