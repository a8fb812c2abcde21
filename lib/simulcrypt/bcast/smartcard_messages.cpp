// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/smartcard_messages.hpp"

#include <algorithm>

#include "base/reader.hpp"
#include "base/writer.hpp"
#include "simulcrypt/bcast/access_criteria.hpp"

namespace cas::simulcrypt::bcast {

namespace {

struct KeyIds {
  std::optional<KeyDomain> key_domain;
  std::optional<std::uint32_t> service_key;
  std::optional<std::uint16_t> tek;
};

// RFC 4563, figure 2.
Result<KeyIds> read_key_ids(ByteView extension) {
  KeyIds ids;
  ByteReader reader(extension);
  while (!reader.empty()) {
    CAS_TRY_ASSIGN(const std::uint8_t type, reader.u8());
    CAS_TRY_ASSIGN(const std::size_t size, reader.u8());
    CAS_TRY_ASSIGN(const ByteView id, reader.bytes(size));
    ByteReader number(id);
    if (type == mikey::key_domain_id && size == 3 && !ids.key_domain) {
      std::ranges::copy(id, ids.key_domain.emplace().begin());
    } else if (type == mikey::service_key_id && size == 4 && !ids.service_key) {
      ids.service_key = *number.u32();
    } else if (type == mikey::traffic_key_id && size == 2 && !ids.tek) {
      ids.tek = *number.u16();
    } else {
      return fail(ErrorKind::malformed, "A key ID of a MIKEY message is unknown, of another size, or there twice");
    }
  }
  return ids;
}

Bytes write_key_ids(const KeyDomain& domain, std::uint32_t service_key, std::optional<std::uint16_t> tek) {
  ByteWriter out;
  out.u8(mikey::key_domain_id).u8(3).bytes(domain).u8(mikey::service_key_id).u8(4).u32(service_key);
  if (tek) out.u8(mikey::traffic_key_id).u8(2).u16(*tek);
  return out.take();
}

Result<ByteView> bcast_extension(const mikey::Message& message, std::uint8_t subtype) {
  const auto extension = message.extension(mikey::oma_bcast);
  if (!extension || extension->empty() || (*extension)[0] != subtype) {
    return fail(ErrorKind::malformed, subtype == mikey::stkm ? "The MIKEY message is no short term key message"
                                                             : "The MIKEY message is no long term key message");
  }
  return extension->subspan(1);
}

Result<KeyIds> ids_of(const mikey::Message& message) {
  const auto extension = message.extension(mikey::key_id);
  if (!extension) return fail(ErrorKind::malformed, "The MIKEY message has no key IDs");
  CAS_TRY_ASSIGN(const KeyIds ids, read_key_ids(*extension));
  if (!ids.key_domain || !ids.service_key) {
    return fail(ErrorKind::malformed, "The MIKEY message has not the key domain and the SEK/PEK ID that it must have");
  }
  return ids;
}

Status read_stkm_extension(ByteView data, SmartcardStkmHead& head) {
  ByteReader reader(data);
  CAS_TRY_ASSIGN(const unsigned flags, reader.u8());
  CAS_TRY_ASSIGN(const unsigned lifetime, reader.u8());
  const unsigned protection = flags >> 2 & 7;
  if (protection > static_cast<unsigned>(TrafficProtection::ismacryp)) {
    return fail(ErrorKind::unsupported,
                "The short term key message has traffic_protection_protocol " + std::to_string(protection));
  }
  head.protection = static_cast<TrafficProtection>(protection);
  head.protection_after_reception = static_cast<std::uint8_t>(flags >> 6);
  head.traffic_authentication = (flags & 2) != 0;
  head.lifetime_exponent = lifetime & 15;
  if ((flags & 0x20) != 0) {
    CAS_TRY_ASSIGN(const unsigned count, reader.u16());
    head.access_criteria = reader.rest();
    CAS_TRY_ASSIGN(const std::uint8_t found, count_access_criteria(head.access_criteria));
    if (found == 0 || found != (count & 0xff)) {
      return fail(ErrorKind::malformed, "The number of access criteria descriptors is not that of the message");
    }
  }
  return reader.expect_end("The OMA BCAST extension");
}

Result<Bytes> write_stkm_extension(const SmartcardStkmHead& head) {
  if (head.protection_after_reception > 3 || head.lifetime_exponent > 15) {
    return fail(ErrorKind::invalid_argument, "A field of the short term key message is out of its range");
  }
  CAS_TRY_ASSIGN(const std::uint8_t criteria, count_access_criteria(head.access_criteria));
  ByteWriter out;
  out.u8(mikey::stkm);
  out.u8(static_cast<std::uint8_t>(head.protection_after_reception << 6 | (criteria != 0 ? 0x20U : 0U) |
                                   static_cast<unsigned>(head.protection) << 2 |
                                   (head.traffic_authentication ? 2U : 0U)));
  out.u8(head.lifetime_exponent);
  if (criteria != 0) out.u8(0).u8(criteria).bytes(head.access_criteria);
  return out.take();
}

}  // namespace

Result<SmartcardStkm> SmartcardStkm::parse(ByteView message) {
  SmartcardStkm stkm;
  CAS_TRY_ASSIGN(stkm.mikey, mikey::Message::parse(message));
  CAS_TRY_ASSIGN(const ByteView extension, bcast_extension(stkm.mikey, mikey::stkm));
  CAS_TRY(read_stkm_extension(extension, stkm.head));
  CAS_TRY_ASSIGN(const KeyIds ids, ids_of(stkm.mikey));
  if (!ids.tek) return fail(ErrorKind::malformed, "The short term key message has no TEK ID");
  stkm.head.stream = static_cast<std::uint16_t>(stkm.mikey.csb_id);
  stkm.head.instance = static_cast<std::uint16_t>(stkm.mikey.csb_id >> 16);
  stkm.head.key_domain = *ids.key_domain;
  stkm.head.service_key_id = *ids.service_key;
  stkm.head.tek_id = *ids.tek;
  return stkm;
}

Result<Bytes> seal_smartcard_stkm(const SmartcardStkmHead& head, std::uint32_t counter, const ServiceKey& key,
                                  ByteView tek) {
  CAS_TRY(check_service_key(key));
  if (tek.size() <= tek_key_size || tek.size() > max_tek_size) {
    return fail(ErrorKind::invalid_argument, "A TEK has 16 bytes of key and more");
  }
  CAS_TRY_ASSIGN(const Bytes extension, write_stkm_extension(head));
  const Bytes ids = write_key_ids(head.key_domain, key.id, head.tek_id);
  const std::uint32_t csb_id = std::uint32_t{head.instance} << 16 | head.stream;
  CAS_TRY_ASSIGN(const mikey::Keys keys, mikey::derive_keys(key.key, csb_id, key.seed.reveal()));
  std::vector<mikey::KeyData> data(1);
  data[0].type = mikey::KeyData::Type::tek_and_salt;
  data[0].key = SecretBytes::copy_of(tek.first(tek_key_size));
  data[0].salt = SecretBytes::copy_of(tek.subspan(tek_key_size));
  return mikey::seal({csb_id, counter, {}, {}, {}, {{mikey::oma_bcast, extension}, {mikey::key_id, ids}}}, data, keys);
}

Result<SecretBytes> open_smartcard_stkm(const SmartcardStkm& stkm, const ServiceKey& key) {
  if (stkm.head.service_key_id != key.id) {
    return fail(ErrorKind::not_found, "The short term key message is under another SEK or PEK");
  }
  CAS_TRY_ASSIGN(const mikey::Keys keys, mikey::derive_keys(key.key, stkm.mikey.csb_id, key.seed.reveal()));
  CAS_TRY_ASSIGN(const auto data, mikey::open_kemac(stkm.mikey, keys));
  if (data.size() != 1 || data[0].type != mikey::KeyData::Type::tek_and_salt || data[0].key.size() != tek_key_size ||
      data[0].salt.empty() || data[0].salt.size() > max_tek_size - tek_key_size) {
    return fail(ErrorKind::malformed, "The short term key message does not carry one TEK with its salt");
  }
  SecretBytes tek(tek_key_size + data[0].salt.size());
  std::ranges::copy(data[0].key.reveal(), tek.reveal_mutable().begin());
  std::ranges::copy(data[0].salt.reveal(), tek.reveal_mutable().subspan(tek_key_size).begin());
  return tek;
}

Result<Bytes> seal_smartcard_ltkm(const SmartcardSubscription& to, std::uint32_t counter, const ServiceKey& key) {
  CAS_TRY(check_service_key(key));
  if (to.bsm.empty() || to.subscriber.empty()) {
    return fail(ErrorKind::invalid_argument, "A long term key message names the BSM and the subscriber");
  }
  const Bytes extension = {mikey::ltkm, static_cast<std::uint8_t>(key.kind)};
  const Bytes ids = write_key_ids(to.key_domain, key.id, std::nullopt);
  CAS_TRY_ASSIGN(const mikey::Keys keys, mikey::derive_keys(to.smk, key.id, key.seed.reveal()));
  std::vector<mikey::KeyData> data(1);
  data[0].type = mikey::KeyData::Type::tgk;
  data[0].key = key.key.clone();
  data[0].interval =
      mikey::KeyData::Interval{static_cast<std::uint64_t>(key.valid_from), static_cast<std::uint64_t>(key.valid_until)};
  return mikey::seal({key.id,
                      counter,
                      as_bytes(to.bsm),
                      as_bytes(to.subscriber),
                      key.seed.reveal(),
                      {{mikey::oma_bcast, extension}, {mikey::key_id, ids}}},
                     data, keys);
}

Result<SmartcardLtkm> open_smartcard_ltkm(ByteView message, const SmartcardSubscription& own) {
  CAS_TRY_ASSIGN(const mikey::Message read, mikey::Message::parse(message));
  CAS_TRY_ASSIGN(const ByteView extension, bcast_extension(read, mikey::ltkm));
  if (extension.size() != 1 || extension[0] > 1 || read.rand.size() != service_seed_size) {
    return fail(ErrorKind::malformed, "The long term key message has no kind of key, or no RAND of 16 bytes");
  }
  CAS_TRY_ASSIGN(const KeyIds ids, ids_of(read));
  const bool is_own = read.initiator && read.responder && equal(*read.initiator, as_bytes(own.bsm)) &&
                      equal(*read.responder, as_bytes(own.subscriber)) && *ids.key_domain == own.key_domain;
  if (!is_own) return fail(ErrorKind::not_found, "The long term key message is for others");
  CAS_TRY_ASSIGN(const mikey::Keys keys, mikey::derive_keys(own.smk, read.csb_id, read.rand));
  CAS_TRY_ASSIGN(auto data, mikey::open_kemac(read, keys));
  if (data.size() != 1 || data[0].type != mikey::KeyData::Type::tgk || data[0].key.size() != service_key_size ||
      !data[0].interval || data[0].interval->from >= data[0].interval->to || data[0].interval->to >> 62 != 0) {
    return fail(ErrorKind::malformed, "The long term key message does not carry one key that is valid at some time");
  }
  SmartcardLtkm ltkm;
  ltkm.counter = read.counter;
  ltkm.key = {static_cast<ServiceKey::Kind>(extension[0]),
              *ids.service_key,
              std::move(data[0].key),
              SecretBytes::copy_of(read.rand),
              static_cast<UnixSeconds>(data[0].interval->from),
              static_cast<UnixSeconds>(data[0].interval->to)};
  return ltkm;
}

}  // namespace cas::simulcrypt::bcast
