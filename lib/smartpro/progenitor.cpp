// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/progenitor.hpp"

#include <algorithm>

#include "base/tlv.hpp"
#include "crypto/signature.hpp"
#include "smartpro/licence.hpp"
#include "smartpro/revocation_header.hpp"
#include "smartpro/roles.hpp"
#include "smartpro/token_commands.hpp"
#include "smartpro/token_lists.hpp"

namespace cas::smartpro {

namespace {

constexpr std::size_t register_key_size = 32;

Result<TokenKind> member_kind_from_wire(std::uint64_t value) {
  switch (value) {
    case static_cast<std::uint64_t>(TokenKind::acquisition): return TokenKind::acquisition;
    case static_cast<std::uint64_t>(TokenKind::renderer): return TokenKind::renderer;
    default: return fail(ErrorKind::malformed, "tokens are enrolled as acquisition or renderer");
  }
}

}  // namespace

Result<Bytes> Progenitor::create_domain() {
  // Paper, 3.2: "There is only one progenitor in a Virtual Domain", which "generates a domain key" at its activation.
  if (!party_.certificate->has_role(role_progenitor)) return fail(ErrorKind::unsupported, "this token was not made to be a progenitor");
  CAS_TRY_ASSIGN(Membership membership, load_membership(memory_));
  if (membership.kind != TokenKind::blank) return fail(ErrorKind::refused, "this token belongs to a domain already");

  CAS_TRY_ASSIGN(const SecretBytes domain_key, random_secret(random_, domain_key_size));
  CAS_TRY_ASSIGN(const SecretBytes register_key, random_secret(random_, register_key_size));
  CAS_TRY_ASSIGN(const crypto::SigningKey revocation_key, crypto::SigningKey::generate(random_));
  CAS_TRY_ASSIGN(const SecretBytes revocation_private, revocation_key.private_value());
  CAS_TRY_ASSIGN(const Bytes revocation_public, revocation_key.public_value());

  membership.kind = TokenKind::progenitor;
  CAS_TRY(random_.fill(membership.vdid));
  membership.progenitor = party_.certificate->serial_number();
  membership.revocation_key = to_array<RevocationKey>(revocation_public);
  CAS_TRY_ASSIGN(const RevocationHeader irl, RevocationHeader::empty_internal(membership.vdid, 1));
  CAS_TRY_ASSIGN(const Bytes irl_header, irl.encode_signed(revocation_key));

  CAS_TRY(memory_.write(object::domain_key, domain_key.reveal()));
  CAS_TRY(memory_.write(object::register_key, register_key.reveal()));
  CAS_TRY(memory_.write(object::revocation_private, revocation_private.reveal()));
  CAS_TRY(TokenLists(memory_).take_first_internal(irl_header, membership));
  CAS_TRY(store_membership(memory_, membership));
  return read_domain();
}

Result<Bytes> Progenitor::read_domain() {
  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
  return TlvWriter()
      .field(tag::domain_vdid, membership.vdid)
      .field(tag::domain_revocation_key, membership.revocation_key)
      .field(tag::domain_irl_header, TokenLists(memory_).header(RevocationListKind::internal).value_or(Bytes{}))
      .take();
}

Result<Bytes> Progenitor::enrol_initiate(ByteView data) {
  enrolment_.reset();
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(data, "enrolment"));
  CAS_TRY(fields.check_known({tag::enrol_kind, tag::enrol_time, tag::enrol_suite}));
  Enrolment enrolment;
  CAS_TRY_ASSIGN(const std::uint64_t kind, fields.required_number(tag::enrol_kind, 1));
  CAS_TRY_ASSIGN(enrolment.kind, member_kind_from_wire(kind));
  CAS_TRY_ASSIGN(const std::uint64_t time, fields.required_number(tag::enrol_time, 8));
  enrolment.time = static_cast<UnixSeconds>(time);
  CAS_TRY_ASSIGN(const std::uint64_t suite, fields.required_number(tag::enrol_suite, 1));
  CAS_TRY_ASSIGN(const crypto::DhGroup group, sac_suite_from_wire(suite));
  CAS_TRY_ASSIGN(enrolment.sac, SacInitiator::start(party_, group, random_));
  Bytes message1 = enrolment.sac->message1();
  enrolment_ = std::move(enrolment);
  return message1;
}

