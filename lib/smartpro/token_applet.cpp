// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/token_applet.hpp"

#include <algorithm>

#include "base/tlv.hpp"
#include "smartpro/licence.hpp"
#include "smartpro/licence_creation.hpp"
#include "smartpro/licence_reissue.hpp"
#include "smartpro/play_slots.hpp"
#include "smartpro/progenitor_secrets.hpp"
#include "smartpro/revocation_header.hpp"
#include "smartpro/roles.hpp"
#include "smartpro/simple_bridge.hpp"
#include "smartpro/token_commands.hpp"
#include "smartpro/token_session.hpp"

namespace cas::smartpro {

namespace {

using card::CommandApdu;
using card::ResponseApdu;
using card::StatusWord;
using crypto::DhGroup;

/// How the applet's failures look from outside: the table in token_commands.hpp.
StatusWord status_word_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::malformed:
    case ErrorKind::truncated: return card::sw::incorrect_data;
    case ErrorKind::unsupported: return sw_token::wrong_kind;
    case ErrorKind::invalid_argument: return card::sw::incorrect_p1_p2;
    case ErrorKind::not_found: return card::sw::instruction_not_supported;
    case ErrorKind::authentication_failed:
    case ErrorKind::permission_denied: return card::sw::security_status_not_satisfied;
    case ErrorKind::refused: return card::sw::conditions_not_satisfied;
    case ErrorKind::wrong_domain: return card::sw::referenced_data_not_found;
    case ErrorKind::expired: return sw_token::outside_validity;
    case ErrorKind::revoked: return sw_token::revoked;
    case ErrorKind::outdated: return sw_token::outdated;
    case ErrorKind::used_up: return card::sw::authentication_blocked;
    case ErrorKind::exhausted: return card::sw::not_enough_memory;
    default: return card::sw::no_precise_diagnosis;
  }
}

bool is_management(std::uint8_t instruction) {
  return (instruction >= ins::create_domain && instruction <= ins::read_domain) ||
         (instruction >= ins::revoke_token && instruction <= ins::reissue_old_licence);
}

/// What a token knows of its domain alone, and forgets with it. The membership goes with them: all writes of one
/// command take effect together.
constexpr std::array domain_objects{object::membership,          object::domain_key,         object::irl_header,
                                    object::play_slots,          object::master_bridge_keys, object::mask_header,
                                    object::bridge_registrations};

/// Paper, 4.1: "the SAC will not be established if the host and the token are not synchronized on the same lists".
/// Between two tokens the internal lists are of different domains, or not there yet.
Status require_same_lists(const ListIndices& own, const ListIndices& of_peer, const crypto::Certificate& peer) {
  const bool same = own.external == of_peer.external && (peer.has_role(role_token) || own.internal == of_peer.internal);
  return same ? Status{} : fail(ErrorKind::outdated, "the peer has other revocation lists");
}

bool is_master_bridging(std::uint8_t instruction) {
  return instruction >= ins::mask_status && instruction <= ins::take_back_licence && instruction % 2 == 0;
}
bool is_simple_bridging(std::uint8_t instruction) {
  return instruction == ins::receive_licence || instruction == ins::return_licence;
}

/// What a progenitor may make of a blank token.
bool can_be_activated(std::uint64_t kind) {
  return kind >= static_cast<std::uint64_t>(TokenKind::acquisition) &&
         kind <= static_cast<std::uint64_t>(TokenKind::head_end);
}

}  // namespace

ByteView TokenApplet::aid() const { return token_applet_aid; }

Result<Bytes> TokenApplet::select() {
  deselect();
  // ISO/IEC 7816-4, 7.4: file control information with the DF name.
  Bytes fci = TlvWriter().field(0x6f, TlvWriter().field(0x84, token_applet_aid).view()).take();
  return fci;
}

void TokenApplet::deselect() {
  pending_sac_.reset();
  inquiry_.reset();
  close_channel();
}

void TokenApplet::close_channel() {
  channel_.reset();
  progenitor_.reset();
  master_bridge_.reset();
}

