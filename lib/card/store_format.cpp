// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/store_format.hpp"

#include <algorithm>
#include <bit>

#include "base/reader.hpp"
#include "base/writer.hpp"

namespace cas::card {

namespace {

constexpr std::string_view magic = "CAS-CARD";
constexpr std::uint16_t version = 1;

Result<std::vector<std::string>> parse_applets(ByteReader& reader) {
  CAS_TRY_ASSIGN(const std::uint8_t count, reader.u8());
  std::vector<std::string> applets;
  for (unsigned i = 0; i < count; ++i) {
    CAS_TRY_ASSIGN(const std::uint8_t size, reader.u8());
    CAS_TRY_ASSIGN(const ByteView name, reader.bytes(size));
    applets.push_back(as_text(name));
  }
  if (!empty_card_image(applets)) return fail(ErrorKind::malformed, "the list of applets is not well-formed");
  return applets;
}

Result<crypto::ScryptCost> parse_cost(ByteReader& reader) {
  CAS_TRY_ASSIGN(const std::uint8_t log_n, reader.u8());
  CAS_TRY_ASSIGN(const std::uint8_t r, reader.u8());
  CAS_TRY_ASSIGN(const std::uint8_t p, reader.u8());
  CAS_TRY_ASSIGN(const std::uint8_t zero, reader.u8());
  if (log_n == 0 || log_n > 31 || r == 0 || p == 0 || zero != 0)
    return fail(ErrorKind::malformed, "the cost of the pass phrase is out of range");
  return crypto::ScryptCost{std::uint64_t{1} << log_n, r, p};
}

template <std::size_t size>
Status read_into(ByteReader& reader, std::array<std::uint8_t, size>& field) {
  CAS_TRY_ASSIGN(const ByteView bytes, reader.bytes(size));
  std::ranges::copy(bytes, field.begin());
  return {};
}

Result<StoreParts> parse_after_magic(ByteReader& reader, ByteView file) {
  CAS_TRY_ASSIGN(const std::uint16_t found_version, reader.u16());
  if (found_version != version)
    return fail(ErrorKind::unsupported, "it has version " + std::to_string(found_version) +
                                            ", and this program reads version " + std::to_string(version) +
                                            ": use a later program");
  StoreParts parts;
  CAS_TRY_ASSIGN(parts.header.cost, parse_cost(reader));
  CAS_TRY(read_into(reader, parts.header.salt));
  CAS_TRY_ASSIGN(parts.header.generation, reader.u64());
  CAS_TRY(read_into(reader, parts.header.nonce));
  CAS_TRY_ASSIGN(parts.header.applets, parse_applets(reader));
  CAS_TRY_ASSIGN(const std::uint32_t size, reader.u32());
  parts.associated = file.first(reader.position());
  CAS_TRY_ASSIGN(parts.cipher_text, reader.bytes(size));
  CAS_TRY_ASSIGN(parts.tag, reader.bytes(crypto::gcm_tag_size));
  CAS_TRY(reader.expect_end("the authentication tag"));
  return parts;
}

// Writes into memory that was sized beforehand, so that no copy of a secret is left in a buffer that grew.
class SecretCursor {
 public:
  explicit SecretCursor(MutableByteView to) : to_(to) {}
  void u16(std::size_t value) {
    to_[0] = static_cast<std::uint8_t>(value >> 8);
    to_[1] = static_cast<std::uint8_t>(value);
    to_ = to_.subspan(2);
  }
  void bytes(ByteView value) {
    std::ranges::copy(value, to_.begin());
    to_ = to_.subspan(value.size());
  }

 private:
  MutableByteView to_;
};

Status parse_objects(ByteReader& reader, AppletObjects& applet) {
  CAS_TRY_ASSIGN(const std::uint16_t count, reader.u16());
  int last = -1;
  for (unsigned i = 0; i < count; ++i) {
    CAS_TRY_ASSIGN(const std::uint16_t number, reader.u16());
    CAS_TRY_ASSIGN(const std::uint16_t size, reader.u16());
    CAS_TRY_ASSIGN(const ByteView value, reader.bytes(size));
    if (number <= last)
      return fail(ErrorKind::malformed, "objects of applet " + applet.applet + " are not in ascending order");
    last = number;
    applet.objects.emplace(number, SecretBytes::copy_of(value));
  }
  return {};
}

}  // namespace

Result<Bytes> write_store_header(const StoreHeader& header, std::size_t cipher_text_size) {
  if (!std::has_single_bit(header.cost.n) || header.cost.n < 2 || header.cost.n > (std::uint64_t{1} << 31) ||
      header.cost.r == 0 || header.cost.r > 0xff || header.cost.p == 0 || header.cost.p > 0xff)
    return fail(ErrorKind::invalid_argument, "scrypt's N must be a power of two, and r and p from 1 to 255");
  ByteWriter writer;
  writer.bytes(as_bytes(magic)).u16(version);
  writer.u8(static_cast<std::uint8_t>(std::countr_zero(header.cost.n)));
  writer.u8(static_cast<std::uint8_t>(header.cost.r)).u8(static_cast<std::uint8_t>(header.cost.p)).u8(0);
  writer.bytes(header.salt).u64(header.generation).bytes(header.nonce);
  writer.u8(static_cast<std::uint8_t>(header.applets.size()));
  for (const std::string& name : header.applets)
    writer.u8(static_cast<std::uint8_t>(name.size())).bytes(as_bytes(name));
  writer.u32(static_cast<std::uint32_t>(cipher_text_size));
  return writer.take();
}

Result<StoreParts> parse_store(ByteView file) {
  ByteReader reader(file);
  const auto start = reader.bytes(magic.size());
  if (!start || !equal(*start, as_bytes(magic))) return fail(ErrorKind::malformed, "it is no card store");
  auto parts = parse_after_magic(reader, file);
  if (!parts && parts.error().kind == ErrorKind::truncated)
    return fail(ErrorKind::malformed, "it is cut off: " + parts.error().message);
  return parts;
}

SecretBytes write_card_image(const CardImage& image) {
  SecretBytes bytes(card_memory_used(image) + 2 * image.size());
  SecretCursor cursor(bytes.reveal_mutable());
  for (const AppletObjects& applet : image) {
    cursor.u16(applet.objects.size());
    for (const auto& [number, value] : applet.objects) {
      cursor.u16(number);
      cursor.u16(value.size());
      cursor.bytes(value.reveal());
    }
  }
  return bytes;
}

Result<CardImage> parse_card_image(ByteView bytes, const std::vector<std::string>& applets) {
  CAS_TRY_ASSIGN(CardImage image, empty_card_image(applets));
  ByteReader reader(bytes);
  for (AppletObjects& applet : image) CAS_TRY(parse_objects(reader, applet));
  CAS_TRY(reader.expect_end("the last object"));
  return image;
}

}  // namespace cas::card
