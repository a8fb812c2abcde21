// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/token_management.hpp"

#include <algorithm>

#include "base/tlv.hpp"
#include "base/writer.hpp"
#include "crypto/random.hpp"
#include "smartpro/token_commands.hpp"
#include "smartpro/token_relay.hpp"

namespace cas::smartpro {

namespace {

Status append_record(RegisterFile& register_file, ByteView record) {
  if (record.size() != register_record_size)
    return fail(ErrorKind::malformed, "the progenitor gives a register record of the wrong size");
  return register_file.append(to_array<RegisterRecord>(record));
}

/// What is certain about a token before anything is asked of the progenitor.
Result<TokenInfo> check_blank(card::Card& token) {
  CAS_TRY_ASSIGN(TokenInfo info, read_token_info(token));
  if (!info.personalised)
    return fail(ErrorKind::refused,
                "the token in " + token.description() + " has no certificate yet: make it with cas-card create");
  if (info.kind != TokenKind::blank)
    return fail(ErrorKind::refused, "the token in " + token.description() + " is " + token_kind_name(info.kind) +
                                        " of domain " + to_hex(*info.vdid) + " already: a token belongs to one domain");
  return info;
}

}  // namespace

Result<TokenInfo> personalise_token(card::Card& card, RootAuthority& root, const std::string& name, bool progenitor) {
  CAS_TRY(card.connect());
  CAS_TRY_ASSIGN(const TokenInfo before, read_token_info(card));
  if (before.personalised)
    return fail(ErrorKind::refused, "the token in " + card.description() +
                                        " has its certificate already (serial number " +
                                        serial_text(before.serial_number) + ")");
  CAS_TRY_ASSIGN(const Bytes answer, plain_command(card, ins::generate_keys, {}));
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(answer, "the token's keys"));
  CAS_TRY_ASSIGN(const ByteView p256, fields.required(tag::keys_p256));
  CAS_TRY_ASSIGN(const ByteView ffdhe2048, fields.required(tag::keys_ffdhe2048));
  CAS_TRY_ASSIGN(const crypto::Certificate certificate,
                 root.issue_token(name, {copy_of(p256), copy_of(ffdhe2048)}, progenitor));
  const Bytes data = TlvWriter()
                         .field(tag::personalise_root, root.certificate().der())
                         .field(tag::personalise_own, certificate.der())
                         .field(tag::personalise_revocation_key, root.revocation_key())
                         .take();
  CAS_TRY(plain_command(card, ins::personalise, data));
  return read_token_info(card);
}

Result<ProgenitorSession> ProgenitorSession::open(std::shared_ptr<card::Card> progenitor,
                                                  std::shared_ptr<const HostCredentials> host, Options options) {
  if (options.clock == nullptr) options.clock = &system_clock();
  if (options.random == nullptr) options.random = &crypto::system_random();
  if (!options.lists) options.lists = HostLists::in_memory(host->root_revocation_key);
  CAS_TRY(progenitor->connect());
  CAS_TRY_ASSIGN(TokenChannel channel, TokenChannel::establish(*progenitor, *host, options));
  return ProgenitorSession(std::move(progenitor), std::move(host), std::move(channel), std::move(options));
}

Status ProgenitorSession::renew_channel() {
  if (!channel_.lists_changed()) return {};
  CAS_TRY_ASSIGN(channel_, TokenChannel::establish(*card_, *host_, options_));
  return {};
}

Result<DomainRecord> ProgenitorSession::create_domain() { return domain_command(ins::create_domain); }

Result<DomainRecord> ProgenitorSession::read_domain() { return domain_command(ins::read_domain); }

Result<DomainRecord> ProgenitorSession::domain_command(std::uint8_t instruction) {
  CAS_TRY(renew_channel());
  CAS_TRY_ASSIGN(const SecretBytes answer, channel_.command(instruction, {}));
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(answer.reveal(), "the progenitor's domain"));
  CAS_TRY_ASSIGN(const ByteView vdid, fields.required(tag::domain_vdid, sizeof(Vdid)));
  CAS_TRY_ASSIGN(const ByteView revocation_key, fields.required(tag::domain_revocation_key));
  CAS_TRY_ASSIGN(const ByteView irl_header, fields.required(tag::domain_irl_header));
  CAS_TRY_ASSIGN(const ByteView mask_header, fields.required(tag::domain_mask_header));
  CAS_TRY_ASSIGN(const std::uint64_t next_index, fields.required_number(tag::domain_next_index, 4));
  CAS_TRY_ASSIGN(const std::uint64_t generation, fields.required_number(tag::domain_generation, 8));
  CAS_TRY_ASSIGN(const std::uint64_t dormant, fields.required_number(tag::domain_dormant, 1));
  return DomainRecord{to_array<Vdid>(vdid), serial_number(),      copy_of(revocation_key),
                      copy_of(irl_header),  copy_of(mask_header), static_cast<std::uint32_t>(next_index),
                      generation,           dormant != 0};
}

