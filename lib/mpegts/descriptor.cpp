// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/descriptor.hpp"

#include <string>

namespace cas::mpegts {

std::optional<Descriptor> DescriptorReader::next() {
  if (rest_.size() < descriptor_header_size) return std::nullopt;
  const std::size_t size = descriptor_header_size + rest_[1];
  if (size > rest_.size()) return std::nullopt;
  const Descriptor descriptor{rest_[0], rest_.subspan(descriptor_header_size, rest_[1]), rest_.first(size)};
  rest_ = rest_.subspan(size);
  return descriptor;
}

std::optional<Descriptor> find_descriptor(ByteView loop, std::uint8_t tag) {
  DescriptorReader reader(loop);
  while (const auto descriptor = reader.next())
    if (descriptor->tag == tag) return descriptor;
  return std::nullopt;
}

Status append_descriptor(Bytes& loop, std::uint8_t tag, ByteView payload) {
  if (payload.size() > max_descriptor_payload_size)
    return fail(ErrorKind::exhausted, "a descriptor would have " + std::to_string(payload.size()) +
                                          " bytes of content, and its length has room for 255");
  loop.push_back(tag);
  loop.push_back(static_cast<std::uint8_t>(payload.size()));
  append(loop, payload);
  return {};
}

}  // namespace cas::mpegts
