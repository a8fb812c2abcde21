// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "card/applet.hpp"
#include "card/secure_messaging.hpp"
#include "smartpro/domain_register.hpp"
#include "smartpro/sac.hpp"
#include "smartpro/token_memory.hpp"

namespace cas::smartpro {

/// What only a progenitor token does (paper, 3.2): it founds a domain, and brings tokens into it over a channel of its own, which
/// the TMC relays and cannot read. The applet has checked that a management host asks. One thread at a time.
class Progenitor {
 public:
  Progenitor(card::AppletMemory& memory, Random& random, SacParty party)
      : memory_(memory), random_(random), party_(party), register_(memory) {}

  /// Draws domain key, VDID, register key and revocation key, once in the token's life.
  [[nodiscard]] Result<Bytes> create_domain();
  /// What create_domain has answered, for a TMC that was stopped before it could keep it.
  [[nodiscard]] Result<Bytes> read_domain();
  [[nodiscard]] Result<Bytes> enrol_initiate(ByteView data);
  [[nodiscard]] Result<Bytes> enrol_authenticate(ByteView message2);
  [[nodiscard]] Result<Bytes> enrol_activate();
  [[nodiscard]] Result<Bytes> enrol_complete(ByteView response);
  [[nodiscard]] Result<Bytes> read_register(std::uint8_t p1, ByteView record);
  [[nodiscard]] Result<Bytes> last_record();

 private:
  /// An enrolment under way.
  struct Enrolment {
    TokenKind kind = TokenKind::blank;
    UnixSeconds time = 0;
    std::optional<SacInitiator> sac;
    std::optional<card::SecureMessaging> messaging;
    SerialNumber token = 0;
    bool key_released = false;
  };

  [[nodiscard]] Result<SecretBytes> activation_data(TokenKind kind) const;

  card::AppletMemory& memory_;
  Random& random_;
  SacParty party_;
  DomainRegister register_;
  std::optional<Enrolment> enrolment_;
};

}  // namespace cas::smartpro
