// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/broadcast_ecm.hpp"

#include <string>

#include "base/reader.hpp"
#include "base/tlv.hpp"
#include "base/writer.hpp"
#include "crypto/digest.hpp"

namespace cas::smartpro {

namespace {

constexpr TlvTag tag_content_id = 0x80;
constexpr TlvTag tag_rights = 0x81;

constexpr std::uint8_t format_version = 1;
constexpr std::size_t section_header_size = 3;
constexpr std::size_t fixed_size = 9;  // between section header and LECM

std::uint8_t table_id_of(std::uint16_t cp_number) {
  return cp_number % 2 == 0 ? broadcast_table_id_even : broadcast_table_id_odd;
}

/// CA_message_section of ETSI ETR 289, 5.2: its bytes behind the header, all of them.
Result<ByteView> read_section(ByteView section, std::uint8_t& table_id) {
  if (section.size() > max_broadcast_ecm_size)
    return fail(ErrorKind::malformed,
                "an ECM of " + std::to_string(section.size()) + " bytes is longer than the 256 bytes of a CA section");
  ByteReader reader(section);
  CAS_TRY_ASSIGN(table_id, reader.u8());
  CAS_TRY_ASSIGN(const std::uint16_t flags_and_length, reader.u16());
  // The reserved bits are not looked at (ETSI EN 300 468, 3.1: a decoder ignores them).
  if ((flags_and_length & 0x8000U) != 0)
    return fail(ErrorKind::malformed, "an ECM has section_syntax_indicator 1, which no CA section has");
  const std::size_t length = flags_and_length & 0x0fffU;
  if (length > reader.remaining())
    return fail(ErrorKind::truncated, "an ECM says it has " + std::to_string(length) + " bytes behind its head, and " +
                                          std::to_string(reader.remaining()) + " are there");
  CAS_TRY_ASSIGN(const ByteView data, reader.bytes(length));
  CAS_TRY(reader.expect_end("an ECM"));
  return data;
}

/// The token checks this under the MAC; here an ECM that nobody could open is told apart without one.
Result<LicenceView> read_licence(const BroadcastPlace& place, std::uint16_t cp_number, ByteView lecm) {
  CAS_TRY_ASSIGN(LicenceView licence, LicenceView::parse(lecm));
  CAS_TRY_ASSIGN(const HeaderDigest digest, place.digest());
  if (licence.transfer || licence.cipher != ContentCipher::transport_stream || licence.key_period != cp_number ||
      licence.header_digest != digest)
    return fail(ErrorKind::malformed,
                "the licence is for something else than crypto-period " + std::to_string(cp_number) + " of this ECM");
  return licence;
}

}  // namespace

Result<HeaderDigest> BroadcastPlace::digest() const {
  const Bytes named = ByteWriter().u32(super_cas_id).u16(ecm_id).take();
  return crypto::sha256({as_bytes("SmartPRO broadcast"), named});
}

UsageRights BroadcastCriteria::rendering_alone() {
  UsageRights rights;
  rights.process = false;
  return rights;
}

Result<BroadcastCriteria> BroadcastCriteria::parse(ByteView bytes) {
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(bytes, "access criteria"));
  CAS_TRY(fields.check_known({tag_content_id, tag_rights}));
  BroadcastCriteria criteria;
  if (fields.optional(tag_content_id)) {
    CAS_TRY_ASSIGN(const ByteView content_id, fields.required(tag_content_id, sizeof(ContentId)));
    criteria.content_id = to_array<ContentId>(content_id);
  }
  if (fields.optional(tag_rights)) {
    CAS_TRY_ASSIGN(const ByteView rights, fields.required(tag_rights, 1, max_broadcast_rights_size));
    CAS_TRY_ASSIGN(criteria.rights, UsageRights::parse(rights));
  }
  return criteria;
}

Bytes BroadcastCriteria::encode() const {
  TlvWriter writer;
  if (content_id) writer.field(tag_content_id, *content_id);
  return writer.field(tag_rights, rights.encode()).take();
}

Result<LicenceRequest> broadcast_licence_request(const BroadcastPlace& place, std::uint16_t cp_number,
                                                 const BroadcastCriteria& criteria) {
  LicenceRequest request;
  CAS_TRY_ASSIGN(request.header_digest, place.digest());
  request.content_id = criteria.content_id.value_or(to_array<ContentId>(request.header_digest));
  request.cipher = ContentCipher::transport_stream;
  request.key_period = cp_number;
  request.rights = criteria.rights;
  return request;
}

Result<Bytes> write_broadcast_ecm(const BroadcastPlace& place, std::uint16_t cp_number, ByteView lecm) {
  if (const auto licence = read_licence(place, cp_number, lecm); !licence)
    return fail(ErrorKind::invalid_argument, licence.error().message);
  const std::size_t size = section_header_size + fixed_size + lecm.size();
  if (size > max_broadcast_ecm_size)
    return fail(ErrorKind::exhausted, "an ECM of " + std::to_string(size) +
                                          " bytes is longer than the 256 bytes of a CA section: give the service "
                                          "fewer usage rights");
  const std::size_t length = size - section_header_size;
  return ByteWriter()
      .u8(table_id_of(cp_number))
      .u16(static_cast<std::uint16_t>(0x7000U | length))
      .u8(format_version)
      .u32(place.super_cas_id)
      .u16(place.ecm_id)
      .u16(cp_number)
      .bytes(lecm)
      .take();
}

Result<BroadcastEcm> BroadcastEcm::parse(ByteView section) {
  std::uint8_t table_id = 0;
  CAS_TRY_ASSIGN(const ByteView data, read_section(section, table_id));
  ByteReader reader(data);
  CAS_TRY_ASSIGN(const std::uint8_t version, reader.u8());
  if (version != format_version)
    return fail(ErrorKind::unsupported,
                "the ECM is of version " + std::to_string(version) + " of SmartPRO's; 1 is known here");
  BroadcastEcm ecm;
  CAS_TRY_ASSIGN(ecm.place.super_cas_id, reader.u32());
  CAS_TRY_ASSIGN(ecm.place.ecm_id, reader.u16());
  CAS_TRY_ASSIGN(ecm.cp_number, reader.u16());
  // Receivers filter on the table_id, and take a change of it for a new ECM.
  if (table_id != table_id_of(ecm.cp_number))
    return fail(ErrorKind::malformed,
                "the table_id of the ECM is not that of its crypto-period " + std::to_string(ecm.cp_number));
  CAS_TRY_ASSIGN(ecm.lecm, reader.bytes(reader.remaining()));
  CAS_TRY_ASSIGN(ecm.licence, read_licence(ecm.place, ecm.cp_number, ecm.lecm));
  return ecm;
}

OpenRequest BroadcastEcm::open_request(const std::array<std::uint8_t, 16>& play_id) const {
  return {licence.header_digest, ContentCipher::transport_stream, cp_number, play_id};
}

}  // namespace cas::smartpro
