// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "base/error.hpp"
#include "card/card.hpp"

namespace cas::card {

/// Something that happened to a relay, for a log. Never holds a byte of a command or an answer.
struct RelayEvent {
  enum class Kind {
    connected,  ///< A client has the card.
    left,       ///< It has it no more; `text` tells why.
    refused,    ///< A client that proved who it is could not get the card; `text` tells why.
    rejected,   ///< Somebody did not prove who it is, or does not speak the protocol; `text` tells why.
  };
  Kind kind = Kind::connected;
  std::string peer;     ///< ADDRESS:PORT.
  std::string subject;  ///< Of its certificate (RFC 2253, ASCII); empty when rejected before it was verified.
  std::string text;     ///< Empty for `connected`.
};

/// Where a relay listens, what it shows, and how patient it is. The files are in PEM; see crypto::TlsCredentials.
struct RelayServing {
  std::string host = "127.0.0.1";  ///< A name or an address of this machine, without brackets.
  std::uint16_t port = 0;          ///< 0: a free one.
  std::string certificate_file;
  std::string key_file;
  std::string key_pin_source;  ///< Empty: the key is in clear.
  std::string authority_file;  ///< Whoever shows a certificate of it may use the card.

  std::chrono::milliseconds handshake_limit{10'000};  ///< From the connection to the client's first frame.
  std::chrono::milliseconds busy_patience{2'000};     ///< For the client before to leave; then one is refused.
  std::chrono::milliseconds silence_limit{300'000};   ///< Between two frames; then the next may have the card.
  std::chrono::milliseconds write_limit{30'000};      ///< For a client to take one answer.
  std::size_t max_connections = 32;  ///< At once, with those in their handshakes. More are closed unheard.
  /// Called by several threads, one at a time.
  std::function<void(const RelayEvent&)> log = [](const RelayEvent&) {};
};

/// Lends a card to clients at other machines (docs/formats/card-relay.md), one at a time; the others are told that it
/// is taken. The other side of open_relay_card.
class RelayServer {
 public:
  /// Listens; clients are kept waiting until `run`. `card` may be of any kind. Errors: those of the files
  /// (crypto::TlsContext::create), not_found (no such host), permission_denied or io (the address cannot be listened
  /// at).
  [[nodiscard]] static Result<std::unique_ptr<RelayServer>> listen(std::shared_ptr<Card> card, RelayServing serving);
  ~RelayServer();
  RelayServer(const RelayServer&) = delete;
  RelayServer& operator=(const RelayServer&) = delete;

  /// The port that it listens at.
  [[nodiscard]] std::uint16_t port() const;

  /// Serves until `stop` is requested, which is success; then no client has the card any more, and the card is
  /// disconnected. A command that the card is at is waited for. Starts a thread for each connection. Once.
  [[nodiscard]] Status run(std::stop_token stop);

 private:
  class State;
  explicit RelayServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cas::card
