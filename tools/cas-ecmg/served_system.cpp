// SPDX-License-Identifier: LGPL-2.1-or-later
#include "served_system.hpp"

namespace cas::ecmg_program {

void KeysRead::note(const Status& taken, std::size_t count) {
  failure_.reset();
  if (!taken) failure_ = taken.error();
  if (!taken) return log_.error("keys-not-read", "the keys before go on: " + taken.error().message);
  log_.info("keys-read", "the keys were read: " + std::to_string(count), {{"keys", count}});
}

ServedSystem::Readiness KeysRead::readiness() const { return {"keys", failure_ ? Status(fail(*failure_)) : Status{}}; }

}  // namespace cas::ecmg_program
