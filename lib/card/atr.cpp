// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/atr.hpp"

#include <bit>

#include "base/reader.hpp"

namespace cas::card {

namespace {

constexpr std::uint8_t category_data_objects_and_status = 0x00;
constexpr std::uint8_t category_data_objects = 0x80;
constexpr std::size_t status_size = 3;
constexpr std::uint8_t tag_card_capabilities = 0x7;
constexpr std::uint8_t third_byte_extended_length = 0x40;

// Empty when there are none, or the ATR ends before them.
ByteView historical_bytes(ByteView atr) {
  ByteReader reader(atr);
  const auto convention = reader.u8();
  auto announced = reader.u8();  // T0, then each TD: which interface bytes follow, in the high half.
  if (!convention || !announced) return {};
  const std::size_t count = *announced & 0x0fU;
  constexpr unsigned td_follows = 0x80;
  while ((*announced & 0xf0U) != 0) {
    const bool more = (*announced & td_follows) != 0;
    const auto plain = static_cast<std::size_t>(std::popcount(*announced & 0x70U));  // TA, TB, TC
    if (!reader.bytes(plain)) return {};
    if (!more) break;
    announced = reader.u8();
    if (!announced) return {};
  }
  const auto bytes = reader.bytes(count);
  return bytes ? *bytes : ByteView();
}

}  // namespace

std::optional<bool> atr_extended_length(ByteView atr) {
  ByteReader reader(historical_bytes(atr));
  const auto category = reader.u8();
  if (!category || (*category != category_data_objects && *category != category_data_objects_and_status))
    return std::nullopt;
  const std::size_t after_objects = *category == category_data_objects_and_status ? status_size : 0;
  while (reader.remaining() > after_objects) {
    const auto header = reader.u8();
    const auto value = reader.bytes(*header & 0x0fU);
    if (!value || reader.remaining() < after_objects) return std::nullopt;
    if (*header >> 4 == tag_card_capabilities && value->size() >= 3)
      return ((*value)[2] & third_byte_extended_length) != 0;
  }
  return std::nullopt;
}

}  // namespace cas::card
