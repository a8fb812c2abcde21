// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "base/error.hpp"
#include "base/secret.hpp"
#include "card/applet.hpp"
#include "crypto/signature.hpp"
#include "smartpro/domain_register.hpp"
#include "smartpro/identifiers.hpp"

namespace cas::smartpro {

/// All that makes a token the progenitor of a domain: what a backup is given by the progenitor, over their own channel,
/// and nobody else ever.
///
///   80  32   domain key                                  86  8    VDID
///   81  32   register key                                87  65   revocation public key
///   82  32   revocation private key                      88       signed IRL header
///   83  32   MKMB                                        89       signed header of the authorisation mask
///   84  32   MKSB                                        8a  4    next index of a simple bridge
///   85  58   last record of the register, if any         8b  8    generation of the domain key, first 1
///   8c  32   domain key before the last roll, if any
struct ProgenitorSecrets {
  SecretBytes domain_key;
  SecretBytes previous_domain_key;  ///< Empty when the domain was never rolled.
  SecretBytes register_key;
  SecretBytes revocation_private;
  SecretBytes master_bridge_master_key;  ///< MKMB (paper, 4.2)
  SecretBytes simple_bridge_master_key;  ///< MKSB
  std::optional<RegisterRecord> register_head;
  Vdid vdid{};
  RevocationKey revocation_key{};
  Bytes irl_header;
  Bytes mask_header;
  std::uint32_t next_bridge_index = 1;
  std::uint64_t generation = 1;

  /// From a progenitor's memory; ErrorKind::refused when it has no domain.
  [[nodiscard]] static Result<ProgenitorSecrets> load(card::AppletMemory& memory);
  /// Into the memory of a token that is `progenitor` from then on.
  [[nodiscard]] Status store(card::AppletMemory& memory, SerialNumber progenitor) const;

  /// Whether these may replace what a token has: ErrorKind::refused when it is no backup that sleeps, and when they are
  /// of another domain, or from before those that it has.
  [[nodiscard]] Status check_renews(card::AppletMemory& memory) const;

  [[nodiscard]] SecretBytes encode() const;
  [[nodiscard]] static Result<ProgenitorSecrets> parse(ByteView bytes);
};

/// The key that a domain's lists, masks and records are signed with, from a progenitor's memory.
[[nodiscard]] Result<crypto::SigningKey> load_revocation_key(const card::AppletMemory& memory);

/// A number that is kept as 4 or 8 bytes in an object; `missing` when it is not there.
[[nodiscard]] Result<std::uint64_t> load_number(const card::AppletMemory& memory, std::uint16_t object,
                                                std::uint64_t missing);
[[nodiscard]] Status store_number(card::AppletMemory& memory, std::uint16_t object, std::uint64_t value);

}  // namespace cas::smartpro
