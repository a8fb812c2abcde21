// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/token_channel.hpp"

#include "base/tlv.hpp"
#include "crypto/random.hpp"
#include "smartpro/roles.hpp"
#include "smartpro/token_commands.hpp"

namespace cas::smartpro {

namespace {

using card::CommandApdu;
using card::ResponseApdu;

constexpr std::uint32_t longest_response = 65536;

/// The refusals of a processing token (paper, 2.1).
std::optional<Error> reissue_error(card::StatusWord status) {
  switch (status) {
    case card::sw::security_status_not_satisfied:
      return Error{
          ErrorKind::refused,
          "this host's certificate does not allow processing: use a host made with the capability 'processing'"};
    case sw_token::wrong_kind:
      return Error{ErrorKind::refused,
                   "the token is not a processing token: insert a processing token of the content's domain"};
    case card::sw::conditions_not_satisfied:
      return Error{
          ErrorKind::refused,
          "the usage rights do not allow processing, or not with those new rights, or the token belongs to no domain"};
    case sw_token::outside_validity: return Error{ErrorKind::expired, "the licence is not valid at this time"};
    case card::sw::referenced_data_not_found:
      return Error{ErrorKind::wrong_domain,
                   "the licence is of another domain than the token: insert a token of the content's domain"};
    case card::sw::incorrect_data:
      return Error{ErrorKind::authentication_failed,
                   "the licence of the content that was opened was changed, or is on its way between two domains"};
    default: return std::nullopt;
  }
}

/// The refusals that mean something else for one instruction than for the others.
std::optional<Error> licence_error(std::uint8_t instruction, card::StatusWord status) {
  if (instruction == ins::reissue_licence) return reissue_error(status);
  const bool opening = instruction == ins::open_licence;
  if (!opening && instruction != ins::create_licence) return std::nullopt;
  switch (status) {
    case card::sw::security_status_not_satisfied:
      return Error{ErrorKind::refused, opening ? "this host's certificate does not allow rendering, or not processing "
                                                 "where the token is for that: use a host made with "
                                                 "the capability 'renderer', or 'processing'"
                                               : "this host's certificate does not allow acquisition: use a host made "
                                                 "with the capability 'acquisition'"};
    case sw_token::wrong_kind:
      return Error{ErrorKind::refused,
                   opening
                       ? "the token is neither a renderer nor a processing token: insert one of the content's domain"
                       : "the token cannot make licences for clear content: insert an acquisition token"};
    case card::sw::conditions_not_satisfied:
      return Error{ErrorKind::refused, opening ? "the usage rights do not allow rendering, or processing with a "
                                                 "processing token, or the token belongs to no domain"
                                               : "the token belongs to no domain: enrol it with cas-tmc"};
    case card::sw::authentication_blocked:
      return Error{ErrorKind::used_up, "the plays that the licence grants on this token are used up"};
    case sw_token::outside_validity: return Error{ErrorKind::expired, "the licence is not valid at this time"};
    case card::sw::referenced_data_not_found:
      return Error{ErrorKind::wrong_domain,
                   "the licence is of another domain than the token: insert a token of the content's domain"};
    case card::sw::incorrect_data:
      return Error{ErrorKind::authentication_failed, opening ? "the licence or the header of the content was changed"
                                                             : "the token refuses the licence request as malformed"};
    case card::sw::not_enough_memory:
      return Error{ErrorKind::exhausted, "the token keeps count of as many contents with a play count as it can"};
    default: return std::nullopt;
  }
}

/// The same for revocation lists.
std::optional<Error> list_error(std::uint8_t instruction, card::StatusWord status) {
  if (instruction == ins::update_list && status == card::sw::conditions_not_satisfied)
    return Error{ErrorKind::refused,
                 "the token does not take the revocation list: it has no certificate yet (make it with cas-card "
                 "create), or another program has just "
                 "given it a newer one (try again)"};
  if (instruction == ins::check_list && status == card::sw::security_status_not_satisfied)
    return Error{ErrorKind::authentication_failed,
                 "the token does not find what this host shows of its revocation list to be of the list that it knows"};
  return std::nullopt;
}

/// The refusals of bridge tokens (paper, 4.2).
std::optional<Error> bridge_error(std::uint8_t instruction, card::StatusWord status) {
  const bool master = instruction >= ins::mask_status && instruction <= ins::take_back_licence;
  if (!master && instruction != ins::receive_licence && instruction != ins::return_licence) return std::nullopt;
  switch (status) {
    case card::sw::security_status_not_satisfied:
      if (instruction == ins::update_mask || instruction == ins::show_mask)
        return Error{ErrorKind::authentication_failed,
                     "the authorisation mask was changed, or is not of the token's domain"};
      if (instruction == ins::admit_bridge)
        return Error{ErrorKind::authentication_failed,
                     "the record of the simple bridge was changed, or is not of the token's domain"};
      return Error{ErrorKind::refused,
                   "this host's certificate does not allow bridging: use a host made with the capability 'bridge'"};
    case sw_token::wrong_kind:
      return Error{ErrorKind::refused,
                   master ? "the token is not a master bridge: insert a master bridge token of the content's domain"
                          : "the token is not a simple bridge: insert a simple bridge token"};
    case sw_token::outdated:
      return Error{ErrorKind::outdated, "the token has not been shown the authorisation mask for that simple bridge"};
    case sw_token::revoked: return Error{ErrorKind::revoked, "the simple bridge is not authorised, or not any more"};
    case sw_token::outside_validity: return Error{ErrorKind::expired, "the licence is not valid at this time"};
    default: break;
  }
  if (status == card::sw::conditions_not_satisfied) {
    switch (instruction) {
      case ins::update_mask:
        return Error{ErrorKind::refused, "the authorisation mask is not newer than the one that the token has"};
      case ins::send_licence:
        return Error{ErrorKind::refused,
                     "the usage rights do not allow sending the content to one of those domains, or not with those new "
                     "rights, or the token belongs to no domain"};
      case ins::take_back_licence:
        return Error{ErrorKind::refused,
                     "the content goes back to another master bridge token, or the token belongs to no domain"};
      case ins::receive_licence:
        return Error{ErrorKind::refused,
                     "the content is addressed to another token, to another domain or to an earlier registration of "
                     "this token, or the token belongs to no domain"};
      case ins::return_licence:
        return Error{ErrorKind::refused,
                     "the content comes from no other domain, or the new rights are wider than those of the licence, "
                     "or the token belongs to no domain"};
      default: return std::nullopt;
    }
  }
  if (status == card::sw::referenced_data_not_found) {
    switch (instruction) {
      case ins::update_mask:
        return Error{ErrorKind::wrong_domain, "the authorisation mask is of another domain than the token"};
      case ins::admit_bridge:
        return Error{ErrorKind::wrong_domain, "the simple bridge is registered in another domain than the token's"};
      case ins::receive_licence:
        return Error{ErrorKind::wrong_domain,
                     "the token is not registered in the domain that the content comes from: register it there"};
      case ins::return_licence:
        return Error{ErrorKind::wrong_domain,
                     "the licence is of another domain than the token, or the token is not registered in the domain "
                     "that the content comes from"};
      default:
        return Error{ErrorKind::wrong_domain,
                     "the licence is of another domain than the token: insert a token of the content's domain"};
    }
  }
  if (status == card::sw::incorrect_data && instruction >= ins::send_licence)
    return Error{ErrorKind::authentication_failed, "the licence, its CDI or the header of the content was changed"};
  if (status == card::sw::not_enough_memory)
    return Error{ErrorKind::exhausted, instruction == ins::admit_bridge
                                           ? "the token sends a licence to 32 simple bridges at once, and to no more"
                                           : "the content has come through as many domains as a licence can name"};
  return std::nullopt;
}

ErrorKind general_kind(card::StatusWord status) {
  switch (status) {
    case card::sw::security_status_not_satisfied:
    case card::sw::secure_messaging_missing:
    case card::sw::secure_messaging_incorrect: return ErrorKind::authentication_failed;
    case card::sw::conditions_not_satisfied: return ErrorKind::refused;
    case card::sw::not_enough_memory: return ErrorKind::exhausted;
    case card::sw::incorrect_data:
    case card::sw::wrong_length: return ErrorKind::malformed;
    case card::sw::incorrect_p1_p2: return ErrorKind::invalid_argument;
    case sw_token::revoked: return ErrorKind::revoked;
    case sw_token::outdated: return ErrorKind::outdated;
    case sw_token::wrong_kind:
    case card::sw::instruction_not_supported:
    case card::sw::class_not_supported: return ErrorKind::unsupported;
    default: return ErrorKind::io;
  }
}

const char* instruction_name(std::uint8_t instruction) {
  switch (instruction) {
    case ins::generate_keys: return "GENERATE KEYS";
    case ins::personalise: return "PERSONALISE";
    case ins::get_token_info: return "GET TOKEN INFO";
    case ins::list_status: return "LIST STATUS";
    case ins::update_list: return "UPDATE LIST";
    case ins::check_list: return "CHECK LIST";
    case ins::sac_initiate: return "SAC INITIATE";
    case ins::sac_authenticate: return "SAC AUTHENTICATE";
    case ins::create_licence: return "CREATE LICENCE";
    case ins::open_licence: return "OPEN LICENCE";
    case ins::reissue_licence: return "REISSUE LICENCE";
    case ins::create_domain: return "CREATE DOMAIN";
    case ins::run_initiate: return "RUN INITIATE";
    case ins::run_authenticate: return "RUN AUTHENTICATE";
    case ins::run_command: return "RUN COMMAND";
    case ins::run_complete: return "RUN COMPLETE";
    case ins::read_register: return "READ REGISTER";
    case ins::last_record: return "LAST RECORD";
    case ins::read_domain: return "READ DOMAIN";
    case ins::activate: return "ACTIVATE";
    case ins::deactivate: return "DEACTIVATE";
    case ins::restore: return "RESTORE";
    case ins::revoke_token: return "REVOKE TOKEN";
    case ins::revise_mask: return "REVISE MASK";
    case ins::take_over: return "TAKE OVER";
    case ins::roll_domain: return "ROLL DOMAIN";
    case ins::reissue_old_licence: return "REISSUE OLD LICENCE";
    case ins::register_bridge: return "REGISTER BRIDGE";
    case ins::mask_status: return "MASK STATUS";
    case ins::update_mask: return "UPDATE MASK";
    case ins::admit_bridge: return "ADMIT BRIDGE";
    case ins::show_mask: return "SHOW MASK";
    case ins::send_licence: return "SEND LICENCE";
    case ins::take_back_licence: return "TAKE BACK LICENCE";
    case ins::receive_licence: return "RECEIVE LICENCE";
    case ins::return_licence: return "RETURN LICENCE";
    default: return "its command";
  }
}

tl::unexpected<Error> lists_differ() {
  return fail(ErrorKind::outdated,
              "the token has other revocation lists than it has just said: another program has changed them (try "
              "again), or somebody "
              "between this host and the token changes what they say");
}

/// What a token means that refuses to start a channel.
tl::unexpected<Error> initiation_refused(Error error) {
  if (error.kind == ErrorKind::authentication_failed)
    return fail(ErrorKind::authentication_failed,
                "the token does not accept this host's certificate: host and token must be of the same root");
  if (error.kind == ErrorKind::refused)
    return fail(ErrorKind::refused, "the token has no certificate yet: make it with cas-card create");
  if (error.kind == ErrorKind::outdated) return lists_differ();
  return fail(std::move(error));
}

SacParty party_of(const HostCredentials& host, Clock& clock, const ListIndices& lists) {
  SacParty party;
  party.root = &host.root;
  party.certificate = &host.certificate;
  party.p256 = &host.p256;
  party.ffdhe2048 = host.static_key(crypto::DhGroup::ffdhe2048);
  party.now = clock.now();
  party.lists = lists;
  return party;
}

}  // namespace

Error token_error(std::uint8_t instruction, card::StatusWord status) {
  if (auto error = licence_error(instruction, status)) return std::move(*error);
  if (auto error = list_error(instruction, status)) return std::move(*error);
  if (auto error = bridge_error(instruction, status)) return std::move(*error);
  return {general_kind(status), std::string("the token refuses ") + instruction_name(instruction) + ": " +
                                    card::describe_status_word(status)};
}

Result<Bytes> plain_command(card::Card& card, std::uint8_t instruction, ByteView data, std::uint8_t p1) {
  CAS_TRY_ASSIGN(ResponseApdu response,
                 card.transmit({card::cla_proprietary, instruction, p1, 0, copy_of(data), longest_response}));
  if (!response.ok()) return fail(token_error(instruction, response.status));
  return std::move(response.data);
}

Result<TokenInfo> read_token_info(card::Card& card) {
  CAS_TRY(card::select_applet(card, token_applet_aid));
  CAS_TRY_ASSIGN(const Bytes answer, plain_command(card, ins::get_token_info, {}));
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(answer, "token information"));
  TokenInfo info;
  CAS_TRY_ASSIGN(const std::uint64_t version, fields.required_number(tag::info_version, 1));
  if (version != token_applet_version)
    return fail(ErrorKind::unsupported,
                "the token's applet is of version " + std::to_string(version) + "; this version speaks to version 1");
  CAS_TRY(fields.check_known({tag::info_version, tag::info_kind, tag::info_certificate, tag::info_vdid}));
  info.applet_version = static_cast<std::uint8_t>(version);
  CAS_TRY_ASSIGN(const std::uint64_t kind, fields.required_number(tag::info_kind, 1));
  info.kind = static_cast<TokenKind>(kind);
  if (const auto der = fields.optional(tag::info_certificate)) {
    CAS_TRY_ASSIGN(const crypto::Certificate certificate, crypto::Certificate::from_der(*der));
    info.personalised = true;
    info.serial_number = certificate.serial_number();
    info.common_name = certificate.common_name();
    info.certificate = copy_of(*der);
  }
  if (fields.optional(tag::info_vdid)) {
    CAS_TRY_ASSIGN(const ByteView vdid, fields.required(tag::info_vdid, sizeof(Vdid)));
    info.vdid = to_array<Vdid>(vdid);
  }
  if (kind > static_cast<std::uint64_t>(TokenKind::head_end) ||
      info.vdid.has_value() != (info.kind != TokenKind::blank))
    return fail(ErrorKind::malformed, "the card tells of a domain what no token does");
  return info;
}

