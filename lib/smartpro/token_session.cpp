// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/token_session.hpp"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <utility>

#include "base/tlv.hpp"
#include "base/writer.hpp"
#include "crypto/random.hpp"
#include "smartpro/bridge_record.hpp"
#include "smartpro/list_refresher.hpp"
#include "smartpro/token_commands.hpp"

namespace cas::smartpro {

namespace {

/// How often a call opens the channel anew when the card was reset under it.
constexpr int channel_attempts = 3;

/// How long a source of revocation lists may keep a channel waiting.
constexpr std::chrono::milliseconds patience{5000};

bool channel_is_gone(ErrorKind kind) { return kind == ErrorKind::card_reset; }

}  // namespace

struct TokenSession::State {
  // Guards all below, during card exchanges too. Nothing else is locked while it is held but the card's own lock.
  std::mutex mutex;
  std::shared_ptr<card::Card> card;
  std::shared_ptr<const HostCredentials> host;
  ChannelOptions options;  // Complete: nothing in it is null.
  bool connected = false;
  std::optional<TokenChannel> channel;

  Status connect() {
    if (connected) return {};
    channel.reset();
    CAS_TRY(card->connect());
    connected = true;
    return {};
  }

  void lose() {
    connected = false;
    channel.reset();
  }

  Result<TokenChannel> establish() {
    if (!options.refresher) return TokenChannel::establish(*card, *host, options);
    options.refresher->wait_for_first({}, patience);
    auto opened = TokenChannel::establish(*card, *host, options);
    if (opened || opened.error().kind != ErrorKind::outdated) return opened;
    // A list that has come out since, or of a domain that was not known until now.
    const std::uint64_t version = options.lists->version();
    if (!options.refresher->fetch_again({}, patience) || options.lists->version() == version) return opened;
    return TokenChannel::establish(*card, *host, options);
  }

  Status open_channel() {
    CAS_TRY(connect());
    if (channel && !channel->closed() && !channel->lists_changed()) return {};
    channel.reset();
    CAS_TRY_ASSIGN(channel, establish());
    return {};
  }

  /// `once`, a Result or Status over a channel that it opens itself: again when the card was reset under it.
  template <typename Once>
  auto with_attempts(Once once) -> decltype(once()) {
    for (int attempt = 1;; ++attempt) {
      auto done = once();
      if (done) return done;
      const ErrorKind kind = done.error().kind;
      if (kind == ErrorKind::card_absent || kind == ErrorKind::io || channel_is_gone(kind)) lose();
      if (!channel_is_gone(kind) || attempt == channel_attempts) return done;
    }
  }

  Result<SecretBytes> command(std::uint8_t instruction, ByteView data) {
    return with_attempts([&]() -> Result<SecretBytes> {
      CAS_TRY(open_channel());
      return channel->command(instruction, data);
    });
  }

  Status admit_once(std::span<const Bytes> signed_records, const AuthorisationMask& mask);
};

TokenSession::TokenSession(std::shared_ptr<card::Card> card, std::shared_ptr<const HostCredentials> host,
                           Options options) {
  if (options.clock == nullptr) options.clock = &system_clock();
  if (options.random == nullptr) options.random = &crypto::system_random();
  if (!options.lists) options.lists = HostLists::in_memory(host->root_revocation_key);
  state_.reset(new State{{}, std::move(card), std::move(host), std::move(options), false, std::nullopt});
}

TokenSession::~TokenSession() {
  if (state_) state_->card->disconnect();
}

Result<TokenInfo> TokenSession::info() {
  const std::lock_guard lock(state_->mutex);
  for (int attempt = 1;; ++attempt) {
    CAS_TRY(state_->connect());
    state_->channel.reset();  // SELECT ends it on the card
    auto info = read_token_info(*state_->card);
    if (info) return info;
    const ErrorKind kind = info.error().kind;
    if (kind == ErrorKind::card_absent || kind == ErrorKind::io || channel_is_gone(kind)) state_->lose();
    if (!channel_is_gone(kind) || attempt == channel_attempts) return info;
  }
}

namespace {

Result<CreatedLicence> read_created(ByteView answer) {
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(answer, "the token's licence"));
  CAS_TRY_ASSIGN(const ByteView lecm, fields.required(tag::created_lecm, 1, max_lecm_size));
  CAS_TRY_ASSIGN(const ByteView control_word, fields.required(tag::created_control_word, control_word_size));
  return CreatedLicence{copy_of(lecm), SecretBytes::copy_of(control_word)};
}

template <typename Writer>
void write_request(Writer& writer, const LicenceRequest& request) {
  writer.field(tag::create_content_id, request.content_id)
      .field(tag::create_header_digest, request.header_digest)
      .number(tag::create_cipher, static_cast<std::uint64_t>(request.cipher), 1)
      .number(tag::create_key_period, request.key_period, 4)
      .field(tag::create_rights, request.rights.encode());
}

/// CREATE LICENCE is refused with the same status word, with a control word in it or without.
Error wrapping_refused(Error error) {
  if (error.message != token_error(ins::create_licence, sw_token::wrong_kind).message) return error;
  return {ErrorKind::refused, "the token takes no control words from outside: insert a head-end token"};
}

/// What a processing token refuses without saying which of it: told apart from the licence's clear part.
Status check_may_be_reissued(const LicenceView& view, const std::optional<UsageRights>& rights) {
  if (!view.summary) return {};
  if (!view.summary->process)
    return fail(ErrorKind::refused, "the usage rights of the content do not allow processing");
  if (!rights) return {};
  return view.summary->change_rights ? rights->check_bridging_within(*view.summary)
                                     : rights->check_within(*view.summary);
}

}  // namespace

