// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/drm_stkm.hpp"

#include "base/reader.hpp"
#include "base/writer.hpp"
#include "simulcrypt/bcast/access_criteria.hpp"

namespace cas::simulcrypt::bcast {

namespace {

constexpr std::size_t spi_size = 4;
constexpr std::size_t encrypted_pek_size = 16;
constexpr std::size_t block_size = 16;

struct Selectors {
  bool access_criteria, next_traffic_key, timestamp, programme, service;
};

Result<Selectors> read_selectors(ByteReader& reader, DrmStkm& stkm) {
  CAS_TRY_ASSIGN(const unsigned bits, reader.u16());
  if (bits >> 12 != 0) {
    return fail(ErrorKind::unsupported,
                "The short term key message has protocol_version " + std::to_string(bits >> 12));
  }
  stkm.protection_after_reception = static_cast<std::uint8_t>(bits >> 10 & 3);
  const unsigned protection = bits >> 5 & 7;
  if (protection > static_cast<unsigned>(TrafficProtection::ismacryp)) {
    return fail(ErrorKind::unsupported,
                "The short term key message has traffic_protection_protocol " + std::to_string(protection));
  }
  stkm.protection = static_cast<TrafficProtection>(protection);
  stkm.traffic_authentication = (bits & 0x10) != 0;
  const Selectors selectors{(bits & 0x100) != 0, (bits & 8) != 0, (bits & 4) != 0, (bits & 2) != 0, (bits & 1) != 0};
  if (!selectors.programme && !selectors.service) {
    return fail(ErrorKind::malformed, "The short term key message is of no programme and of no service");
  }
  return selectors;
}

Status read_keys(ByteReader& reader, bool next_traffic_key, DrmStkm& stkm) {
  std::size_t index_size = spi_size;
  if (stkm.protection != TrafficProtection::ipsec) {
    CAS_TRY_ASSIGN(index_size, reader.u8());
    if (index_size == 0 || index_size > max_key_index_size) {
      return fail(ErrorKind::malformed, "A key index of a short term key message has 1 to 16 bytes");
    }
  }
  CAS_TRY_ASSIGN(stkm.key_index, reader.bytes(index_size));
  ByteView next_index;
  if (next_traffic_key) {
    CAS_TRY_ASSIGN(next_index, reader.bytes(index_size));
  }
  CAS_TRY_ASSIGN(const std::size_t size, reader.u8());
  if (size == 0 || size % block_size != 0) {
    return fail(ErrorKind::malformed, "The traffic key material of a short term key message is not whole blocks");
  }
  CAS_TRY_ASSIGN(stkm.encrypted_tek, reader.bytes(size));
  if (next_traffic_key) {
    CAS_TRY_ASSIGN(const ByteView next_tek, reader.bytes(size));
    stkm.next = DrmStkm::Next{next_index, next_tek};
  }
  return {};
}

Status read_access_criteria(ByteReader& reader, ByteView message, DrmStkm& stkm) {
  CAS_TRY_ASSIGN(const unsigned head, reader.u16());
  const std::size_t count = head & 0xff;
  const std::size_t start = reader.position();
  if (count == 0 || count > max_access_criteria_descriptors) {
    return fail(ErrorKind::malformed, "A short term key message has 1 to 16 access criteria descriptors");
  }
  for (std::size_t i = 0; i < count; ++i) {
    CAS_TRY_ASSIGN(const unsigned tag_and_length, reader.u16());
    CAS_TRY(reader.bytes(tag_and_length & 0xff).map([](ByteView) {}));
  }
  stkm.access_criteria = message.subspan(start, reader.position() - start);
  return {};
}

Result<DrmStkm::Protection> read_protection(ByteReader& reader) {
  DrmStkm::Protection protection;
  CAS_TRY_ASSIGN(protection.cid_extension, reader.u32());
  protection.covered = reader.position();
  CAS_TRY_ASSIGN(protection.mac, reader.bytes(stkm_mac_size));
  return protection;
}

Status check_sizes(const DrmStkm& stkm) {
  const bool ipsec = stkm.protection == TrafficProtection::ipsec;
  const std::size_t index = stkm.key_index.size();
  const std::size_t tek = stkm.encrypted_tek.size();
  const bool fits = (ipsec ? index == spi_size : index >= 1 && index <= max_key_index_size) && tek >= block_size &&
                    tek % block_size == 0 && tek <= 240 && stkm.lifetime_exponent <= 15 &&
                    stkm.protection_after_reception <= 3 && (stkm.programme || stkm.service) &&
                    (!stkm.next || (stkm.next->key_index.size() == index && stkm.next->encrypted_tek.size() == tek));
  const bool both = stkm.programme && stkm.service;
  if (!fits || stkm.encrypted_pek.size() != (both ? encrypted_pek_size : 0)) {
    return fail(ErrorKind::invalid_argument,
                "A field of the short term key message has not the size that it must have");
  }
  return {};
}

}  // namespace

Result<DrmStkm> DrmStkm::parse(ByteView message) {
  if (message.size() > max_drm_stkm_size) {
    return fail(ErrorKind::malformed, "The short term key message has more than 8,192 bytes");
  }
  DrmStkm stkm;
  ByteReader reader(message);
  CAS_TRY_ASSIGN(const Selectors has, read_selectors(reader, stkm));
  CAS_TRY(read_keys(reader, has.next_traffic_key, stkm));
  CAS_TRY_ASSIGN(const std::uint8_t lifetime, reader.u8());
  stkm.lifetime_exponent = lifetime & 15;
  if (has.timestamp) {
    CAS_TRY_ASSIGN(const std::uint64_t high, reader.u8());
    CAS_TRY_ASSIGN(const std::uint64_t low, reader.u32());
    CAS_TRY_ASSIGN(stkm.timestamp, from_mjd_utc(high << 32 | low));
  }
  if (has.access_criteria) CAS_TRY(read_access_criteria(reader, message, stkm));
  if (has.programme && has.service) {
    CAS_TRY_ASSIGN(stkm.encrypted_pek, reader.bytes(encrypted_pek_size));
  }
  if (has.programme) {
    CAS_TRY_ASSIGN(stkm.programme, read_protection(reader));
  }
  if (has.service) {
    CAS_TRY_ASSIGN(stkm.service, read_protection(reader));
  }
  CAS_TRY(reader.expect_end("The short term key message"));
  return stkm;
}

Result<Bytes> DrmStkm::write() {
  CAS_TRY(check_sizes(*this));
  CAS_TRY_ASSIGN(const std::uint8_t criteria, count_access_criteria(access_criteria));
  const auto bit = [](bool set, unsigned position) { return static_cast<unsigned>(set) << position; };
  ByteWriter out;
  out.u16(static_cast<std::uint16_t>(protection_after_reception << 10 | bit(criteria != 0, 8) |
                                     static_cast<unsigned>(protection) << 5 | bit(traffic_authentication, 4) |
                                     bit(next.has_value(), 3) | bit(timestamp.has_value(), 2) |
                                     bit(programme.has_value(), 1) | bit(service.has_value(), 0)));
  if (protection != TrafficProtection::ipsec) out.u8(static_cast<std::uint8_t>(key_index.size()));
  out.bytes(key_index);
  if (next) out.bytes(next->key_index);
  out.u8(static_cast<std::uint8_t>(encrypted_tek.size())).bytes(encrypted_tek);
  if (next) out.bytes(next->encrypted_tek);
  out.u8(lifetime_exponent);
  if (timestamp) {
    CAS_TRY_ASSIGN(const std::uint64_t field, to_mjd_utc(*timestamp));
    out.u8(static_cast<std::uint8_t>(field >> 32)).u32(static_cast<std::uint32_t>(field));
  }
  if (criteria != 0) out.u8(0).u8(criteria).bytes(access_criteria);
  out.bytes(encrypted_pek);
  for (auto* const part : {&programme, &service}) {
    if (!*part) continue;
    out.u32((*part)->cid_extension);
    (*part)->covered = out.size();
    out.zeros(stkm_mac_size);
  }
  return out.take();
}

}  // namespace cas::simulcrypt::bcast
