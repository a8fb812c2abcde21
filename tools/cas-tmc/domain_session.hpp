// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/file_lock.hpp"
#include "card/uri.hpp"
#include "commands.hpp"
#include "domain_folder.hpp"
#include "operations.hpp"
#include "smartpro/register_file.hpp"
#include "smartpro/token_management.hpp"

namespace cas::tmc {

/// A domain with its progenitor at hand, held so that no other TMC works on it. What the folder of the domain has of
/// lists and masks is the progenitor's newest: what a command that was stopped had not kept is made again from the
/// register.
class DomainSession {
 public:
  /// Errors as ProgenitorSession::open; refused when the card is not this domain's progenitor.
  [[nodiscard]] static Result<std::unique_ptr<DomainSession>> open(const DomainArguments& arguments,
                                                                   const tools::Progress& progress);
  [[nodiscard]] static Result<std::unique_ptr<DomainSession>> open(Domain domain, const card::CardUri& progenitor,
                                                                   const Host& host, const tools::Progress& progress);
  /// With a backup that may not have taken over yet: list and mask are what the folder has.
  [[nodiscard]] static Result<std::unique_ptr<DomainSession>> open_for_take_over(Domain domain,
                                                                                 const card::CardUri& backup,
                                                                                 const Host& host,
                                                                                 const tools::Progress& progress);

  [[nodiscard]] const Domain& domain() const { return domain_; }
  [[nodiscard]] smartpro::ProgenitorSession& progenitor() { return *session_; }
  [[nodiscard]] smartpro::RegisterFile& register_file() { return register_; }
  [[nodiscard]] const smartpro::RevocationList& irl() const { return irl_; }
  [[nodiscard]] const smartpro::AuthorisationMask& mask() const { return mask_; }
  [[nodiscard]] const smartpro::DomainRecord& record() const { return record_; }

  /// Puts a token on the domain's revocation list, and keeps the list. ErrorKind::revoked when it stands there already.
  [[nodiscard]] Status revoke(smartpro::SerialNumber token);
  /// Makes the backup the progenitor.
  [[nodiscard]] Status take_over();
  /// Sets the bits of indices, and keeps the mask. What is so already is left.
  [[nodiscard]] Status set_bridge(std::uint32_t index, bool authorised);
  /// Bars every index but `except` that a token was registered under: how many there were.
  [[nodiscard]] Result<std::size_t> bar_bridges_of(smartpro::SerialNumber token, std::uint32_t except = 0);
  /// Gives the domain a new domain key, once: where a command was stopped in the middle, this ends it. False when the
  /// progenitor had done all of it then.
  [[nodiscard]] Result<bool> roll();

 private:
  DomainSession(Domain domain, card::CardUri uri, Host host, FileLock lock);
  [[nodiscard]] Status connect();
  [[nodiscard]] Status show_host_its_list();
  [[nodiscard]] Status finish_stopped_revocation(card::Card& card);
  [[nodiscard]] Status load_published();
  [[nodiscard]] Status make_again();

  Domain domain_;
  card::CardUri uri_;
  Host host_;
  FileLock lock_;
  smartpro::FileRegister register_;
  std::optional<smartpro::ProgenitorSession> session_;
  smartpro::DomainRecord record_;
  smartpro::RevocationList irl_;
  smartpro::AuthorisationMask mask_;
};

/// A card, connected, with the token applet.
[[nodiscard]] Result<std::shared_ptr<card::Card>> open_token(const card::CardUri& uri);

/// A session with this machine's revocation lists.
[[nodiscard]] Result<smartpro::ProgenitorSession> open_session(std::shared_ptr<card::Card> card, const Host& host);

/// The serial number that an argument gives: 16 hexadecimal digits, or a card that is asked for its own.
[[nodiscard]] Result<smartpro::SerialNumber> parse_serial_argument(const std::string& argument);

/// Whether a token's key is of before the last roll of the domain.
[[nodiscard]] bool has_old_key(const std::vector<smartpro::RegisterEntry>& entries, smartpro::SerialNumber token);

/// A token in the order of its first entry, with its last one.
[[nodiscard]] std::vector<smartpro::RegisterEntry> tokens_in(const std::vector<smartpro::RegisterEntry>& entries);

}  // namespace cas::tmc
