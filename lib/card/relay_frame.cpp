// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/relay_frame.hpp"

#include <algorithm>

#include "base/reader.hpp"
#include "base/secret.hpp"
#include "base/writer.hpp"

namespace cas::card {

namespace {

constexpr std::size_t header_size = 5;

struct Lengths {
  std::size_t least;
  std::size_t most;
};

// Nothing: there is no such type.
std::optional<Lengths> lengths_of(std::uint8_t type) {
  switch (static_cast<RelayFrameType>(type)) {
    case RelayFrameType::hello: return Lengths{1, 1 + max_relay_text};
    case RelayFrameType::connected: return Lengths{0, max_relay_text};
    case RelayFrameType::command: return Lengths{4, max_relay_command};
    case RelayFrameType::response: return Lengths{2, max_relay_response};
    case RelayFrameType::card_absent:
    case RelayFrameType::card_reset: return Lengths{0, max_relay_text};
    case RelayFrameType::error: return Lengths{1, 1 + max_relay_text};
    case RelayFrameType::connect:
    case RelayFrameType::wait:
    case RelayFrameType::card_present:
    case RelayFrameType::ping: return Lengths{0, 0};
  }
  return std::nullopt;
}

bool is_printable(std::uint8_t byte) { return byte >= 0x20 && byte < 0x7f; }

Bytes with_first_byte(std::uint8_t first, std::string_view text) {
  Bytes payload{first};
  append(payload, encode_relay_text(text));
  return payload;
}

}  // namespace

Bytes encode_relay_frame(RelayFrameType type, ByteView payload) {
  Bytes frame;
  frame.reserve(header_size + payload.size());  // never moves: no copies are left behind
  const auto size = static_cast<std::uint32_t>(payload.size());
  frame.push_back(static_cast<std::uint8_t>(type));
  for (const int shift : {24, 16, 8, 0}) frame.push_back(static_cast<std::uint8_t>(size >> shift & 0xff));
  append(frame, payload);
  return frame;
}

Bytes encode_relay_text(std::string_view text) {
  Bytes payload = copy_of(as_bytes(text.substr(0, max_relay_text)));
  std::ranges::replace_if(
      payload, [](std::uint8_t byte) { return !is_printable(byte); }, static_cast<std::uint8_t>('?'));
  return payload;
}

Result<std::string> parse_relay_text(ByteView payload) {
  // It ends up in logs and on terminals.
  if (payload.size() > max_relay_text || !std::ranges::all_of(payload, is_printable))
    return fail(ErrorKind::malformed,
                "a text in a frame of a card relay is too long, or holds characters that are not printable");
  return as_text(payload);
}

Bytes encode_relay_hello(const RelayHello& hello) { return with_first_byte(hello.version, hello.description); }

Result<RelayHello> parse_relay_hello(ByteView payload) {
  ByteReader reader(payload);
  RelayHello hello;
  CAS_TRY_ASSIGN(hello.version, reader.u8());
  if (hello.version != relay_version) return hello;
  CAS_TRY_ASSIGN(hello.description, parse_relay_text(reader.rest()));
  return hello;
}

Bytes encode_relay_error(const RelayError& error) {
  return with_first_byte(static_cast<std::uint8_t>(error.code), error.why);
}

Result<RelayError> parse_relay_error(ByteView payload) {
  ByteReader reader(payload);
  RelayError error;
  CAS_TRY_ASSIGN(const std::uint8_t code, reader.u8());
  if (code <= static_cast<std::uint8_t>(RelayErrorCode::too_long)) error.code = static_cast<RelayErrorCode>(code);
  CAS_TRY_ASSIGN(error.why, parse_relay_text(reader.rest()));
  return error;
}

RelayFrameParser::~RelayFrameParser() { cleanse(buffer_); }

void RelayFrameParser::append(ByteView bytes) {
  if (bytes.size() > buffer_.capacity() - buffer_.size()) {
    // By hand, since a vector that grows leaves a copy behind. Room for the longest frame at once: this happens seldom.
    Bytes longer;
    longer.reserve(
        std::max(buffer_.size() + bytes.size(), header_size + std::max(max_relay_command, max_relay_response)));
    cas::append(longer, buffer_);
    cleanse(buffer_);
    buffer_ = std::move(longer);
  }
  cas::append(buffer_, bytes);
}

Result<std::optional<RelayFrame>> RelayFrameParser::next() {
  ByteReader reader(buffer_);
  if (reader.remaining() < header_size) return std::optional<RelayFrame>();
  CAS_TRY_ASSIGN(const std::uint8_t type, reader.u8());
  CAS_TRY_ASSIGN(const std::uint32_t size, reader.u32());
  const std::optional<Lengths> allowed = lengths_of(type);
  if (!allowed)
    return fail(ErrorKind::malformed, "a card relay knows no frame of type " + to_hex(ByteView(buffer_).first(1)));
  if (size < allowed->least || size > allowed->most)
    return fail(ErrorKind::malformed, "a frame of type " + to_hex(ByteView(buffer_).first(1)) + " cannot have " +
                                          std::to_string(size) + " bytes");
  if (reader.remaining() < size) return std::optional<RelayFrame>();
  CAS_TRY_ASSIGN(const ByteView payload, reader.bytes(size));
  RelayFrame frame{static_cast<RelayFrameType>(type), copy_of(payload)};
  const std::size_t rest = reader.remaining();
  std::copy(buffer_.end() - static_cast<std::ptrdiff_t>(rest), buffer_.end(), buffer_.begin());
  cleanse(MutableByteView(buffer_).subspan(rest));
  buffer_.resize(rest);
  return std::optional<RelayFrame>(std::move(frame));
}

}  // namespace cas::card
