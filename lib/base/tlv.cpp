// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/tlv.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdio>
#include <cstring>

#include "base/reader.hpp"

namespace cas {

namespace {

std::string tag_name(TlvTag tag) {
  char text[8];
  std::snprintf(text, sizeof text, "%02X", tag);
  return text;
}

Result<TlvTag> read_tag(ByteReader& reader) {
  CAS_TRY_ASSIGN(const std::uint8_t first, reader.u8());
  if ((first & 0x1f) != 0x1f) return first;
  CAS_TRY_ASSIGN(const std::uint8_t second, reader.u8());
  // ISO/IEC 7816-4, 5.2.2.1: tag numbers below 31 take one byte; a set bit 8 would announce a third.
  if (second < 0x1f || second > 0x7f)
    return fail(ErrorKind::malformed,
                "tag at byte " + std::to_string(reader.position() - 2) + " is not of one or two bytes");
  return static_cast<TlvTag>(first << 8 | second);
}

Result<std::size_t> read_length(ByteReader& reader) {
  CAS_TRY_ASSIGN(const std::uint8_t first, reader.u8());
  if (first <= 0x7f) return first;
  std::size_t length = 0;
  std::size_t smallest = 0;
  if (first == 0x81) {
    CAS_TRY_ASSIGN(length, reader.u8());
    smallest = 0x80;
  } else if (first == 0x82) {
    CAS_TRY_ASSIGN(length, reader.u16());
    smallest = 0x100;
  } else {
    return fail(ErrorKind::malformed,
                "length at byte " + std::to_string(reader.position() - 1) + " is not of a known form");
  }
  if (length < smallest)
    return fail(ErrorKind::malformed,
                "length before byte " + std::to_string(reader.position()) + " takes more bytes than it needs");
  return length;
}

std::array<std::uint8_t, 8> big_endian(std::uint64_t value) {
  std::array<std::uint8_t, 8> bytes{};
  for (unsigned i = 0; i < 8; ++i) bytes[7 - i] = static_cast<std::uint8_t>(value >> (8 * i));
  return bytes;
}

}  // namespace

Result<TlvFields> TlvFields::parse(ByteView bytes, const char* what, std::size_t max_fields) {
  TlvFields fields;
  fields.what_ = what;
  ByteReader reader(bytes);
  while (!reader.empty()) {
    if (fields.fields_.size() == max_fields)
      return fail(ErrorKind::malformed, std::string(what) + " has more than " + std::to_string(max_fields) + " fields");
    TlvField field;
    auto tag = read_tag(reader);
    if (!tag) return fail_in(what, std::move(tag).error());
    field.tag = *tag;
    auto length = read_length(reader);
    if (!length) return fail_in(what, std::move(length).error());
    auto value = reader.bytes(*length);
    if (!value) return fail_in(what, std::move(value).error());
    field.value = *value;
    fields.fields_.push_back(field);
  }
  return fields;
}

std::optional<ByteView> TlvFields::optional(TlvTag tag) const {
  const auto found = std::ranges::find(fields_, tag, &TlvField::tag);
  if (found == fields_.end()) return std::nullopt;
  return found->value;
}

Result<ByteView> TlvFields::required(TlvTag tag) const {
  const auto value = optional(tag);
  if (!value) return fail(ErrorKind::malformed, std::string(what_) + " lacks its field " + tag_name(tag));
  return *value;
}

Result<ByteView> TlvFields::required(TlvTag tag, std::size_t size) const { return required(tag, size, size); }

Result<ByteView> TlvFields::required(TlvTag tag, std::size_t min_size, std::size_t max_size) const {
  CAS_TRY_ASSIGN(const ByteView value, required(tag));
  if (value.size() < min_size || value.size() > max_size)
    return fail(ErrorKind::malformed, std::string(what_) + ": field " + tag_name(tag) + " has " +
                                          std::to_string(value.size()) + " bytes, which it may not have");
  return value;
}

Result<std::uint64_t> TlvFields::required_number(TlvTag tag, std::size_t width) const {
  CAS_TRY_ASSIGN(const ByteView value, required(tag, width));
  std::uint64_t number = 0;
  for (std::uint8_t byte : value) number = number << 8 | byte;
  return number;
}

Result<std::uint64_t> TlvFields::number_or(TlvTag tag, std::size_t width, std::uint64_t fallback) const {
  if (!optional(tag)) return fallback;
  return required_number(tag, width);
}

Status TlvFields::check_known(std::initializer_list<TlvTag> known) const {
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    const TlvTag tag = fields_[i].tag;
    for (std::size_t j = 0; j < i; ++j)
      if (fields_[j].tag == tag)
        return fail(ErrorKind::malformed, std::string(what_) + " has its field " + tag_name(tag) + " twice");
    if (tlv_is_critical(tag) && std::find(known.begin(), known.end(), tag) == known.end())
      return fail(ErrorKind::unsupported, std::string(what_) + " has the critical field " + tag_name(tag) +
                                              ", which this version does not know");
  }
  return {};
}

Bytes tlv_header(TlvTag tag, std::size_t size) {
  assert(size <= 0xffff);  // all containers have limits far below
  Bytes header;
  if (tag > 0xff) header.push_back(static_cast<std::uint8_t>(tag >> 8));
  header.push_back(static_cast<std::uint8_t>(tag));
  if (size > 0xff) {
    header.push_back(0x82);
    header.push_back(static_cast<std::uint8_t>(size >> 8));
  } else if (size > 0x7f) {
    header.push_back(0x81);
  }
  header.push_back(static_cast<std::uint8_t>(size));
  return header;
}

TlvWriter& TlvWriter::field(TlvTag tag, ByteView value) {
  append(out_, tlv_header(tag, value.size()));
  append(out_, value);
  return *this;
}

TlvWriter& TlvWriter::number(TlvTag tag, std::uint64_t value, std::size_t width) {
  const auto bytes = big_endian(value);
  return field(tag, ByteView(bytes).last(width));
}

SecretTlvWriter& SecretTlvWriter::field(TlvTag tag, ByteView value) {
  const Bytes header = tlv_header(tag, value.size());
  SecretBytes grown(out_.size() + header.size() + value.size());
  std::uint8_t* to = grown.reveal_mutable().data();
  if (!out_.empty()) std::memcpy(to, out_.reveal().data(), out_.size());
  std::memcpy(to + out_.size(), header.data(), header.size());
  if (!value.empty()) std::memcpy(to + out_.size() + header.size(), value.data(), value.size());
  out_ = std::move(grown);
  return *this;
}

SecretTlvWriter& SecretTlvWriter::number(TlvTag tag, std::uint64_t value, std::size_t width) {
  const auto bytes = big_endian(value);
  return field(tag, ByteView(bytes).last(width));
}

}  // namespace cas