Result<CreatedLicence> TokenSession::create_licence(const LicenceRequest& request) {
  if (request.cipher == ContentCipher::transport_stream)
    return fail(ErrorKind::invalid_argument, "the control word of a transport stream is the scrambler's own");
  TlvWriter writer;
  write_request(writer, request);
  const Bytes data = writer.take();
  const std::lock_guard lock(state_->mutex);
  CAS_TRY_ASSIGN(const SecretBytes response, state_->command(ins::create_licence, data));
  return read_created(response.reveal());
}

Result<Bytes> TokenSession::wrap_control_word(const LicenceRequest& request, const SecretBytes& control_word) {
  if (!is_control_word_size(request.cipher, control_word.size()))
    return fail(ErrorKind::invalid_argument, "a control word of " + std::to_string(control_word.size()) +
                                                 " bytes is none for " + content_cipher_name(request.cipher));
  SecretTlvWriter writer;
  write_request(writer, request);
  const SecretBytes data = writer.field(tag::create_control_word, control_word.reveal()).take();
  const std::lock_guard lock(state_->mutex);
  auto response = state_->command(ins::create_licence, data.reveal());
  if (!response) return fail(wrapping_refused(std::move(response).error()));
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(response->reveal(), "the token's licence"));
  CAS_TRY_ASSIGN(const ByteView lecm, fields.required(tag::created_lecm, 1, max_lecm_size));
  return copy_of(lecm);
}

Result<CreatedLicence> TokenSession::reissue_licence(ByteView source, const ContentAtHand& content,
                                                     const std::optional<UsageRights>& rights) {
  if (TransferPackage::is_one(source))
    return fail(ErrorKind::wrong_domain,
                "the content is on its way between two domains: a simple bridge of the domain that it goes to takes it "
                "in there first");
  CAS_TRY_ASSIGN(const LicenceView view, LicenceView::parse(source));
  CAS_TRY(check_may_be_reissued(view, rights));
  TlvWriter writer;
  writer.field(tag::reissue_lecm, source)
      .field(tag::reissue_header_digest, content.header_digest)
      .number(tag::reissue_cipher, static_cast<std::uint64_t>(content.cipher), 1)
      .number(tag::reissue_key_period, content.key_period, 4)
      .number(tag::reissue_time, static_cast<std::uint64_t>(state_->options.clock->now()), 8);
  if (rights) writer.field(tag::reissue_rights, rights->encode());
  const std::lock_guard lock(state_->mutex);
  CAS_TRY_ASSIGN(const SecretBytes response, state_->command(ins::reissue_licence, writer.view()));
  return read_created(response.reveal());
}

