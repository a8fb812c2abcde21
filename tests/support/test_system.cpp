// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/support/test_system.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <stdexcept>

#include "base/durable_file.hpp"
#include "card/soft_card.hpp"
#include "smartpro/register_file.hpp"

namespace cas::test {

namespace {

namespace fs = std::filesystem;

/// The least that scrypt takes: tests do not guess pass phrases.
constexpr crypto::ScryptCost cheap{2, 1, 1};
constexpr std::string_view pass_phrase = "correct horse battery staple";

}  // namespace

TestSystem::TestSystem(std::uint64_t seed)
    : clock(system_clock().now()),
      random(seed),
      root_(value_or_throw(smartpro::RootAuthority::create("Test root", clock, random))) {
  value_or_throw(root_.save(folder() / "root", {}));
  host_ = make_host("all");
  value_or_throw(smartpro::save_host_credentials(*host_, host_folder(), {}));
  fs::create_directories(folder() / "cards");
  lists_ = smartpro::HostLists::in_memory(host_->root_revocation_key);
}

std::shared_ptr<const smartpro::HostCredentials> TestSystem::make_host(const std::string& capabilities) {
  return std::make_shared<const smartpro::HostCredentials>(
      value_or_throw(root_.issue_host("Test host", value_or_throw(smartpro::HostCapabilities::parse(capabilities)))));
}

std::shared_ptr<card::Card> TestSystem::make_token(const std::string& name, bool progenitor) {
  auto made = value_or_throw(card::create_soft_card(card_file(name), SecretBytes::copy_of(as_bytes(pass_phrase)),
                                                    {smartpro::token_applet_factory()}, &random, cheap));
  value_or_throw(write_file_durably(card_file(name).string() + ".pin", as_bytes(pass_phrase)));
  value_or_throw(smartpro::personalise_token(*made, root_, name, progenitor));
  cards_[name] = made;
  return made;
}

smartpro::DomainRecord TestSystem::found_domain(const std::string& name) {
  make_token(name, true);
  return value_or_throw(management_session(name).create_domain());
}

void TestSystem::enrol(const std::string& progenitor, const std::string& token, smartpro::TokenKind kind) {
  if (!fs::exists(card_file(token))) make_token(token);
  value_or_throw(management_session(progenitor).enrol(*card(token), kind, register_of(progenitor)));
}

void TestSystem::found_usual_domain() {
  found_domain("progenitor");
  enrol("progenitor", "acquisition", smartpro::TokenKind::acquisition);
  enrol("progenitor", "renderer", smartpro::TokenKind::renderer);
}

std::string TestSystem::uri(const std::string& name) const {
  return "soft:" + card_file(name).string() + "?pin-source=file:" + card_file(name).string() + ".pin";
}

std::shared_ptr<card::Card> TestSystem::card(const std::string& name) {
  return value_or_throw(card::open_soft_card(card_file(name), SecretBytes::copy_of(as_bytes(pass_phrase)),
                                             {smartpro::token_applet_factory()}, &random));
}

std::unique_ptr<smartpro::TokenSession> TestSystem::session(const std::string& name) {
  return std::make_unique<smartpro::TokenSession>(card(name), host_, channel_options());
}

smartpro::ProgenitorSession TestSystem::management_session(const std::string& progenitor) {
  return value_or_throw(smartpro::ProgenitorSession::open(card(progenitor), host_, channel_options()));
}

smartpro::ChannelOptions TestSystem::channel_options() { return {crypto::DhGroup::p256, &clock, &random, lists_}; }

smartpro::RegisterFile& TestSystem::register_of(const std::string& progenitor) {
  auto& file = registers_[progenitor];
  if (!file) file = std::make_unique<smartpro::FileRegister>(folder() / (progenitor + ".register"));
  return *file;
}

}  // namespace cas::test
