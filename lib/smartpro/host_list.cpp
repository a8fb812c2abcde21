// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/host_list.hpp"

#include <algorithm>

namespace cas::smartpro {

const std::vector<RevokedNumber>& HostList::numbers(RevokedType type) const {
  switch (type) {
    case RevokedType::hosts: return list_.hosts;
    case RevokedType::domains: return list_.domains;
    default: return list_.tokens;
  }
}

bool HostList::lists(RevokedType type, RevokedNumber number) const {
  return std::ranges::binary_search(numbers(type), number);
}

Result<const AbsenceProver*> HostList::prover(RevokedType type) const {
  const std::lock_guard lock(mutex_);
  auto& prover = provers_.at(static_cast<std::size_t>(type) - 1);
  if (!prover) {
    CAS_TRY_ASSIGN(prover, AbsenceProver::create(numbers(type)));
  }
  return &*prover;
}

Result<Bytes> HostList::evidence(RevokedType type, RevokedNumber number) const {
  CAS_TRY_ASSIGN(const AbsenceProver* from, prover(type));
  return from->evidence(number);
}

bool lists_nothing(const RevocationHeader& header) {
  return header.tokens.count == 0 && header.hosts.count == 0 && header.domains.count == 0;
}

}  // namespace cas::smartpro
