// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <span>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/secret.hpp"
#include "casdemo/access_criteria.hpp"
#include "casdemo/ecm.hpp"
#include "casdemo/nonce_sequence.hpp"

namespace cas::casdemo {

// EMMs of the demonstration system (docs/formats/casdemo.md): a CA section of at most 256 bytes. Big-endian.
//
//    0   3  section header; table_id 82 to all, 83 to a group, 84 to a card
//    3   a  address: nothing, the group's number (4 bytes), or the card's (8 bytes)
//        1  version, 1
//        8  issue number
//       12  nonce
//        n  commands, encrypted, 1 to 208 bytes: tag (1 byte), length (1 byte), value
//       16  tag
//
//   01 grant        product (2), key id (2), start (8), expiry (8), entitlement key (16)
//   02 withdraw     product (2)
//   03 personalise  region (2), then up to 8 times: group (4), group key (16)
//
// AES-128-GCM under the key of the addressee; all that stands before the commands is associated data.

using CardNumber = std::uint64_t;
using GroupNumber = std::uint32_t;
/// Orders the EMMs of a head-end, whomever they are to: each new one has a greater number. A repeated one keeps its.
using IssueNumber = std::uint64_t;

enum class EmmAddressing : std::uint8_t { global = 0x82, shared = 0x83, unique = 0x84 };

/// Whom an EMM is to.
struct EmmAddress {
  EmmAddressing addressing = EmmAddressing::global;
  std::uint64_t number = 0;  ///< Of the group or the card; 0 for all.

  [[nodiscard]] static EmmAddress to_all() { return {}; }
  [[nodiscard]] static EmmAddress to_group(GroupNumber group) { return {EmmAddressing::shared, group}; }
  [[nodiscard]] static EmmAddress to_card(CardNumber card) { return {EmmAddressing::unique, card}; }
  bool operator==(const EmmAddress&) const = default;
};

inline constexpr std::size_t addressee_key_size = 16;
inline constexpr std::size_t max_groups = 8;
inline constexpr std::size_t max_emm_commands_size = 208;

/// Gives an entitlement key of a product, good for ECMs of start <= time < expiry.
struct Grant {
  ProductId product = 0;
  KeyId key_id = 0;
  UnixSeconds start = 0;
  UnixSeconds expiry = 0;
  SecretBytes key;  ///< 16 bytes.
};

/// Takes all keys of a product away. Not to all: for that, the key of ECMs is changed.
struct Withdraw {
  ProductId product = 0;
};

struct GroupKey {
  GroupNumber group = 0;
  SecretBytes key;  ///< 16 bytes.
};

/// Takes the place of all that the card was told of itself before. To a single card only.
struct Personalise {
  Region region = 0;
  std::vector<GroupKey> groups;  ///< At most 8, none twice.
};

using EmmCommand = std::variant<Grant, Withdraw, Personalise>;

/// Makes an EMM under `key`, the 16 bytes that the addressee has. ErrorKind::invalid_argument for commands that do not
/// fit into one EMM, may not be given to that address, or contradict one another, and for none.
[[nodiscard]] Result<Bytes> make_emm(const EmmAddress& address, const SecretBytes& key, IssueNumber issue,
                                     std::span<const EmmCommand> commands, NonceSequence& nonces);

/// What anybody can see of an EMM: enough to know whether it is for a card. Nothing of it is authenticated before
/// open_emm. Views into the section.
struct EmmView {
  EmmAddress address;
  IssueNumber issue = 0;
  ByteView associated;
  std::span<const std::uint8_t, crypto::gcm_nonce_size> nonce;
  ByteView cipher_text;
  std::span<const std::uint8_t, crypto::gcm_tag_size> tag;

  /// ErrorKind::truncated, malformed; unsupported for another version.
  [[nodiscard]] static Result<EmmView> parse(ByteView section);
};

/// ErrorKind::authentication_failed when `key` is not the addressee's, or the EMM was changed; malformed, truncated and
/// unsupported for commands that make_emm would not have written; invalid_argument when `key` has not 16 bytes.
[[nodiscard]] Result<std::vector<EmmCommand>> open_emm(const EmmView& emm, const SecretBytes& key);

}  // namespace cas::casdemo
