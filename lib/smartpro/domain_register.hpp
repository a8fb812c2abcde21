// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"
#include "card/applet.hpp"
#include "crypto/mac.hpp"
#include "smartpro/identifiers.hpp"

namespace cas::smartpro {

/// What happened to a token. The values stand in records. What a token has to confirm has two events: the first one is
/// written before anything leaves the progenitor.
enum class RegisterEvent : std::uint8_t {
  key_released = 1,          ///< The domain key went out to this token, under its channel's keys.
  activated = 2,             ///< The token has confirmed.
  deactivation_sent = 3,     ///< The token was told to forget the domain.
  deactivated = 4,           ///< It has confirmed.
  bridge_keys_released = 5,  ///< A simple bridge of domain `vdid` was sent its keys, for index `number`.
  bridge_registered = 6,     ///< It has confirmed.
  bridge_authorised = 7,     ///< The bit of index `number` is 1 in the authorisation mask from now on.
  bridge_barred = 8,         ///< It is 0 from now on.
  secrets_released = 9,      ///< All secrets of the domain went out to this token, to be a backup of the progenitor.
  backed_up = 10,            ///< It has confirmed.
  took_over = 11,            ///< This backup is the progenitor from now on.
  revoked = 12,              ///< The token is on the domain's revocation list from index `number` on.
  rolled = 13,  ///< From now on the domain key is the `number`-th; tokens activated before have an older one.
};

/// One line of the progenitor's register of tokens (paper, 3.2), as READ REGISTER gives it:
/// sequence number (8) || event (1) || token's serial number (8) || kind (1) || time (8) || VDID (8) || number (8).
struct RegisterEntry {
  std::uint64_t sequence = 0;
  RegisterEvent event = RegisterEvent::key_released;
  SerialNumber token = 0;  ///< 0 for the events that are about no token.
  TokenKind kind = TokenKind::blank;
  UnixSeconds time = 0;      ///< The TMC's word.
  Vdid vdid{};               ///< Of a simple bridge's own domain; zeros for the others.
  std::uint64_t number = 0;  ///< What the event says; 0 for the others.

  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static Result<RegisterEntry> parse(ByteView bytes);
};

/// The register lives with the TMC, which stores no secret, as a chain of records that the progenitor alone can read
/// and continue:
///
///   record = sequence number (8, first 1) || AES-256-CTR(Kenc, event, serial number, kind, time, VDID, number) (34) || MAC (16)
///   MAC    = AES-256-CMAC(Kmac, MAC of the record before (16, zeros for the first) || the record's bytes before the MAC)
///   Kenc   = KBKDF-CMAC(register key, "SmartPRO register encryption", sequence number)
///   Kmac   = KBKDF-CMAC(register key, "SmartPRO register MAC", "")
///
/// The card keeps the last record alone, with its number: a register that was cut, changed or rolled back does not end
/// in it. A TMC that was stopped between the card's work and its own gets the last record from the card again.
inline constexpr std::size_t register_record_size = 58;
using RegisterRecord = std::array<std::uint8_t, register_record_size>;

/// The progenitor's side.
class DomainRegister {
 public:
  explicit DomainRegister(card::AppletMemory& memory) : memory_(memory) {}

  /// Adds an entry, whose sequence number is set here, and gives the record for the TMC to keep.
  [[nodiscard]] Result<RegisterRecord> add(RegisterEntry entry);
  /// How many records there are, and the last one.
  [[nodiscard]] Result<std::pair<std::uint64_t, std::optional<RegisterRecord>>> last() const;

  /// Reading starts at the first record, takes each in turn, and ends with a check that the last was the last.
  void start_reading();
  /// The same from the record on that follows the last one that this token knows: for a backup that catches up with the
  /// progenitor. Ends with take_end.
  [[nodiscard]] Status start_behind_head();
  /// Makes the record that was read last this token's last one. After start_behind_head.
  [[nodiscard]] Status take_end();
  [[nodiscard]] Result<RegisterEntry> read_next(ByteView record);
  [[nodiscard]] Status finish_reading();

 private:
  card::AppletMemory& memory_;
  std::uint64_t records_read_ = 0;
  RegisterRecord last_read_{};
  crypto::Cmac mac_of_last_read_{};
};

}  // namespace cas::smartpro