Result<bool> ProgenitorSession::bring_up_to_date(RegisterFile& register_file) {
  CAS_TRY_ASSIGN(const SecretBytes answer, channel_.command(ins::last_record, {}));
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(answer.reveal(), "the last register record"));
  CAS_TRY_ASSIGN(const std::uint64_t on_card, fields.required_number(tag::records_count, 8));
  CAS_TRY_ASSIGN(const auto records, register_file.records());
  if (on_card == 0) return records.empty();
  CAS_TRY_ASSIGN(const ByteView last, fields.required(tag::records_last));
  if (records.size() == on_card) return equal(records.back(), last);
  if (records.size() + 1 != on_card) return false;
  CAS_TRY(append_record(register_file, last));
  return true;
}

Status ProgenitorSession::require_newest(RegisterFile& register_file) {
  CAS_TRY_ASSIGN(const bool newest, bring_up_to_date(register_file));
  if (newest) return {};
  // What is added to another copy would never be read again.
  return fail(ErrorKind::refused,
              "the register here does not end in the record that the progenitor has written last: it is an old or "
              "changed copy. Restore the newest copy.");
}

Bytes ProgenitorSession::run_request(RunPurpose purpose, TokenKind kind, const Vdid& vdid) const {
  TlvWriter writer;
  writer.number(tag::run_purpose, static_cast<std::uint64_t>(purpose), 1)
      .number(tag::run_time, static_cast<std::uint64_t>(options_.clock->now()), 8)
      .number(tag::run_suite, static_cast<std::uint64_t>(options_.suite), 1);
  if (purpose == RunPurpose::activate) writer.number(tag::run_kind, static_cast<std::uint64_t>(kind), 1);
  if (purpose == RunPurpose::register_bridge) writer.field(tag::run_vdid, vdid);
  return writer.take();
}

Result<SecretBytes> ProgenitorSession::run_with(card::Card& token, ByteView request, RegisterFile& register_file) {
  CAS_TRY_ASSIGN(const SharedLists token_lists, prepare_token(token, *options_.lists, options_.answers));
  CAS_TRY(renew_channel());
  CAS_TRY(require_newest(register_file));
  CAS_TRY_ASSIGN(const SecretBytes message1, channel_.command(ins::run_initiate, request));
  CAS_TRY(bring_together(channel_, ins::run_authenticate, message1.reveal(), {token, token_lists}, options_.answers));

  CAS_TRY_ASSIGN(const SecretBytes prepared, channel_.command(ins::run_command, {}));
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(prepared.reveal(), "the progenitor's command"));
  CAS_TRY_ASSIGN(const ByteView sent_record, fields.required(tag::run_record));
  CAS_TRY(append_record(register_file, sent_record));
  CAS_TRY_ASSIGN(const ByteView command_bytes, fields.required(tag::run_wrapped_command));
  CAS_TRY_ASSIGN(const Bytes response, carry(token, command_bytes));

  CAS_TRY_ASSIGN(SecretBytes completion, channel_.command(ins::run_complete, response));
  CAS_TRY_ASSIGN(const TlvFields completed, TlvFields::parse(completion.reveal(), "the progenitor's answer"));
  CAS_TRY_ASSIGN(const ByteView confirmed_record, completed.required(tag::run_record));
  CAS_TRY(append_record(register_file, confirmed_record));
  return completion;
}

Result<TokenInfo> ProgenitorSession::enrol(card::Card& token, TokenKind kind, RegisterFile& register_file) {
  CAS_TRY(token.connect());
  CAS_TRY(check_blank(token));
  CAS_TRY(run_with(token, run_request(RunPurpose::activate, kind, {}), register_file));
  return read_token_info(token);
}

