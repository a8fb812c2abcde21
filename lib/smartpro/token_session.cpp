// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/token_session.hpp"

#include <mutex>
#include <utility>

#include "base/tlv.hpp"
#include "crypto/random.hpp"
#include "smartpro/token_commands.hpp"

namespace cas::smartpro {

namespace {

/// How often a call opens the channel anew when the card was reset under it.
constexpr int channel_attempts = 3;

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

  Result<SecretBytes> command_once(std::uint8_t instruction, ByteView data) {
    CAS_TRY(connect());
    if (!channel || channel->closed() || channel->lists_changed()) {
      channel.reset();
      CAS_TRY_ASSIGN(channel, TokenChannel::establish(*card, *host, options));
    }
    return channel->command(instruction, data);
  }

  Result<SecretBytes> command(std::uint8_t instruction, ByteView data) {
    for (int attempt = 1;; ++attempt) {
      auto response = command_once(instruction, data);
      if (response) return response;
      const ErrorKind kind = response.error().kind;
      if (kind == ErrorKind::card_absent || kind == ErrorKind::io || channel_is_gone(kind)) lose();
      if (!channel_is_gone(kind) || attempt == channel_attempts) return response;
    }
  }
};

TokenSession::TokenSession(std::shared_ptr<card::Card> card, std::shared_ptr<const HostCredentials> host, Options options) {
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

Result<CreatedLicence> TokenSession::create_licence(const LicenceRequest& request) {
  const Bytes data = TlvWriter()
                         .field(tag::create_content_id, request.content_id)
                         .field(tag::create_header_digest, request.header_digest)
                         .number(tag::create_cipher, static_cast<std::uint64_t>(request.cipher), 1)
                         .number(tag::create_key_period, request.key_period, 4)
                         .field(tag::create_rights, request.rights.encode())
                         .take();
  const std::lock_guard lock(state_->mutex);
  CAS_TRY_ASSIGN(const SecretBytes response, state_->command(ins::create_licence, data));
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(response.reveal(), "the token's licence"));
  CAS_TRY_ASSIGN(const ByteView lecm, fields.required(tag::created_lecm, 1, max_lecm_size));
  CAS_TRY_ASSIGN(const ByteView control_word, fields.required(tag::created_control_word, control_word_size));
  return CreatedLicence{copy_of(lecm), SecretBytes::copy_of(control_word)};
}

Result<OpenedLicence> TokenSession::open_licence(ByteView lecm, const OpenRequest& request) {
  CAS_TRY_ASSIGN(const LicenceView view, LicenceView::parse(lecm));
  // The token refuses this too; here it can be told apart from a changed licence.
  if (view.header_digest != request.header_digest)
    return fail(ErrorKind::authentication_failed, "the licence is for other content, or the header of this content was changed");
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
  CAS_TRY_ASSIGN(const ByteView control_word, fields.required(tag::opened_control_word, control_word_size));
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

Status TokenSession::wait_for_card(std::stop_token stop) { return state_->card->wait_for_card(std::move(stop)); }

std::string TokenSession::card_description() const { return state_->card->description(); }

}  // namespace cas::smartpro
