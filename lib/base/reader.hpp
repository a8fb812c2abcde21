// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace cas {

/// A cursor over bytes that somebody else owns. Every read is checked against the end; integers are big-endian.
/// A failed read consumes nothing and fails with ErrorKind::truncated.
class ByteReader {
 public:
  explicit ByteReader(ByteView bytes) : rest_(bytes), size_(bytes.size()) {}

  [[nodiscard]] std::size_t remaining() const { return rest_.size(); }
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  /// How many bytes have been consumed.
  [[nodiscard]] std::size_t position() const { return size_ - rest_.size(); }

  [[nodiscard]] Result<std::uint8_t> u8();
  [[nodiscard]] Result<std::uint16_t> u16();
  [[nodiscard]] Result<std::uint32_t> u32();
  [[nodiscard]] Result<std::uint64_t> u64();
  /// The next `count` bytes, as a view into the input.
  [[nodiscard]] Result<ByteView> bytes(std::size_t count);
  /// All that is left, as a view into the input.
  [[nodiscard]] ByteView rest();
  /// Fails with ErrorKind::malformed, naming `what`, unless all has been consumed.
  [[nodiscard]] Status expect_end(const char* what) const;

 private:
  [[nodiscard]] Result<std::uint64_t> big_endian(std::size_t width);

  ByteView rest_;
  std::size_t size_;
};

}  // namespace cas
