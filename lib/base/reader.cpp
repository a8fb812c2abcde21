// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/reader.hpp"

namespace cas {

Result<std::uint64_t> ByteReader::big_endian(std::size_t width) {
  CAS_TRY_ASSIGN(const ByteView field, bytes(width));
  std::uint64_t value = 0;
  for (std::uint8_t byte : field) value = value << 8 | byte;
  return value;
}

Result<std::uint8_t> ByteReader::u8() {
  return big_endian(1).map([](std::uint64_t v) { return static_cast<std::uint8_t>(v); });
}

Result<std::uint16_t> ByteReader::u16() {
  return big_endian(2).map([](std::uint64_t v) { return static_cast<std::uint16_t>(v); });
}

Result<std::uint32_t> ByteReader::u32() {
  return big_endian(4).map([](std::uint64_t v) { return static_cast<std::uint32_t>(v); });
}

Result<std::uint64_t> ByteReader::u64() { return big_endian(8); }

Result<ByteView> ByteReader::bytes(std::size_t count) {
  if (count > rest_.size())
    return fail(ErrorKind::truncated, "input ends at byte " + std::to_string(size_) + " where a field of " +
                                          std::to_string(count) + " bytes starts at byte " +
                                          std::to_string(position()));
  const ByteView taken = rest_.first(count);
  rest_ = rest_.subspan(count);
  return taken;
}

ByteView ByteReader::rest() {
  const ByteView taken = rest_;
  rest_ = {};
  return taken;
}

Status ByteReader::expect_end(const char* what) const {
  if (!rest_.empty())
    return fail(ErrorKind::malformed, std::string(what) + " is followed by " + std::to_string(rest_.size()) +
                                          " bytes that do not belong there");
  return {};
}

}  // namespace cas
