// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/clock.hpp"
#include "base/tlv.hpp"
#include "card/applet.hpp"
#include "smartpro/cdi.hpp"
#include "smartpro/licence.hpp"
#include "smartpro/token_memory.hpp"

namespace cas::smartpro {

// What master and simple bridge tokens have in common.

/// What a host says of the content whose licence a bridge token is to convert, and of the time.
struct ContentClaim {
  ByteView header_digest;  ///< Into the command.
  std::uint64_t cipher = 0;
  std::uint64_t key_period = 0;
  UnixSeconds time = 0;

  /// From four fields, of which `first` is the first one's tag.
  [[nodiscard]] static Result<ContentClaim> read(const TlvFields& fields, TlvTag first);
  /// ErrorKind::malformed when the licence is for other content, refused when it is of a transport stream, expired when
  /// the time is outside its window.
  [[nodiscard]] Status check(const LicenceTerms& terms) const;
};

/// Opens a licence of the token's own domain. ErrorKind::wrong_domain for another's; malformed when it was changed or
/// is a transfer licence.
[[nodiscard]] Result<UnsealedLicence> open_domain_licence(const card::AppletMemory& memory,
                                                          const Membership& membership, ByteView lecm);

/// Opens a transfer licence, whose key is wrapped in `cdi`, for one pair of bridges. ErrorKind::malformed when either
/// was changed, or is for others.
[[nodiscard]] Result<UnsealedLicence> open_transfer_licence(const LicenceView& view, const Cdi& cdi,
                                                            SerialNumber master_bridge, const SecretBytes& bridge_key);

/// Both requests that bring a transfer licence to a token.
struct IncomingTransfer {
  LicenceView view;  ///< Into the command.
  Cdi cdi;
  ContentClaim content;

  /// ErrorKind::malformed also when the licence does not go in `direction`, or names no origin.
  [[nodiscard]] static Result<IncomingTransfer> read(const TlvFields& fields, TransferDirection direction);
};

}  // namespace cas::smartpro
