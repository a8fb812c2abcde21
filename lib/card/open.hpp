// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "card/applet.hpp"
#include "card/card.hpp"

namespace cas::card {

/// What `open_card` needs to know beyond the URI.
struct OpenOptions {
  std::vector<AppletFactory> applets;  ///< The code of the applets that a soft card may hold.
  Bytes aid;                           ///< `pcsc:` without a reader takes the first card that has this applet.
  Random* random = nullptr;            ///< Randomness of a soft card; nothing: the system's.
};

/// The card that a URI names, not connected yet:
///
///   pcsc:                           the first card, in any reader, that has the wanted applet
///   pcsc:?reader=NAME               the card in the reader of that name, or whose name holds NAME and no other's does
///   soft:PATH?pin-source=file:P     the applets in process, over an encrypted store; the pass phrase is in file P
///   soft:PATH?pin-source=env:NAME   the pass phrase is in the environment variable NAME
///   soft:PATH                       the pass phrase is in the file PATH.pin, beside the store
///   relay:HOST:PORT?cert=FILE&key=FILE&ca=FILE[&name=NAME][&pin-source=...]
///                                   a card at another machine (see open_relay_card): the certificate to show, its private key and where the pass
///                                   phrase of that is, the authority that counts, and the relay's name where it is not HOST; [IPV6]:PORT works
///
/// A pass phrase in a file is its first line (see read_pass_phrase).
/// Reserved characters in PATH, NAME and P are percent-encoded (RFC 3986). A pass phrase in the URI itself is refused.
/// A store that is missing fails here with ErrorKind::not_found; a wrong pass phrase with permission_denied; a store in
/// use by another process with ErrorKind::io. A reader or relay that is missing is seen at connect, unreadable files of
/// a relay: here.
[[nodiscard]] Result<std::shared_ptr<Card>> open_card(std::string_view uri, const OpenOptions& options);

}  // namespace cas::card
