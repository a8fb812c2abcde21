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

/// What happened to a token. The values stand in records.
enum class RegisterEvent : std::uint8_t {
  key_released = 1,  ///< The domain key went out to this token, under its channel's keys.
  activated = 2,     ///< The token has confirmed.
};

/// One line of the progenitor's register of tokens (paper, 3.2), as READ REGISTER gives it:
/// sequence number (8) || event (1) || token's serial number (8) || kind (1) || time (8).
struct RegisterEntry {
  std::uint64_t sequence = 0;
  RegisterEvent event = RegisterEvent::key_released;
  SerialNumber token = 0;
  TokenKind kind = TokenKind::blank;
  UnixSeconds time = 0;  ///< The TMC's word.

  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static Result<RegisterEntry> parse(ByteView bytes);
};

/// The register lives with the TMC, which stores no secret, as a chain of records that the progenitor alone can read and continue:
///
///   record = sequence number (8, first 1) || AES-256-CTR(Kenc, event, serial number, kind, time) (18) || MAC (16)
///   MAC    = AES-256-CMAC(Kmac, MAC of the record before (16, zeros for the first) || the record's bytes before the MAC)
///   Kenc   = KBKDF-CMAC(register key, "SmartPRO register encryption", sequence number)
///   Kmac   = KBKDF-CMAC(register key, "SmartPRO register MAC", "")
///
/// The card keeps the last record alone, with its number: a register that was cut, changed or rolled back does not end in it.
/// A TMC that was stopped between the card's work and its own gets the last record from the card again.
inline constexpr std::size_t register_record_size = 42;
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
  [[nodiscard]] Result<RegisterEntry> read_next(ByteView record);
  [[nodiscard]] Status finish_reading();

 private:
  card::AppletMemory& memory_;
  std::uint64_t records_read_ = 0;
  crypto::Cmac mac_of_last_read_{};
};

}  // namespace cas::smartpro