Result<TokenInfo> ProgenitorSession::deactivate(card::Card& token, RegisterFile& register_file) {
  CAS_TRY(token.connect());
  CAS_TRY_ASSIGN(const TokenInfo info, read_token_info(token));
  if (info.kind == TokenKind::blank) {
    CAS_TRY_ASSIGN(const std::vector<RegisterEntry> entries, read_register(register_file));
    // It may have forgotten the domain, and its answer was lost: the progenitor asks it again then.
    if (std::ranges::find(entries, info.serial_number, &RegisterEntry::token) == entries.end())
      return fail(ErrorKind::refused, "the token in " + token.description() + " belongs to no domain");
  }
  if (info.kind == TokenKind::progenitor)
    return fail(ErrorKind::refused,
                "the token in " + token.description() + " is a progenitor: without it nobody can run its domain");
  CAS_TRY(run_with(token, run_request(RunPurpose::deactivate, info.kind, {}), register_file));
  return read_token_info(token);
}

Result<Bytes> ProgenitorSession::register_bridge(card::Card& token, RegisterFile& register_file) {
  CAS_TRY(token.connect());
  CAS_TRY_ASSIGN(const TokenInfo info, read_token_info(token));
  if (info.kind != TokenKind::simple_bridge)
    return fail(
        ErrorKind::refused,
        "the token in " + token.description() + " is " + token_kind_name(info.kind) +
            ": a token is enrolled in its own domain as simple-bridge first, and registered in the source domain then");
  CAS_TRY_ASSIGN(const SecretBytes answer,
                 run_with(token, run_request(RunPurpose::register_bridge, info.kind, *info.vdid), register_file));
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(answer.reveal(), "the progenitor's answer"));
  CAS_TRY_ASSIGN(const ByteView record, fields.required(tag::run_bridge_record));
  return copy_of(record);
}

Result<TokenInfo> ProgenitorSession::back_up(card::Card& token, RegisterFile& register_file) {
  CAS_TRY(token.connect());
  CAS_TRY_ASSIGN(const TokenInfo before, read_token_info(token));
  if (before.personalised && before.serial_number == serial_number())
    return fail(ErrorKind::refused,
                "the token in " + token.description() + " is the progenitor itself: a backup is another card");
  // A backup of this domain is made anew; the token sees to it that it is one.
  CAS_TRY_ASSIGN(const DomainRecord domain, read_domain());
  if (before.kind != TokenKind::progenitor || before.vdid != domain.vdid) CAS_TRY(check_blank(token));
  CAS_TRY(run_with(token, run_request(RunPurpose::back_up, TokenKind::progenitor, {}), register_file));
  return read_token_info(token);
}

Result<SecretBytes> ProgenitorSession::show_in_parts(std::uint8_t instruction, ByteView request, ByteView content) {
  constexpr std::size_t part_size = 4096;  // of whole numbers, as revocation lists have them
  CAS_TRY(channel_.command(instruction, request, revise_start));
  for (std::size_t at = 0; content.size() - at > part_size; at += part_size)
    CAS_TRY(channel_.command(instruction, content.subspan(at, part_size), revise_part));
  return channel_.command(instruction, content.last(content.empty() ? 0 : (content.size() - 1) % part_size + 1),
                          revise_last_part);
}

Result<RevocationList> ProgenitorSession::revoke(SerialNumber token, const RevocationList& before,
                                                 RegisterFile& register_file) {
  CAS_TRY(require_newest(register_file));
  const Bytes request = TlvWriter()
                            .number(tag::revoke_serial, token, 8)
                            .number(tag::revoke_time, static_cast<std::uint64_t>(options_.clock->now()), 8)
                            .take();
  ByteWriter payload;
  for (const RevokedNumber number : before.tokens) payload.u64(number);
  CAS_TRY_ASSIGN(const SecretBytes answer, show_in_parts(ins::revoke_token, request, payload.view()));
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(answer.reveal(), "the progenitor's revocation"));
  CAS_TRY_ASSIGN(const ByteView record, fields.required(tag::revised_record));
  CAS_TRY_ASSIGN(const ByteView header, fields.required(tag::revised_header));
  CAS_TRY(append_record(register_file, record));
  RevocationList list = before;
  list.tokens.insert(std::ranges::lower_bound(list.tokens, token), token);
  list.signed_header = copy_of(header);
  CAS_TRY_ASSIGN(list.header, RevocationHeader::parse(header));
  return list;
}

