// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/cpix_document.hpp"

#include <algorithm>

namespace cas::kex {

bool CpixUsageRule::usable() const {
  return std::ranges::find(filters, CpixFilter::Kind::unknown, &CpixFilter::kind) == filters.end();
}

const CpixContentKey* CpixDocument::key(const Uuid& kid) const {
  const auto found = std::ranges::find(keys, kid, &CpixContentKey::kid);
  return found == keys.end() ? nullptr : &*found;
}

const CpixPeriod* CpixDocument::period(std::string_view period_id) const {
  const auto found = std::ranges::find(periods, period_id, &CpixPeriod::id);
  return found == periods.end() ? nullptr : &*found;
}

}  // namespace cas::kex