ResponseApdu TokenApplet::process(const CommandApdu& command) {
  if (command.cla == (card::cla_proprietary | card::cla_secure_messaging_bit)) return process_secured(command);
  if (command.cla != card::cla_proprietary) return {{}, card::sw::class_not_supported};
  auto answer = process_plain(command);
  if (!answer) return {{}, status_word_of(answer.error().kind)};
  return {std::move(*answer), card::sw::ok};
}

Result<Bytes> TokenApplet::process_plain(const CommandApdu& command) {
  switch (command.ins) {
    case ins::generate_keys: return generate_keys();
    case ins::personalise: return personalise(command.data);
    case ins::get_token_info: return token_info();
    case ins::list_status: return list_status();
    case ins::update_list: return update_list(command.data);
    case ins::check_list: return check_list(command.p1, command.data);
    case ins::sac_initiate: return sac_initiate(command.data);
    case ins::sac_authenticate: return sac_authenticate(command.data);
    case ins::create_licence:
    case ins::open_licence:
    case ins::reissue_licence:
    case ins::activate:
    case ins::deactivate:
    case ins::restore:
    case ins::register_bridge: return fail(ErrorKind::permission_denied, "this instruction needs the secure channel");
    default:
      if (is_management(command.ins) || is_master_bridging(command.ins) || is_simple_bridging(command.ins))
        return fail(ErrorKind::permission_denied, "this instruction needs the secure channel");
      return fail(ErrorKind::not_found, "no such instruction");
  }
}

ResponseApdu TokenApplet::process_secured(const CommandApdu& command) {
  if (!channel_) return {{}, card::sw::security_status_not_satisfied};
  // A newer list, taken over another channel, ends this one.
  if (const auto lists = TokenLists(memory_).indices(); !lists || *lists != channel_->lists) {
    close_channel();
    return {{}, sw_token::outdated};
  }
  auto unwrapped = channel_->messaging.unwrap_command(command);
  if (!unwrapped) {
    close_channel();
    return {{}, card::sw::secure_messaging_incorrect};
  }
  const ScopedCleanse cleanse_command(unwrapped->data);
  auto answer = process_authenticated(*unwrapped);
  ResponseApdu plain;
  const ScopedCleanse cleanse_plain(plain.data);
  if (answer)
    plain.data = std::move(*answer);
  else
    plain.status = status_word_of(answer.error().kind);
  auto wrapped = channel_->messaging.wrap_response(plain);
  if (!wrapped) {
    close_channel();
    return {{}, card::sw::no_precise_diagnosis};
  }
  return std::move(*wrapped);
}

Result<Bytes> TokenApplet::process_authenticated(const CommandApdu& command) {
  switch (command.ins) {
    case ins::create_licence: return create(command.data);
    case ins::open_licence: return open_licence(command.data);
    case ins::reissue_licence: return reissue(command.data);
    case ins::activate: return activate(command.data);
    case ins::deactivate: return deactivate(command.data);
    case ins::restore: return restore(command.data);
    case ins::list_status: return list_status();
    case ins::check_list: return check_list_of_run(command.p1, command.data);
    case ins::register_bridge: return register_bridge(command.data);
    default: break;
  }
  if (is_master_bridging(command.ins)) return master_bridge_command(command);
  if (is_simple_bridging(command.ins)) return simple_bridge_command(command);
  if (!is_management(command.ins)) return fail(ErrorKind::not_found, "no such instruction");
  CAS_TRY(require_peer(role_host_management));
  if (!progenitor_) {
    CAS_TRY_ASSIGN(const SacParty party, sac_party());
    progenitor_ = std::make_unique<Progenitor>(memory_, random_, party);
  }
  return progenitor_->process(command.ins, command.p1, command.data);
}

Status TokenApplet::require_personalised() {
  if (identity_) return {};
  CAS_TRY_ASSIGN(identity_, load_identity(memory_));
  if (!identity_) return fail(ErrorKind::refused, "this token has no certificate yet");
  return {};
}

