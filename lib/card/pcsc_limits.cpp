// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/pcsc_limits.hpp"

#include <reader.h>

#include <algorithm>
#include <array>

#include "base/reader.hpp"
#include "card/atr.hpp"

namespace cas::card {

namespace {

// The answer to a control command, empty when the driver knows none such.
Bytes control(SCARDHANDLE card, DWORD code) {
  Bytes answer(264);
  DWORD size = 0;
  if (SCardControl(card, code, nullptr, 0, answer.data(), static_cast<DWORD>(answer.size()), &size) != SCARD_S_SUCCESS)
    return {};
  answer.resize(std::min<std::size_t>(size, answer.size()));
  return answer;
}

bool reader_takes_extended(SCARDHANDLE card) {
  const auto code = control_code_of_feature(control(card, CM_IOCTL_GET_FEATURE_REQUEST), FEATURE_GET_TLV_PROPERTIES);
  if (!code) return true;
  // 0 to 256: short APDUs only.
  constexpr std::uint32_t largest_short = 256;
  return max_apdu_data_size(control(card, *code)).value_or(UINT32_MAX) > largest_short;
}

bool card_takes_extended(SCARDHANDLE card) {
  std::array<std::uint8_t, MAX_ATR_SIZE> atr{};
  DWORD size = atr.size();
  if (SCardStatus(card, nullptr, nullptr, nullptr, nullptr, atr.data(), &size) != SCARD_S_SUCCESS) return true;
  return atr_extended_length(ByteView(atr).first(std::min<std::size_t>(size, atr.size()))).value_or(true);
}

}  // namespace

std::optional<std::uint32_t> control_code_of_feature(ByteView features, std::uint8_t feature) {
  ByteReader reader(features);
  while (!reader.empty()) {
    const auto tag = reader.u8();
    const auto length = reader.u8();
    if (!tag || !length || *length != 4) return std::nullopt;
    const auto code = reader.u32();
    if (!code) return std::nullopt;
    if (*tag == feature) return *code;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> max_apdu_data_size(ByteView tlv_properties) {
  ByteReader reader(tlv_properties);
  while (!reader.empty()) {
    const auto tag = reader.u8();
    const auto length = reader.u8();
    if (!tag || !length) return std::nullopt;
    const auto value = reader.bytes(*length);
    if (!value) return std::nullopt;
    if (*tag != PCSCv2_PART10_PROPERTY_dwMaxAPDUDataSize || value->size() != 4) continue;
    std::uint32_t size = 0;
    for (std::size_t i = 4; i-- > 0;) size = size << 8 | (*value)[i];
    return size;
  }
  return std::nullopt;
}

ExchangeLimits pcsc_limits(SCARDHANDLE card, DWORD protocol) {
  ExchangeLimits limits;
  // A driver that fails on what its reader cannot carry gives an error and not a status word, and the session would be
  // lost with it. So it is asked first.
  limits.extended = protocol != SCARD_PROTOCOL_T0 && reader_takes_extended(card) && card_takes_extended(card);
  return limits;
}

}  // namespace cas::card
