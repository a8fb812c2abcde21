// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/card.hpp"

namespace cas::card {

namespace {

constexpr std::uint8_t select_by_name = 0x04;
constexpr std::uint8_t first_or_only_with_fci = 0x00;

}  // namespace

Result<Bytes> select_applet(Card& card, ByteView aid) {
  if (aid.empty() || aid.size() > 16)
    return fail(ErrorKind::invalid_argument,
                "an application identifier has 1 to 16 bytes, not " + std::to_string(aid.size()));
  const CommandApdu select{cla_iso, ins_select, select_by_name, first_or_only_with_fci, copy_of(aid), 256};
  CAS_TRY_ASSIGN(ResponseApdu response, card.transmit(select));
  if (response.ok()) return std::move(response.data);
  if (response.status == sw::not_found)
    return fail(ErrorKind::not_found,
                card.description() + " holds no application " + to_hex(aid) + ": use another card, or install it");
  return fail(ErrorKind::refused, card.description() + " refuses to select application " + to_hex(aid) + ": " +
                                      describe_status_word(response.status));
}

}  // namespace cas::card