Status TokenApplet::require_peer(std::string_view role) const {
  if (!channel_ || !channel_->peer.has_role(role))
    return fail(ErrorKind::permission_denied, "the peer's certificate does not allow this");
  return {};
}

Result<Membership> TokenApplet::require_kind(TokenKind kind) const {
  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
  if (membership.kind == TokenKind::blank) return fail(ErrorKind::refused, "this token belongs to no domain");
  if (membership.kind != kind) return fail(ErrorKind::unsupported, "this kind of token does not do that");
  return membership;
}

/// A head-end token is an acquisition token that may do one thing more.
Result<Membership> TokenApplet::require_acquirer() const {
  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
  return membership.kind == TokenKind::head_end ? membership : require_kind(TokenKind::acquisition);
}

/// Paper, 2.1: content "can be accessed, if allowed, by any renderer devices, or processing devices of the VD". A host
/// works with the kind of token that its own certificate is for.
Result<Membership> TokenApplet::require_opener() const {
  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
  const bool processing = membership.kind == TokenKind::processing;
  CAS_TRY(require_peer(processing ? role_host_processing : role_host_renderer));
  return processing ? membership : require_kind(TokenKind::renderer);
}

Result<SacParty> TokenApplet::sac_party() const {
  CAS_TRY_ASSIGN(const ListIndices indices, TokenLists(memory_).indices());
  SacParty party;
  party.root = &identity_->root;
  party.certificate = &identity_->certificate;
  party.p256 = &identity_->p256;
  party.ffdhe2048 = identity_->ffdhe2048 ? &*identity_->ffdhe2048 : nullptr;
  // A card has no clock: certificates are checked for signature and use; lost hosts are what the lists are for.
  party.now = std::nullopt;
  party.lists = indices;
  return party;
}

Result<Bytes> TokenApplet::generate_keys() {
  if (!memory_.read(object::own_certificate).empty())
    return fail(ErrorKind::refused, "this token has its certificate already");
  CAS_TRY_ASSIGN(const crypto::DhKeyPair p256, crypto::generate_dh_key_pair(DhGroup::p256, random_));
  CAS_TRY_ASSIGN(const crypto::DhKeyPair ffdhe2048, crypto::generate_dh_key_pair(DhGroup::ffdhe2048, random_));
  CAS_TRY(memory_.write(object::p256_private, p256.private_value.reveal()));
  CAS_TRY(memory_.write(object::ffdhe2048_private, ffdhe2048.private_value.reveal()));
  return TlvWriter().field(tag::keys_p256, p256.public_value).field(tag::keys_ffdhe2048, ffdhe2048.public_value).take();
}

Result<Bytes> TokenApplet::personalise(ByteView data) {
  if (!memory_.read(object::own_certificate).empty())
    return fail(ErrorKind::refused, "this token has its certificate already");
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(data, "personalisation"));
  CAS_TRY(fields.check_known({tag::personalise_root, tag::personalise_own, tag::personalise_revocation_key}));
  CAS_TRY_ASSIGN(const ByteView root_der, fields.required(tag::personalise_root));
  CAS_TRY_ASSIGN(const ByteView own_der, fields.required(tag::personalise_own));
  CAS_TRY_ASSIGN(const ByteView revocation_key,
                 fields.required(tag::personalise_revocation_key, sizeof(RevocationKey)));
  CAS_TRY_ASSIGN(const crypto::Certificate root, crypto::Certificate::from_der(root_der));
  CAS_TRY_ASSIGN(const crypto::Certificate own, crypto::Certificate::from_der(own_der));
  CAS_TRY(root.verify_is_root());
  CAS_TRY(own.verify_issued_by(root, std::nullopt));
  if (!own.has_role(role_token)) return fail(ErrorKind::malformed, "the certificate is not a token's");

  // The certificate must be for the keys that this token holds.
  for (const DhGroup group : {DhGroup::p256, DhGroup::ffdhe2048}) {
    const auto certified = own.dh_public(group);
    if (!certified) continue;
    const SecretBytes stored = memory_.read(group == DhGroup::p256 ? object::p256_private : object::ffdhe2048_private);
    if (stored.empty()) return fail(ErrorKind::refused, "this token has no keys yet");
    CAS_TRY_ASSIGN(const crypto::DhKeyPair pair, crypto::dh_key_pair_from_private(group, stored));
    if (!equal(pair.public_value, *certified)) return fail(ErrorKind::malformed, "the certificate is for other keys");
  }
  CAS_TRY(memory_.write(object::root_certificate, root_der));
  CAS_TRY(memory_.write(object::root_revocation_key, revocation_key));
  CAS_TRY(memory_.write(object::own_certificate, own_der));
  return Bytes{};
}

