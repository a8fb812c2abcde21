// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bridge_converter.hpp"

namespace cas::gst {

Result<std::unique_ptr<smartpro::LicenceConverter>> make_converter(const BridgeSettings&, smartpro::TokenSession& session,
                                                                   const smartpro::TokenInfo&) {
  return fail(ErrorKind::unsupported, "this build has no commands for bridge tokens such as " + session.card_description());
}

}  // namespace cas::gst
