// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/card_argument.hpp"
#include "common/credentials.hpp"
#include "served_system.hpp"
#include "smartpro/default_places.hpp"
#include "smartpro/list_refresher.hpp"
#include "smartpro_generator.hpp"

namespace cas::ecmg_program {

namespace {

using smartpro::TokenKind;
using smartpro::TokenSession;

class SmartproSystem final : public ServedSystem {
 public:
  SmartproSystem(const Settings& settings, std::unique_ptr<TokenSession> token, smartpro::ProcessLists lists,
                 tools::DaemonLog& log)
      : token_(std::move(token)),
        lists_(std::move(lists)),
        log_(log),
        most_waiting_(settings.serving.settings.max_streams),
        generator_(settings.super_cas_id.value_or(default_smartpro_super_cas_id), settings.parameters, system_clock(),
                   [this](LicenceOrder order) { return worker_->order(std::move(order)); }) {}

  simulcrypt::EcmGenerator& generator() override { return generator_; }

  void start(service::EventLoop& loop, EcmgService& service) override {
    const auto make = [this](const smartpro::LicenceRequest& request, const SecretBytes& word) {
      return token_->wrap_control_word(request, word);
    };
    worker_.emplace(most_waiting_, make, [this, &loop, &service](const LicenceOrder& order, Result<Bytes> section) {
      const auto shared = std::make_shared<Result<Bytes>>(std::move(section));
      loop.post([this, &service, ticket = order.ticket, asked = order.asked, shared] {
        note(*shared);
        if (*shared) return service.answer(ticket, **shared, asked);
        service.refuse(ticket, ecmg_error_of(shared->error().kind));
      });
    });
  }

  void read_again() override {
    if (!lists_.refresher)
      return log_.info("nothing-to-read", "there are no sources of revocation lists to fetch from again");
    static_cast<void>(lists_.refresher->fetch_again({}, std::chrono::milliseconds(0)));
    log_.info("fetching-lists", "the revocation lists are fetched again");
  }

  void stop() override { worker_.reset(); }

  Readiness readiness() const override { return {"token", failure_ ? Status(fail(*failure_)) : Status{}}; }

 private:
  /// Says what has become of the token once, not for each ECM.
  void note(const Result<Bytes>& made) {
    if (made) {
      if (failure_) log_.info("token-works", token_->card_description() + " makes licences again");
      failure_.reset();
      return;
    }
    if (!failure_ || failure_->message != made.error().message)
      log_.error("token-fails", token_->card_description() + " makes no licence: " + made.error().message);
    failure_ = made.error();
  }

  std::unique_ptr<TokenSession> token_;
  smartpro::ProcessLists lists_;
  tools::DaemonLog& log_;
  std::size_t most_waiting_;
  SmartproGenerator generator_;
  std::optional<LicenceWorker> worker_;
  std::optional<Error> failure_;
};

/// What is local and wrong is said at the start.
Status check_token(TokenSession& token) {
  CAS_TRY_ASSIGN(const smartpro::TokenInfo info, token.info());
  if (info.kind == TokenKind::head_end) return {};
  return fail(ErrorKind::invalid_argument,
              token.card_description() + " is a token of the kind '" + smartpro::token_kind_name(info.kind) +
                  "', which takes no control words from outside: enrol one with 'cas-tmc enrol --kind head-end', and "
                  "name it with --card");
}

}  // namespace

Result<std::unique_ptr<ServedSystem>> open_smartpro(const Settings& settings, tools::DaemonLog& log) {
  std::string card = settings.card;
  if (card.empty()) {
    CAS_TRY_ASSIGN(card, smartpro::default_card_uri(TokenKind::head_end));
  }
  CAS_TRY_ASSIGN(const std::shared_ptr<const smartpro::HostCredentials> host,
                 tools::load_host({settings.host, settings.host_pin_source}));
  CAS_TRY_ASSIGN(smartpro::ProcessLists lists, smartpro::process_lists(host->root_revocation_key, ""));
  CAS_TRY_ASSIGN(std::shared_ptr<card::Card> opened, tools::open_card_argument(card));
  TokenSession::Options options;
  options.lists = lists.lists;
  options.refresher = lists.refresher;
  auto token = std::make_unique<TokenSession>(std::move(opened), host, options);
  CAS_TRY(check_token(*token));
  return std::make_unique<SmartproSystem>(settings, std::move(token), std::move(lists), log);
}

}  // namespace cas::ecmg_program
