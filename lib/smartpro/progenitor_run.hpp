// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.hpp"
#include "card/applet.hpp"
#include "card/secure_messaging.hpp"
#include "smartpro/domain_register.hpp"
#include "smartpro/initiator_run.hpp"
#include "smartpro/sac.hpp"
#include "smartpro/token_commands.hpp"

namespace cas::smartpro {

/// What a progenitor does with another token, over a channel of its own that the TMC relays and cannot read (paper, 3.2
/// and 3.4): four commands, in this order. One thread at a time.
class ProgenitorRun {
 public:
  ProgenitorRun(card::AppletMemory& memory, Random& random, const SacParty& party)
      : memory_(memory), random_(random), party_(party), register_(memory) {}

  /// Starts; what was under way is forgotten. Gives message 1.
  [[nodiscard]] Result<Bytes> initiate(ByteView data);
  /// Takes message 2, and gives message 3, or a question about the token, which CHECK LIST answers.
  [[nodiscard]] Result<Bytes> authenticate(ByteView message2);
  /// The answer to a question; see InitiatorRun::check_list.
  [[nodiscard]] Result<Bytes> check_list(std::uint8_t p1, ByteView data);
  /// The register's record, and the command for the token, under the keys of the channel.
  [[nodiscard]] Result<Bytes> command();
  /// Takes the token's response: the register's record of it, and for a simple bridge its bridge record.
  [[nodiscard]] Result<Bytes> complete(ByteView response);

 private:
  struct Run {
    RunPurpose purpose = RunPurpose::activate;
    RegisterEntry entry;
    std::optional<InitiatorRun> initiator;
    std::optional<card::SecureMessaging> messaging;
    bool sent = false;
  };

  [[nodiscard]] Result<Bytes> go_on(Result<Bytes> said);
  [[nodiscard]] Result<card::CommandApdu> plain_command(Run& run);
  [[nodiscard]] Result<SecretBytes> activation_data(const RegisterEntry& entry) const;
  [[nodiscard]] Result<SecretBytes> deactivation_data(const RegisterEntry& entry) const;
  [[nodiscard]] Result<SecretBytes> registration_data(RegisterEntry& entry);
  [[nodiscard]] Result<SecretBytes> backup_data() const;

  card::AppletMemory& memory_;
  Random& random_;
  const SacParty& party_;
  DomainRegister register_;
  std::optional<Run> run_;
};

/// What a progenitor signs to deactivate a token, so that no other progenitor of the same root can: label, VDID, the
/// token's serial number (8).
[[nodiscard]] Bytes deactivation_order(const Vdid& vdid, SerialNumber token);

}  // namespace cas::smartpro
