// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"

namespace cas {

/// BER-TLV as cards use it (ISO/IEC 7816-4, 5.2.2): tags of one or two bytes, definite lengths in the fewest bytes.
///
///   tag     1 byte, or 2 when the low five bits of the first are all ones (second byte 1F..7F)
///   length  1 byte up to 7F, 81 and one byte up to FF, 82 and two bytes up to FFFF
///   value   that many bytes
///
/// House rule for containers that are ours: a context-specific tag (80..BF) is critical, and a reader that does not
/// know it refuses the container; a private tag (C0..FF) is optional, and is skipped when not known. So a later
/// version can add either kind. A tag stands at most once unless the container's page says otherwise.
using TlvTag = std::uint16_t;

[[nodiscard]] constexpr bool tlv_is_critical(TlvTag tag) {
  const unsigned first = tag > 0xff ? tag >> 8 : tag;
  return (first & 0xc0U) == 0x80U;
}

struct TlvField {
  TlvTag tag = 0;
  ByteView value;  ///< A view into the container that was read.
};

/// The fields of a container in their order, parsed once and all at once. The bytes stay with their owner.
class TlvFields {
 public:
  /// `what` names the container in errors; at most `max_fields` are accepted.
  [[nodiscard]] static Result<TlvFields> parse(ByteView bytes, const char* what, std::size_t max_fields = 64);

  /// The value of `tag`; fails with ErrorKind::malformed if it is missing, or not of `size` bytes.
  [[nodiscard]] Result<ByteView> required(TlvTag tag) const;
  [[nodiscard]] Result<ByteView> required(TlvTag tag, std::size_t size) const;
  /// As above, for values between the two sizes, both included.
  [[nodiscard]] Result<ByteView> required(TlvTag tag, std::size_t min_size, std::size_t max_size) const;
  [[nodiscard]] std::optional<ByteView> optional(TlvTag tag) const;
  /// A big-endian unsigned number in exactly `width` bytes (1 to 8).
  [[nodiscard]] Result<std::uint64_t> required_number(TlvTag tag, std::size_t width) const;
  [[nodiscard]] Result<std::uint64_t> number_or(TlvTag tag, std::size_t width, std::uint64_t fallback) const;

  /// Enforces the house rule: no tag twice, and no critical tag outside `known`.
  [[nodiscard]] Status check_known(std::initializer_list<TlvTag> known) const;

  [[nodiscard]] const std::vector<TlvField>& all() const { return fields_; }

 private:
  std::vector<TlvField> fields_;
  const char* what_ = "";
};

/// Builds a container. Not for secrets: see SecretTlvWriter.
class TlvWriter {
 public:
  TlvWriter& field(TlvTag tag, ByteView value);
  TlvWriter& number(TlvTag tag, std::uint64_t value, std::size_t width);
  [[nodiscard]] ByteView view() const { return out_; }
  [[nodiscard]] std::size_t size() const { return out_.size(); }
  [[nodiscard]] Bytes take() { return std::move(out_); }

 private:
  Bytes out_;
};

/// Builds a container that holds secrets: its one buffer is cleansed whenever it moves and when it is released.
class SecretTlvWriter {
 public:
  SecretTlvWriter& field(TlvTag tag, ByteView value);
  SecretTlvWriter& number(TlvTag tag, std::uint64_t value, std::size_t width);
  [[nodiscard]] SecretBytes take() { return std::move(out_); }

 private:
  SecretBytes out_;
};

/// Tag and length of a field with a value of `size` bytes (at most 65,535).
[[nodiscard]] Bytes tlv_header(TlvTag tag, std::size_t size);

}  // namespace cas