Result<OpenedLicence> TokenSession::open_licence(ByteView lecm, const OpenRequest& request) {
  if (TransferPackage::is_one(lecm))
    return fail(ErrorKind::wrong_domain,
                "the content is on its way between two domains: a simple bridge of the domain that it goes to makes it "
                "playable there");
  CAS_TRY_ASSIGN(const LicenceView view, LicenceView::parse(lecm));
  // The token refuses this too; here it can be told apart from a changed licence.
  if (view.header_digest != request.header_digest)
    return fail(ErrorKind::authentication_failed,
                "the licence is for other content, or the header of this content was changed");
  const Bytes data = TlvWriter()
                         .field(tag::open_lecm, lecm)
                         .field(tag::open_header_digest, request.header_digest)
                         .number(tag::open_cipher, static_cast<std::uint64_t>(request.cipher), 1)
                         .number(tag::open_key_period, request.key_period, 4)
                         .number(tag::open_time, static_cast<std::uint64_t>(state_->options.clock->now()), 8)
                         .field(tag::open_play_id, request.play_id)
                         .take();
  const std::lock_guard lock(state_->mutex);
  CAS_TRY_ASSIGN(const SecretBytes response, state_->command(ins::open_licence, data));
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(response.reveal(), "the token's answer"));
  CAS_TRY_ASSIGN(const ByteView control_word, fields.required(tag::opened_control_word));
  if (!is_control_word_size(request.cipher, control_word.size()))
    return fail(ErrorKind::malformed, "the token's control word is of a size that is not of the content cipher");
  CAS_TRY_ASSIGN(const ByteView rights, fields.required(tag::opened_rights));
  OpenedLicence opened;
  opened.control_word = SecretBytes::copy_of(control_word);
  opened.content_id = view.content_id;
  CAS_TRY_ASSIGN(opened.rights, UsageRights::parse(rights));
  if (fields.optional(tag::opened_plays_left)) {
    CAS_TRY_ASSIGN(const std::uint64_t left, fields.required_number(tag::opened_plays_left, 4));
    opened.plays_left = static_cast<std::uint32_t>(left);
  }
  return opened;
}

// --------------------------------------------------------------------------------------------------------------
// Bridging

namespace {

/// A mask goes to the token in parts of this size: with secure messaging around it still what a card takes in one
/// command, 4,096 bytes.
constexpr std::size_t mask_part_size = 4000;

TlvWriter& write_content(TlvWriter& writer, TlvTag first, const ContentAtHand& content, Clock& clock) {
  return writer.field(first, content.header_digest)
      .number(static_cast<TlvTag>(first + 1), static_cast<std::uint64_t>(content.cipher), 1)
      .number(static_cast<TlvTag>(first + 2), content.key_period, 4)
      .number(static_cast<TlvTag>(first + 3), static_cast<std::uint64_t>(clock.now()), 8);
}

/// The token refuses this too; here it can be told apart from a changed licence.
Status check_content(const LicenceView& view, const ContentAtHand& content) {
  if (view.cipher == ContentCipher::transport_stream)
    return fail(ErrorKind::refused,
                "the licences of a broadcast service do not go to other domains: protect its content in a file first");
  if (view.header_digest != content.header_digest)
    return fail(ErrorKind::authentication_failed,
                "the licence is for other content, or the header of this content was changed");
  return {};
}

Result<MaskHeader> read_mask_status(ByteView answer) {
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(answer, "the token's authorisation mask"));
  CAS_TRY_ASSIGN(const ByteView header, fields.required(tag::mask_header));
  return MaskHeader::parse(header);
}

Result<Bytes> read_licence(ByteView answer) {
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(answer, "the token's licence"));
  CAS_TRY_ASSIGN(const ByteView lecm, fields.required(tag::converted_lecm, 1, max_lecm_size));
  return copy_of(lecm);
}

/// A transfer licence with its CDIs, of which there are to be `count`.
Result<TransferPackage> read_package(ByteView answer, std::size_t count) {
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(answer, "the token's transfer licence"));
  TransferPackage package;
  CAS_TRY_ASSIGN(const ByteView lecm, fields.required(tag::converted_lecm, 1, max_lecm_size));
  package.lecm = copy_of(lecm);
  for (const TlvField& field : fields.all()) {
    if (field.tag != tag::converted_cdi) continue;
    CAS_TRY_ASSIGN(const Cdi cdi, Cdi::parse(field.value));
    package.cdis.push_back(cdi);
  }
  if (package.cdis.size() != count)
    return fail(ErrorKind::malformed, "the token has not made a CDI for each destination");
  return package;
}

