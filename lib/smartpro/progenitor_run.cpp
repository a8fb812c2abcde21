// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/progenitor_run.hpp"

#include "base/tlv.hpp"
#include "base/writer.hpp"
#include "smartpro/authorisation_mask.hpp"
#include "smartpro/bridge_keys.hpp"
#include "smartpro/bridge_record.hpp"
#include "smartpro/progenitor_secrets.hpp"
#include "smartpro/roles.hpp"
#include "smartpro/token_lists.hpp"

namespace cas::smartpro {

namespace {

Result<RunPurpose> purpose_from_wire(std::uint64_t value) {
  if (value < 1 || value > static_cast<std::uint64_t>(RunPurpose::back_up))
    return fail(ErrorKind::malformed, "a progenitor does nothing of that number with a token");
  return static_cast<RunPurpose>(value);
}

Result<TokenKind> member_kind_from_wire(std::uint64_t value) {
  if (value < static_cast<std::uint64_t>(TokenKind::acquisition) ||
      value > static_cast<std::uint64_t>(TokenKind::head_end))
    return fail(ErrorKind::malformed, "no token is enrolled as that");
  return static_cast<TokenKind>(value);
}

/// What the register says when the command goes out; what it says when the token has confirmed is the next event.
RegisterEvent event_of(RunPurpose purpose) {
  switch (purpose) {
    case RunPurpose::deactivate: return RegisterEvent::deactivation_sent;
    case RunPurpose::register_bridge: return RegisterEvent::bridge_keys_released;
    case RunPurpose::back_up: return RegisterEvent::secrets_released;
    default: return RegisterEvent::key_released;
  }
}

RegisterEvent confirmed(RegisterEvent event) {
  return static_cast<RegisterEvent>(static_cast<std::uint8_t>(event) + 1);
}

std::uint8_t instruction_of(RunPurpose purpose) {
  switch (purpose) {
    case RunPurpose::deactivate: return ins::deactivate;
    case RunPurpose::register_bridge: return ins::register_bridge;
    case RunPurpose::back_up: return ins::restore;
    default: return ins::activate;
  }
}

}  // namespace

Bytes deactivation_order(const Vdid& vdid, SerialNumber token) {
  ByteWriter writer;
  writer.bytes(as_bytes(std::string_view("SmartPRO deactivation"))).bytes(vdid).u64(token);
  return writer.take();
}

Result<Bytes> ProgenitorRun::initiate(ByteView data) {
  run_.reset();
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(data, "the progenitor's run"));
  CAS_TRY(fields.check_known({tag::run_purpose, tag::run_time, tag::run_suite, tag::run_kind, tag::run_vdid}));
  Run run;
  CAS_TRY_ASSIGN(const std::uint64_t purpose, fields.required_number(tag::run_purpose, 1));
  CAS_TRY_ASSIGN(run.purpose, purpose_from_wire(purpose));
  run.entry.event = event_of(run.purpose);
  CAS_TRY_ASSIGN(const std::uint64_t time, fields.required_number(tag::run_time, 8));
  run.entry.time = static_cast<UnixSeconds>(time);
  if (run.purpose == RunPurpose::activate) {
    CAS_TRY_ASSIGN(const std::uint64_t kind, fields.required_number(tag::run_kind, 1));
    CAS_TRY_ASSIGN(run.entry.kind, member_kind_from_wire(kind));
  } else if (run.purpose == RunPurpose::register_bridge) {
    run.entry.kind = TokenKind::simple_bridge;
    CAS_TRY_ASSIGN(const ByteView vdid, fields.required(tag::run_vdid, sizeof(Vdid)));
    run.entry.vdid = to_array<Vdid>(vdid);
  } else if (run.purpose == RunPurpose::back_up) {
    run.entry.kind = TokenKind::progenitor;
  }
  CAS_TRY_ASSIGN(const std::uint64_t suite, fields.required_number(tag::run_suite, 1));
  CAS_TRY_ASSIGN(const crypto::DhGroup group, sac_suite_from_wire(suite));
  CAS_TRY_ASSIGN(run.initiator, InitiatorRun::start(party_, group, random_));
  Bytes message1 = run.initiator->message1();
  run_ = std::move(run);
  return message1;
}

