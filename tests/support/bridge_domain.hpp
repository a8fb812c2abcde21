// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>

#include "card/applet.hpp"
#include "smartpro/authorisation_mask.hpp"
#include "smartpro/bridge_keys.hpp"
#include "smartpro/bridge_record.hpp"
#include "smartpro/licence.hpp"
#include "smartpro/token_memory.hpp"
#include "tests/support/test_system.hpp"

namespace cas::test {

/// A domain for tests of bridging: it holds what a progenitor token would, in clear, and does what one would do for
/// other tokens. What fails throws.
class BridgeDomain {
 public:
  /// VDID: eight times that byte.
  explicit BridgeDomain(std::uint8_t name, std::uint64_t seed = 7);

  /// Writes into a token's memory what ACTIVATE writes.
  void activate(card::AppletMemory& memory, smartpro::TokenKind kind, smartpro::SerialNumber token);
  /// Data of ACTIVATE.
  [[nodiscard]] SecretBytes activation(smartpro::TokenKind kind, smartpro::SerialNumber token);

  /// Registers a simple bridge under the next index: its bit becomes 1, and the mask's version grows.
  smartpro::BridgeRecord register_bridge(smartpro::SerialNumber simple_bridge, const smartpro::Vdid& destination);
  /// Data of REGISTER BRIDGE.
  [[nodiscard]] Bytes registration(const smartpro::BridgeRecord& record) const;
  [[nodiscard]] Bytes sign(const smartpro::BridgeRecord& record) const {
    return value_or_throw(record.encode_signed(revocation_key));
  }
  /// Changes a bit; the version grows.
  void set_bit(std::uint32_t index, bool value);
  [[nodiscard]] smartpro::AuthorisationMask mask() const;

  /// A licence of this domain, for the header digest 22..22, period 3, with the control word aa..aa.
  [[nodiscard]] Bytes licence(const smartpro::UsageRights& rights,
                              std::vector<smartpro::LicenceOrigin> origins = {}) const;
  [[nodiscard]] smartpro::UnsealedLicence open(ByteView lecm) const;

  smartpro::Vdid vdid{};
  SeededRandom random;
  SecretBytes domain_key, mkmb, mksb;
  crypto::SigningKey revocation_key;
  smartpro::RevocationKey revocation_public{};
  smartpro::SerialNumber progenitor = 0;
  smartpro::MaskHeader mask_header;
  Bytes mask_bits{0};

 private:
  [[nodiscard]] SecretBytes master_bridge_keys(smartpro::SerialNumber token) const;
};

[[nodiscard]] smartpro::HeaderDigest bridged_digest();
[[nodiscard]] SecretBytes bridged_control_word();

/// A host's session with a progenitor's certificate, which is what tokens are activated and registered by.
class ProgenitorPeer {
 public:
  explicit ProgenitorPeer(TestSystem& system);
  /// One command to that token over a channel of its own; gives what it answers.
  Result<SecretBytes> command(card::Card& card, std::uint8_t instruction, ByteView data);
  [[nodiscard]] const smartpro::HostCredentials& credentials() const { return credentials_; }

 private:
  TestSystem& system_;
  smartpro::HostCredentials credentials_;
};

}  // namespace cas::test
