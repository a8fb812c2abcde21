// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/identity.hpp"

#include <algorithm>

namespace cas::dcas {

namespace {

void append_identity(Bytes& to, std::string_view id) {
  to.push_back(static_cast<std::uint8_t>(id.size()));
  append(to, as_bytes(id));
}

Result<std::string> read_identity(ByteReader& reader) {
  CAS_TRY_ASSIGN(const std::uint8_t size, reader.u8());
  CAS_TRY_ASSIGN(const ByteView text, reader.bytes(size));
  std::string id = as_text(text);
  CAS_TRY(check_identity(id));
  return id;
}

}  // namespace

bool is_identity(std::string_view id) {
  const auto is_printable = [](char c) { return c > 0x20 && c < 0x7f; };
  return !id.empty() && id.size() <= max_identity_size && std::ranges::all_of(id, is_printable);
}

Status check_identity(std::string_view id) {
  if (is_identity(id)) return {};
  return fail(ErrorKind::malformed, "an id of DCAS is 1 to 64 printable ASCII characters without blanks");
}

Bytes key_pairing_id(std::string_view sm, std::string_view tp) {
  Bytes id;
  append_identity(id, sm);
  append_identity(id, tp);
  return id;
}

Result<PairIdentities> PairIdentities::parse(ByteView key_pairing_id) {
  ByteReader reader(key_pairing_id);
  PairIdentities ids;
  CAS_TRY_ASSIGN(ids.sm, read_identity(reader));
  CAS_TRY_ASSIGN(ids.tp, read_identity(reader));
  CAS_TRY(reader.expect_end("KeyPairingID"));
  return ids;
}

}  // namespace cas::dcas
