// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/progenitor.hpp"

#include "base/tlv.hpp"
#include "crypto/signature.hpp"
#include "smartpro/bridge_keys.hpp"
#include "smartpro/licence.hpp"
#include "smartpro/progenitor_secrets.hpp"
#include "smartpro/revocation_header.hpp"
#include "smartpro/roles.hpp"
#include "smartpro/token_commands.hpp"
#include "smartpro/token_lists.hpp"

namespace cas::smartpro {

namespace {

constexpr std::size_t register_key_size = 32;

Result<UnixSeconds> time_field(const TlvFields& fields, TlvTag tag) {
  CAS_TRY_ASSIGN(const std::uint64_t time, fields.required_number(tag, 8));
  return static_cast<UnixSeconds>(time);
}

/// Secrets of a new domain, all drawn here.
Result<ProgenitorSecrets> draw_secrets(Random& random) {
  ProgenitorSecrets secrets;
  CAS_TRY_ASSIGN(secrets.domain_key, random_secret(random, domain_key_size));
  CAS_TRY_ASSIGN(secrets.register_key, random_secret(random, register_key_size));
  CAS_TRY_ASSIGN(secrets.master_bridge_master_key, random_secret(random, bridge_master_key_size));
  CAS_TRY_ASSIGN(secrets.simple_bridge_master_key, random_secret(random, bridge_master_key_size));
  CAS_TRY_ASSIGN(const crypto::SigningKey revocation_key, crypto::SigningKey::generate(random));
  CAS_TRY_ASSIGN(secrets.revocation_private, revocation_key.private_value());
  CAS_TRY_ASSIGN(const Bytes revocation_public, revocation_key.public_value());
  secrets.revocation_key = to_array<RevocationKey>(revocation_public);
  CAS_TRY(random.fill(secrets.vdid));
  CAS_TRY_ASSIGN(const RevocationHeader irl, RevocationHeader::empty_internal(secrets.vdid, 1));
  CAS_TRY_ASSIGN(secrets.irl_header, irl.encode_signed(revocation_key));
  CAS_TRY_ASSIGN(const MaskHeader mask, MaskHeader::first(secrets.vdid));
  CAS_TRY_ASSIGN(secrets.mask_header, mask.encode_signed(revocation_key));
  return secrets;
}

}  // namespace

Result<Bytes> Progenitor::process(std::uint8_t instruction, std::uint8_t p1, ByteView data) {
  switch (instruction) {
    case ins::create_domain: return create_domain();
    case ins::read_domain: return read_domain();
    case ins::last_record: return last_record();
    case ins::take_over: return take_over(p1, data);
    default: break;
  }
  CAS_TRY(require_active());
  switch (instruction) {
    case ins::run_initiate: return run_.initiate(data);
    case ins::run_authenticate: return run_.authenticate(data);
    case ins::run_command: return run_.command();
    case ins::run_complete: return run_.complete(data);
    case ins::read_register: return read_register(p1, data);
    case ins::revoke_token: return revoke_token(p1, data);
    case ins::revise_mask: return revise_mask(p1, data);
    case ins::roll_domain: return roll_domain(data);
    case ins::reissue_old_licence: return reissue_old_licence(data);
    default: return fail(ErrorKind::not_found, "no such instruction");
  }
}

Status Progenitor::require_active() const {
  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
  if (membership.kind == TokenKind::blank) return fail(ErrorKind::refused, "this progenitor has no domain yet");
  if (membership.kind != TokenKind::progenitor) return fail(ErrorKind::unsupported, "this token is no progenitor");
  if (!memory_.read(object::dormant_backup).empty())
    return fail(ErrorKind::refused, "this token is a backup of a progenitor that has not taken over");
  return {};
}

Result<Bytes> Progenitor::create_domain() {
  // Paper, 3.2: "There is only one progenitor in a Virtual Domain", which "generates a domain key" at its activation.
  if (!party_.certificate->has_role(role_progenitor))
    return fail(ErrorKind::unsupported, "this token was not made to be a progenitor");
  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
  if (membership.kind != TokenKind::blank) return fail(ErrorKind::refused, "this token belongs to a domain already");
  CAS_TRY_ASSIGN(const ProgenitorSecrets secrets, draw_secrets(random_));
  CAS_TRY(secrets.store(memory_, party_.certificate->serial_number()));
  return read_domain();
}

Result<Bytes> Progenitor::read_domain() {
  CAS_TRY_ASSIGN(const ProgenitorSecrets secrets, ProgenitorSecrets::load(memory_));
  return TlvWriter()
      .field(tag::domain_vdid, secrets.vdid)
      .field(tag::domain_revocation_key, secrets.revocation_key)
      .field(tag::domain_irl_header, secrets.irl_header)
      .field(tag::domain_mask_header, secrets.mask_header)
      .number(tag::domain_next_index, secrets.next_bridge_index, 4)
      .number(tag::domain_generation, secrets.generation, 8)
      .number(tag::domain_dormant, memory_.read(object::dormant_backup).empty() ? 0 : 1, 1)
      .take();
}

Result<Bytes> Progenitor::read_register(std::uint8_t p1, ByteView record) {
  switch (p1) {
    case read_register_start: register_.start_reading(); return Bytes{};
    case read_register_next:
      return register_.read_next(record).map([](const RegisterEntry& entry) { return entry.encode(); });
    case read_register_end: return register_.finish_reading().map([] { return Bytes{}; });
    default: return fail(ErrorKind::invalid_argument, "READ REGISTER knows P1 0, 1 and 2");
  }
}

Result<Bytes> Progenitor::last_record() {
  CAS_TRY_ASSIGN(const auto last, register_.last());
  TlvWriter writer;
  writer.number(tag::records_count, last.first, 8);
  if (last.second) writer.field(tag::records_last, *last.second);
  return writer.take();
}

Result<Bytes> Progenitor::revoke_token(std::uint8_t p1, ByteView data) {
  if (p1 == revise_start) {
    CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(data, "revocation"));
    CAS_TRY(fields.check_known({tag::revoke_serial, tag::revoke_time}));
    RegisterEntry entry;
    entry.event = RegisterEvent::revoked;
    CAS_TRY_ASSIGN(entry.token, fields.required_number(tag::revoke_serial, 8));
    CAS_TRY_ASSIGN(entry.time, time_field(fields, tag::revoke_time));
    if (entry.token == party_.certificate->serial_number())
      return fail(ErrorKind::refused, "a progenitor does not revoke itself");
    CAS_TRY_ASSIGN(ListAddition addition, ListAddition::create(entry.token));
    revocation_.emplace(Revocation{entry, std::move(addition)});
    return Bytes{};
  }
  if (p1 > revise_last_part) return fail(ErrorKind::invalid_argument, "REVOKE TOKEN knows P1 0, 1 and 2");
  if (!revocation_) return fail(ErrorKind::refused, "no token is being revoked");
  if (Status added = revocation_->addition.add(data); !added) {
    revocation_.reset();  // what a part that was refused has left behind is no list
    return fail(std::move(added).error());
  }
  return p1 == revise_last_part ? finish_revocation() : Bytes{};
}

