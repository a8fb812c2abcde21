// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace cas::card {

// What a relay and its client say to one another (docs/formats/card-relay.md). Big-endian.
//
//   type    1 byte
//   length  4 bytes: of the payload
//   payload
//
//   01 hello         both    version (1 byte), description (text)
//   02 connect       client  -
//   03 connected     relay   description (text)
//   04 command       client  one command APDU, whole, short or extended
//   05 response      relay   one response APDU, whole
//   06 wait          client  -
//   07 card present  relay   -
//   08 card absent   relay   why (text)
//   09 card reset    relay   why (text)
//   0A error         relay   code (1 byte), why (text)
//   0B ping          both    -

/// The version of the protocol that is spoken here.
inline constexpr std::uint8_t relay_version = 1;
/// The longest text in a frame: descriptions and reasons.
inline constexpr std::size_t max_relay_text = 1024;
/// An extended command APDU with 65,535 bytes of data.
inline constexpr std::size_t max_relay_command = 4 + 3 + 65535 + 2;
/// 65,536 bytes of data and a status word.
inline constexpr std::size_t max_relay_response = 65536 + 2;

enum class RelayFrameType : std::uint8_t {
  hello = 0x01,
  connect = 0x02,
  connected = 0x03,
  command = 0x04,
  response = 0x05,
  wait = 0x06,
  card_present = 0x07,
  card_absent = 0x08,
  card_reset = 0x09,
  error = 0x0a,
  ping = 0x0b,
};

/// Why a relay cannot do what it was asked.
enum class RelayErrorCode : std::uint8_t {
  other = 0x00,
  busy = 0x01,             ///< Another client has the card.
  version = 0x02,          ///< No common version of the protocol.
  unexpected = 0x03,       ///< A frame that has no place here, or is malformed.
  invalid_command = 0x04,  ///< The command can be given to no card; the session goes on.
  too_long = 0x05,         ///< The card's answer is longer than an answer can be.
};

/// A frame whose type and length have been checked; the payload has not, except for its size.
struct RelayFrame {
  RelayFrameType type = RelayFrameType::ping;
  Bytes payload;  ///< Of a command or a response: the reader cleanses it.
};

/// The frame on the wire. `payload` fits the type.
[[nodiscard]] Bytes encode_relay_frame(RelayFrameType type, ByteView payload);

struct RelayHello {
  std::uint8_t version = relay_version;
  std::string description;
};
/// `description` is cut to the longest text, and what a text may not hold becomes "?".
[[nodiscard]] Bytes encode_relay_hello(const RelayHello& hello);
/// Of another version nothing but the version is looked at. ErrorKind::truncated, malformed.
[[nodiscard]] Result<RelayHello> parse_relay_hello(ByteView payload);

struct RelayError {
  RelayErrorCode code = RelayErrorCode::other;  ///< A code that is not known is read as `other`.
  std::string why;
};
[[nodiscard]] Bytes encode_relay_error(const RelayError& error);
[[nodiscard]] Result<RelayError> parse_relay_error(ByteView payload);

/// A text as it may stand in a frame: at most 1,024 bytes, and "?" for control characters and what is not ASCII.
[[nodiscard]] Bytes encode_relay_text(std::string_view text);
/// ErrorKind::malformed for what encode_relay_text would not have written.
[[nodiscard]] Result<std::string> parse_relay_text(ByteView payload);

/// Finds the frames in a stream of bytes, however it comes. Holds at most one frame and what `append` was given behind
/// it.
class RelayFrameParser {
 public:
  RelayFrameParser() = default;
  ~RelayFrameParser();
  RelayFrameParser(const RelayFrameParser&) = delete;
  RelayFrameParser& operator=(const RelayFrameParser&) = delete;

  void append(ByteView bytes);
  /// The next frame; nothing: it is not whole yet. ErrorKind::malformed for a type that is not known, and for a length
  /// that its type does not allow, as soon as the header is there; the stream cannot be read any further then.
  [[nodiscard]] Result<std::optional<RelayFrame>> next();
  /// Whether a frame has begun and is not whole.
  [[nodiscard]] bool within_frame() const { return !buffer_.empty(); }

 private:
  Bytes buffer_;
};

}  // namespace cas::card
