// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"

// MIKEY messages with a pre-shared key (RFC 3830), as far as 3GPP and OMA BCAST use them: common header, timestamp,
// identities, RAND, General Extension (RFC 3830, 6.15; RFC 4563, RFC 5410) and KEMAC, which is the last.
namespace cas::simulcrypt::bcast::mikey {

enum PayloadType : std::uint8_t {
  last_payload = 0,
  kemac = 1,
  timestamp = 5,
  identity = 6,
  random = 11,
  key_data = 20,
  general_extension = 21,
};

enum ExtensionType : std::uint8_t {
  key_id = 3,     ///< RFC 4563
  oma_bcast = 5,  ///< RFC 5410
};

/// Key ID Types of a Key ID extension (RFC 4563, table 2).
enum KeyIdType : std::uint8_t { key_domain_id = 0, service_key_id = 1, traffic_key_id = 2 };

/// Subtypes of an OMA BCAST extension (RFC 5410, figure 4).
enum BcastSubtype : std::uint8_t { ltkm = 1, stkm = 2, ltkm_reporting = 3, parental_control = 4 };

inline constexpr std::size_t max_message_size = 4096;
inline constexpr std::size_t max_payloads = 16;
inline constexpr std::size_t max_key_data = 4;
inline constexpr std::size_t mac_size = 20;   ///< HMAC-SHA-1-160
inline constexpr std::size_t rand_size = 16;  ///< RFC 3830, 6.11: at least 16; we send as many
/// Of an identity: a network access identifier (RFC 3830, 6.7).
inline constexpr std::size_t max_identity_size = 255;

struct Extension {
  std::uint8_t type = 0;
  ByteView data;
};

/// A message and its parts, which point into it. Nothing in it is authentic before open_kemac.
struct Message {
  std::uint8_t data_type = 0;  ///< 0: a pre-shared key message of the initiator.
  std::uint32_t csb_id = 0;
  std::uint32_t counter = 0;  ///< The timestamp payload, of type COUNTER.
  std::optional<ByteView> initiator, responder;
  ByteView rand;  ///< Empty: there is none.
  std::vector<Extension> extensions;
  ByteView encrypted;  ///< Of KEMAC: key data sub-payloads.
  ByteView mac;
  ByteView authenticated;  ///< All that stands before the MAC.

  /// ErrorKind::malformed, truncated; unsupported: another version, exchange, payload, PRF or algorithm than those that
  /// are sent here (PRF MIKEY-1, AES-CM-128, HMAC-SHA-1-160, a counter for a timestamp). Payloads stand once, but
  /// extensions, of which each type stands once, and identities, which are initiator and responder.
  [[nodiscard]] static Result<Message> parse(ByteView bytes);

  [[nodiscard]] std::optional<ByteView> extension(std::uint8_t type) const;
};

/// Key data sub-payload (RFC 3830, 6.13).
struct KeyData {
  enum class Type : std::uint8_t { tgk = 0, tgk_and_salt = 1, tek = 2, tek_and_salt = 3 };
  Type type = Type::tek;
  SecretBytes key;
  SecretBytes salt;  ///< Of the types with salt.
  /// Key validity data of type Interval: from, to; 8 bytes each. Nothing: KV is NULL.
  struct Interval {
    std::uint64_t from;
    std::uint64_t to;
  };
  std::optional<Interval> interval;
};

/// What a message is made of.
struct Content {
  std::uint32_t csb_id = 0;
  std::uint32_t counter = 0;
  ByteView initiator, responder;  ///< Both empty: not there.
  ByteView rand;                  ///< Empty: not there.
  std::vector<Extension> extensions;
};

/// The keys that protect KEMAC, derived from a pre-shared key, CSB ID and RAND (RFC 3830, 4.1.4).
struct Keys {
  SecretBytes encryption;      ///< 16
  SecretBytes authentication;  ///< 20
  SecretBytes salt;            ///< 14
};
/// `pre_shared` has 16 to 32 bytes. ErrorKind::invalid_argument.
[[nodiscard]] Result<Keys> derive_keys(const SecretBytes& pre_shared, std::uint32_t csb_id, ByteView rand);

/// MIKEY's PRF (RFC 3830, 4.1.2) for a key of up to 32 bytes.
[[nodiscard]] Result<SecretBytes> prf(const SecretBytes& key, ByteView label, std::size_t size);

/// The message with its keys enciphered, and its MAC. The caller gives no counter twice under the same keys.
[[nodiscard]] Result<Bytes> seal(const Content& content, std::vector<KeyData>& keys, const Keys& under);

/// Verifies the MAC, in constant time, and then deciphers the keys. ErrorKind::authentication_failed; malformed.
[[nodiscard]] Result<std::vector<KeyData>> open_kemac(const Message& message, const Keys& under);

}  // namespace cas::simulcrypt::bcast::mikey