Result<Bytes> Progenitor::finish_revocation() {
  Revocation revocation = std::move(*revocation_);
  revocation_.reset();
  TokenLists lists(memory_);
  CAS_TRY_ASSIGN(RevocationHeader header,
                 RevocationHeader::parse(lists.header(RevocationListKind::internal).value_or(Bytes{})));
  CAS_TRY_ASSIGN(header.tokens, revocation.addition.finish(header.tokens));
  ++header.index;
  CAS_TRY_ASSIGN(const crypto::SigningKey key, load_revocation_key(memory_));
  CAS_TRY_ASSIGN(const Bytes signed_header, header.encode_signed(key));
  CAS_TRY(lists.take_header(signed_header));
  CAS_TRY(lists.set_state(RevocationListKind::internal, ListState::sound));  // it has just seen the whole list
  revocation.entry.number = header.index;
  CAS_TRY_ASSIGN(const RegisterRecord record, register_.add(revocation.entry));
  return TlvWriter().field(tag::revised_record, record).field(tag::revised_header, signed_header).take();
}

Result<Bytes> Progenitor::revise_mask(std::uint8_t p1, ByteView data) {
  if (p1 == revise_start) {
    CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(data, "revision of the authorisation mask"));
    CAS_TRY(fields.check_known({tag::revise_index, tag::revise_time, tag::revise_value}));
    RegisterEntry entry;
    CAS_TRY_ASSIGN(entry.number, fields.required_number(tag::revise_index, 4));
    CAS_TRY_ASSIGN(entry.time, time_field(fields, tag::revise_time));
    CAS_TRY_ASSIGN(const std::uint64_t value, fields.required_number(tag::revise_value, 1));
    if (value > 1) return fail(ErrorKind::malformed, "a bit is 0 or 1");
    entry.event = value == 1 ? RegisterEvent::bridge_authorised : RegisterEvent::bridge_barred;
    CAS_TRY_ASSIGN(const std::uint64_t next_index, load_number(memory_, object::next_bridge_index, 1));
    if (entry.number == 0 || entry.number >= next_index)
      return fail(ErrorKind::refused, "no bridge has been registered under that index");
    CAS_TRY_ASSIGN(const MaskHeader before, MaskHeader::parse(memory_.read(object::progenitor_mask).reveal()));
    CAS_TRY_ASSIGN(MaskUpdate update, MaskUpdate::create(before, static_cast<std::uint32_t>(entry.number), value == 1));
    mask_revision_.emplace(MaskRevision{entry, std::move(update)});
    return Bytes{};
  }
  if (p1 > revise_last_part) return fail(ErrorKind::invalid_argument, "REVISE MASK knows P1 0, 1 and 2");
  if (!mask_revision_) return fail(ErrorKind::refused, "no mask is being revised");
  if (Status added = mask_revision_->update.add(data); !added) {
    mask_revision_.reset();
    return fail(std::move(added).error());
  }
  return p1 == revise_last_part ? finish_mask() : Bytes{};
}

