// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/absence_proof.hpp"

#include <algorithm>

#include "base/reader.hpp"
#include "base/writer.hpp"
#include "crypto/constant_time.hpp"

namespace cas::smartpro {

namespace {

constexpr std::size_t run_size = RevokedElementsBuilder::run_size;

/// How many numbers the leaf of a run has, fence included, in a list of `count`.
std::size_t leaf_numbers(std::size_t count, std::size_t run) { return std::min(run_size + 1, count - run * run_size); }

std::size_t run_count(std::size_t count) { return (count + run_size - 1) / run_size; }

tl::unexpected<Error> no_proof() {
  return fail(ErrorKind::authentication_failed, "this is no proof that the number is not revoked");
}

/// Whether nothing can stand at `number` when the leaf of that run is as given.
Status check_gap(ByteView leaf, RevokedNumber number, bool first_run, bool last_run) {
  ByteReader reader(leaf);
  bool below = first_run;  // Something smaller, or the start of the list.
  while (!reader.empty()) {
    CAS_TRY_ASSIGN(const RevokedNumber listed, reader.u64());
    if (listed == number) return fail(ErrorKind::revoked, "the number stands on the revocation list");
    if (listed > number) return below ? Status{} : no_proof();
    below = true;
  }
  return last_run ? Status{} : no_proof();
}

/// RFC 9162, 2.1.3.2.
Result<crypto::Sha256Digest> root_by(crypto::Sha256Digest hash, std::size_t index, std::size_t last_index,
                                     ByteView path) {
  while (!path.empty()) {
    if (last_index == 0) return no_proof();
    const auto partner = to_array<crypto::Sha256Digest>(path.first(crypto::sha256_size));
    path = path.subspan(crypto::sha256_size);
    if ((index & 1U) != 0 || index == last_index) {
      CAS_TRY_ASSIGN(hash, revoked_node(partner, hash));
      while ((index & 1U) == 0 && index != 0) {
        index >>= 1;
        last_index >>= 1;
      }
    } else {
      CAS_TRY_ASSIGN(hash, revoked_node(hash, partner));
    }
    index >>= 1;
    last_index >>= 1;
  }
  if (last_index != 0) return no_proof();
  return hash;
}

}  // namespace

Status verify_absence(const RevokedElements& elements, RevokedNumber number, ByteView proof) {
  if (elements.count == 0) return proof.empty() ? Status{} : no_proof();
  if (proof.size() > max_absence_proof_size) return no_proof();
  ByteReader reader(proof);
  const auto run = reader.u32();
  const std::size_t runs = run_count(elements.count);
  if (!run || *run >= runs) return no_proof();
  const auto leaf = reader.bytes(leaf_numbers(elements.count, *run) * revoked_number_size);
  if (!leaf || reader.remaining() % crypto::sha256_size != 0) return no_proof();
  CAS_TRY_ASSIGN(const crypto::Sha256Digest hash, revoked_leaf(*leaf));
  CAS_TRY_ASSIGN(const crypto::Sha256Digest root, root_by(hash, *run, runs - 1, reader.rest()));
  if (!crypto::constant_time_equal(root, elements.root)) return no_proof();
  return check_gap(*leaf, number, *run == 0, *run == runs - 1);
}

Result<AbsenceProver> AbsenceProver::create(std::span<const RevokedNumber> numbers) {
  if (numbers.size() > max_revoked_elements)
    return fail(ErrorKind::exhausted,
                "a revocation list has at most " + std::to_string(max_revoked_elements) + " elements of a type");
  AbsenceProver prover(numbers);
  if (numbers.empty()) {
    CAS_TRY_ASSIGN(prover.root_, crypto::sha256(ByteView{}));
    return prover;
  }
  std::vector<crypto::Sha256Digest> level(run_count(numbers.size()));
  for (std::size_t run = 0; run < level.size(); ++run) {
    CAS_TRY_ASSIGN(level[run], revoked_leaf(prover.run_and_fence(run)));
  }
  while (level.size() > 1) {
    std::vector<crypto::Sha256Digest> above((level.size() + 1) / 2);
    for (std::size_t i = 0; i < above.size(); ++i) {
      const bool alone = 2 * i + 1 == level.size();
      if (alone) {
        above[i] = level[2 * i];
      } else {
        CAS_TRY_ASSIGN(above[i], revoked_node(level[2 * i], level[2 * i + 1]));
      }
    }
    prover.levels_.push_back(std::exchange(level, std::move(above)));
  }
  prover.root_ = level.front();
  return prover;
}

Bytes AbsenceProver::run_and_fence(std::size_t run) const {
  ByteWriter writer;
  for (const RevokedNumber number : numbers_.subspan(run * run_size, leaf_numbers(numbers_.size(), run)))
    writer.u64(number);
  return writer.take();
}

Result<Bytes> AbsenceProver::prove(RevokedNumber number) const {
  if (std::ranges::binary_search(numbers_, number))
    return fail(ErrorKind::revoked, "the number stands on the revocation list");
  return evidence(number);
}

Bytes AbsenceProver::evidence(RevokedNumber number) const {
  if (numbers_.empty()) return {};
  const auto above = std::ranges::upper_bound(numbers_, number);
  const auto before = static_cast<std::size_t>(above - numbers_.begin());
  // The run of the neighbour below: its fence is there when the neighbour above is in the next one.
  const std::size_t run = before > 0 ? (before - 1) / run_size : 0;
  ByteWriter writer;
  writer.u32(static_cast<std::uint32_t>(run)).bytes(run_and_fence(run));
  std::size_t index = run;
  for (const auto& level : levels_) {
    if (const std::size_t partner = index ^ 1U; partner < level.size()) writer.bytes(level[partner]);
    index >>= 1;
  }
  return writer.take();
}

}  // namespace cas::smartpro
