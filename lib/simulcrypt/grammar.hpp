// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "simulcrypt/message.hpp"

namespace cas::simulcrypt {

// The interfaces of SimulCrypt as data: which messages there are, which parameters each of them has, how long and how
// often (TS 103 197, clauses 5.4, 5.5, 6.2.4 and 6.2.5). One checker reads them all.

/// A parameter in a message.
struct ParameterRule {
  std::uint16_t tag;
  std::uint16_t least_size;
  std::uint16_t most_size;
  std::uint16_t least_count;
  std::uint16_t most_count;
  std::uint8_t first_version = 1;  ///< Written from this version of the protocol on; understood in each.
};

struct MessageRule {
  std::uint16_t type;
  const char* name;
  std::span<const ParameterRule> parameters;
  bool is_error = false;  ///< channel_error and stream_error, which are never answered with an error.
};

/// How a log shows the value of a parameter.
enum class ParameterForm : std::uint8_t {
  number,         ///< Unsigned, of its size.
  signed_number,  ///< Two's complement: the delays.
  identifier,     ///< Unsigned, in hexadecimal.
  bytes,          ///< In hexadecimal, the first ones only.
  error_status,   ///< A number and its sentence.
  words,          ///< CP_CW_combination: the number of the crypto-period and the size of the word, never the word.
  size_only,      ///< What may hold something secret.
};

struct ParameterName {
  std::uint16_t tag;
  const char* name;
  ParameterForm form;
};

struct ErrorName {
  std::uint16_t code;
  const char* sentence;
};

/// The codes by which an interface says that a message is not one.
struct StructureErrors {
  std::uint16_t invalid_message;
  std::uint16_t unsupported_version;
  std::uint16_t unknown_message_type;
  std::uint16_t message_too_long;
  std::uint16_t inconsistent_length;
  std::uint16_t missing_parameter;
};

struct Grammar {
  const char* name;
  std::uint8_t oldest_version;
  std::uint8_t newest_version;
  std::span<const MessageRule> messages;
  std::span<const ParameterName> parameters;
  std::span<const ErrorName> errors;
  StructureErrors codes;
};

/// ECMG <-> SCS, versions 2 and 3.
[[nodiscard]] const Grammar& ecmg_grammar();
/// EMMG/PDG <-> MUX, versions 1 to 5.
[[nodiscard]] const Grammar& emmg_grammar();

/// The most parameters that a message of an interface has in its rules.
inline constexpr std::size_t max_rules = 16;

/// Why a message is refused, as the answer says it.
struct Fault {
  std::uint16_t error_status = 0;
  std::optional<std::uint16_t> tag;  ///< The parameter in question; it goes out as error_information.
};

struct CheckedMessage {
  const MessageRule* rule = nullptr;   ///< Nothing: there is no such message.
  std::optional<MessageView> message;  ///< Nothing when its parameters do not fill it.
  std::optional<Fault> fault;          ///< Nothing: the message has all that its rule asks for.
};

/// Holds a message that the framing has found against the grammar, in this order: version, type, whether the parameters
/// fill it, their sizes, how often they stand there. Parameters that the rule does not name are passed over
/// (TS 103 197, 4.4.1). Takes no memory.
[[nodiscard]] CheckedMessage check(const Grammar& grammar, const MessageHeader& header, ByteView body);

/// The rule of a message; nothing: there is no such message.
[[nodiscard]] const MessageRule* find_message(const Grammar& grammar, std::uint16_t type);
/// Whether a message of this version may carry the parameter.
[[nodiscard]] bool may_carry(const Grammar& grammar, std::uint8_t version, std::uint16_t type, std::uint16_t tag);

/// The name of a message, "message 0x0107" for one that is not known.
[[nodiscard]] std::string message_name(const Grammar& grammar, std::uint16_t type);
[[nodiscard]] std::string parameter_name(const Grammar& grammar, std::uint16_t tag);
/// "0x0008: too many channels on this ECMG"; codes from 0x8000 on are the user's.
[[nodiscard]] std::string error_sentence(const Grammar& grammar, std::uint16_t error_status);
/// The fault as a sentence: "0x0010: a mandatory parameter is missing (ECM_id)".
[[nodiscard]] std::string fault_sentence(const Grammar& grammar, const Fault& fault);

/// The message as one JSON object for a log: name, version, and each parameter by its name. What may be secret is told
/// by its size alone, and of long values only the beginning is there.
[[nodiscard]] std::string describe(const Grammar& grammar, const MessageView& message);

}  // namespace cas::simulcrypt
