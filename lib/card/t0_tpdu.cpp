// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/t0_tpdu.hpp"

namespace cas::card {

std::optional<Bytes> t0_tpdu(ByteView apdu) {
  constexpr std::size_t header_size = 4;
  if (apdu.size() < header_size) return std::nullopt;
  Bytes tpdu = copy_of(apdu);
  if (apdu.size() == header_size) {
    tpdu.push_back(0);
    return tpdu;
  }
  if (apdu.size() == header_size + 1) return tpdu;
  const std::size_t case_3_size = header_size + 1 + apdu[header_size];
  if (apdu[header_size] == 0 || apdu.size() < case_3_size || apdu.size() > case_3_size + 1) return std::nullopt;
  tpdu.resize(case_3_size);
  return tpdu;
}

}  // namespace cas::card
