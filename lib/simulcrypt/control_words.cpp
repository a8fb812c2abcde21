// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/control_words.hpp"

namespace cas::simulcrypt {

namespace {

/// Half a CSA word: the fourth byte is the sum of the three before it, modulo 256.
void write_checksum(MutableByteView half) { half[3] = static_cast<std::uint8_t>(half[0] + half[1] + half[2]); }

}  // namespace

Result<SecretBytes> ControlWordGenerator::word(PeriodIndex period) {
  if (const auto known = words_.find(period); known != words_.end()) return known->second.clone();
  if (form_ == Form::csa_checked && size_ != 8)
    return fail(ErrorKind::invalid_argument,
                "control words with checksum bytes have 8 bytes: they are those of DVB-CSA");
  CAS_TRY_ASSIGN(SecretBytes drawn, random_secret(random_, size_));
  if (form_ == Form::csa_checked) {
    write_checksum(drawn.reveal_mutable().first(4));
    write_checksum(drawn.reveal_mutable().last(4));
  }
  return words_.emplace(period, std::move(drawn)).first->second.clone();
}

void ControlWordGenerator::forget_before(PeriodIndex period) {
  words_.erase(words_.begin(), words_.lower_bound(period));
}

}  // namespace cas::simulcrypt
