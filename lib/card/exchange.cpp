// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/exchange.hpp"

#include <algorithm>

namespace cas::card {

namespace {

constexpr std::size_t chain_part_size = 255;
constexpr std::uint32_t max_short_ne = 256;

bool is_bytes_remaining(StatusWord status) { return status >> 8 == 0x61; }
bool is_wrong_le(StatusWord status) { return status >> 8 == 0x6c; }

// ISO/IEC 7816-4, 5.1.3: SW2 of 61xx and 6Cxx is a number of bytes, and 00 stands for 256 (or more).
std::uint32_t length_in(StatusWord status) { return (status & 0xff) == 0 ? max_short_ne : status & 0xffU; }

// How cards that know no extended length answer one: they take the zero after the header for P3 (6700), or the class
// for one they do not serve. A refusal carries no data; an applet's own 6700 under secure messaging does.
bool refuses_extended(const ResponseApdu& response) {
  return response.data.empty() && (response.status == sw::wrong_length || response.status == sw::class_not_supported ||
                                   response.status == sw::instruction_not_supported);
}

Result<ResponseApdu> transmit_one(const RawTransmit& transmit, const CommandApdu& command) {
  Bytes wire = command.encode();
  const ScopedCleanse cleanse_wire(wire);
  CAS_TRY_ASSIGN(const Bytes answer, transmit(wire));
  auto response = ResponseApdu::parse(answer);
  // A card that loses power within a command gives success with no bytes through some drivers.
  if (!response)
    return fail(ErrorKind::card_reset,
                "the card gave no status word: it was reset or pulled within a command; connect anew");
  return response;
}

// The data in parts; every part but the last has the chaining bit and must be answered 9000 (5.3.3).
Result<ResponseApdu> transmit_chained(const RawTransmit& transmit, const CommandApdu& command) {
  CommandApdu part{command.cla, command.ins, command.p1, command.p2, {}, {}};
  const ScopedCleanse cleanse_part(part.data);
  ByteView rest = command.data;
  while (rest.size() > chain_part_size) {
    part.cla = command.cla | cla_chaining_bit;
    part.data.assign(rest.begin(), rest.begin() + chain_part_size);
    rest = rest.subspan(chain_part_size);
    CAS_TRY_ASSIGN(ResponseApdu response, transmit_one(transmit, part));
    if (!response.ok()) return response;
    if (!response.data.empty())
      return fail(ErrorKind::malformed, "the card answered a command that was not the last of its chain with data");
  }
  part.cla = command.cla;
  part.data.assign(rest.begin(), rest.end());
  if (command.ne) part.ne = std::min(*command.ne, max_short_ne);
  return transmit_one(transmit, part);
}

// One command in the form that the card takes. What is learnt of the card is kept in `limits`.
Result<ResponseApdu> transmit_fitting(const RawTransmit& transmit, const CommandApdu& command, ExchangeLimits& limits) {
  if (command.is_short()) return transmit_one(transmit, command);
  if (!limits.extended) return transmit_chained(transmit, command);
  CAS_TRY_ASSIGN(ResponseApdu response, transmit_one(transmit, command));
  if (!refuses_extended(response)) {
    limits.extended_proven = true;
    return response;
  }
  if (limits.extended_proven) return response;
  // Checking errors leave the card's memory as it was (5.1.3), so the command may be given again. If the chain is
  // refused alike, or as a chain, the refusal was about the command, and nothing has been learnt.
  CAS_TRY_ASSIGN(ResponseApdu chained, transmit_chained(transmit, command));
  if (chained.status == sw::command_chaining_not_supported) return response;
  if (chained.status != response.status) limits.extended = false;
  return chained;
}

// GET RESPONSE belongs to the transport: plain, in the channel of an interindustry class, else in the basic one.
CommandApdu get_response(std::uint8_t cla, std::uint32_t ne) {
  const bool proprietary = (cla & 0x80) != 0;
  return {static_cast<std::uint8_t>(proprietary ? cla_iso : cla & 0x03), ins_get_response, 0, 0, {}, ne};
}

// Fetches what 61xx announced and appends it, until another status word ends it.
Status fetch_rest(const RawTransmit& transmit, std::uint8_t cla, ResponseApdu& response, const ExchangeLimits& limits) {
  bool told_length = false;
  std::uint32_t ne = length_in(response.status);
  while (is_bytes_remaining(response.status)) {
    CAS_TRY_ASSIGN(ResponseApdu part, transmit_one(transmit, get_response(cla, ne)));
    if (is_wrong_le(part.status) && part.data.empty() && !told_length) {
      told_length = true;
      ne = length_in(part.status);
      continue;
    }
    told_length = false;
    if (is_bytes_remaining(part.status) && part.data.empty())
      return fail(ErrorKind::malformed, "the card announces response data that it does not give");
    if (part.data.size() > limits.max_response - response.data.size())
      return fail(ErrorKind::exhausted,
                  "the card gives more than " + std::to_string(limits.max_response) + " bytes of response data");
    append(response.data, part.data);
    response.status = part.status;
    ne = length_in(part.status);
  }
  return {};
}

Status check_command(const CommandApdu& command) {
  if ((command.cla & cla_chaining_bit) != 0)
    return fail(ErrorKind::invalid_argument, "a command may not set the chaining bit of its class byte itself");
  if (command.data.size() > 65535)
    return fail(ErrorKind::invalid_argument,
                "a command APDU carries at most 65535 bytes, not " + std::to_string(command.data.size()));
  if (command.ne && (*command.ne == 0 || *command.ne > 65536))
    return fail(ErrorKind::invalid_argument,
                "a command APDU may ask for 1 to 65536 bytes, not " + std::to_string(*command.ne));
  return {};
}

}  // namespace

Result<ResponseApdu> exchange(const RawTransmit& transmit, const CommandApdu& command, ExchangeLimits& limits) {
  CAS_TRY(check_command(command));
  CAS_TRY_ASSIGN(ResponseApdu response, transmit_fitting(transmit, command, limits));
  if (is_wrong_le(response.status) && response.data.empty()) {
    CommandApdu again = command;
    const ScopedCleanse cleanse_again(again.data);
    again.ne = length_in(response.status);
    CAS_TRY_ASSIGN(response, transmit_fitting(transmit, again, limits));
  }
  if (response.data.size() > limits.max_response)
    return fail(ErrorKind::exhausted,
                "the card gives more than " + std::to_string(limits.max_response) + " bytes of response data");
  CAS_TRY(fetch_rest(transmit, command.cla, response, limits));
  return response;
}

}  // namespace cas::card
