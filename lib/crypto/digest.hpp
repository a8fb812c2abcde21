// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <initializer_list>
#include <memory>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace cas::crypto {

inline constexpr std::size_t sha256_size = 32;
using Sha256Digest = std::array<std::uint8_t, sha256_size>;

/// SHA-256 (FIPS 180-4) of the parts one after the other.
[[nodiscard]] Result<Sha256Digest> sha256(std::initializer_list<ByteView> parts);
[[nodiscard]] Result<Sha256Digest> sha256(ByteView bytes);

/// SHA-256 fed piece by piece, for data that does not fit in memory. One thread at a time.
class Sha256 {
 public:
  [[nodiscard]] static Result<Sha256> create();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  [[nodiscard]] Status update(ByteView bytes);
  /// The digest of all that was fed; the object starts anew afterwards.
  [[nodiscard]] Result<Sha256Digest> finish();
  /// The digest of what was fed so far; more may follow.
  [[nodiscard]] Result<Sha256Digest> so_far() const;

 private:
  struct State;
  explicit Sha256(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cas::crypto
