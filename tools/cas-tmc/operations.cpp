// SPDX-License-Identifier: LGPL-2.1-or-later
#include "operations.hpp"

#include <algorithm>
#include <system_error>

#include "base/durable_file.hpp"
#include "base/file_lock.hpp"
#include "common/staged_folder.hpp"
#include "common/token_report.hpp"
#include "crypto/random.hpp"
#include "domain_session.hpp"
#include "smartpro/register_file.hpp"
#include "smartpro/token_session.hpp"

namespace cas::tmc {

namespace {

namespace fs = std::filesystem;
using card::CardUri;
using smartpro::ProgenitorSession;
using smartpro::RegisterEntry;
using smartpro::TokenInfo;
using smartpro::TokenKind;

/// The token's answer, with the remedy when it cannot be a progenitor.
Result<TokenInfo> progenitor_info(card::Card& card) {
  CAS_TRY_ASSIGN(TokenInfo info, smartpro::read_token_info(card));
  if (!info.personalised)
    return fail(ErrorKind::refused, "the token in " + card.description() +
                                        " has no certificate yet: make it with cas-card create --progenitor");
  if (info.kind != TokenKind::blank && info.kind != TokenKind::progenitor)
    return fail(ErrorKind::refused, "the token in " + card.description() + " is " + token_kind_name(info.kind) +
                                        " of a domain: name the progenitor");
  return info;
}

/// The register of a domain that is not kept here.
class NoRegister final : public smartpro::RegisterFile {
 public:
  Result<std::vector<smartpro::RegisterRecord>> records() override { return std::vector<smartpro::RegisterRecord>{}; }
  Status append(const smartpro::RegisterRecord&) override {
    return fail(ErrorKind::refused, "the register is not here");
  }
};

/// Takes up what a command that was stopped has founded: then no token can be in it.
Result<smartpro::DomainRecord> adopt_domain(ProgenitorSession& session) {
  CAS_TRY_ASSIGN(smartpro::DomainRecord record, session.read_domain());
  if (record.dormant)
    return fail(ErrorKind::refused, "this card is a backup of the progenitor of domain " + to_hex(record.vdid) +
                                        ": it takes over with cas-tmc replace, and founds no other domain");
  NoRegister no_register;
  const auto entries = session.read_register(no_register);
  if (!entries && entries.error().kind == ErrorKind::refused)
    return fail(ErrorKind::refused, "the progenitor has founded domain " + to_hex(record.vdid) +
                                        " and enrolled tokens in it, and the register of them is not here: copy the "
                                        "domain's folder from where that was done");
  CAS_TRY(entries);
  return record;
}

Status check_not_known(const TokenInfo& progenitor) {
  CAS_TRY_ASSIGN(const std::vector<Domain> domains, load_domains());
  for (const Domain& domain : domains)
    if (domain.progenitor == progenitor.serial_number)
      return fail(ErrorKind::refused, "this token is the progenitor of domain " + domain.name +
                                          " already: a progenitor has one domain, so make another "
                                          "progenitor with cas-card create --progenitor");
  return {};
}

bool has_entry(const std::vector<RegisterEntry>& entries, const TokenInfo& token) {
  return std::ranges::any_of(entries, [&](const RegisterEntry& entry) {
    return entry.token == token.serial_number && entry.kind == token.kind;
  });
}

}  // namespace

Result<smartpro::RootAuthority> make_root(const fs::path& folder, const std::string& name,
                                          const SecretBytes& pass_phrase) {
  CAS_TRY_ASSIGN(tools::StagedFolder staged, tools::StagedFolder::begin(folder));
  CAS_TRY_ASSIGN(smartpro::RootAuthority root,
                 smartpro::RootAuthority::create(name, system_clock(), crypto::system_random()));
  CAS_TRY(root.save(staged.path(), pass_phrase));
  CAS_TRY(staged.commit());
  return root;
}

Result<smartpro::HostCredentials> make_host(const fs::path& folder, smartpro::RootAuthority& root,
                                            const std::string& name, const smartpro::HostCapabilities& capabilities,
                                            const SecretBytes& pass_phrase) {
  CAS_TRY_ASSIGN(tools::StagedFolder staged, tools::StagedFolder::begin(folder));
  CAS_TRY_ASSIGN(smartpro::HostCredentials host, root.issue_host(name, capabilities));
  CAS_TRY(save_host_credentials(host, staged.path(), pass_phrase));
  CAS_TRY(staged.commit());
  return host;
}

Result<FoundedDomain> found_domain(const std::string& name, const CardUri& progenitor, const Host& host,
                                   const tools::Progress& progress) {
  const std::string uri = card::format_card_uri(progenitor);
  CAS_TRY_ASSIGN(const fs::path folder, domain_folder(name));
  std::error_code error;
  if (fs::exists(folder, error) && !fs::is_empty(folder, error)) {
    CAS_TRY_ASSIGN(Domain domain, load_domain(name));
    const auto session = DomainSession::open(domain, progenitor, host, progress);
    if (!session) return fail_in("domain " + name + " is there already", session.error());
    domain.progenitor_uri = uri;
    CAS_TRY(save_domain(domain));
    return FoundedDomain{std::move(domain), Outcome::done_before};
  }
  progress.step("opening the progenitor ...");
  CAS_TRY_ASSIGN(std::shared_ptr<card::Card> card, open_token(progenitor));
  CAS_TRY_ASSIGN(const TokenInfo info, progenitor_info(*card));
  CAS_TRY(check_not_known(info));
  CAS_TRY_ASSIGN(ProgenitorSession session, open_session(std::move(card), host));
  progress.step("the progenitor draws the domain's keys ...");
  CAS_TRY_ASSIGN(const smartpro::DomainRecord record,
                 info.kind == TokenKind::progenitor ? adopt_domain(session) : session.create_domain());
  CAS_TRY_ASSIGN(Domain domain, keep_new_domain(name, record, uri));
  return FoundedDomain{std::move(domain), Outcome::done};
}

Result<EnrolledToken> enrol_token(const Domain& domain, const CardUri& progenitor, const CardUri& token, TokenKind kind,
                                  const Host& host, const tools::Progress& progress) {
  CAS_TRY_ASSIGN(const std::unique_ptr<DomainSession> session, DomainSession::open(domain, progenitor, host, progress));
  progress.step("opening the token ...");
  CAS_TRY_ASSIGN(const std::shared_ptr<card::Card> card, open_token(token));
  CAS_TRY_ASSIGN(TokenInfo info, smartpro::read_token_info(*card));
  if (info.kind == kind && info.vdid == domain.vdid) {
    CAS_TRY_ASSIGN(const auto entries, session->progenitor().read_register(session->register_file()));
    if (has_old_key(entries, info.serial_number))
      return fail(ErrorKind::refused,
                  "the token in " + card->description() +
                      " has the domain key from before the domain was rolled: deactivate it, then enrol it again");
    if (has_entry(entries, info)) return EnrolledToken{std::move(info), Outcome::done_before};
  }
  progress.step("the progenitor brings the token into the domain ...");
  CAS_TRY_ASSIGN(info, session->progenitor().enrol(*card, kind, session->register_file()));
  return EnrolledToken{std::move(info), Outcome::done};
}

}  // namespace cas::tmc