/// What every bridge token refuses without saying which of it: told apart from the licence's clear part.
Status check_may_be_sent(const LicenceView& view, const std::optional<UsageRights>& rights) {
  if (!view.summary) return {};
  if (!view.summary->bridge)
    return fail(ErrorKind::refused, "the usage rights of the content do not allow sending it to another domain");
  if (view.summary->bridge_hops == 0)
    return fail(ErrorKind::refused,
                "the usage rights of the content do not allow sending it any farther: it has come over as many hops as "
                "they grant");
  if (!rights) return {};
  UsageRights granted = *view.summary;
  --granted.bridge_hops;
  return granted.change_rights ? rights->check_bridging_within(granted) : rights->check_within(granted);
}

}  // namespace

Result<MaskHeader> TokenSession::mask_status() {
  const std::lock_guard lock(state_->mutex);
  CAS_TRY_ASSIGN(const SecretBytes answer, state_->command(ins::mask_status, {}));
  return read_mask_status(answer.reveal());
}

Status TokenSession::update_mask(ByteView signed_header) {
  const std::lock_guard lock(state_->mutex);
  CAS_TRY(state_->command(ins::update_mask, signed_header));
  return {};
}

Status TokenSession::State::admit_once(std::span<const Bytes> signed_records, const AuthorisationMask& mask) {
  CAS_TRY(open_channel());
  CAS_TRY_ASSIGN(const SecretBytes status, channel->command(ins::mask_status, {}));
  CAS_TRY_ASSIGN(const MaskHeader at_token, read_mask_status(status.reveal()));
  if (mask.header.vdid != at_token.vdid)
    return fail(ErrorKind::wrong_domain, "the authorisation mask is of another domain than the token");
  if (mask.header.version < at_token.version)
    return fail(ErrorKind::outdated, "the authorisation mask here is of version " +
                                         std::to_string(mask.header.version) + ", and the token has seen version " +
                                         std::to_string(at_token.version) +
                                         ": get the newest one from the domain's management center");
  if (mask.header.version > at_token.version) CAS_TRY(channel->command(ins::update_mask, mask.signed_header));
  for (const Bytes& record : signed_records) CAS_TRY(channel->command(ins::admit_bridge, record));
  for (ByteView rest = mask.bits;;) {
    const ByteView part = rest.first(std::min(rest.size(), mask_part_size));
    rest = rest.subspan(part.size());
    CAS_TRY(channel->command(ins::show_mask, part, rest.empty() ? show_mask_last_part : show_mask_part));
    if (rest.empty()) return {};
  }
}

Status TokenSession::admit_bridges(std::span<const Bytes> signed_records, const AuthorisationMask& mask) {
  if (signed_records.empty() || signed_records.size() > max_mask_questions)
    return fail(ErrorKind::invalid_argument,
                "content is sent to 1 to 32 simple bridges, not " + std::to_string(signed_records.size()));
  for (const Bytes& bytes : signed_records) {
    CAS_TRY_ASSIGN(const BridgeRecord record, BridgeRecord::parse(bytes));
    if (!mask.authorises(record.index))
      return fail(ErrorKind::revoked, "the simple bridge " + serial_text(record.simple_bridge) + " of domain " +
                                          to_hex(record.destination) + " is not authorised, or not any more");
  }
  const std::lock_guard lock(state_->mutex);
  return state_->with_attempts([&] { return state_->admit_once(signed_records, mask); });
}

Result<TransferPackage> TokenSession::send_licence(ByteView lecm, const ContentAtHand& content,
                                                   std::span<const SerialNumber> destinations,
                                                   const std::optional<UsageRights>& rights) {
  CAS_TRY_ASSIGN(const LicenceView view, LicenceView::parse(lecm));
  CAS_TRY(check_content(view, content));
  CAS_TRY(check_may_be_sent(view, rights));
  ByteWriter serial_numbers;
  for (const SerialNumber destination : destinations) serial_numbers.u64(destination);
  TlvWriter writer;
  writer.field(tag::outgoing_lecm, lecm);
  write_content(writer, tag::outgoing_content, content, *state_->options.clock);
  if (rights) writer.field(tag::outgoing_rights, rights->encode());
  writer.field(tag::outgoing_destinations, serial_numbers.view());
  const std::lock_guard lock(state_->mutex);
  CAS_TRY_ASSIGN(const SecretBytes answer, state_->command(ins::send_licence, writer.view()));
  return read_package(answer.reveal(), destinations.size());
}

