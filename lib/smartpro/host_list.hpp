// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "smartpro/absence_proof.hpp"
#include "smartpro/revocation_list.hpp"
#include "smartpro/token_lists.hpp"

namespace cas::smartpro {

/// One verified revocation list in a host's hands, ready to answer tokens from. It does not change; any thread. The
/// tree that proofs are taken from (two hashes for each 32 numbers) is made at the first question of a type, and kept.
class HostList {
 public:
  /// `list` as RevocationList::parse or make gave it.
  explicit HostList(RevocationList list) : list_(std::move(list)) {}
  HostList(const HostList&) = delete;
  HostList& operator=(const HostList&) = delete;

  [[nodiscard]] const RevocationList& list() const { return list_; }
  [[nodiscard]] std::uint64_t index() const { return list_.header.index; }
  [[nodiscard]] const std::vector<RevokedNumber>& numbers(RevokedType type) const;
  /// Whether `number` stands on it.
  [[nodiscard]] bool lists(RevokedType type, RevokedNumber number) const;

  /// What a token needs to see whether `number` is on the list: AbsenceProver::evidence. A few hundred bytes.
  [[nodiscard]] Result<Bytes> evidence(RevokedType type, RevokedNumber number) const;

 private:
  [[nodiscard]] Result<const AbsenceProver*> prover(RevokedType type) const;

  RevocationList list_;
  mutable std::mutex mutex_;  // Guards provers_, while they are made.
  mutable std::array<std::optional<AbsenceProver>, 3> provers_;
};

/// Whether nothing stands on a list of this header: the header alone is the whole list then.
[[nodiscard]] bool lists_nothing(const RevocationHeader& header);

}  // namespace cas::smartpro
