// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <optional>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "card/card.hpp"
#include "card/secure_messaging.hpp"
#include "smartpro/host_credentials.hpp"
#include "smartpro/list_synchronisation.hpp"
#include "smartpro/sac.hpp"

namespace cas::smartpro {

/// What a token tells to anybody who asks (no secure channel).
struct TokenInfo {
  bool personalised = false;  ///< Has a certificate.
  TokenKind kind = TokenKind::blank;
  SerialNumber serial_number = 0;
  std::optional<Vdid> vdid;  ///< Of the domain that it belongs to.
  Bytes certificate;         ///< DER.
  std::string common_name;   ///< From the certificate.
  std::uint8_t applet_version = 0;
};

/// Selects the token applet and asks it. The card must be connected.
[[nodiscard]] Result<TokenInfo> read_token_info(card::Card& card);

/// One plain command to the token applet; ErrorKind as in token_error when it refuses.
[[nodiscard]] Result<Bytes> plain_command(card::Card& card, std::uint8_t instruction, ByteView data,
                                          std::uint8_t p1 = 0);

/// What a token's refusal means, as a sentence for the instruction that was refused.
[[nodiscard]] Error token_error(std::uint8_t instruction, card::StatusWord status);

class ListRefresher;

/// How a host opens channels to tokens.
struct ChannelOptions {
  crypto::DhGroup suite = crypto::DhGroup::p256;
  Clock* clock = nullptr;            ///< Nothing: the system's.
  Random* random = nullptr;          ///< Nothing: the system's.
  std::shared_ptr<HostLists> lists;  ///< Nothing: a host that has no list yet, and forgets those that it finds.
  ListAnswers answers = ListAnswers::proof;
  /// Sessions alone: what keeps `lists` up to date. Their first channel waits for its first round, and a channel that
  /// fails for want of a list for another
  /// one, up to five seconds each. Nothing: nobody does.
  std::shared_ptr<ListRefresher> refresher;
};

/// A secure authenticated channel from a host to a token (paper, 3.4). One thread at a time.
class TokenChannel {
 public:
  /// Synchronises the revocation lists (paper, 4.1) and runs the SAC over a connected card, whose token applet it
  /// selects. The card, the host, clock and
  /// random must outlive the channel. ErrorKind::outdated when the token has a newer list than the host, and there is
  /// no way on without it; revoked when the token, its domain or this host is on a list.
  [[nodiscard]] static Result<TokenChannel> establish(card::Card& card, const HostCredentials& host,
                                                      const ChannelOptions& options = {});

  /// One command under secure messaging; the response's data. A refusal by the token leaves the channel as it was; all
  /// other errors close it.
  [[nodiscard]] Result<SecretBytes> command(std::uint8_t instruction, ByteView data, std::uint8_t p1 = 0);

  [[nodiscard]] const crypto::Certificate& token_certificate() const { return peer_; }
  /// What host and token have checked each other by.
  [[nodiscard]] const SharedLists& shared_lists() const { return shared_lists_; }
  /// Whether the host has newer lists by now: then it is time for a new channel. False where the host's folder cannot
  /// be read.
  [[nodiscard]] bool lists_changed() const;
  [[nodiscard]] bool closed() const { return messaging_.closed(); }

 private:
  TokenChannel(card::Card& card, SacResult result, std::shared_ptr<HostLists> lists, SharedLists shared_lists)
      : card_(&card),
        messaging_(std::move(result.keys)),
        peer_(std::move(result.peer)),
        lists_(std::move(lists)),
        shared_lists_(std::move(shared_lists)) {}
  [[nodiscard]] static Result<TokenChannel> establish_once(card::Card& card, const HostCredentials& host,
                                                           const ChannelOptions& options);

  card::Card* card_;
  card::SecureMessaging messaging_;
  crypto::Certificate peer_;
  std::shared_ptr<HostLists> lists_;
  SharedLists shared_lists_;
};

}  // namespace cas::smartpro
