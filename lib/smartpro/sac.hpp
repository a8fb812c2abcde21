// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "card/secure_messaging.hpp"
#include "crypto/certificate.hpp"
#include "crypto/digest.hpp"
#include "crypto/key_agreement.hpp"
#include "smartpro/identifiers.hpp"

namespace cas::smartpro {

/// The secure authenticated channel of the paper (3.4, figure 4): Diffie-Hellman with static keys in certificates and
/// ephemeral keys.
///
///   message 1, initiator -> responder   80 1 version (1), 81 1 suite (crypto::DhGroup), 82 certificate, 83 g^x, 84 8 ERL index, 85 8 IRL index
///   message 2, responder -> initiator   80 1 version (1), 82 certificate, 83 g^y, 84 8 ERL index, 85 8 IRL index, 86 32 responder's hash
///   message 3, initiator -> responder   86 32 initiator's hash
///
///   T                = SHA-256(message 1 || message 2 up to its field 86)
///   responder's hash = SHA-256(g^xy || g^y || Kperm || responder's serial number (8) || "SmartPRO SAC responder" || T)
///   initiator's hash = SHA-256(g^xy || g^x || Kperm || initiator's serial number (8) || "SmartPRO SAC initiator" || T)
///   Kperm            = g^ht of the static keys
///   session keys     = HKDF-SHA-256(g^xy || Kperm, salt T, "SmartPRO SAC session keys"), 64 bytes: command encryption and MAC, response encryption and MAC
///
/// Every field is critical. The initiator is a host, or a progenitor token that activates another one through a relay.
inline constexpr std::uint8_t sac_version = 1;
/// Certificate of 4 KiB, public value and the rest.
inline constexpr std::size_t max_sac_message_size = 5120;

/// Versions of the revocation lists that a side holds (paper, 4.1); covered by T.
struct ListIndices {
  std::uint64_t external = 0;
  std::uint64_t internal = 0;
  bool operator==(const ListIndices&) const = default;
};

/// The suite of that number on the wire; ErrorKind::unsupported if there is none.
[[nodiscard]] Result<crypto::DhGroup> sac_suite_from_wire(std::uint64_t value);

/// What a side brings. The pointers must stay valid as long as the initiator or responder that was made from them.
struct SacParty {
  const crypto::Certificate* root = nullptr;
  const crypto::Certificate* certificate = nullptr;
  const crypto::DhKeyPair* p256 = nullptr;
  const crypto::DhKeyPair* ffdhe2048 = nullptr;  ///< Null: the side has P-256 alone.
  std::optional<UnixSeconds> now;                ///< Null for a card: it has no clock to check certificates by.
  ListIndices lists;

  [[nodiscard]] const crypto::DhKeyPair* static_key(crypto::DhGroup group) const {
    return group == crypto::DhGroup::p256 ? p256 : ffdhe2048;
  }
};

/// What both sides have when the channel stands.
struct SacResult {
  card::SecureMessagingKeys keys;
  crypto::Certificate peer;
  ListIndices peer_lists;
};

/// The side that starts. One thread at a time; after any error the object is spent.
class SacInitiator {
 public:
  [[nodiscard]] static Result<SacInitiator> start(const SacParty& party, crypto::DhGroup suite, Random& random);
  [[nodiscard]] const Bytes& message1() const { return message1_; }

  /// Takes message 2, and gives message 3. ErrorKind::authentication_failed when the peer is not of our root or is not
  /// who it says it is; malformed, unsupported, expired.
  [[nodiscard]] Result<Bytes> authenticate(ByteView message2);
  /// After authenticate, before finish: who the peer is, and which lists it has; shown by its hash.
  [[nodiscard]] const crypto::Certificate& peer() const { return result_->peer; }
  [[nodiscard]] const ListIndices& peer_lists() const { return result_->peer_lists; }
  /// After authenticate: the keys, once.
  [[nodiscard]] Result<SacResult> finish();

 private:
  SacInitiator() = default;
  SacParty party_;
  crypto::DhKeyPair ephemeral_;
  Bytes message1_;
  std::optional<SacResult> result_;
};

/// The side that answers. One thread at a time; after any error the object is spent.
class SacResponder {
 public:
  /// Takes message 1, and gives message 2.
  [[nodiscard]] static Result<SacResponder> answer(const SacParty& party, ByteView message1, Random& random);
  [[nodiscard]] const Bytes& message2() const { return message2_; }
  /// Who the initiator says it is, by a certificate of our root, and which lists it says it has; nobody has shown yet
  /// that it is so. Before finish.
  [[nodiscard]] const crypto::Certificate& claimed_peer() const { return result_->peer; }
  [[nodiscard]] const ListIndices& claimed_lists() const { return result_->peer_lists; }

  /// Takes message 3: only now is the initiator known to be who it says it is.
  [[nodiscard]] Result<SacResult> finish(ByteView message3);

 private:
  SacResponder() = default;
  Bytes message2_;
  crypto::Sha256Digest expected_hash_{};
  std::optional<SacResult> result_;
};

}  // namespace cas::smartpro