Result<TokenChannel> TokenChannel::establish(card::Card& card, const HostCredentials& host,
                                             const ChannelOptions& options) {
  ChannelOptions complete = options;
  if (complete.clock == nullptr) complete.clock = &system_clock();
  if (complete.random == nullptr) complete.random = &crypto::system_random();
  if (!complete.lists) complete.lists = HostLists::in_memory(host.root_revocation_key);
  // A list that comes into use meanwhile makes a token refuse a channel under the older one. Once more then.
  const std::uint64_t version = complete.lists->version();
  auto channel = establish_once(card, host, complete);
  if (!channel && channel.error().kind == ErrorKind::outdated) {
    CAS_TRY(complete.lists->external());
    if (complete.lists->version() != version) return establish_once(card, host, complete);
  }
  return channel;
}

Result<TokenChannel> TokenChannel::establish_once(card::Card& card, const HostCredentials& host,
                                                  const ChannelOptions& options) {
  CAS_TRY(card::select_applet(card, token_applet_aid));
  CAS_TRY_ASSIGN(SharedLists shared, synchronise_lists(card, *options.lists, options.answers));
  CAS_TRY_ASSIGN(SacInitiator sac,
                 SacInitiator::start(party_of(host, *options.clock, shared.indices()), options.suite, *options.random));
  auto first_answer = plain_command(card, ins::sac_initiate, sac.message1());
  if (!first_answer) return initiation_refused(std::move(first_answer).error());
  CAS_TRY_ASSIGN(const Bytes message2,
                 answer_questions(std::move(*first_answer), shared, options.answers, check_list_in_clear(card)));
  auto message3 = sac.authenticate(message2);
  if (!message3) return fail_in("secure channel to the token", std::move(message3).error());
  // Paper, 4.1: "the SAC will not be established if the host and the token are not synchronized on the same lists".
  if (sac.peer_lists() != shared.indices()) return lists_differ();
  CAS_TRY(check_not_revoked(shared, sac.peer()));
  if (!sac.peer().has_role(role_token))
    return fail(ErrorKind::authentication_failed, "the card's certificate is not a token's");
  CAS_TRY(plain_command(card, ins::sac_authenticate, *message3));
  CAS_TRY_ASSIGN(SacResult result, sac.finish());
  TokenChannel channel(card, std::move(result), options.lists, std::move(shared));
  CAS_TRY_ASSIGN(const SecretBytes status, channel.command(ins::list_status, {}));
  CAS_TRY(confirm_lists(status.reveal(), channel.shared_lists_, *options.lists));
  return channel;
}

