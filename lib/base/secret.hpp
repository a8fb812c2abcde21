// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"

namespace cas {

/// Secret bytes of a fixed size: in OpenSSL's secure heap (locked, guarded, not dumped) while that has room, in
/// ordinary memory otherwise; cleansed when released. Moves, and is copied only by name (`clone`).
/// There is no `operator<<`, no comparison (crypto::constant_time_equal) and no conversion to text.
/// A distinct object may be used by one thread at a time.
class SecretBytes {
 public:
  SecretBytes() = default;
  /// `size` zero bytes.
  explicit SecretBytes(std::size_t size);
  /// A copy of `bytes`, whose owner still has to cleanse them.
  [[nodiscard]] static SecretBytes copy_of(ByteView bytes);
  ~SecretBytes();
  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;

  [[nodiscard]] SecretBytes clone() const { return copy_of(reveal()); }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  /// Access to the secret; the name makes every such place easy to search for.
  [[nodiscard]] ByteView reveal() const { return {data_, size_}; }
  [[nodiscard]] MutableByteView reveal_mutable() { return {data_, size_}; }
  /// Cleanses and empties.
  void reset();

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Overwrites memory in a way that the compiler keeps.
void cleanse(MutableByteView bytes);

/// Cleanses a buffer that is not a SecretBytes when the scope ends, however it ends.
class ScopedCleanse {
 public:
  explicit ScopedCleanse(Bytes& bytes) : bytes_(bytes) {}
  ~ScopedCleanse() { cleanse(bytes_); }
  ScopedCleanse(const ScopedCleanse&) = delete;
  ScopedCleanse& operator=(const ScopedCleanse&) = delete;

 private:
  Bytes& bytes_;
};

}  // namespace cas
