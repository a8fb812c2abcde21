// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "crypto/digest.hpp"
#include "smartpro/identifiers.hpp"

namespace cas::smartpro {

/// What is revoked of one type of element (tokens, hosts or domains), as numbers: serial numbers, or VDIDs read
/// big-endian. A list has them in ascending order, each once; in a payload a number has 8 bytes, big-endian.
using RevokedNumber = std::uint64_t;
[[nodiscard]] RevokedNumber number_of(const Vdid& vdid);

inline constexpr std::size_t revoked_number_size = 8;
/// More than this many are not read: 128 MiB.
inline constexpr std::uint32_t max_revoked_elements = 1U << 24;

/// All that a revocation list's header says of one type of element, and all that a token keeps of it (paper, 4.1).
struct RevokedElements {
  std::uint32_t count = 0;
  /// SHA-256 of the payload: what a token compares that is shown the whole list.
  crypto::Sha256Digest digest{};
  /// What a token compares that is shown a proof of absence; see below.
  crypto::Sha256Digest root{};

  bool operator==(const RevokedElements&) const = default;
};

/// Computes them from a payload that passes by, as a token has to: in memory that does not grow with the list.
///
/// The root is that of a tree over runs of 32 numbers. Each run but the last is followed by its fence, the first number
/// of the next one, so that a single run shows that nothing stands between two neighbours.
///
///   leaf = SHA-256(00 || the numbers of the run || fence)        264 bytes behind the 00; the last run has no fence, and may be shorter
///   node = SHA-256(01 || left || right)                          shape of RFC 6962, 2.1: a last node without a partner goes up as it is
///   root = SHA-256 of no bytes, for an empty list
class RevokedElementsBuilder {
 public:
  static constexpr std::size_t run_size = 32;

  [[nodiscard]] static Result<RevokedElementsBuilder> create();

  /// ErrorKind::malformed unless it is larger than the one before it; exhausted behind max_revoked_elements.
  [[nodiscard]] Status add(RevokedNumber number);
  /// A payload, or the next part of one: whole numbers.
  [[nodiscard]] Status add_payload(ByteView payload);
  [[nodiscard]] Result<RevokedElements> finish();

  [[nodiscard]] std::uint32_t count() const { return count_; }
  [[nodiscard]] std::optional<RevokedNumber> last() const { return last_; }

 private:
  explicit RevokedElementsBuilder(crypto::Sha256 payload) : payload_(std::move(payload)) {}
  [[nodiscard]] Status end_run(std::optional<RevokedNumber> fence);

  // Roots of whole subtrees, each smaller than the one before: one for each bit of the number of runs.
  static constexpr std::size_t max_levels = 20;

  crypto::Sha256 payload_;
  std::uint32_t count_ = 0;
  std::optional<RevokedNumber> last_;
  std::array<std::uint8_t, (run_size + 1) * revoked_number_size> run_{};
  std::size_t run_filled_ = 0;
  std::uint32_t runs_ = 0;
  std::array<crypto::Sha256Digest, max_levels> subtrees_{};
  std::size_t subtree_count_ = 0;
};

/// The hashes of the tree.
[[nodiscard]] Result<crypto::Sha256Digest> revoked_leaf(ByteView run_and_fence);
[[nodiscard]] Result<crypto::Sha256Digest> revoked_node(const crypto::Sha256Digest& left,
                                                        const crypto::Sha256Digest& right);

}  // namespace cas::smartpro
