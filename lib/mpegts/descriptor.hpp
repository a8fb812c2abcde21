// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace cas::mpegts {

inline constexpr std::size_t descriptor_header_size = 2;
inline constexpr std::size_t max_descriptor_payload_size = 255;

/// One descriptor (ISO/IEC 13818-1, 2.6): views into the loop that it was found in.
struct Descriptor {
  std::uint8_t tag = 0;
  ByteView payload;  ///< Behind descriptor_length.
  ByteView whole;    ///< With tag and length.
};

/// Goes over a loop of descriptors, and stops at the first that does not fit into it: what stands before is good.
class DescriptorReader {
 public:
  explicit DescriptorReader(ByteView loop) : rest_(loop) {}

  /// Nothing at the end, and at a descriptor that overruns the loop.
  [[nodiscard]] std::optional<Descriptor> next();
  /// What has not been read: after `next` gave nothing, empty or damaged.
  [[nodiscard]] ByteView rest() const { return rest_; }

 private:
  ByteView rest_;
};

/// The first descriptor with this tag; nothing: there is none before the end or the damage.
[[nodiscard]] std::optional<Descriptor> find_descriptor(ByteView loop, std::uint8_t tag);

/// Appends a descriptor to a loop. ErrorKind::exhausted for a payload of more than 255 bytes; the loop stays as it is
/// then.
[[nodiscard]] Status append_descriptor(Bytes& loop, std::uint8_t tag, ByteView payload);

/// The loop without the descriptors for which `unwanted` is true. What is damaged stays as it is.
template <typename Predicate>
[[nodiscard]] Bytes without_descriptors(ByteView loop, Predicate unwanted) {
  Bytes kept;
  DescriptorReader reader(loop);
  while (const auto descriptor = reader.next())
    if (!unwanted(*descriptor)) append(kept, descriptor->whole);
  append(kept, reader.rest());
  return kept;
}

}  // namespace cas::mpegts
