// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/control_words.hpp"

#include "mpegts/csa2_word.hpp"

namespace cas::simulcrypt {

Result<SecretBytes> ControlWordGenerator::word(PeriodIndex period) {
  if (const auto known = words_.find(period); known != words_.end()) return known->second.clone();
  CAS_TRY_ASSIGN(SecretBytes drawn, random_secret(random_, size_));
  if (form_ == Form::csa_checked) {
    CAS_TRY_ASSIGN(drawn, mpegts::with_csa2_checksum(drawn));
  }
  return words_.emplace(period, std::move(drawn)).first->second.clone();
}

void ControlWordGenerator::forget_before(PeriodIndex period) {
  words_.erase(words_.begin(), words_.lower_bound(period));
}

}  // namespace cas::simulcrypt