Result<Bytes> ProgenitorRun::authenticate(ByteView message2) {
  if (!run_ || !run_->initiator || run_->entry.token != 0)
    return fail(ErrorKind::refused, "the progenitor talks to no token");
  auto said = run_->initiator->authenticate(memory_, message2);
  if (!said) return go_on(std::move(said));
  // Hosts and progenitors have certificates of the same root: the domain key goes to ordinary tokens alone, and all of
  // the secrets to a progenitor token alone.
  const crypto::Certificate& peer = run_->initiator->peer();
  const bool progenitor = peer.has_role(role_progenitor);
  if (!peer.has_role(role_token) || progenitor != (run_->purpose == RunPurpose::back_up))
    return go_on(fail(ErrorKind::authentication_failed, "the peer is not a token with which this is done"));
  run_->entry.token = peer.serial_number();
  return go_on(std::move(said));
}

Result<Bytes> ProgenitorRun::check_list(std::uint8_t p1, ByteView data) {
  if (!run_ || !run_->initiator) return fail(ErrorKind::refused, "no revocation list is asked for");
  return go_on(run_->initiator->check_list(memory_, p1, data));
}

/// What the initiator has said goes out; when it has ended, the channel stands, or the run is over.
Result<Bytes> ProgenitorRun::go_on(Result<Bytes> said) {
  if (!said) {
    run_.reset();
    return said;
  }
  if (run_->initiator->established()) {
    CAS_TRY_ASSIGN(SacResult channel, run_->initiator->finish());
    run_->initiator.reset();
    run_->messaging.emplace(std::move(channel.keys));
  }
  return said;
}

Result<Bytes> ProgenitorRun::command() {
  if (!run_ || !run_->messaging || run_->sent)
    return fail(ErrorKind::refused, "no channel to a token is ready for this");
  CAS_TRY_ASSIGN(card::CommandApdu command, plain_command(*run_));
  const ScopedCleanse cleanse_data(command.data);
  CAS_TRY_ASSIGN(const card::CommandApdu wrapped, run_->messaging->wrap_command(command));
  // Written before anything leaves: whatever happens next, the register names every token that may hold a key.
  CAS_TRY_ASSIGN(const RegisterRecord record, register_.add(run_->entry));
  run_->sent = true;
  return TlvWriter().field(tag::run_record, record).field(tag::run_wrapped_command, wrapped.encode()).take();
}

Result<Bytes> ProgenitorRun::complete(ByteView response) {
  if (!run_ || !run_->sent) return fail(ErrorKind::refused, "no token was sent anything");
  Run run = std::move(*run_);
  run_.reset();
  CAS_TRY_ASSIGN(const card::ResponseApdu wrapped, card::ResponseApdu::parse(response));
  CAS_TRY_ASSIGN(const card::ResponseApdu answer, run.messaging->unwrap_response(wrapped));
  if (!answer.ok())
    return fail(ErrorKind::refused, "the token did not accept it: " + card::describe_status_word(answer.status));
  run.entry.event = confirmed(run.entry.event);
  CAS_TRY_ASSIGN(const RegisterRecord record, register_.add(run.entry));
  TlvWriter writer;
  writer.field(tag::run_record, record);
  if (run.purpose == RunPurpose::register_bridge) {
    CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
    CAS_TRY_ASSIGN(const crypto::SigningKey key, load_revocation_key(memory_));
    const BridgeRecord bridge{membership.vdid, run.entry.token, static_cast<std::uint32_t>(run.entry.number),
                              run.entry.vdid};
    CAS_TRY_ASSIGN(const Bytes signed_record, bridge.encode_signed(key));
    writer.field(tag::run_bridge_record, signed_record);
  }
  return writer.take();
}