Result<Bytes> TokenApplet::token_info() {
  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
  TlvWriter writer;
  writer.number(tag::info_version, token_applet_version, 1)
      .number(tag::info_kind, static_cast<std::uint64_t>(membership.kind), 1);
  if (const SecretBytes own = memory_.read(object::own_certificate); !own.empty())
    writer.field(tag::info_certificate, own.reveal());
  if (membership.kind != TokenKind::blank) writer.field(tag::info_vdid, membership.vdid);
  return writer.take();
}

Result<Bytes> TokenApplet::list_status() const {
  const TokenLists lists(memory_);
  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
  CAS_TRY_ASSIGN(const ListState state, lists.state());
  TlvWriter writer;
  if (const auto header = lists.header(RevocationListKind::external)) writer.field(tag::lists_external_header, *header);
  if (const auto header = lists.header(RevocationListKind::internal)) writer.field(tag::lists_internal_header, *header);
  if (membership.kind != TokenKind::blank) writer.field(tag::lists_revocation_key, membership.revocation_key);
  return writer.number(tag::lists_state, static_cast<std::uint64_t>(state), 1).take();
}

/// The signature is all that it takes: whoever brings a newer list may.
Result<Bytes> TokenApplet::update_list(ByteView signed_header) {
  // Nobody who was let in under an older list stays.
  deselect();
  CAS_TRY(require_personalised());
  CAS_TRY(TokenLists(memory_).take_header(signed_header));
  return Bytes{};
}

Result<Bytes> TokenApplet::check_list(std::uint8_t p1, ByteView data) {
  CAS_TRY(require_personalised());
  TokenLists lists(memory_);
  if (p1 == check_list_start) {
    deselect();
    CAS_TRY_ASSIGN(std::vector<ListQuestion> questions, lists.own_questions(identity_->certificate));
    inquiry_.emplace(ListInquiry::Purpose::own, std::move(questions));
    return go_on_asking();
  }
  if (p1 > check_list_proof) return fail(ErrorKind::invalid_argument, "CHECK LIST knows P1 0 to 3");
  if (!inquiry_) return fail(ErrorKind::refused, "no revocation list is asked for");
  const ListQuestion asked = inquiry_->done() ? ListQuestion{} : inquiry_->question();
  const Status shown = p1 == check_list_proof ? inquiry_->show_proof(lists, data)
                                              : inquiry_->show_payload(lists, data, p1 == check_list_last_part);
  if (shown) return p1 == check_list_part ? Bytes{} : go_on_asking();
  const bool about_itself = inquiry_->purpose() == ListInquiry::Purpose::own;
  deselect();
  if (about_itself && shown.error().kind == ErrorKind::revoked)
    CAS_TRY(lists.set_state(asked.list, ListState::revoked));
  return fail(shown.error());
}

/// In a channel it is the progenitor that asks, about the token that it is being brought together with.
Result<Bytes> TokenApplet::check_list_of_run(std::uint8_t p1, ByteView data) {
  if (p1 == check_list_start || p1 > check_list_proof)
    return fail(ErrorKind::invalid_argument, "CHECK LIST in a channel knows P1 1 to 3");
  if (!progenitor_) return fail(ErrorKind::refused, "no revocation list is asked for");
  return progenitor_->check_list(p1, data);
}

