// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"

namespace cas::card {

/// The two bytes that end each response (ISO/IEC 7816-4, 5.1.3).
using StatusWord = std::uint16_t;

namespace sw {
inline constexpr StatusWord ok = 0x9000;
inline constexpr StatusWord memory_failure = 0x6581;
inline constexpr StatusWord wrong_length = 0x6700;
inline constexpr StatusWord logical_channel_not_supported = 0x6881;
inline constexpr StatusWord secure_messaging_not_supported = 0x6882;
inline constexpr StatusWord last_command_of_chain_expected = 0x6883;
inline constexpr StatusWord command_chaining_not_supported = 0x6884;
inline constexpr StatusWord security_status_not_satisfied = 0x6982;
inline constexpr StatusWord authentication_blocked = 0x6983;
inline constexpr StatusWord conditions_not_satisfied = 0x6985;
inline constexpr StatusWord secure_messaging_missing = 0x6987;
inline constexpr StatusWord secure_messaging_incorrect = 0x6988;
inline constexpr StatusWord incorrect_data = 0x6a80;
inline constexpr StatusWord not_found = 0x6a82;
inline constexpr StatusWord not_enough_memory = 0x6a84;
inline constexpr StatusWord incorrect_p1_p2 = 0x6a86;
inline constexpr StatusWord referenced_data_not_found = 0x6a88;
inline constexpr StatusWord instruction_not_supported = 0x6d00;
inline constexpr StatusWord class_not_supported = 0x6e00;
inline constexpr StatusWord no_precise_diagnosis = 0x6f00;
}  // namespace sw

/// "6985 (conditions of use not satisfied)".
[[nodiscard]] std::string describe_status_word(StatusWord status);

inline constexpr std::uint8_t cla_iso = 0x00;
inline constexpr std::uint8_t cla_proprietary = 0x80;
inline constexpr std::uint8_t cla_chaining_bit = 0x10;  ///< Not the last command of a chain (5.3.3).
inline constexpr std::uint8_t cla_secure_messaging_bit = 0x04;
inline constexpr std::uint8_t ins_select = 0xa4;
inline constexpr std::uint8_t ins_get_response = 0xc0;

/// A command as an applet and its caller mean it, whatever its length on the wire.
struct CommandApdu {
  std::uint8_t cla = 0;
  std::uint8_t ins = 0;
  std::uint8_t p1 = 0;
  std::uint8_t p2 = 0;
  Bytes data;                       ///< Up to 65,535 bytes.
  std::optional<std::uint32_t> ne;  ///< Bytes expected back, 1 to 65,536; nothing: no response data.

  /// ISO/IEC 7816-4, 5.1 and 5.2: cases 1 to 4, short where it fits, otherwise extended. Nothing, which no card takes,
  /// when `data` or `ne` is out of range.
  [[nodiscard]] Bytes encode() const;
  /// Whether `encode` gives the short form (Nc <= 255 and Ne <= 256).
  [[nodiscard]] bool is_short() const;
  /// Reads any of the seven forms; the length must be exact. ErrorKind::truncated below 4 bytes, otherwise malformed.
  [[nodiscard]] static Result<CommandApdu> parse(ByteView bytes);
};

struct ResponseApdu {
  Bytes data;
  StatusWord status = sw::ok;

  [[nodiscard]] bool ok() const { return status == sw::ok; }
  [[nodiscard]] Bytes encode() const;
  /// At least two bytes: a card that died in a command answers with none (ErrorKind::truncated).
  [[nodiscard]] static Result<ResponseApdu> parse(ByteView bytes);
};

}  // namespace cas::card
