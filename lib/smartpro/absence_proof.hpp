// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "smartpro/revoked_elements.hpp"

namespace cas::smartpro {

/// Proof that a number does not stand on a revocation list, to a token that knows the list's header alone: the one run
/// in which it would stand, and the path from that run to the root (revoked_elements.hpp). For a million elements 748
/// bytes and 16 hashes.
///
///   4    number of the run, from 0; big-endian
///   ...  the numbers of the run, with its fence
///   32 x the partners on the way up, from the run on; a node that has none is skipped
///
/// The proof for an empty list is empty.
inline constexpr std::size_t max_absence_proof_size =
    4 + (RevokedElementsBuilder::run_size + 1) * revoked_number_size + 20 * crypto::sha256_size;

/// ErrorKind::revoked when the proof shows that the number does stand on the list, authentication_failed when it is no
/// proof of anything. Takes a constant amount of memory.
[[nodiscard]] Status verify_absence(const RevokedElements& elements, RevokedNumber number, ByteView proof);

/// Makes proofs; keeps the hashes of the whole tree (two for each 32 numbers). Immutable; any thread.
class AbsenceProver {
 public:
  /// `numbers` in ascending order, each once; they must outlive the prover.
  [[nodiscard]] static Result<AbsenceProver> create(std::span<const RevokedNumber> numbers);

  [[nodiscard]] const crypto::Sha256Digest& root() const { return root_; }
  /// ErrorKind::revoked when the number stands on the list.
  [[nodiscard]] Result<Bytes> prove(RevokedNumber number) const;
  /// The same, for any number: for one on the list, the run in which it stands. So a token learns of it that it, or its
  /// peer, is revoked.
  [[nodiscard]] Bytes evidence(RevokedNumber number) const;

 private:
  explicit AbsenceProver(std::span<const RevokedNumber> numbers) : numbers_(numbers) {}
  [[nodiscard]] Bytes run_and_fence(std::size_t run) const;

  std::span<const RevokedNumber> numbers_;
  std::vector<std::vector<crypto::Sha256Digest>> levels_;  // From the leaves up; the last one is the root alone.
  crypto::Sha256Digest root_{};
};

}  // namespace cas::smartpro