/// The next question, or what waits for the end of all of them.
Result<Bytes> TokenApplet::go_on_asking() {
  if (!inquiry_->done()) return TlvWriter().field(tag::list_question, inquiry_->question().encode()).take();
  const bool about_itself = inquiry_->purpose() == ListInquiry::Purpose::own;
  inquiry_.reset();
  if (!about_itself) return pending_sac_->message2();
  TokenLists lists(memory_);
  CAS_TRY(lists.set_all_sound());
  CAS_TRY(lists.require_sound());
  return Bytes{};
}

Result<Bytes> TokenApplet::sac_initiate(ByteView message1) {
  deselect();
  CAS_TRY(require_personalised());
  const TokenLists lists(memory_);
  CAS_TRY(lists.require_sound());
  CAS_TRY_ASSIGN(const SacParty party, sac_party());
  CAS_TRY_ASSIGN(SacResponder responder, SacResponder::answer(party, message1, random_));
  CAS_TRY(require_same_lists(party.lists, responder.claimed_lists(), responder.claimed_peer()));
  // Figure 5: the peer is looked for before the token says anything about itself.
  CAS_TRY_ASSIGN(std::vector<ListQuestion> questions, lists.questions_about(responder.claimed_peer()));
  pending_sac_ = std::move(responder);
  inquiry_.emplace(ListInquiry::Purpose::peer, std::move(questions));
  return go_on_asking();
}

Result<Bytes> TokenApplet::sac_authenticate(ByteView message3) {
  if (!pending_sac_ || inquiry_) return fail(ErrorKind::refused, "no secure channel is being set up");
  SacResponder responder = std::move(*pending_sac_);
  pending_sac_.reset();
  CAS_TRY_ASSIGN(SacResult result, responder.finish(message3));
  if (!result.peer.has_role(role_host) && !result.peer.has_role(role_progenitor))
    return fail(ErrorKind::permission_denied, "the peer is neither a host nor a progenitor");
  CAS_TRY_ASSIGN(const ListIndices lists, TokenLists(memory_).indices());
  channel_.emplace(Channel{card::SecureMessaging(std::move(result.keys)), std::move(result.peer), lists});
  return Bytes{};
}

Result<Bytes> TokenApplet::create(ByteView data) {
  CAS_TRY(require_peer(role_host_acquisition));
  CAS_TRY_ASSIGN(const Membership membership, require_acquirer());
  return create_licence(memory_, random_, identity_->certificate.serial_number(), membership, data);
}

Result<Bytes> TokenApplet::open_licence(ByteView data) {
  CAS_TRY_ASSIGN(const Membership membership, require_opener());
  const bool processing = membership.kind == TokenKind::processing;
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(data, "request to open a licence"));
  CAS_TRY(fields.check_known({tag::open_lecm, tag::open_header_digest, tag::open_cipher, tag::open_key_period,
                              tag::open_time, tag::open_play_id}));
  CAS_TRY_ASSIGN(const ByteView lecm, fields.required(tag::open_lecm));
  CAS_TRY_ASSIGN(const ByteView digest, fields.required(tag::open_header_digest, sizeof(HeaderDigest)));
  CAS_TRY_ASSIGN(const std::uint64_t cipher, fields.required_number(tag::open_cipher, 1));
  CAS_TRY_ASSIGN(const std::uint64_t period, fields.required_number(tag::open_key_period, 4));
  CAS_TRY_ASSIGN(const std::uint64_t time, fields.required_number(tag::open_time, 8));
  CAS_TRY_ASSIGN(const ByteView play_id, fields.required(tag::open_play_id, sizeof(PlayId)));

  CAS_TRY_ASSIGN(const LicenceView view, LicenceView::parse(lecm));
  if (view.transfer) return fail(ErrorKind::malformed, "this is a transfer licence, not a domain's");
  if (view.vdid != membership.vdid) return fail(ErrorKind::wrong_domain, "the licence is of another domain");
  auto unsealed = unseal_licence(memory_.read(object::domain_key), view);
  if (!unsealed) return fail(ErrorKind::malformed, "the licence was changed");
  const LicenceTerms& terms = unsealed->terms;
  // Paper, 2.2: "A given license is valid only in one Virtual Domain for only one content."
  if (!equal(terms.header_digest, digest) || static_cast<std::uint64_t>(terms.cipher) != cipher ||
      terms.key_period != period)
    return fail(ErrorKind::malformed, "the licence is for other content");
  if (!processing && !terms.rights.render) return fail(ErrorKind::refused, "the licence does not allow rendering");
  if (processing && !terms.rights.process) return fail(ErrorKind::refused, "the licence does not allow processing");
  CAS_TRY(terms.rights.check_time(static_cast<UnixSeconds>(time)));  // the host's word

  SecretTlvWriter writer;
  writer.field(tag::opened_control_word, unsealed->control_word.reveal())
      .field(tag::opened_rights, terms.rights.encode());
  if (terms.rights.play_count && !processing) {  // processing is no play
    CAS_TRY_ASSIGN(const std::uint32_t left,
                   count_play(memory_, terms.header_digest, to_array<PlayId>(play_id), *terms.rights.play_count));
    writer.number(tag::opened_plays_left, left, 4);
  }
  return copy_of(writer.take().reveal());
}