Result<Bytes> TokenSession::take_back_licence(const TransferPackage& package, const ContentAtHand& content) {
  CAS_TRY_ASSIGN(const LicenceView view, LicenceView::parse(package.lecm));
  CAS_TRY(check_content(view, content));
  if (view.transfer != TransferDirection::to_master_bridge || view.origins.empty() || package.cdis.empty())
    return fail(ErrorKind::refused,
                "the content is on its way to other domains, not back: a simple bridge token takes it");
  const SerialNumber addressee = view.origins.back().master_bridge;
  TlvWriter writer;
  writer.field(tag::incoming_lecm, package.lecm).field(tag::incoming_cdi, package.cdis.front().encode());
  write_content(writer, tag::incoming_content, content, *state_->options.clock);
  const std::lock_guard lock(state_->mutex);
  CAS_TRY_ASSIGN(const SecretBytes answer, state_->with_attempts([&]() -> Result<SecretBytes> {
    CAS_TRY(state_->open_channel());
    if (state_->channel->token_certificate().serial_number() != addressee)
      return fail(ErrorKind::refused, "the content goes back to the master bridge token " + serial_text(addressee) +
                                          ", which has sent it: insert that one");
    return state_->channel->command(ins::take_back_licence, writer.view());
  }));
  return read_licence(answer.reveal());
}

Result<Bytes> TokenSession::receive_licence(const TransferPackage& package, const ContentAtHand& content) {
  CAS_TRY_ASSIGN(const LicenceView view, LicenceView::parse(package.lecm));
  CAS_TRY(check_content(view, content));
  if (view.transfer != TransferDirection::to_simple_bridge)
    return fail(ErrorKind::refused, "the content is on its way back to domain " + to_hex(view.vdid) +
                                        ": the master bridge token that sent it takes it");
  const std::lock_guard lock(state_->mutex);
  CAS_TRY_ASSIGN(const SecretBytes answer, state_->with_attempts([&]() -> Result<SecretBytes> {
    CAS_TRY(state_->open_channel());
    const SerialNumber own = state_->channel->token_certificate().serial_number();
    const Cdi* cdi = package.cdi_for(own);
    if (cdi == nullptr)
      return fail(ErrorKind::refused, "the content is not addressed to this token, " + serial_text(own) +
                                          ": insert one that it is addressed to");
    TlvWriter writer;
    writer.field(tag::incoming_lecm, package.lecm).field(tag::incoming_cdi, cdi->encode());
    write_content(writer, tag::incoming_content, content, *state_->options.clock);
    return state_->channel->command(ins::receive_licence, writer.view());
  }));
  return read_licence(answer.reveal());
}

Result<TransferPackage> TokenSession::return_licence(ByteView lecm, const ContentAtHand& content,
                                                     const std::optional<UsageRights>& rights) {
  CAS_TRY_ASSIGN(const LicenceView view, LicenceView::parse(lecm));
  CAS_TRY(check_content(view, content));
  if (view.origins.empty())
    return fail(
        ErrorKind::refused,
        "the content comes from no other domain: a simple bridge sends back what it has received, and nothing else");
  if (rights && view.summary) CAS_TRY(rights->check_within(*view.summary));
  TlvWriter writer;
  writer.field(tag::outgoing_lecm, lecm);
  write_content(writer, tag::outgoing_content, content, *state_->options.clock);
  if (rights) writer.field(tag::outgoing_rights, rights->encode());
  const std::lock_guard lock(state_->mutex);
  CAS_TRY_ASSIGN(const SecretBytes answer, state_->command(ins::return_licence, writer.view()));
  return read_package(answer.reveal(), 1);
}

Status TokenSession::wait_for_card(std::stop_token stop) { return state_->card->wait_for_card(std::move(stop)); }

Status TokenSession::wait_for_lists(std::stop_token stop) {
  if (state_->options.refresher)
    state_->options.refresher->wait_for_first(stop, patience);  // not under the lock: it does not change
  if (stop.stop_requested()) return fail(ErrorKind::cancelled, "the wait for revocation lists was ended");
  return {};
}

std::string TokenSession::card_description() const { return state_->card->description(); }

}  // namespace cas::smartpro