bool TokenChannel::lists_changed() const {
  const auto indices = lists_->indices(shared_lists_.vdid);
  return indices && *indices != shared_lists_.indices();
}

Result<SecretBytes> TokenChannel::command(std::uint8_t instruction, ByteView data, std::uint8_t p1) {
  CommandApdu plain{card::cla_proprietary, instruction, p1, 0, copy_of(data), longest_response};
  const ScopedCleanse cleanse_plain(plain.data);
  CAS_TRY_ASSIGN(const CommandApdu wrapped, messaging_.wrap_command(plain));
  auto sent = card_->transmit(wrapped);
  if (!sent) {
    messaging_.close();  // whether the card has counted this command is not known
    return fail(std::move(sent).error());
  }
  // Without a channel on its side (another program has selected the applet, say) the card answers in clear.
  if (sent->data.empty() && !sent->ok()) {
    messaging_.close();
    return fail(ErrorKind::card_reset,
                "the token has lost its secure channel: " + card::describe_status_word(sent->status));
  }
  CAS_TRY_ASSIGN(ResponseApdu response, messaging_.unwrap_response(*sent));
  const ScopedCleanse cleanse_response(response.data);
  if (!response.ok()) return fail(token_error(instruction, response.status));
  return SecretBytes::copy_of(response.data);
}

}  // namespace cas::smartpro