Result<Bytes> TokenApplet::reissue(ByteView data) {
  CAS_TRY(require_peer(role_host_processing));
  CAS_TRY_ASSIGN(const Membership membership, require_kind(TokenKind::processing));
  return reissue_licence(memory_, random_, identity_->certificate.serial_number(), membership, data);
}

Result<Bytes> TokenApplet::activate(ByteView data) {
  CAS_TRY(require_peer(role_progenitor));
  CAS_TRY_ASSIGN(Membership membership, load_membership(memory_));
  if (membership.kind != TokenKind::blank || identity_->certificate.has_role(role_progenitor))
    return fail(ErrorKind::refused, "this token belongs to a domain already");
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(data, "activation"));
  CAS_TRY(fields.check_known({tag::activate_domain_key, tag::activate_vdid, tag::activate_kind,
                              tag::activate_revocation_key, tag::activate_irl_header, tag::activate_bridge_keys,
                              tag::activate_mask_header}));
  CAS_TRY_ASSIGN(const ByteView domain_key, fields.required(tag::activate_domain_key, domain_key_size));
  CAS_TRY_ASSIGN(const ByteView vdid, fields.required(tag::activate_vdid, sizeof(Vdid)));
  CAS_TRY_ASSIGN(const std::uint64_t kind, fields.required_number(tag::activate_kind, 1));
  CAS_TRY_ASSIGN(const ByteView revocation_key,
                 fields.required(tag::activate_revocation_key, membership.revocation_key.size()));
  CAS_TRY_ASSIGN(const ByteView irl_header, fields.required(tag::activate_irl_header));
  if (!can_be_activated(kind)) return fail(ErrorKind::malformed, "no such kind of token can be activated");
  membership.kind = static_cast<TokenKind>(kind);
  membership.vdid = to_array<Vdid>(vdid);
  membership.progenitor = channel_->peer.serial_number();
  membership.revocation_key = to_array<RevocationKey>(revocation_key);
  if (membership.kind == TokenKind::master_bridge) {
    CAS_TRY_ASSIGN(const ByteView keys, fields.required(tag::activate_bridge_keys));
    CAS_TRY_ASSIGN(const ByteView mask_header, fields.required(tag::activate_mask_header));
    CAS_TRY(MasterBridge::store_keys(memory_, membership, keys, mask_header));
  } else if (fields.optional(tag::activate_bridge_keys) || fields.optional(tag::activate_mask_header)) {
    return fail(ErrorKind::malformed, "master bridges alone have keys of bridging from their activation");
  }
  TokenLists lists(memory_);
  CAS_TRY(lists.take_first_internal(irl_header, membership));
  CAS_TRY(lists.join_domain());
  CAS_TRY(memory_.write(object::domain_key, domain_key));
  CAS_TRY(store_membership(memory_, membership));
  return Bytes{};
}

