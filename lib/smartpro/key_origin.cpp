// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/key_origin.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/hex.hpp"
#include "base/tlv.hpp"

namespace cas::smartpro {

namespace {

constexpr TlvTag key_id_tag = 0x80;
constexpr TlvTag content_id_tag = 0x81;
constexpr TlvTag period_index_tag = 0x82;

constexpr std::size_t uuid_text_size = 36;
constexpr std::array<std::size_t, 4> uuid_hyphens{8, 13, 18, 23};

bool is_hyphen_place(std::size_t at) { return std::ranges::find(uuid_hyphens, at) != uuid_hyphens.end(); }

/// Takes one character of UTF-8 (RFC 3629, 4) off the front; nothing when there is none.
std::optional<std::uint32_t> take_character(ByteView& text) {
  const std::uint8_t first = text.front();
  const std::size_t size = first < 0x80 ? 1 : (first & 0xe0U) == 0xc0 ? 2 : (first & 0xf0U) == 0xe0 ? 3 : 4;
  if ((first & 0xc0U) == 0x80 || first > 0xf4 || text.size() < size) return std::nullopt;
  constexpr std::array<std::uint32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
  std::uint32_t character = size == 1 ? first : first & (0x7fU >> size);
  for (const std::uint8_t byte : text.subspan(1, size - 1)) {
    if ((byte & 0xc0U) != 0x80) return std::nullopt;
    character = character << 6 | (byte & 0x3fU);
  }
  const bool surrogate = character >= 0xd800 && character <= 0xdfff;
  if (character < least[size] || surrogate || character > 0x10ffff) return std::nullopt;
  text = text.subspan(size);
  return character;
}

bool is_text(ByteView text) {
  while (!text.empty()) {
    const auto character = take_character(text);
    const bool control = !character || *character < 0x20 || (*character >= 0x7f && *character <= 0x9f);
    if (control) return false;
  }
  return true;
}

}  // namespace

std::string key_id_text(const KeyId& id) {
  std::string text = to_hex(id);
  for (const std::size_t at : uuid_hyphens) text.insert(at, 1, '-');
  return text;
}

Result<KeyId> parse_key_id(std::string_view text) {
  std::string digits;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (is_hyphen_place(at) != (text[at] == '-') || at >= uuid_text_size)
      return fail(ErrorKind::malformed, "a key id is a UUID, 32 hexadecimal digits with hyphens: this is none");
    if (text[at] != '-') digits += text[at];
  }
  CAS_TRY_ASSIGN(const Bytes bytes, from_hex(digits, KeyId{}.size()));
  if (bytes.size() != KeyId{}.size())
    return fail(ErrorKind::malformed, "a key id is a UUID, 32 hexadecimal digits with hyphens: this is a shorter one");
  KeyId id{};
  std::ranges::copy(bytes, id.begin());
  return id;
}

Status KeyOrigin::check() const {
  if (content_id.size() > max_key_content_id_size)
    return fail(ErrorKind::invalid_argument, "the content id of the key server has " +
                                                 std::to_string(content_id.size()) + " bytes, but may have 0 to 256");
  // It goes to terminals, and to structures that take text alone.
  if (!is_text(as_bytes(content_id)))
    return fail(ErrorKind::invalid_argument, "the content id of the key server is not UTF-8, or has control codes");
  return {};
}

Bytes KeyOrigin::encode() const {
  return TlvWriter()
      .field(key_id_tag, key_id)
      .field(content_id_tag, as_bytes(content_id))
      .number(period_index_tag, period_index, 8)
      .take();
}

Result<KeyOrigin> KeyOrigin::parse(ByteView bytes) {
  // Its size is that of the field around it: what ends too early is not a file that was cut.
  auto parsed = TlvFields::parse(bytes, "key origin");
  if (!parsed) return fail(ErrorKind::malformed, std::move(parsed).error().message);
  const TlvFields fields = *std::move(parsed);
  CAS_TRY(fields.check_known({key_id_tag, content_id_tag, period_index_tag}));
  KeyOrigin origin;
  CAS_TRY_ASSIGN(const ByteView key_id, fields.required(key_id_tag, origin.key_id.size()));
  std::ranges::copy(key_id, origin.key_id.begin());
  CAS_TRY_ASSIGN(const ByteView content_id, fields.required(content_id_tag, 0, max_key_content_id_size));
  origin.content_id = as_text(content_id);
  CAS_TRY_ASSIGN(origin.period_index, fields.required_number(period_index_tag, 8));
  if (const Status checked = origin.check(); !checked) return fail(ErrorKind::malformed, checked.error().message);
  return origin;
}

}  // namespace cas::smartpro
