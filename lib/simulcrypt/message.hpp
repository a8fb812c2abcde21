// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/byte_queue.hpp"
#include "base/bytes.hpp"
#include "base/error.hpp"

namespace cas::simulcrypt {

// The message of all SimulCrypt interfaces (TS 103 197, 4.4.1). Big-endian.
//
//   protocol_version  1 byte
//   message_type      2 bytes
//   message_length    2 bytes: of what follows
//   parameters, in any order:
//     parameter_type    2 bytes
//     parameter_length  2 bytes
//     parameter_value

inline constexpr std::size_t message_header_size = 5;
inline constexpr std::size_t parameter_header_size = 4;
/// The longest body that message_length can say, and the longest value of a parameter that is alone in it.
inline constexpr std::size_t max_message_body = 65535;
/// A message with more parameters than this is malformed. There is room for the EMMs of a data_provision, of which the
/// smallest that says anything has some ten bytes.
inline constexpr std::size_t max_parameters = 4096;

struct MessageHeader {
  std::uint8_t version = 0;
  std::uint16_t type = 0;
  std::uint16_t length = 0;  ///< Of the body.
};
/// `bytes` has message_header_size bytes.
[[nodiscard]] MessageHeader read_message_header(ByteView bytes);

struct Parameter {
  std::uint16_t tag = 0;
  ByteView value;  ///< Points into the message.
};

/// A message whose parameters fill its body exactly; what they say has not been looked at. Points into the bytes that
/// it was parsed from, and takes no memory.
class MessageView {
 public:
  /// A whole message and nothing behind it. ErrorKind::truncated, malformed.
  [[nodiscard]] static Result<MessageView> parse(ByteView message);
  /// Of a message that the framing has found: whether the parameters fill `body` exactly and are not too many. The fast
  /// path, which makes no sentence.
  [[nodiscard]] static std::optional<MessageView> of(const MessageHeader& header, ByteView body);

  [[nodiscard]] std::uint8_t version() const { return header_.version; }
  [[nodiscard]] std::uint16_t type() const { return header_.type; }
  [[nodiscard]] ByteView body() const { return body_; }

  class Iterator {
   public:
    Iterator() = default;
    explicit Iterator(ByteView rest) : rest_(rest) {}
    [[nodiscard]] Parameter operator*() const;
    Iterator& operator++();
    [[nodiscard]] bool operator==(const Iterator& other) const { return rest_.size() == other.rest_.size(); }

   private:
    ByteView rest_;
  };
  /// The parameters in the order in which they came.
  [[nodiscard]] Iterator begin() const { return Iterator(body_); }
  [[nodiscard]] Iterator end() const { return Iterator(); }

  /// The first parameter of this tag; nothing: there is none.
  [[nodiscard]] std::optional<ByteView> find(std::uint16_t tag) const;
  /// The same as a number; nothing when it has another size too.
  [[nodiscard]] std::optional<std::uint8_t> u8(std::uint16_t tag) const;
  [[nodiscard]] std::optional<std::uint16_t> u16(std::uint16_t tag) const;
  [[nodiscard]] std::optional<std::uint32_t> u32(std::uint16_t tag) const;

 private:
  MessageView(const MessageHeader& header, ByteView body) : header_(header), body_(body) {}

  MessageHeader header_;
  ByteView body_;
};

/// Writes one message behind what waits in `out`. Until finish() was called, nothing else may touch `out`; a writer
/// that is destroyed before leaves `out` as it was.
class MessageWriter {
 public:
  MessageWriter(ByteQueue& out, std::uint8_t version, std::uint16_t type);
  ~MessageWriter();
  MessageWriter(const MessageWriter&) = delete;
  MessageWriter& operator=(const MessageWriter&) = delete;

  MessageWriter& u8(std::uint16_t tag, std::uint8_t value);
  MessageWriter& u16(std::uint16_t tag, std::uint16_t value);
  MessageWriter& u32(std::uint16_t tag, std::uint32_t value);
  MessageWriter& bytes(std::uint16_t tag, ByteView value);
  /// A parameter of two parts, such as CP_CW_combination.
  MessageWriter& bytes(std::uint16_t tag, ByteView first, ByteView second);

  /// Room for a value of at most `most` bytes, to be written in place; end_value() follows. Nothing: it would not fit.
  [[nodiscard]] std::optional<MutableByteView> begin_value(std::uint16_t tag, std::size_t most);
  /// The value has its first `size` bytes.
  void end_value(std::size_t size);

  /// The message is complete. ErrorKind::exhausted: its body would be longer than 65,535 bytes; `out` is as it was
  /// then.
  [[nodiscard]] Status finish();
  /// Leaves `out` as it was before the message; the writer is done.
  void abandon();

 private:
  void tag_and_length(std::uint16_t tag, std::size_t length);
  [[nodiscard]] std::size_t body_size() const { return out_.size() - start_ - message_header_size; }

  ByteQueue& out_;
  std::size_t start_;
  bool too_long_ = false;
  bool finished_ = false;
};

/// For messages of a fixed size, whose writing cannot fail.
inline void cannot_fail(const Status&) {}

}  // namespace cas::simulcrypt
