// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cas::dcas {

/// The pairing state information (PSI) that the trusted authority keeps of each device (DCAS, table 1). The values are
/// the paper's, and stand in databases.
enum class PairingState : std::uint8_t {
  virgin = 0x00,       ///< Issued, and never asked for in a pairing.
  auth_paired = 0x01,  ///< In a network, with its partner.
  paired_only = 0x10,  ///< Has left the network; its partner stays the only one.
};

/// What the rules look at: a device's state, and whose partner it is.
struct PairingSide {
  std::string_view id;
  PairingState state = PairingState::virgin;
  std::string_view partner;  ///< Empty when it is virgin.
};

/// What becomes of a request to pair two devices (figure 6). Values stand in audit logs.
enum class PairingVerdict : std::uint8_t {
  paired,          ///< Both were virgin: they are partners for good now.
  paired_again,    ///< Both had left the network, and are partners.
  repeated,        ///< The very request that has paired them came again: nothing has changed.
  already_paired,  ///< One of them is in a network: it has to leave first, or its lease has to end.
  half_virgin,     ///< One has a partner, the other has none.
  other_partner,   ///< Each has a partner, and not each other.
  unknown_sm,      ///< No secure micro has this id.
  unknown_tp,      ///< No transport processor has this id.
  damaged,         ///< The keys of the secure micro do not open: the row was changed, or is of another storage key.
};

/// Whether the two devices may have a key now.
[[nodiscard]] constexpr bool is_success(PairingVerdict verdict) { return verdict <= PairingVerdict::repeated; }
/// Whether the asker gets an answer at all, be it that the pair is refused. Who names devices that are not there gets
/// none (4.2.B, step 3: "it terminates the protocol").
[[nodiscard]] constexpr bool is_answered(PairingVerdict verdict) { return verdict < PairingVerdict::unknown_sm; }

/// Figure 6 for two devices that are there: paired, paired_again or why not. It changes nothing.
[[nodiscard]] PairingVerdict judge_pair(const PairingSide& sm, const PairingSide& tp);

/// "virgin", "auth-paired", "paired-only".
[[nodiscard]] std::string_view pairing_state_name(PairingState state);
/// "already-paired": for records and metrics.
[[nodiscard]] std::string_view pairing_verdict_name(PairingVerdict verdict);
/// For people: what it is, and the remedy where there is one.
[[nodiscard]] std::string_view pairing_verdict_sentence(PairingVerdict verdict);

}  // namespace cas::dcas
