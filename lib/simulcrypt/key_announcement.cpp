// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/key_announcement.hpp"

#include <string>

#include "base/hex.hpp"
#include "base/tlv.hpp"

namespace cas::simulcrypt {

namespace {

constexpr std::uint8_t announcement_version = 1;
constexpr TlvTag announcement_tag = 0xe1, version_tag = 0x80, content_id_tag = 0x81, scheme_tag = 0x82,
                 key_id_tag = 0x83, period_tag = 0x84;
constexpr std::size_t uuid_size = 16, scheme_size = 4;

Result<TlvWriter> about_content(const ContentKey& key) {
  if (key.content_id.size() > max_announced_content_id)
    return fail(ErrorKind::exhausted, "a content id of " + std::to_string(key.content_id.size()) +
                                          " bytes cannot be announced: it may have " +
                                          std::to_string(max_announced_content_id));
  TlvWriter fields;
  fields.number(version_tag, announcement_version, 1).field(content_id_tag, as_bytes(key.content_id));
  if (key.scheme.size() == scheme_size) fields.field(scheme_tag, as_bytes(key.scheme));
  return fields;
}

Result<Bytes> bytes_of_uuid(std::string text) {
  std::erase(text, '-');
  auto bytes = from_hex(text, uuid_size);
  if (!bytes || bytes->size() != uuid_size)
    return fail(ErrorKind::malformed, "a key id is no UUID, and cannot be announced");
  return bytes;
}

}  // namespace

Result<Bytes> content_announcement(const ContentKey& key) {
  CAS_TRY_ASSIGN(const TlvWriter fields, about_content(key));
  return TlvWriter().field(announcement_tag, fields.view()).take();
}

Result<Bytes> key_announcement(const ContentKey& key) {
  CAS_TRY_ASSIGN(TlvWriter fields, about_content(key));
  CAS_TRY_ASSIGN(const Bytes id, bytes_of_uuid(key.key_id));
  fields.field(key_id_tag, id).number(period_tag, key.period, sizeof key.period);
  return TlvWriter().field(announcement_tag, fields.view()).take();
}

}  // namespace cas::simulcrypt
