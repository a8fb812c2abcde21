// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/error.hpp"
#include "card/uri.hpp"
#include "common/credentials.hpp"
#include "common/program.hpp"
#include "domain_folder.hpp"
#include "smartpro/root_authority.hpp"

namespace cas::tmc {

/// The steps that commands are made of. Each is done whole or not at all, and does no harm when it is repeated.

using Host = std::shared_ptr<const smartpro::HostCredentials>;

/// Makes a root in a folder that is not there yet, or empty.
[[nodiscard]] Result<smartpro::RootAuthority> make_root(const std::filesystem::path& folder, const std::string& name,
                                                        const SecretBytes& pass_phrase);

/// Makes a host's credentials in a folder that is not there yet, or empty.
[[nodiscard]] Result<smartpro::HostCredentials> make_host(const std::filesystem::path& folder,
                                                          smartpro::RootAuthority& root, const std::string& name,
                                                          const smartpro::HostCapabilities& capabilities,
                                                          const SecretBytes& pass_phrase);

/// What there was to do.
enum class Outcome { done, done_before };

struct FoundedDomain {
  Domain domain;
  Outcome outcome = Outcome::done;
};
/// Activates the progenitor and keeps its domain as `name`. A domain that this progenitor founded for a command that
/// was stopped is taken up again. done_before when the domain of that name is this progenitor's; the place of the
/// progenitor is noted anew then.
[[nodiscard]] Result<FoundedDomain> found_domain(const std::string& name, const card::CardUri& progenitor,
                                                 const Host& host, const tools::Progress& progress);

struct EnrolledToken {
  smartpro::TokenInfo info;
  Outcome outcome = Outcome::done;
};
/// Brings a token into the domain. done_before when it is in the domain already, of that kind, and the register says so
/// too.
[[nodiscard]] Result<EnrolledToken> enrol_token(const Domain& domain, const card::CardUri& progenitor,
                                                const card::CardUri& token, smartpro::TokenKind kind, const Host& host,
                                                const tools::Progress& progress);

}  // namespace cas::tmc
