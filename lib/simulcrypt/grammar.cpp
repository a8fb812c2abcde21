// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/grammar.hpp"

#include <algorithm>
#include <array>

namespace cas::simulcrypt {

namespace {

std::string hex16(std::uint16_t value) {
  const std::array<std::uint8_t, 2> bytes{static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
  return "0x" + to_hex(bytes);
}

const ParameterName* find_parameter(const Grammar& grammar, std::uint16_t tag) {
  const auto found = std::ranges::find(grammar.parameters, tag, &ParameterName::tag);
  return found == grammar.parameters.end() ? nullptr : &*found;
}

std::optional<Fault> check_parameters(const Grammar& grammar, const MessageRule& rule, const MessageView& message) {
  std::array<std::uint16_t, max_rules> counts{};
  for (const Parameter& parameter : message) {
    for (std::size_t i = 0; i < rule.parameters.size(); ++i) {
      const ParameterRule& each = rule.parameters[i];
      if (each.tag != parameter.tag) continue;
      if (parameter.value.size() < each.least_size || parameter.value.size() > each.most_size)
        return Fault{grammar.codes.inconsistent_length, each.tag};
      ++counts[i];
      break;
    }
  }
  for (std::size_t i = 0; i < rule.parameters.size(); ++i) {
    const ParameterRule& each = rule.parameters[i];
    if (counts[i] < each.least_count) return Fault{grammar.codes.missing_parameter, each.tag};
    if (counts[i] > each.most_count) return Fault{grammar.codes.invalid_message, each.tag};
  }
  return std::nullopt;
}

}  // namespace

const MessageRule* find_message(const Grammar& grammar, std::uint16_t type) {
  const auto found = std::ranges::find(grammar.messages, type, &MessageRule::type);
  return found == grammar.messages.end() ? nullptr : &*found;
}

CheckedMessage check(const Grammar& grammar, const MessageHeader& header, ByteView body) {
  CheckedMessage checked;
  checked.rule = find_message(grammar, header.type);
  checked.message = MessageView::of(header, body);
  if (header.version < grammar.oldest_version || header.version > grammar.newest_version)
    checked.fault = Fault{grammar.codes.unsupported_version, {}};
  else if (checked.rule == nullptr)
    checked.fault = Fault{grammar.codes.unknown_message_type, {}};
  else if (!checked.message)
    checked.fault = Fault{grammar.codes.invalid_message, {}};
  else
    checked.fault = check_parameters(grammar, *checked.rule, *checked.message);
  return checked;
}

bool may_carry(const Grammar& grammar, std::uint8_t version, std::uint16_t type, std::uint16_t tag) {
  const MessageRule* const rule = find_message(grammar, type);
  return rule != nullptr && std::ranges::any_of(rule->parameters, [&](const ParameterRule& each) {
           return each.tag == tag && version >= each.first_version;
         });
}

std::string message_name(const Grammar& grammar, std::uint16_t type) {
  const MessageRule* const rule = find_message(grammar, type);
  return rule != nullptr ? rule->name : "message " + hex16(type);
}

std::string parameter_name(const Grammar& grammar, std::uint16_t tag) {
  const ParameterName* const parameter = find_parameter(grammar, tag);
  return parameter != nullptr ? parameter->name : "parameter " + hex16(tag);
}

std::string error_sentence(const Grammar& grammar, std::uint16_t error_status) {
  const auto found = std::ranges::find(grammar.errors, error_status, &ErrorName::code);
  if (found != grammar.errors.end()) return hex16(error_status) + ": " + found->sentence;
  return hex16(error_status) +
         (error_status >= 0x8000 ? ": an error that the peer's manual names" : ": a reserved error");
}

std::string fault_sentence(const Grammar& grammar, const Fault& fault) {
  std::string sentence = error_sentence(grammar, fault.error_status);
  if (fault.tag) sentence += " (" + parameter_name(grammar, *fault.tag) + ")";
  return sentence;
}

namespace {

constexpr std::size_t shown_bytes = 32;
constexpr std::size_t shown_parameters = 32;

std::uint64_t number_in(ByteView value) {
  std::uint64_t number = 0;
  for (const std::uint8_t byte : value) number = number << 8 | byte;
  return number;
}

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

std::string size_of(ByteView value) { return quoted(std::to_string(value.size()) + " bytes"); }

// Names, digits and the sentences of the grammar only: nothing of this needs an escape.
std::string value_of(const Grammar& grammar, ParameterForm form, ByteView value) {
  const bool is_number = !value.empty() && value.size() <= 8;
  switch (form) {
    case ParameterForm::number:
      if (is_number) return std::to_string(number_in(value));
      break;
    case ParameterForm::signed_number:
      if (value.size() == 2) return std::to_string(static_cast<std::int16_t>(number_in(value)));
      break;
    case ParameterForm::identifier:
      if (is_number) return quoted("0x" + to_hex(value));
      break;
    case ParameterForm::error_status:
      if (value.size() == 2) return quoted(error_sentence(grammar, static_cast<std::uint16_t>(number_in(value))));
      break;
    case ParameterForm::words:
      if (value.size() >= 2)
        return quoted("crypto-period " + std::to_string(number_in(value.first(2))) + ", a word of " +
                      std::to_string(value.size() - 2) + " bytes");
      break;
    case ParameterForm::bytes:
      if (value.size() <= shown_bytes) return quoted(to_hex(value));
      return quoted(to_hex(value.first(shown_bytes)) + "... (" + std::to_string(value.size()) + " bytes)");
    case ParameterForm::size_only: break;
  }
  return size_of(value);
}

}  // namespace

std::string describe(const Grammar& grammar, const MessageView& message) {
  std::string json = "{\"message\": " + quoted(message_name(grammar, message.type())) +
                     ", \"version\": " + std::to_string(message.version()) + ", \"parameters\": [";
  std::size_t count = 0;
  for (const Parameter& parameter : message) {
    if (++count > shown_parameters) continue;
    const ParameterName* const known = find_parameter(grammar, parameter.tag);
    if (count > 1) json += ", ";
    json += "{" + quoted(parameter_name(grammar, parameter.tag)) + ": " +
            value_of(grammar, known != nullptr ? known->form : ParameterForm::size_only, parameter.value) + "}";
  }
  json += "]";
  if (count > shown_parameters) json += ", \"left_out\": " + std::to_string(count - shown_parameters);
  return json + "}";
}

}  // namespace cas::simulcrypt
