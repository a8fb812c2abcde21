// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/message.hpp"

#include <array>
#include <string>

#include "base/reader.hpp"

namespace cas::simulcrypt {

namespace {

std::uint16_t u16_at(ByteView bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

template <std::size_t width>
std::array<std::uint8_t, width> big_endian(std::uint32_t value) {
  std::array<std::uint8_t, width> bytes;
  for (std::size_t i = 0; i < width; ++i) bytes[i] = static_cast<std::uint8_t>(value >> (8 * (width - 1 - i)));
  return bytes;
}

}  // namespace

MessageHeader read_message_header(ByteView bytes) { return {bytes[0], u16_at(bytes, 1), u16_at(bytes, 3)}; }

std::optional<MessageView> MessageView::of(const MessageHeader& header, ByteView body) {
  std::size_t at = 0;
  for (std::size_t count = 0; at < body.size(); ++count) {
    if (count == max_parameters || body.size() - at < parameter_header_size) return std::nullopt;
    const std::size_t length = u16_at(body, at + 2);
    if (length > body.size() - at - parameter_header_size) return std::nullopt;
    at += parameter_header_size + length;
  }
  return MessageView(header, body);
}

Result<MessageView> MessageView::parse(ByteView message) {
  ByteReader reader(message);
  CAS_TRY_ASSIGN(const ByteView header_bytes, reader.bytes(message_header_size));
  const MessageHeader header = read_message_header(header_bytes);
  CAS_TRY_ASSIGN(const ByteView body, reader.bytes(header.length));
  CAS_TRY(reader.expect_end("a SimulCrypt message"));
  const std::optional<MessageView> view = of(header, body);
  if (!view)
    return fail(ErrorKind::malformed,
                "the parameters of a SimulCrypt message do not end where the message ends, or are more than " +
                    std::to_string(max_parameters));
  return *view;
}

// What follows trusts the walk through the lengths in of().
Parameter MessageView::Iterator::operator*() const {
  return {u16_at(rest_, 0), rest_.subspan(parameter_header_size, u16_at(rest_, 2))};
}

MessageView::Iterator& MessageView::Iterator::operator++() {
  rest_ = rest_.subspan(parameter_header_size + u16_at(rest_, 2));
  return *this;
}

std::optional<ByteView> MessageView::find(std::uint16_t tag) const {
  for (const Parameter& parameter : *this)
    if (parameter.tag == tag) return parameter.value;
  return std::nullopt;
}

std::optional<std::uint8_t> MessageView::u8(std::uint16_t tag) const {
  const auto value = find(tag);
  if (!value || value->size() != 1) return std::nullopt;
  return (*value)[0];
}

std::optional<std::uint16_t> MessageView::u16(std::uint16_t tag) const {
  const auto value = find(tag);
  if (!value || value->size() != 2) return std::nullopt;
  return u16_at(*value, 0);
}

std::optional<std::uint32_t> MessageView::u32(std::uint16_t tag) const {
  const auto value = find(tag);
  if (!value || value->size() != 4) return std::nullopt;
  return static_cast<std::uint32_t>(u16_at(*value, 0)) << 16 | u16_at(*value, 2);
}

MessageWriter::MessageWriter(ByteQueue& out, std::uint8_t version, std::uint16_t type) : out_(out), start_(out.size()) {
  const auto type_bytes = big_endian<2>(type);
  const std::array<std::uint8_t, message_header_size> header{version, type_bytes[0], type_bytes[1], 0, 0};
  out_.append(header);
}

MessageWriter::~MessageWriter() {
  if (!finished_) abandon();
}

void MessageWriter::abandon() {
  out_.truncate(start_);
  finished_ = true;
}

void MessageWriter::tag_and_length(std::uint16_t tag, std::size_t length) {
  const auto tag_bytes = big_endian<2>(tag);
  const auto length_bytes = big_endian<2>(static_cast<std::uint32_t>(length));
  const std::array<std::uint8_t, parameter_header_size> header{tag_bytes[0], tag_bytes[1], length_bytes[0],
                                                               length_bytes[1]};
  out_.append(header);
}

MessageWriter& MessageWriter::bytes(std::uint16_t tag, ByteView first, ByteView second) {
  // Checked part by part, so that nothing overflows and nothing grows past the limit.
  const std::size_t room = max_message_body - body_size();
  if (too_long_ || room < parameter_header_size || first.size() > room - parameter_header_size ||
      second.size() > room - parameter_header_size - first.size()) {
    too_long_ = true;
    return *this;
  }
  tag_and_length(tag, first.size() + second.size());
  out_.append(first);
  out_.append(second);
  return *this;
}

MessageWriter& MessageWriter::bytes(std::uint16_t tag, ByteView value) { return bytes(tag, value, {}); }
MessageWriter& MessageWriter::u8(std::uint16_t tag, std::uint8_t value) { return bytes(tag, big_endian<1>(value)); }
MessageWriter& MessageWriter::u16(std::uint16_t tag, std::uint16_t value) { return bytes(tag, big_endian<2>(value)); }
MessageWriter& MessageWriter::u32(std::uint16_t tag, std::uint32_t value) { return bytes(tag, big_endian<4>(value)); }

std::optional<MutableByteView> MessageWriter::begin_value(std::uint16_t tag, std::size_t most) {
  const std::size_t room = max_message_body - body_size();
  if (too_long_ || room < parameter_header_size || most > room - parameter_header_size) return std::nullopt;
  tag_and_length(tag, 0);
  return out_.prepare(most);
}

void MessageWriter::end_value(std::size_t size) {
  const auto length = big_endian<2>(static_cast<std::uint32_t>(size));
  const MutableByteView field = out_.from(out_.size() - 2);
  field[0] = length[0];
  field[1] = length[1];
  out_.commit(size);
}

Status MessageWriter::finish() {
  if (too_long_)
    return fail(
        ErrorKind::exhausted,
        "a SimulCrypt message has at most 65,535 bytes behind its header: send fewer or shorter datagrams in one");
  const auto length = big_endian<2>(static_cast<std::uint32_t>(body_size()));
  const MutableByteView message = out_.from(start_);
  message[3] = length[0];
  message[4] = length[1];
  finished_ = true;
  return {};
}

}  // namespace cas::simulcrypt
