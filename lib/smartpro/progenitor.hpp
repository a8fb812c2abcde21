// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "card/applet.hpp"
#include "smartpro/authorisation_mask.hpp"
#include "smartpro/domain_register.hpp"
#include "smartpro/list_addition.hpp"
#include "smartpro/progenitor_run.hpp"
#include "smartpro/sac.hpp"

namespace cas::smartpro {

/// What only a progenitor token does (paper, 3.2, 4.1 and 4.2): it founds a domain, does with other tokens what the
/// domain needs (ProgenitorRun), revokes tokens, and writes the authorisation mask. The applet has checked that a
/// management host asks. One thread at a time.
///
/// Lists and masks pass by in parts: nothing here grows with them. What an instruction takes and gives is in
/// docs/formats/smartpro-token.md.
class Progenitor {
 public:
  Progenitor(card::AppletMemory& memory, Random& random, SacParty party)
      : memory_(memory), random_(random), party_(party), register_(memory), run_(memory, random, party_) {}

  /// An instruction of a progenitor; ErrorKind::not_found when there is no such one.
  [[nodiscard]] Result<Bytes> process(std::uint8_t instruction, std::uint8_t p1, ByteView data);

  /// The answer to a question about a token with which a run is under way; see InitiatorRun::check_list.
  [[nodiscard]] Result<Bytes> check_list(std::uint8_t p1, ByteView data) { return run_.check_list(p1, data); }

 private:
  /// Draws domain key, VDID, register key, revocation key and the bridges' master keys, once in the token's life.
  [[nodiscard]] Result<Bytes> create_domain();
  /// What create_domain has answered, for a TMC that was stopped before it could keep it, and how things stand.
  [[nodiscard]] Result<Bytes> read_domain();
  [[nodiscard]] Result<Bytes> read_register(std::uint8_t p1, ByteView record);
  [[nodiscard]] Result<Bytes> last_record();
  [[nodiscard]] Result<Bytes> revoke_token(std::uint8_t p1, ByteView data);
  [[nodiscard]] Result<Bytes> finish_revocation();
  [[nodiscard]] Result<Bytes> revise_mask(std::uint8_t p1, ByteView data);
  [[nodiscard]] Result<Bytes> finish_mask();
  [[nodiscard]] Result<Bytes> take_over(std::uint8_t p1, ByteView data);
  [[nodiscard]] Status note_while_catching_up(const RegisterEntry& entry);
  [[nodiscard]] Result<Bytes> finish_take_over(ByteView data);
  [[nodiscard]] Result<Bytes> roll_domain(ByteView data);
  [[nodiscard]] Result<Bytes> reissue_old_licence(ByteView data);

  [[nodiscard]] Status require_active() const;

  struct Revocation {
    RegisterEntry entry;
    ListAddition addition;
  };
  struct MaskRevision {
    RegisterEntry entry;
    MaskUpdate update;
  };
  /// What a backup learns from the records that the progenitor has written since.
  struct CatchingUp {
    std::uint64_t next_index = 1;
    std::uint64_t mask_version = 0;
    std::uint64_t irl_index = 0;
    bool found_itself = false;  ///< The record that it was given the secrets.
  };

  card::AppletMemory& memory_;
  Random& random_;
  SacParty party_;
  DomainRegister register_;
  ProgenitorRun run_;
  std::optional<Revocation> revocation_;
  std::optional<MaskRevision> mask_revision_;
  std::optional<CatchingUp> catching_up_;
};

}  // namespace cas::smartpro