Result<Bytes> Progenitor::enrol_authenticate(ByteView message2) {
  if (!enrolment_ || !enrolment_->sac) return fail(ErrorKind::refused, "no enrolment is under way");
  SacInitiator sac = std::move(*enrolment_->sac);
  enrolment_->sac.reset();
  CAS_TRY_ASSIGN(Bytes message3, sac.authenticate(message2));
  CAS_TRY_ASSIGN(SacResult channel, sac.finish());
  // Hosts and progenitors have certificates of the same root: the domain key goes to ordinary tokens alone.
  if (!channel.peer.has_role(role_token) || channel.peer.has_role(role_progenitor))
    return fail(ErrorKind::authentication_failed, "the peer is not a token that can be enrolled");
  enrolment_->token = channel.peer.serial_number();
  enrolment_->messaging.emplace(std::move(channel.keys));
  return message3;
}

Result<SecretBytes> Progenitor::activation_data(TokenKind kind) const {
  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
  if (membership.kind != TokenKind::progenitor) return fail(ErrorKind::refused, "this progenitor has no domain yet");
  const SecretBytes domain_key = memory_.read(object::domain_key);
  SecretTlvWriter writer;
  writer.field(tag::activate_domain_key, domain_key.reveal())
      .field(tag::activate_vdid, membership.vdid)
      .number(tag::activate_kind, static_cast<std::uint64_t>(kind), 1)
      .field(tag::activate_revocation_key, membership.revocation_key)
      .field(tag::activate_irl_header, TokenLists(memory_).header(RevocationListKind::internal).value_or(Bytes{}));
  return writer.take();
}

Result<Bytes> Progenitor::enrol_activate() {
  if (!enrolment_ || !enrolment_->messaging || enrolment_->key_released) return fail(ErrorKind::refused, "no enrolment is ready for this");
  CAS_TRY_ASSIGN(const SecretBytes data, activation_data(enrolment_->kind));
  card::CommandApdu command{card::cla_proprietary, ins::activate, 0, 0, copy_of(data.reveal()), std::nullopt};
  const ScopedCleanse cleanse_data(command.data);
  CAS_TRY_ASSIGN(const card::CommandApdu wrapped, enrolment_->messaging->wrap_command(command));
  // Written before the key leaves: whatever happens next, the register names every token that may hold the domain key.
  CAS_TRY_ASSIGN(const RegisterRecord record,
                 register_.add({0, RegisterEvent::key_released, enrolment_->token, enrolment_->kind, enrolment_->time}));
  enrolment_->key_released = true;
  return TlvWriter().field(tag::enrolled_record, record).field(tag::enrolled_command, wrapped.encode()).take();
}

Result<Bytes> Progenitor::enrol_complete(ByteView response) {
  if (!enrolment_ || !enrolment_->key_released) return fail(ErrorKind::refused, "no enrolment is ready for this");
  Enrolment enrolment = std::move(*enrolment_);
  enrolment_.reset();
  CAS_TRY_ASSIGN(const card::ResponseApdu wrapped, card::ResponseApdu::parse(response));
  CAS_TRY_ASSIGN(const card::ResponseApdu answer, enrolment.messaging->unwrap_response(wrapped));
  if (!answer.ok()) return fail(ErrorKind::refused, "the token did not accept its activation: " + card::describe_status_word(answer.status));
  CAS_TRY_ASSIGN(const RegisterRecord record, register_.add({0, RegisterEvent::activated, enrolment.token, enrolment.kind, enrolment.time}));
  return TlvWriter().field(tag::enrolled_record, record).take();
}

Result<Bytes> Progenitor::read_register(std::uint8_t p1, ByteView record) {
  switch (p1) {
    case read_register_start: register_.start_reading(); return Bytes{};
    case read_register_next: return register_.read_next(record).map([](const RegisterEntry& entry) { return entry.encode(); });
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

}  // namespace cas::smartpro
