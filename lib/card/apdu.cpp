// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/apdu.hpp"

#include "base/reader.hpp"
#include "base/writer.hpp"

namespace cas::card {

namespace {

constexpr std::size_t header_size = 4;
constexpr std::size_t max_data = 65535;
constexpr std::uint32_t max_ne = 65536;

constexpr std::size_t max_short_data = 255;
constexpr std::uint32_t max_short_ne = 256;

// ISO/IEC 7816-4, 5.1: an Le field of zeros asks for as many bytes as its width can say, and one more.
std::uint32_t ne_of(std::uint32_t le, std::uint32_t most) { return le == 0 ? most : le; }

Error wrong_length(ByteView bytes) {
  return {ErrorKind::malformed, "command APDU of " + std::to_string(bytes.size()) +
                                    " bytes has a length that none of the forms of ISO/IEC 7816-4 gives it"};
}

// The body of a short command whose first byte is Lc: Lc data [Le].
Status parse_short_body(ByteReader& reader, ByteView whole, CommandApdu& command) {
  CAS_TRY_ASSIGN(const std::uint8_t lc, reader.u8());
  if (lc == 0 || reader.remaining() < lc || reader.remaining() > lc + 1U) return fail(wrong_length(whole));
  CAS_TRY_ASSIGN(const ByteView data, reader.bytes(lc));
  command.data = copy_of(data);
  if (!reader.empty()) {
    CAS_TRY_ASSIGN(const std::uint8_t le, reader.u8());
    command.ne = ne_of(le, max_short_ne);
  }
  return {};
}

// What follows the zero byte of an extended command: Le (2 bytes), or Lc (2 bytes, not zero) data [Le (2 bytes)].
Status parse_extended_body(ByteReader& reader, ByteView whole, CommandApdu& command) {
  if (reader.remaining() < 2) return fail(wrong_length(whole));
  CAS_TRY_ASSIGN(const std::uint16_t length, reader.u16());
  if (reader.empty()) {
    command.ne = ne_of(length, max_ne);
    return {};
  }
  if (length == 0 || (reader.remaining() != length && reader.remaining() != length + 2U))
    return fail(wrong_length(whole));
  CAS_TRY_ASSIGN(const ByteView data, reader.bytes(length));
  command.data = copy_of(data);
  if (!reader.empty()) {
    CAS_TRY_ASSIGN(const std::uint16_t le, reader.u16());
    command.ne = ne_of(le, max_ne);
  }
  return {};
}

}  // namespace

bool CommandApdu::is_short() const { return data.size() <= max_short_data && ne.value_or(0) <= max_short_ne; }

Bytes CommandApdu::encode() const {
  if (data.size() > max_data || (ne && (*ne == 0 || *ne > max_ne))) return {};
  ByteWriter writer;
  writer.u8(cla).u8(ins).u8(p1).u8(p2);
  if (is_short()) {
    if (!data.empty()) writer.u8(static_cast<std::uint8_t>(data.size())).bytes(data);
    if (ne) writer.u8(static_cast<std::uint8_t>(*ne));
    return writer.take();
  }
  writer.u8(0);
  if (!data.empty()) writer.u16(static_cast<std::uint16_t>(data.size())).bytes(data);
  if (ne) writer.u16(static_cast<std::uint16_t>(*ne));
  return writer.take();
}

Result<CommandApdu> CommandApdu::parse(ByteView bytes) {
  if (bytes.size() < header_size)
    return fail(ErrorKind::truncated,
                "command APDU of " + std::to_string(bytes.size()) + " bytes is shorter than its header of 4");
  CommandApdu command;
  command.cla = bytes[0];
  command.ins = bytes[1];
  command.p1 = bytes[2];
  command.p2 = bytes[3];
  ByteReader reader(bytes.subspan(header_size));
  if (reader.empty()) return command;  // case 1
  if (reader.remaining() == 1) {       // case 2, short
    command.ne = ne_of(bytes[header_size], max_short_ne);
    return command;
  }
  if (bytes[header_size] != 0) {
    CAS_TRY(parse_short_body(reader, bytes, command));
  } else {
    CAS_TRY(reader.bytes(1));
    CAS_TRY(parse_extended_body(reader, bytes, command));
  }
  return command;
}

Bytes ResponseApdu::encode() const {
  ByteWriter writer;
  writer.bytes(data).u16(status);
  return writer.take();
}

Result<ResponseApdu> ResponseApdu::parse(ByteView bytes) {
  if (bytes.size() < 2)
    return fail(ErrorKind::truncated, "response APDU of " + std::to_string(bytes.size()) +
                                          " bytes has no status word: the card has lost power or was pulled");
  const ByteView status = bytes.last(2);
  return ResponseApdu{copy_of(bytes.first(bytes.size() - 2)), static_cast<StatusWord>(status[0] << 8 | status[1])};
}

}  // namespace cas::card
