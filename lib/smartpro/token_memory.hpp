// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <optional>

#include "base/error.hpp"
#include "base/secret.hpp"
#include "card/applet.hpp"
#include "crypto/certificate.hpp"
#include "crypto/key_agreement.hpp"
#include "smartpro/identifiers.hpp"

namespace cas::smartpro {

/// What a token applet keeps, and under which object number. Nothing here grows with the number of licences or tokens.
///
///   01  root certificate      02  own certificate      03  P-256 private key      04  ffdhe2048 private key
///   05  membership            06  domain key           07  IRL header             08  play slots
///   09  ERL header            0a  root's revocation key
///   0b  MKSB || DKMB          0c  authorisation mask's signed header              (master bridge)
///   0d  registrations         (simple bridge)
///   10  register key          11  revocation private key                          12  register head      (progenitor, as all below)
///   13  MKMB                  14  MKSB                  15  mask header           16  domain key before the last roll
///   17  next bridge index     18  dormant backup: the IRL's index when it was made      19  generation of the domain key
namespace object {
inline constexpr std::uint16_t root_certificate = 0x01;
inline constexpr std::uint16_t own_certificate = 0x02;
inline constexpr std::uint16_t p256_private = 0x03;
inline constexpr std::uint16_t ffdhe2048_private = 0x04;
inline constexpr std::uint16_t membership = 0x05;
inline constexpr std::uint16_t domain_key = 0x06;
inline constexpr std::uint16_t irl_header = 0x07;
inline constexpr std::uint16_t play_slots = 0x08;
inline constexpr std::uint16_t erl_header = 0x09;
inline constexpr std::uint16_t root_revocation_key = 0x0a;
inline constexpr std::uint16_t master_bridge_keys = 0x0b;
inline constexpr std::uint16_t mask_header = 0x0c;
inline constexpr std::uint16_t bridge_registrations = 0x0d;
inline constexpr std::uint16_t register_key = 0x10;
inline constexpr std::uint16_t revocation_private = 0x11;
inline constexpr std::uint16_t register_head = 0x12;
inline constexpr std::uint16_t master_bridge_master_key = 0x13;
inline constexpr std::uint16_t simple_bridge_master_key = 0x14;
inline constexpr std::uint16_t progenitor_mask = 0x15;
inline constexpr std::uint16_t previous_domain_key = 0x16;
inline constexpr std::uint16_t next_bridge_index = 0x17;
inline constexpr std::uint16_t dormant_backup = 0x18;
inline constexpr std::uint16_t generation = 0x19;
}  // namespace object

/// Who the token is: written once, at personalisation.
struct TokenIdentity {
  crypto::Certificate root;
  crypto::Certificate certificate;
  crypto::DhKeyPair p256;
  std::optional<crypto::DhKeyPair> ffdhe2048;
};

/// Which domain the token belongs to, as what: kind (1) || VDID (8) || progenitor's serial number (8) || revocation
/// public key (65).
struct Membership {
  TokenKind kind = TokenKind::blank;
  Vdid vdid{};
  SerialNumber progenitor = 0;
  RevocationKey revocation_key{};
};

/// Nothing when the token has not been personalised; an error when its memory is damaged.
[[nodiscard]] Result<std::optional<TokenIdentity>> load_identity(const card::AppletMemory& memory);

/// A blank membership (kind blank) when the token belongs to no domain.
[[nodiscard]] Result<Membership> load_membership(const card::AppletMemory& memory);
[[nodiscard]] Status store_membership(card::AppletMemory& memory, const Membership& membership);

}  // namespace cas::smartpro
