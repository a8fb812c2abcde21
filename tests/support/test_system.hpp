// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "card/card.hpp"
#include "smartpro/host_credentials.hpp"
#include "smartpro/host_lists.hpp"
#include "smartpro/root_authority.hpp"
#include "smartpro/token_management.hpp"
#include "smartpro/token_session.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"
#include "tests/support/temporary_folder.hpp"

namespace cas::test {

/// A whole SmartPRO system for tests, in a folder: a root, a host with every capability, and soft cards. What fails
/// throws. The clock stands at the real time when the system was made, since elements and programs use the real one.
class TestSystem {
 public:
  explicit TestSystem(std::uint64_t seed = 1);

  /// A personalised token without a domain, on a soft card with a cheap pass phrase.
  std::shared_ptr<card::Card> make_token(const std::string& name, bool progenitor = false);
  /// A progenitor token `name`, activated.
  smartpro::DomainRecord found_domain(const std::string& name);
  /// Makes the token where it is not there yet, and enrols it.
  void enrol(const std::string& progenitor, const std::string& token, smartpro::TokenKind kind);
  /// Progenitor "progenitor", and the tokens "acquisition" and "renderer" of its domain.
  void found_usual_domain();

  /// The card of that name, as a new handle of this process.
  std::shared_ptr<card::Card> card(const std::string& name);
  /// "soft:/.../NAME.card?pin-source=file:...".
  [[nodiscard]] std::string uri(const std::string& name) const;
  /// A session of the host with the card.
  std::unique_ptr<smartpro::TokenSession> session(const std::string& name);
  smartpro::ProgenitorSession management_session(const std::string& progenitor);
  /// Credentials with these capabilities alone ("renderer", ...).
  std::shared_ptr<const smartpro::HostCredentials> make_host(const std::string& capabilities);
  /// Lets go of every card handle kept here, so that another process can open the stores.
  void release_cards() { cards_.clear(); }

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
  [[nodiscard]] std::filesystem::path host_folder() const { return folder() / "host"; }
  [[nodiscard]] std::filesystem::path card_file(const std::string& name) const {
    return folder() / "cards" / (name + ".card");
  }
  [[nodiscard]] std::shared_ptr<const smartpro::HostCredentials> host() const { return host_; }
  smartpro::RootAuthority& root() { return root_; }
  smartpro::RegisterFile& register_of(const std::string& progenitor);
  /// What sessions and management sessions work with: in memory, none at first.
  [[nodiscard]] const std::shared_ptr<smartpro::HostLists>& lists() const { return lists_; }
  /// {P-256, clock, random, lists}.
  [[nodiscard]] smartpro::ChannelOptions channel_options();

  ManualClock clock;
  SeededRandom random;

 private:
  TemporaryFolder folder_;
  smartpro::RootAuthority root_;
  std::shared_ptr<const smartpro::HostCredentials> host_;
  std::shared_ptr<smartpro::HostLists> lists_;
  std::map<std::string, std::shared_ptr<card::Card>> cards_;  // keeps stores open: scrypt once
  std::map<std::string, std::unique_ptr<smartpro::RegisterFile>> registers_;
};

}  // namespace cas::test