Result<Bytes> TokenApplet::deactivate(ByteView data) {
  CAS_TRY(require_peer(role_progenitor));
  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
  // A progenitor whose TMC was stopped before it had the answer asks again.
  if (membership.kind == TokenKind::blank) return Bytes{};
  if (membership.kind == TokenKind::progenitor) return fail(ErrorKind::refused, "this token is no member of a domain");
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(data, "deactivation"));
  CAS_TRY(fields.check_known({tag::deactivate_signature}));
  CAS_TRY_ASSIGN(const ByteView signature, fields.required(tag::deactivate_signature, 8, 80));
  // Every progenitor of the root has the peer's role; the key of this domain has its own alone, or the backup that took
  // over.
  const Bytes order = deactivation_order(membership.vdid, identity_->certificate.serial_number());
  CAS_TRY(crypto::verify_signature(membership.revocation_key, order, signature));
  for (const std::uint16_t object : domain_objects) memory_.erase(object);
  return Bytes{};
}

Result<Bytes> TokenApplet::restore(ByteView data) {
  CAS_TRY(require_peer(role_progenitor));
  if (!identity_->certificate.has_role(role_progenitor))
    return fail(ErrorKind::unsupported, "this token was not made to be a progenitor");
  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
  CAS_TRY_ASSIGN(const ProgenitorSecrets secrets, ProgenitorSecrets::parse(data));
  if (membership.kind != TokenKind::blank) CAS_TRY(secrets.check_renews(memory_));
  CAS_TRY_ASSIGN(const RevocationHeader irl, RevocationHeader::parse(secrets.irl_header));
  // Paper, 3.2: "There is only one progenitor in a Virtual Domain". This one waits until it takes over. First, since
  // what a command wrote before it failed stays.
  CAS_TRY(store_number(memory_, object::dormant_backup, irl.index));
  CAS_TRY(secrets.store(memory_, identity_->certificate.serial_number()));
  return Bytes{};
}

Result<Bytes> TokenApplet::register_bridge(ByteView data) {
  CAS_TRY(require_peer(role_progenitor));
  CAS_TRY(require_kind(TokenKind::simple_bridge));
  return SimpleBridge(memory_, random_, identity_->certificate.serial_number())
      .register_bridge(data, channel_->peer.serial_number());
}

Result<Bytes> TokenApplet::master_bridge_command(const CommandApdu& command) {
  CAS_TRY(require_peer(role_host_bridge));
  CAS_TRY(require_kind(TokenKind::master_bridge));
  if (!master_bridge_)
    master_bridge_ = std::make_unique<MasterBridge>(memory_, random_, identity_->certificate.serial_number());
  switch (command.ins) {
    case ins::mask_status: return master_bridge_->mask_status();
    case ins::update_mask: return master_bridge_->update_mask(command.data);
    case ins::admit_bridge: return master_bridge_->admit_bridge(command.data);
    case ins::show_mask: return master_bridge_->show_mask(command.p1, command.data);
    case ins::send_licence: return master_bridge_->send_licence(command.data);
    default: return master_bridge_->take_back_licence(command.data);
  }
}

Result<Bytes> TokenApplet::simple_bridge_command(const CommandApdu& command) {
  CAS_TRY(require_peer(role_host_bridge));
  CAS_TRY(require_kind(TokenKind::simple_bridge));
  SimpleBridge bridge(memory_, random_, identity_->certificate.serial_number());
  return command.ins == ins::receive_licence ? bridge.receive_licence(command.data)
                                             : bridge.return_licence(command.data);
}

ByteView token_aid() { return token_applet_aid; }

card::AppletFactory token_applet_factory() {
  return {"smartpro-token", [](card::AppletMemory& memory, Random& random) -> Result<std::unique_ptr<card::Applet>> {
            return std::make_unique<TokenApplet>(memory, random);
          }};
}

Result<std::shared_ptr<card::Card>> open_token_card(std::string_view uri) {
  return card::open_card(uri, {{token_applet_factory()}, copy_of(token_applet_aid), nullptr});
}

}  // namespace cas::smartpro