Result<card::CommandApdu> ProgenitorRun::plain_command(Run& run) {
  const auto data = [&]() -> Result<SecretBytes> {
    switch (run.purpose) {
      case RunPurpose::deactivate: return deactivation_data(run.entry);
      case RunPurpose::register_bridge: return registration_data(run.entry);
      case RunPurpose::back_up: return backup_data();
      default: return activation_data(run.entry);
    }
  }();
  if (!data) return fail(data.error());
  return card::CommandApdu{card::cla_proprietary, instruction_of(run.purpose), 0, 0, copy_of(data->reveal()),
                           std::nullopt};
}

Result<SecretBytes> ProgenitorRun::activation_data(const RegisterEntry& entry) const {
  CAS_TRY_ASSIGN(const ProgenitorSecrets secrets, ProgenitorSecrets::load(memory_));
  SecretTlvWriter writer;
  writer.field(tag::activate_domain_key, secrets.domain_key.reveal())
      .field(tag::activate_vdid, secrets.vdid)
      .number(tag::activate_kind, static_cast<std::uint64_t>(entry.kind), 1)
      .field(tag::activate_revocation_key, secrets.revocation_key)
      .field(tag::activate_irl_header, secrets.irl_header);
  if (entry.kind == TokenKind::master_bridge) {
    // Paper, 4.2: "The Master Bridge token holds the following information received from the progenitor during its
    // activation: MKSB, DKMB".
    CAS_TRY_ASSIGN(const SecretBytes own_key, master_bridge_key(secrets.master_bridge_master_key, entry.token));
    SecretBytes keys(bridge_master_key_size + bridge_device_key_size);
    std::ranges::copy(secrets.simple_bridge_master_key.reveal(), keys.reveal_mutable().begin());
    std::ranges::copy(own_key.reveal(), keys.reveal_mutable().begin() + bridge_master_key_size);
    writer.field(tag::activate_bridge_keys, keys.reveal()).field(tag::activate_mask_header, secrets.mask_header);
  }
  return writer.take();
}

Result<SecretBytes> ProgenitorRun::deactivation_data(const RegisterEntry& entry) const {
  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
  CAS_TRY_ASSIGN(const crypto::SigningKey key, load_revocation_key(memory_));
  CAS_TRY_ASSIGN(const Bytes signature, key.sign(deactivation_order(membership.vdid, entry.token)));
  SecretTlvWriter writer;
  writer.field(tag::deactivate_signature, signature);
  return writer.take();
}

Result<SecretBytes> ProgenitorRun::registration_data(RegisterEntry& entry) {
  CAS_TRY_ASSIGN(const ProgenitorSecrets secrets, ProgenitorSecrets::load(memory_));
  if (secrets.next_bridge_index >= max_mask_bits)
    return fail(ErrorKind::exhausted, "this domain has registered as many bridges as a mask has bits");
  // Paper, 4.2: "This index is ever increasing in the source domain". A run that is cut costs an index.
  entry.number = secrets.next_bridge_index;
  CAS_TRY(store_number(memory_, object::next_bridge_index, entry.number + 1));
  CAS_TRY_ASSIGN(const SecretBytes bridge_key,
                 simple_bridge_key(secrets.simple_bridge_master_key, entry.token, secrets.next_bridge_index));
  SecretTlvWriter writer;
  writer.field(tag::register_source, secrets.vdid)
      .field(tag::register_mkmb, secrets.master_bridge_master_key.reveal())
      .field(tag::register_dksb, bridge_key.reveal())
      .number(tag::register_index, entry.number, 4)
      .field(tag::register_destination, entry.vdid);
  return writer.take();
}

Result<SecretBytes> ProgenitorRun::backup_data() const {
  CAS_TRY_ASSIGN(const ProgenitorSecrets secrets, ProgenitorSecrets::load(memory_));
  return secrets.encode();
}

}  // namespace cas::smartpro