Result<Bytes> Progenitor::finish_mask() {
  MaskRevision revision = std::move(*mask_revision_);
  mask_revision_.reset();
  CAS_TRY_ASSIGN(const MaskHeader header, revision.update.finish());
  CAS_TRY_ASSIGN(const crypto::SigningKey key, load_revocation_key(memory_));
  CAS_TRY_ASSIGN(const Bytes signed_header, header.encode_signed(key));
  CAS_TRY(memory_.write(object::progenitor_mask, signed_header));
  CAS_TRY_ASSIGN(const RegisterRecord record, register_.add(revision.entry));
  return TlvWriter().field(tag::revised_record, record).field(tag::revised_header, signed_header).take();
}

Result<Bytes> Progenitor::take_over(std::uint8_t p1, ByteView data) {
  if (memory_.read(object::dormant_backup).empty())
    return fail(ErrorKind::refused, "this token is no backup of a progenitor");
  if (p1 == read_register_start) {
    CAS_TRY_ASSIGN(const ProgenitorSecrets secrets, ProgenitorSecrets::load(memory_));
    CAS_TRY_ASSIGN(const MaskHeader mask, MaskHeader::parse(secrets.mask_header));
    CAS_TRY_ASSIGN(const std::uint64_t irl_index, load_number(memory_, object::dormant_backup, 0));
    CAS_TRY(register_.start_behind_head());
    catching_up_ = CatchingUp{secrets.next_bridge_index, mask.version, irl_index, false};
    return Bytes{};
  }
  if (!catching_up_) return fail(ErrorKind::refused, "no register is being shown");
  if (p1 == read_register_end) return finish_take_over(data);
  if (p1 != read_register_next) return fail(ErrorKind::invalid_argument, "TAKE OVER knows P1 0, 1 and 2");
  const auto entry = register_.read_next(data);
  const Status noted = entry ? note_while_catching_up(*entry) : fail(entry.error());
  if (!noted) {
    // What was refused is not to be passed over by showing the record behind it.
    catching_up_.reset();
    return fail(noted.error());
  }
  return entry->encode();
}

Status Progenitor::note_while_catching_up(const RegisterEntry& entry) {
  switch (entry.event) {
    case RegisterEvent::bridge_keys_released: catching_up_->next_index = entry.number + 1; break;
    case RegisterEvent::bridge_authorised:
    case RegisterEvent::bridge_barred: ++catching_up_->mask_version; break;
    case RegisterEvent::revoked: catching_up_->irl_index = entry.number; break;
    case RegisterEvent::secrets_released:
      catching_up_->found_itself |= entry.token == party_.certificate->serial_number();
      break;
    case RegisterEvent::rolled:
    case RegisterEvent::took_over:
      return fail(ErrorKind::refused, "this backup is from before the domain got a new key or progenitor");
    default: break;
  }
  return {};
}

