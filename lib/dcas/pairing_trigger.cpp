// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/pairing_trigger.hpp"

namespace cas::dcas {

std::optional<PairingReason> PairingTrigger::start(PairingReason reason) {
  if (is_running_) return std::nullopt;
  is_running_ = true;
  return reason;
}

std::optional<PairingReason> PairingTrigger::on_power_up() {
  is_running_ = false;  // what was going on went down with the power
  return start(PairingReason::powered_up);
}

std::optional<PairingReason> PairingTrigger::on_security_announce(const std::string& network) {
  if (is_virgin_) return start(PairingReason::first_announcement);
  if (network_ != network) return start(PairingReason::moved_network);
  return std::nullopt;
}

std::optional<PairingReason> PairingTrigger::on_download(const std::string& network) {
  if (is_virgin_) return std::nullopt;
  if (network_ != network) return start(PairingReason::moved_network);
  return start(PairingReason::update_requested);
}

void PairingTrigger::run_succeeded(const std::string& network) {
  is_running_ = false;
  network_ = network;
}

}  // namespace cas::dcas
