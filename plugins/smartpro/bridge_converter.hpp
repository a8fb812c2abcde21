// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "base/error.hpp"
#include "smartpro/bridge_converters.hpp"
#include "smartpro/token_session.hpp"
#include "smartpro/usage_rights.hpp"

namespace cas::gst {

/// Which of the two bridges of the paper (4.2) an element is.
enum class BridgeMode {
  master,  ///< Source domain: knows the source domain's key alone.
  simple,  ///< Destination domain: knows the destination domain's key alone.
};
enum class BridgeDirection {
  forward,  ///< From the source domain to its destinations.
  back,     ///< Home again.
};

/// What licences are converted with; checked before streaming.
struct BridgeSettings {
  BridgeMode mode = BridgeMode::master;
  BridgeDirection direction = BridgeDirection::forward;
  /// Files of bridge records: where a master bridge sends to, or takes back from. At least one with a master bridge,
  /// none with a simple one.
  std::vector<std::filesystem::path> destinations;
  /// File of the authorisation mask, for a master bridge. Empty: bridging/mask-VDID in the home folder
  /// (default_places.hpp).
  std::filesystem::path mask;
  /// The rights of the new licence, out of those of the old one; the token refuses what would widen them. Nothing: they
  /// stay.
  smartpro::RightsChange change_rights;
};

/// Who converts licences with the token of `session`, which `token` describes; both outlive it. Reads the files that
/// the settings name, and exchanges nothing with the card yet: for NULL->READY. Errors: not_found, permission_denied,
/// io, malformed, authentication_failed (a file), invalid_argument (the settings).
[[nodiscard]] Result<std::unique_ptr<smartpro::LicenceConverter>> make_converter(const BridgeSettings& settings,
                                                                                 smartpro::TokenSession& session,
                                                                                 const smartpro::TokenInfo& token);

}  // namespace cas::gst
