// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/list_addition.hpp"

#include "base/reader.hpp"

namespace cas::smartpro {

Result<ListAddition> ListAddition::create(RevokedNumber added) {
  CAS_TRY_ASSIGN(PayloadSearch search, PayloadSearch::create(added));
  CAS_TRY_ASSIGN(RevokedElementsBuilder builder, RevokedElementsBuilder::create());
  return ListAddition(std::move(search), std::move(builder), added);
}

Status ListAddition::add(ByteView part) {
  CAS_TRY(search_.add(part));
  ByteReader reader(part);
  while (!reader.empty()) {
    CAS_TRY_ASSIGN(const RevokedNumber number, reader.u64());
    if (!inserted_ && added_ < number) {
      CAS_TRY(builder_.add(added_));
      inserted_ = true;
    }
    if (number == added_) inserted_ = true;  // finish refuses; the builder takes each number once
    CAS_TRY(builder_.add(number));
  }
  return {};
}

Result<RevokedElements> ListAddition::finish(const RevokedElements& before) {
  CAS_TRY(search_.finish(before));
  if (!inserted_) CAS_TRY(builder_.add(added_));
  return builder_.finish();
}

}  // namespace cas::smartpro
