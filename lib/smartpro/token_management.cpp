// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/token_management.hpp"

#include "base/tlv.hpp"
#include "crypto/random.hpp"
#include "smartpro/token_commands.hpp"

namespace cas::smartpro {

namespace {

Status append_record(RegisterFile& register_file, ByteView record) {
  if (record.size() != register_record_size) return fail(ErrorKind::malformed, "the progenitor gives a register record of the wrong size");
  return register_file.append(to_array<RegisterRecord>(record));
}

/// What is certain about a token before anything is asked of the progenitor.
Result<TokenInfo> check_blank(card::Card& token) {
  CAS_TRY_ASSIGN(TokenInfo info, read_token_info(token));
  if (!info.personalised) return fail(ErrorKind::refused, "the token in " + token.description() + " has no certificate yet: make it with cas-card create");
  if (info.kind != TokenKind::blank)
    return fail(ErrorKind::refused, "the token in " + token.description() + " is " + token_kind_name(info.kind) + " of domain " +
                                        to_hex(*info.vdid) + " already: a token belongs to one domain");
  return info;
}

}  // namespace

Result<TokenInfo> personalise_token(card::Card& card, RootAuthority& root, const std::string& name, bool progenitor) {
  CAS_TRY(card.connect());
  CAS_TRY_ASSIGN(const TokenInfo before, read_token_info(card));
  if (before.personalised)
    return fail(ErrorKind::refused, "the token in " + card.description() + " has its certificate already (serial number " +
                                        std::to_string(before.serial_number) + ")");
  CAS_TRY_ASSIGN(const Bytes answer, plain_command(card, ins::generate_keys, {}));
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(answer, "the token's keys"));
  CAS_TRY_ASSIGN(const ByteView p256, fields.required(tag::keys_p256));
  CAS_TRY_ASSIGN(const ByteView ffdhe2048, fields.required(tag::keys_ffdhe2048));
  CAS_TRY_ASSIGN(const crypto::Certificate certificate, root.issue_token(name, {copy_of(p256), copy_of(ffdhe2048)}, progenitor));
  const Bytes data =
      TlvWriter().field(tag::personalise_root, root.certificate().der()).field(tag::personalise_own, certificate.der()).field(tag::personalise_revocation_key, root.revocation_key()).take();
  CAS_TRY(plain_command(card, ins::personalise, data));
  return read_token_info(card);
}

Result<ProgenitorSession> ProgenitorSession::open(std::shared_ptr<card::Card> progenitor, std::shared_ptr<const HostCredentials> host, Options options) {
  if (options.clock == nullptr) options.clock = &system_clock();
  if (options.random == nullptr) options.random = &crypto::system_random();
  CAS_TRY(progenitor->connect());
  CAS_TRY_ASSIGN(TokenChannel channel, TokenChannel::establish(*progenitor, *host, options.suite, *options.clock, *options.random));
  return ProgenitorSession(std::move(progenitor), std::move(host), std::move(channel), options);
}

Result<DomainRecord> ProgenitorSession::create_domain() { return domain_command(ins::create_domain); }

Result<DomainRecord> ProgenitorSession::read_domain() { return domain_command(ins::read_domain); }

Result<DomainRecord> ProgenitorSession::domain_command(std::uint8_t instruction) {
  CAS_TRY_ASSIGN(const SecretBytes answer, channel_.command(instruction, {}));
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(answer.reveal(), "the progenitor's domain"));
  CAS_TRY_ASSIGN(const ByteView vdid, fields.required(tag::domain_vdid, sizeof(Vdid)));
  CAS_TRY_ASSIGN(const ByteView revocation_key, fields.required(tag::domain_revocation_key));
  CAS_TRY_ASSIGN(const ByteView irl_header, fields.required(tag::domain_irl_header));
  return DomainRecord{to_array<Vdid>(vdid), serial_number(), copy_of(revocation_key), copy_of(irl_header)};
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

Result<TokenInfo> ProgenitorSession::enrol(card::Card& token, TokenKind kind, RegisterFile& register_file) {
  CAS_TRY(token.connect());
  CAS_TRY(check_blank(token));
  CAS_TRY_ASSIGN(const bool newest, bring_up_to_date(register_file));
  if (!newest)  // what is added to another copy would never be read again
    return fail(ErrorKind::refused, "the register here does not end in the record that the progenitor has written last: it is an old or changed copy. Restore the newest copy.");

  const Bytes request = TlvWriter()
                            .number(tag::enrol_kind, static_cast<std::uint64_t>(kind), 1)
                            .number(tag::enrol_time, static_cast<std::uint64_t>(options_.clock->now()), 8)
                            .number(tag::enrol_suite, static_cast<std::uint64_t>(options_.suite), 1)
                            .take();
  CAS_TRY_ASSIGN(const SecretBytes message1, channel_.command(ins::enrol_initiate, request));
  CAS_TRY_ASSIGN(const Bytes message2, plain_command(token, ins::sac_initiate, message1.reveal()));
  CAS_TRY_ASSIGN(const SecretBytes message3, channel_.command(ins::enrol_authenticate, message2));
  CAS_TRY(plain_command(token, ins::sac_authenticate, message3.reveal()));

  CAS_TRY_ASSIGN(const SecretBytes activation, channel_.command(ins::enrol_activate, {}));
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(activation.reveal(), "the progenitor's activation"));
  CAS_TRY_ASSIGN(const ByteView released_record, fields.required(tag::enrolled_record));
  CAS_TRY(append_record(register_file, released_record));
  CAS_TRY_ASSIGN(const ByteView command_bytes, fields.required(tag::enrolled_command));
  CAS_TRY_ASSIGN(const card::CommandApdu command, card::CommandApdu::parse(command_bytes));
  CAS_TRY_ASSIGN(const card::ResponseApdu response, token.transmit(command));

  CAS_TRY_ASSIGN(const SecretBytes completion, channel_.command(ins::enrol_complete, response.encode()));
  CAS_TRY_ASSIGN(const TlvFields completed, TlvFields::parse(completion.reveal(), "the progenitor's answer"));
  CAS_TRY_ASSIGN(const ByteView activated_record, completed.required(tag::enrolled_record));
  CAS_TRY(append_record(register_file, activated_record));
  return read_token_info(token);
}

Result<std::vector<RegisterEntry>> ProgenitorSession::read_register(RegisterFile& register_file) {
  CAS_TRY(bring_up_to_date(register_file));  // how far off it is otherwise, the reading tells
  CAS_TRY_ASSIGN(const auto records, register_file.records());
  CAS_TRY(channel_.command(ins::read_register, {}, read_register_start));
  std::vector<RegisterEntry> entries;
  for (const RegisterRecord& record : records) {
    auto answer = channel_.command(ins::read_register, record, read_register_next);
    if (!answer)
      return fail(answer.error().kind, "the register is damaged at record " + std::to_string(entries.size() + 1) + ": " + answer.error().message);
    CAS_TRY_ASSIGN(const RegisterEntry entry, RegisterEntry::parse(answer->reveal()));
    entries.push_back(entry);
  }
  auto end = channel_.command(ins::read_register, {}, read_register_end);
  if (!end) {
    if (end.error().kind == ErrorKind::refused)
      return fail(ErrorKind::refused, "the register here is an old or cut copy: the progenitor has written more records than the " +
                                          std::to_string(records.size()) + " shown. Restore the newest copy.");
    return fail(std::move(end).error());
  }
  return entries;
}

}  // namespace cas::smartpro
