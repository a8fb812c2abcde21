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
[[nodiscard]] Result<Bytes> plain_command(card::Card& card, std::uint8_t instruction, ByteView data);

/// What a token's refusal means, as a sentence for the instruction that was refused.
[[nodiscard]] Error token_error(std::uint8_t instruction, card::StatusWord status);

/// A secure authenticated channel from a host to a token (paper, 3.4). One thread at a time.
class TokenChannel {
 public:
  /// Runs the SAC over a connected card, whose token applet it selects. The card and the host must outlive the channel.
  [[nodiscard]] static Result<TokenChannel> establish(card::Card& card, const HostCredentials& host, crypto::DhGroup suite,
                                                      Clock& clock, Random& random);

  /// One command under secure messaging; the response's data. A refusal by the token leaves the channel as it was; all other
  /// errors close it.
  [[nodiscard]] Result<SecretBytes> command(std::uint8_t instruction, ByteView data, std::uint8_t p1 = 0);

  [[nodiscard]] const crypto::Certificate& token_certificate() const { return peer_; }
  [[nodiscard]] bool closed() const { return messaging_.closed(); }

 private:
  TokenChannel(card::Card& card, SacResult result)
      : card_(&card), messaging_(std::move(result.keys)), peer_(std::move(result.peer)) {}

  card::Card* card_;
  card::SecureMessaging messaging_;
  crypto::Certificate peer_;
};

}  // namespace cas::smartpro
