// SPDX-License-Identifier: LGPL-2.1-or-later
#include "register_text.hpp"

namespace cas::tmc {

using smartpro::RegisterEvent;

std::string event_text(const smartpro::RegisterEntry& entry) {
  const std::string number = std::to_string(entry.number);
  switch (entry.event) {
    case RegisterEvent::key_released: return "key released, unconfirmed";
    case RegisterEvent::activated: return "activated";
    case RegisterEvent::deactivation_sent: return "deactivation sent, unconfirmed";
    case RegisterEvent::deactivated: return "deactivated";
    case RegisterEvent::bridge_keys_released: return "bridge " + number + ", keys released, unconfirmed";
    case RegisterEvent::bridge_registered: return "bridge " + number + " registered";
    case RegisterEvent::bridge_authorised: return "bridge " + number + " authorised";
    case RegisterEvent::bridge_barred: return "bridge " + number + " barred";
    case RegisterEvent::secrets_released: return "secrets released to a backup, unconfirmed";
    case RegisterEvent::backed_up: return "backup of the progenitor";
    case RegisterEvent::took_over: return "took over as progenitor";
    case RegisterEvent::revoked: return "revoked, list " + number;
    case RegisterEvent::rolled: return "domain key " + number;
  }
  return "event " + std::to_string(static_cast<unsigned>(entry.event)) + ", not known to this version";
}

const char* event_name(RegisterEvent event) {
  switch (event) {
    case RegisterEvent::key_released: return "key-released";
    case RegisterEvent::activated: return "activated";
    case RegisterEvent::deactivation_sent: return "deactivation-sent";
    case RegisterEvent::deactivated: return "deactivated";
    case RegisterEvent::bridge_keys_released: return "bridge-keys-released";
    case RegisterEvent::bridge_registered: return "bridge-registered";
    case RegisterEvent::bridge_authorised: return "bridge-authorised";
    case RegisterEvent::bridge_barred: return "bridge-barred";
    case RegisterEvent::secrets_released: return "secrets-released";
    case RegisterEvent::backed_up: return "backed-up";
    case RegisterEvent::took_over: return "took-over";
    case RegisterEvent::revoked: return "revoked";
    case RegisterEvent::rolled: return "rolled";
  }
  return "unknown";
}

}  // namespace cas::tmc
