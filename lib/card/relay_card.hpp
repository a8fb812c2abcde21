// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/error.hpp"
#include "card/card.hpp"

namespace cas::card {

/// Where a card is reached, and who asks for it. The files are in PEM; see crypto::TlsCredentials.
struct RelayTarget {
  std::string host;  ///< A name, or an address without brackets.
  std::uint16_t port = 0;
  std::string server_name;  ///< The name or address that the relay's certificate must have; empty: `host`.
  std::string certificate_file;
  std::string key_file;
  std::string key_pin_source;  ///< Empty: the key is in clear.
  std::string authority_file;
};

/// How long a client of a relay waits, and for what.
struct RelayTimes {
  std::chrono::milliseconds connect{10'000};    ///< TCP, TLS and the first words, together.
  std::chrono::milliseconds answer{60'000};     ///< To one command. A card that makes keys takes its time.
  std::chrono::milliseconds look_again{1'000};  ///< wait_for_card, while no relay answers or the card is taken.
  std::chrono::milliseconds ping{15'000};       ///< wait_for_card, between questions for the relay.
};

/// A card at another machine, behind RelayServer (docs/formats/card-relay.md): each command crosses the network as one
/// frame inside TLS 1.3, in which both sides have shown a certificate of the given authority and the relay that it is
/// the one named. What of a command is secret is protected between applet and caller (secure messaging); the relay sees
/// what any reader sees. The pass phrase of a soft card stays where the card is.
///
/// `connect` gives card_absent when no relay answers or there is no card at it, io when another client has it,
/// authentication_failed when a certificate is not accepted, here or there. A connection that is lost within a command
/// is card_reset: whether the card carried the command out is not known. A relay lets go of a client that says nothing
/// for some minutes, which is card_reset, too, at the next command. Host names are looked up by the system, which no
/// stop can interrupt.
///
/// Fails when the files cannot be read, see crypto::TlsContext::create; nothing is connected yet.
[[nodiscard]] Result<std::shared_ptr<Card>> open_relay_card(RelayTarget target, RelayTimes times = {});

}  // namespace cas::card