Result<AuthorisationMask> ProgenitorSession::revise_mask(std::uint32_t index, bool authorised,
                                                         const AuthorisationMask& before, RegisterFile& register_file) {
  CAS_TRY(require_newest(register_file));
  const Bytes request = TlvWriter()
                            .number(tag::revise_index, index, 4)
                            .number(tag::revise_time, static_cast<std::uint64_t>(options_.clock->now()), 8)
                            .number(tag::revise_value, authorised ? 1 : 0, 1)
                            .take();
  CAS_TRY_ASSIGN(const SecretBytes answer, show_in_parts(ins::revise_mask, request, before.bits));
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(answer.reveal(), "the progenitor's revision of the mask"));
  CAS_TRY_ASSIGN(const ByteView record, fields.required(tag::revised_record));
  CAS_TRY_ASSIGN(const ByteView header, fields.required(tag::revised_header));
  CAS_TRY(append_record(register_file, record));
  AuthorisationMask mask;
  CAS_TRY_ASSIGN(mask.bits, before.bits_with(index, authorised));
  mask.signed_header = copy_of(header);
  CAS_TRY_ASSIGN(mask.header, MaskHeader::parse(header));
  return mask;
}

Status ProgenitorSession::take_over(ByteView mask_header, RegisterFile& register_file) {
  CAS_TRY_ASSIGN(const SecretBytes answer, channel_.command(ins::last_record, {}));
  CAS_TRY_ASSIGN(const TlvFields last, TlvFields::parse(answer.reveal(), "the last register record"));
  CAS_TRY_ASSIGN(const std::uint64_t known, last.required_number(tag::records_count, 8));
  CAS_TRY_ASSIGN(const auto records, register_file.records());
  if (known > records.size())
    return fail(ErrorKind::refused, "the register here is older than the backup: restore the newest copy");
  CAS_TRY(channel_.command(ins::take_over, {}, read_register_start));
  for (std::size_t i = known; i < records.size(); ++i)
    CAS_TRY(channel_.command(ins::take_over, records[i], read_register_next));
  const Bytes end = TlvWriter()
                        .number(tag::take_over_time, static_cast<std::uint64_t>(options_.clock->now()), 8)
                        .field(tag::take_over_mask_header, mask_header)
                        .take();
  CAS_TRY_ASSIGN(const SecretBytes done, channel_.command(ins::take_over, end, read_register_end));
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(done.reveal(), "the end of the take-over"));
  CAS_TRY_ASSIGN(const ByteView record, fields.required(tag::revised_record));
  return append_record(register_file, record);
}

Status ProgenitorSession::roll(RegisterFile& register_file) {
  CAS_TRY(require_newest(register_file));
  const Bytes request = TlvWriter().number(tag::roll_time, static_cast<std::uint64_t>(options_.clock->now()), 8).take();
  CAS_TRY_ASSIGN(const SecretBytes answer, channel_.command(ins::roll_domain, request));
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(answer.reveal(), "the progenitor's answer"));
  CAS_TRY_ASSIGN(const ByteView record, fields.required(tag::revised_record));
  return append_record(register_file, record);
}

Result<Bytes> ProgenitorSession::reissue_old_licence(ByteView lecm) {
  CAS_TRY_ASSIGN(const SecretBytes answer,
                 channel_.command(ins::reissue_old_licence, TlvWriter().field(tag::reissue_old_lecm, lecm).view()));
  return copy_of(answer.reveal());
}

Result<std::vector<RegisterEntry>> ProgenitorSession::read_register(RegisterFile& register_file) {
  CAS_TRY(renew_channel());
  CAS_TRY(bring_up_to_date(register_file));  // how far off it is otherwise, the reading tells
  CAS_TRY_ASSIGN(const auto records, register_file.records());
  CAS_TRY(channel_.command(ins::read_register, {}, read_register_start));
  std::vector<RegisterEntry> entries;
  for (const RegisterRecord& record : records) {
    auto answer = channel_.command(ins::read_register, record, read_register_next);
    if (!answer)
      return fail(answer.error().kind, "the register is damaged at record " + std::to_string(entries.size() + 1) +
                                           ": " + answer.error().message);
    CAS_TRY_ASSIGN(const RegisterEntry entry, RegisterEntry::parse(answer->reveal()));
    entries.push_back(entry);
  }
  auto end = channel_.command(ins::read_register, {}, read_register_end);
  if (!end) {
    if (end.error().kind == ErrorKind::refused)
      return fail(ErrorKind::refused,
                  "the register here is an old or cut copy: the progenitor has written more records than the " +
                      std::to_string(records.size()) + " shown. Restore the newest copy.");
    return fail(std::move(end).error());
  }
  return entries;
}

}  // namespace cas::smartpro
