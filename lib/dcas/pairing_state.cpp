// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/pairing_state.hpp"

namespace cas::dcas {

PairingVerdict judge_pair(const PairingSide& sm, const PairingSide& tp) {
  const auto both = [&](PairingState state) { return sm.state == state && tp.state == state; };
  const auto one = [&](PairingState state) { return sm.state == state || tp.state == state; };
  if (both(PairingState::virgin)) return PairingVerdict::paired;
  // "Once the SM and TP are paired, the TA permanently maintains the pair information and never changes it" (3.1.A):
  // figure 6 looks at the states alone, and would let two that have left exchange their partners.
  if (both(PairingState::paired_only))
    return sm.partner == tp.id && tp.partner == sm.id ? PairingVerdict::paired_again : PairingVerdict::other_partner;
  // "For all other cases, the TA judges that the SM_ID and TP_ID have failed".
  if (one(PairingState::auth_paired)) return PairingVerdict::already_paired;
  return PairingVerdict::half_virgin;
}

std::string_view pairing_state_name(PairingState state) {
  switch (state) {
    case PairingState::virgin: return "virgin";
    case PairingState::auth_paired: return "auth-paired";
    case PairingState::paired_only: return "paired-only";
  }
  return "unknown";
}

std::string_view pairing_verdict_name(PairingVerdict verdict) {
  switch (verdict) {
    case PairingVerdict::paired: return "paired";
    case PairingVerdict::paired_again: return "paired-again";
    case PairingVerdict::repeated: return "repeated";
    case PairingVerdict::already_paired: return "already-paired";
    case PairingVerdict::half_virgin: return "half-virgin";
    case PairingVerdict::other_partner: return "other-partner";
    case PairingVerdict::unknown_sm: return "unknown-sm";
    case PairingVerdict::unknown_tp: return "unknown-tp";
    case PairingVerdict::damaged: return "damaged";
  }
  return "unknown";
}

std::string_view pairing_verdict_sentence(PairingVerdict verdict) {
  switch (verdict) {
    case PairingVerdict::paired: return "both devices were virgin, and are partners now";
    case PairingVerdict::paired_again: return "the partners had left the network, and are back";
    case PairingVerdict::repeated: return "this request has paired the devices before";
    case PairingVerdict::already_paired:
      return "a device is paired in a network: report that it has left, or wait for the end of its lease";
    case PairingVerdict::half_virgin: return "one device has a partner, and the other has none";
    case PairingVerdict::other_partner: return "each device has another partner";
    case PairingVerdict::unknown_sm: return "no secure micro has this id";
    case PairingVerdict::unknown_tp: return "no transport processor has this id";
    case PairingVerdict::damaged:
      return "the keys of the secure micro cannot be opened: look for the right storage key, or for a backup of its "
             "row";
  }
  return "unknown";
}

}  // namespace cas::dcas
