// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/uuid.hpp"

#include <algorithm>

#include "base/hex.hpp"

namespace cas::kex {

namespace {

constexpr std::size_t text_size = 36;
constexpr std::array<std::size_t, 4> hyphens{8, 13, 18, 23};

}  // namespace

Result<Uuid> Uuid::parse(std::string_view text) {
  const auto wrong = [] {
    return fail(ErrorKind::malformed, "not a UUID such as 98ee5596-cd3e-4a20-963a-e382420c6eff");
  };
  if (text.size() != text_size) return wrong();
  std::array<char, 32> digits{};
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (std::ranges::find(hyphens, at) == hyphens.end()) {
      digits[count++] = text[at];
    } else if (text[at] != '-') {
      return wrong();
    }
  }
  const auto bytes = from_hex({digits.data(), digits.size()}, 16);
  if (!bytes) return wrong();
  Uuid uuid;
  std::ranges::copy(*bytes, uuid.bytes.begin());
  return uuid;
}

Result<Uuid> Uuid::draw(Random& random) {
  Uuid uuid;
  CAS_TRY(random.fill(uuid.bytes));
  uuid.bytes[6] = static_cast<std::uint8_t>((uuid.bytes[6] & 0x0f) | 0x40);  // RFC 9562, 5.4
  uuid.bytes[8] = static_cast<std::uint8_t>((uuid.bytes[8] & 0x3f) | 0x80);
  return uuid;
}

std::string Uuid::text() const {
  std::string text = to_hex(bytes);
  for (const std::size_t at : hyphens) text.insert(at, 1, '-');
  return text;
}

}  // namespace cas::kex