Result<Bytes> Progenitor::finish_take_over(ByteView data) {
  const CatchingUp seen = *catching_up_;
  catching_up_.reset();
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(data, "end of a register"));
  CAS_TRY(fields.check_known({tag::take_over_time, tag::take_over_mask_header}));
  CAS_TRY_ASSIGN(const ByteView mask_header, fields.required(tag::take_over_mask_header));
  CAS_TRY_ASSIGN(const UnixSeconds time, time_field(fields, tag::take_over_time));
  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
  // Nothing tells that a chain goes on. A register from before this backup, or before a list that is about, is one that
  // was cut.
  if (!seen.found_itself) return fail(ErrorKind::outdated, "the register is from before this backup was made");
  // The register tells how many masks and lists there have been: with older ones, numbers would be given twice.
  CAS_TRY_ASSIGN(const MaskHeader mask, MaskHeader::parse_signed(mask_header, membership.revocation_key));
  CAS_TRY_ASSIGN(const ListIndices lists, TokenLists(memory_).indices());
  if (mask.vdid != membership.vdid || mask.version != seen.mask_version)
    return fail(ErrorKind::outdated, "the authorisation mask is not the one that the register ends with");
  if (lists.internal != seen.irl_index)
    return fail(ErrorKind::outdated, "the revocation list is not the one that the register ends with");
  CAS_TRY(register_.take_end());
  CAS_TRY(store_number(memory_, object::next_bridge_index, seen.next_index));
  CAS_TRY(memory_.write(object::progenitor_mask, mask_header));
  memory_.erase(object::dormant_backup);
  RegisterEntry entry;
  entry.event = RegisterEvent::took_over;
  entry.token = party_.certificate->serial_number();
  entry.kind = TokenKind::progenitor;
  entry.time = time;
  CAS_TRY_ASSIGN(const RegisterRecord record, register_.add(entry));
  return TlvWriter().field(tag::revised_record, record).take();
}

Result<Bytes> Progenitor::roll_domain(ByteView data) {
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(data, "roll of a domain"));
  CAS_TRY(fields.check_known({tag::roll_time}));
  RegisterEntry entry;
  entry.event = RegisterEvent::rolled;
  CAS_TRY_ASSIGN(entry.time, time_field(fields, tag::roll_time));
  CAS_TRY_ASSIGN(const std::uint64_t generation, load_number(memory_, object::generation, 1));
  entry.number = generation + 1;
  CAS_TRY_ASSIGN(const SecretBytes domain_key, random_secret(random_, domain_key_size));
  CAS_TRY_ASSIGN(const SecretBytes mkmb, random_secret(random_, bridge_master_key_size));
  CAS_TRY_ASSIGN(const SecretBytes mksb, random_secret(random_, bridge_master_key_size));
  CAS_TRY(memory_.write(object::previous_domain_key, memory_.read(object::domain_key).reveal()));
  CAS_TRY(memory_.write(object::domain_key, domain_key.reveal()));
  CAS_TRY(memory_.write(object::master_bridge_master_key, mkmb.reveal()));
  CAS_TRY(memory_.write(object::simple_bridge_master_key, mksb.reveal()));
  CAS_TRY(store_number(memory_, object::generation, entry.number));
  CAS_TRY_ASSIGN(const RegisterRecord record, register_.add(entry));
  return TlvWriter().field(tag::revised_record, record).take();
}

Result<Bytes> Progenitor::reissue_old_licence(ByteView data) {
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(data, "an old licence"));
  CAS_TRY(fields.check_known({tag::reissue_old_lecm}));
  CAS_TRY_ASSIGN(const ByteView lecm, fields.required(tag::reissue_old_lecm));
  CAS_TRY_ASSIGN(const LicenceView view, LicenceView::parse(lecm));
  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
  if (view.vdid != membership.vdid) return fail(ErrorKind::wrong_domain, "the licence is of another domain");
  const SecretBytes previous = memory_.read(object::previous_domain_key);
  if (previous.empty()) return fail(ErrorKind::refused, "the domain was never rolled");
  // What is under the present key already stays as it is, so that a stopped command can be repeated.
  if (unseal_licence(memory_.read(object::domain_key), view)) return copy_of(lecm);
  auto unsealed = unseal_licence(previous, view);
  if (!unsealed)
    return fail(ErrorKind::malformed, "the licence is not under the domain's previous key, or was changed");
  CAS_TRY(random_.fill(unsealed->terms.licence_id));
  unsealed->terms.issuer = party_.certificate->serial_number();
  return seal_licence(memory_.read(object::domain_key), unsealed->terms, unsealed->control_word);
}

}  // namespace cas::smartpro
