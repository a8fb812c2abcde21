// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "simulcrypt/bcast/access_criteria.hpp"
#include "simulcrypt/bcast/drm_keys.hpp"
#include "simulcrypt/bcast/drm_ltkm.hpp"
#include "simulcrypt/bcast/smartcard_messages.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"
#include "support/vector_file.hpp"
#include "unit/simulcrypt/bcast/keys.hpp"

namespace cas::simulcrypt::bcast {
namespace {

using cas::test::hex;
using cas::test::Vector;

constexpr const char* vectors = "bcast/key_messages.txt";

void check_drm_stkm(Vector& vector) {
  const ServiceKey service = test::service_key();
  const ServiceKey programme = test::programme_key();
  const bool for_service = vector.yes("service");
  const bool for_programme = vector.yes("programme");
  const Bytes tek = vector.hex("tek");
  const Bytes next = vector.hex("next");
  const Bytes criteria = vector.hex("criteria");
  const Bytes message = vector.hex("message");
  DrmStkmContent content;
  content.tek_id = static_cast<std::uint16_t>(vector.number("tek_id"));
  content.tek = tek;
  if (!next.empty()) content.next_tek = next;
  content.protection = static_cast<TrafficProtection>(vector.number("protection"));
  content.protection_after_reception = static_cast<std::uint8_t>(vector.number("after_reception"));
  content.lifetime_exponent = 4;
  content.timestamp = test::time;
  content.access_criteria = criteria;
  const auto sealed = seal_drm_stkm(content, for_service ? &service : nullptr, for_programme ? &programme : nullptr);
  ASSERT_OK(sealed);
  EXPECT_EQ(to_hex(*sealed), to_hex(message));
  const auto stkm = DrmStkm::parse(message);
  ASSERT_OK(stkm);
  EXPECT_EQ(stkm->timestamp, test::time);
  EXPECT_EQ(to_hex(stkm->access_criteria), to_hex(criteria));
  EXPECT_TRUE(stkm->traffic_authentication);
  for (const ServiceKey* key : {&service, &programme}) {
    const auto opened = open_drm_stkm(message, *stkm, *key);
    if (key == &service ? !for_service : !for_programme) {
      EXPECT_FAILS(opened, ErrorKind::not_found);
      continue;
    }
    ASSERT_OK(opened);
    EXPECT_EQ(opened->tek_id, content.tek_id);
    EXPECT_EQ(to_hex(opened->tek.reveal()), to_hex(tek));
    EXPECT_EQ(opened->next_tek ? to_hex(opened->next_tek->reveal()) : "", to_hex(next));
  }
}

void check_smartcard_stkm(Vector& vector) {
  const ServiceKey key = test::service_key(0x00010002);
  const Bytes tek = vector.hex("tek");
  const Bytes criteria = vector.hex("criteria");
  const Bytes message = vector.hex("message");
  const SmartcardStkmHead head{0x1234,
                               test::key_domain,
                               0x00010002,
                               7,
                               static_cast<std::uint8_t>(vector.number("after_reception")),
                               static_cast<TrafficProtection>(vector.number("protection")),
                               true,
                               4,
                               criteria};
  const auto sealed = seal_smartcard_stkm(head, 5, key, tek);
  ASSERT_OK(sealed);
  EXPECT_EQ(to_hex(*sealed), to_hex(message));
  const auto stkm = SmartcardStkm::parse(message);
  ASSERT_OK(stkm);
  EXPECT_EQ(stkm->head.stream, 0x1234);
  EXPECT_EQ(stkm->head.tek_id, 7);
  EXPECT_EQ(stkm->head.protection, head.protection);
  EXPECT_EQ(stkm->mikey.counter, 5U);
  const auto opened = open_smartcard_stkm(*stkm, key);
  ASSERT_OK(opened);
  EXPECT_EQ(to_hex(opened->reveal()), to_hex(tek));
  EXPECT_FAILS(open_smartcard_stkm(*stkm, test::service_key(0x00010003)), ErrorKind::not_found);
}

void check_smartcard_ltkm(Vector& vector) {
  SmartcardSubscription own = test::subscription();
  own.smk = vector.secret("smk");
  const Bytes message = vector.hex("message");
  const auto counter = static_cast<std::uint32_t>(vector.number("counter"));
  const auto sealed = seal_smartcard_ltkm(own, counter, test::service_key(0x00010002));
  ASSERT_OK(sealed);
  EXPECT_EQ(to_hex(*sealed), to_hex(message));
  const auto opened = open_smartcard_ltkm(message, own);
  ASSERT_OK(opened);
  EXPECT_EQ(opened->counter, counter);
  EXPECT_EQ(opened->key.id, 0x00010002U);
  EXPECT_EQ(opened->key.valid_until, test::time + 1000);
  EXPECT_EQ(to_hex(opened->key.key.reveal()), to_hex(test::counted(0x10).reveal()));
  EXPECT_EQ(to_hex(opened->key.seed.reveal()), to_hex(test::counted(0x20).reveal()));
  EXPECT_FAILS(open_smartcard_ltkm(message, test::subscription(0x51)), ErrorKind::authentication_failed);
  own.subscriber = "001010000000002@example.org";
  EXPECT_FAILS(open_smartcard_ltkm(message, own), ErrorKind::not_found);
}

void check_drm_ltkm(Vector& vector) {
  DrmRecipient recipient{std::nullopt, vector.secret("key")};
  if (vector.text("device") != "all") recipient.device_id = 1122334455667788;
  const Bytes message = vector.hex("message");
  const std::uint64_t issue = vector.number("issue");
  std::vector<ServiceKey> keys;
  keys.push_back(test::service_key());
  keys.push_back(test::programme_key());
  const auto sealed = seal_drm_ltkm(0x00010007, issue, recipient, keys);
  ASSERT_OK(sealed);
  EXPECT_EQ(to_hex(*sealed), to_hex(message));
  const auto opened = open_drm_ltkm(message, 0x00010007, recipient);
  ASSERT_OK(opened);
  EXPECT_EQ(opened->issue, issue);
  ASSERT_EQ(opened->keys.size(), 2U);
  EXPECT_EQ(to_hex(opened->keys[1].seed.reveal()), to_hex(test::counted(0x40).reveal()));
  EXPECT_FAILS(open_drm_ltkm(message, 0x00010008, recipient), ErrorKind::not_found);
  EXPECT_FAILS(open_drm_ltkm(message, 0x00010007, {recipient.device_id, test::counted(1)}),
               ErrorKind::authentication_failed);
  recipient.device_id = recipient.device_id.value_or(0) + 1;
  EXPECT_FAILS(open_drm_ltkm(message, 0x00010007, recipient), ErrorKind::not_found);
}

void check_cw_encryption(Vector& vector) {
  const auto encryption = CwEncryption::create(vector.secret("key"), 7);
  ASSERT_OK(encryption);
  const Bytes parameter = vector.hex("parameter");
  const Bytes word = vector.hex("word");
  const Bytes sealed = vector.hex("sealed");
  const auto cp_number = static_cast<std::uint16_t>(vector.number("cp_number"));
  EXPECT_EQ(to_hex(encryption->seal(parameter, cp_number, word)->reveal()), to_hex(sealed));
  EXPECT_EQ(to_hex(encryption->open(parameter, cp_number, sealed)->reveal()), to_hex(word));
}

TEST(BcastKeyMessages, AreThoseOfTheFormatsPage) {
  cas::test::for_each_vector(vectors, [](Vector& vector) {
    const std::string kind = vector.text("kind");
    SCOPED_TRACE(vector.text("case"));
    if (kind == "drm_stkm") return check_drm_stkm(vector);
    if (kind == "smartcard_stkm") return check_smartcard_stkm(vector);
    if (kind == "smartcard_ltkm") return check_smartcard_ltkm(vector);
    if (kind == "drm_ltkm") return check_drm_ltkm(vector);
    if (kind == "cw_encryption") return check_cw_encryption(vector);
    FAIL() << "there are no vectors of " << kind;
  });
}

/// Calls `open` with every beginning of `message`, and with every bit of it turned over: none may succeed.
template <typename Open>
void expect_no_change_is_taken(const Bytes& message, Open open) {
  for (std::size_t size = 0; size < message.size(); ++size) {
    ASSERT_FALSE(open(copy_of(ByteView(message).first(size)))) << size;
  }
  Bytes longer = message;
  longer.push_back(0);
  ASSERT_FALSE(open(longer));
  for (std::size_t bit = 0; bit < 8 * message.size(); ++bit) {
    Bytes changed = message;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    ASSERT_FALSE(open(changed)) << bit;
  }
}

TEST(BcastKeyMessages, AChangedMessageIsRefused) {
  const ServiceKey service = test::service_key();
  const ServiceKey programme = test::programme_key();
  DrmStkmContent content;
  const SecretBytes tek = test::counted(1, 30);
  const Bytes criteria = hex("0102 0c00");
  content.tek = tek.reveal();
  content.next_tek = tek.reveal();
  content.timestamp = test::time;
  content.access_criteria = criteria;
  expect_no_change_is_taken(*seal_drm_stkm(content, &service, &programme), [&](const Bytes& message) {
    const auto stkm = DrmStkm::parse(message);
    return stkm && open_drm_stkm(message, *stkm, service);
  });
  const DrmRecipient recipient{7, test::counted(0x60)};
  std::vector<ServiceKey> keys;
  keys.push_back(service.clone());
  expect_no_change_is_taken(*seal_drm_ltkm(0x00010001, 1, recipient, keys), [&](const Bytes& message) {
    return open_drm_ltkm(message, 0x00010001, recipient).has_value();
  });
  expect_no_change_is_taken(*seal_smartcard_ltkm(test::subscription(), 1, service), [&](const Bytes& message) {
    return open_smartcard_ltkm(message, test::subscription()).has_value();
  });
  const SmartcardStkmHead head{1, test::key_domain, service.id, 2, 0, TrafficProtection::srtp, true, 3, criteria};
  expect_no_change_is_taken(*seal_smartcard_stkm(head, 1, service, tek.reveal()), [&](const Bytes& message) {
    const auto stkm = SmartcardStkm::parse(message);
    return stkm && open_smartcard_stkm(*stkm, service);
  });
  auto encryption = CwEncryption::create(test::counted(0), 1);
  const auto random = std::make_unique<cas::test::SeededRandom>(1);
  const Bytes parameter = *encryption->new_parameter(*random);
  const SecretBytes sealed = *encryption->seal(parameter, 5, tek.reveal());
  expect_no_change_is_taken(copy_of(sealed.reveal()),
                            [&](const Bytes& changed) { return encryption->open(parameter, 5, changed).has_value(); });
  expect_no_change_is_taken(
      parameter, [&](const Bytes& changed) { return encryption->open(changed, 5, sealed.reveal()).has_value(); });
  EXPECT_FAILS(encryption->open(parameter, 6, sealed.reveal()), ErrorKind::authentication_failed);
  EXPECT_FAILS(CwEncryption::create(SecretBytes(15), 1), ErrorKind::invalid_argument);
}

TEST(DrmStkm, RefusesWhatIsNoMessage) {
  // 2 selectors, index length and index, 16 bytes of key, lifetime, CID extension, MAC.
  const auto parse = [](const std::string& text) { return DrmStkm::parse(hex(text)); };
  const std::string body = "02 0001 10" + std::string(32, '0') + "00 00000001" + std::string(24, '0');
  ASSERT_OK(parse("0021" + body));
  EXPECT_FAILS(parse("1021" + body), ErrorKind::unsupported);  // protocol_version 1
  EXPECT_FAILS(parse("0061" + body), ErrorKind::unsupported);  // traffic_protection_protocol 3
  EXPECT_FAILS(parse("00e1" + body), ErrorKind::unsupported);
  EXPECT_FAILS(parse("0020" + body), ErrorKind::malformed);  // of no service and no programme
  EXPECT_FAILS(parse("0021 00 10" + body), ErrorKind::malformed);
  EXPECT_FAILS(parse("0021 11" + std::string(34, '0') + body), ErrorKind::malformed);
  EXPECT_FAILS(parse("0021 02 0001 00" + body), ErrorKind::malformed);
  EXPECT_FAILS(parse("0021 02 0001 11" + body + body), ErrorKind::malformed);
  EXPECT_FAILS(DrmStkm::parse(Bytes(max_drm_stkm_size + 1)), ErrorKind::malformed);
  // A timestamp that is none, and access criteria: none of them, and one that is cut off.
  const std::string key = "02 0001 10" + std::string(32, '0') + "00";
  const std::string end = "00000001" + std::string(24, '0');
  ASSERT_OK(parse("0025" + key + "efec 235959" + end));
  for (const char* wrong : {"efec 240000", "efec 236000", "efec 235960", "efec 0a0000", "efec 000f00", "9e8a 000000"}) {
    EXPECT_FAILS(parse("0025" + key + wrong + end), ErrorKind::malformed);
  }
  ASSERT_OK(parse("0121" + key + "00 01 80 00" + end));
  EXPECT_FAILS(parse("0121" + key + "00 00" + end), ErrorKind::malformed);
  EXPECT_FAILS(parse("0121" + key + "00 11" + end), ErrorKind::malformed);
  EXPECT_FAILS(parse("0121" + key + "00 01 80 ff" + end), ErrorKind::truncated);
}

TEST(DrmStkm, RefusesToWriteWhatItWouldNotRead) {
  const Bytes block(16);
  const auto made = [&block] {
    DrmStkm stkm;
    stkm.key_index = ByteView(block).first(2);
    stkm.encrypted_tek = block;
    stkm.service = DrmStkm::Protection{1, {}, 0};
    return stkm;
  };
  ASSERT_OK(made().write());
  const auto refuses = [&made](auto change) {
    DrmStkm stkm = made();
    change(stkm);
    const auto written = stkm.write();
    return !written && written.error().kind == ErrorKind::invalid_argument;
  };
  EXPECT_TRUE(refuses([](DrmStkm& it) { it.key_index = {}; }));
  EXPECT_TRUE(refuses([](DrmStkm& it) { it.protection = TrafficProtection::ipsec; }));
  EXPECT_TRUE(refuses([&](DrmStkm& it) { it.encrypted_tek = ByteView(block).first(15); }));
  EXPECT_TRUE(refuses([](DrmStkm& it) { it.lifetime_exponent = 16; }));
  EXPECT_TRUE(refuses([](DrmStkm& it) { it.protection_after_reception = 4; }));
  EXPECT_TRUE(refuses([](DrmStkm& it) { it.service.reset(); }));
  EXPECT_TRUE(refuses([&](DrmStkm& it) { it.encrypted_pek = block; }));
  EXPECT_TRUE(refuses([&](DrmStkm& it) { it.next = DrmStkm::Next{block, block}; }));
  EXPECT_TRUE(refuses([](DrmStkm& it) { it.timestamp = -1; }));
  EXPECT_TRUE(refuses([](DrmStkm& it) { it.timestamp = 2'155'593'600; }));  // MJD has 16 bits: until 2038-04-22
}

TEST(DrmStkm, TellsTimesAndLifetimes) {
  EXPECT_EQ(*to_mjd_utc(test::time), 0xefec080000U);
  for (const UnixSeconds time : {UnixSeconds{0}, UnixSeconds{86399}, UnixSeconds{1'234'567'890}, test::time}) {
    EXPECT_EQ(*from_mjd_utc(*to_mjd_utc(time)), time);
  }
  EXPECT_EQ(lifetime_exponent_for(std::chrono::milliseconds(1000)), 0);
  EXPECT_EQ(lifetime_exponent_for(std::chrono::milliseconds(1001)), 1);
  EXPECT_EQ(lifetime_exponent_for(std::chrono::seconds(10)), 4);
  EXPECT_EQ(lifetime_exponent_for(std::chrono::hours(100)), 15);
}

TEST(DrmStkm, RefusesKeyIndicesThatAreNoTekIds) {
  EXPECT_EQ(*tek_id_of(TrafficProtection::ipsec, hex("00010203")), 0x0203);
  EXPECT_EQ(*tek_id_of(TrafficProtection::ismacryp, hex("0203")), 0x0203);
  EXPECT_FAILS(tek_id_of(TrafficProtection::ipsec, hex("00020203")), ErrorKind::malformed);
  EXPECT_FAILS(tek_id_of(TrafficProtection::srtp, hex("00010203")), ErrorKind::malformed);
  EXPECT_FAILS(tek_id_of(TrafficProtection::srtp, hex("03")), ErrorKind::malformed);
}

TEST(AccessCriteria, AreWholeDescriptors) {
  EXPECT_EQ(*count_access_criteria({}), 0);
  EXPECT_EQ(*count_access_criteria(hex("0100 0201ff")), 2);
  EXPECT_FAILS(count_access_criteria(hex("0100 02")), ErrorKind::malformed);
  EXPECT_FAILS(count_access_criteria(hex("0100 0202ff")), ErrorKind::malformed);
  EXPECT_OK(count_access_criteria(Bytes(32)));
  EXPECT_FAILS(count_access_criteria(Bytes(34)), ErrorKind::exhausted);
}

TEST(ServiceKeys, AreWholeAndValidAtSomeTime) {
  EXPECT_OK(check_service_key(test::service_key()));
  ServiceKey key = test::service_key();
  key.key = SecretBytes(15);
  EXPECT_FAILS(check_service_key(key), ErrorKind::invalid_argument);
  key = test::service_key();
  key.seed = SecretBytes(17);
  EXPECT_FAILS(check_service_key(key), ErrorKind::invalid_argument);
  key = test::service_key();
  key.valid_until = key.valid_from;
  EXPECT_FAILS(check_service_key(key), ErrorKind::invalid_argument);
  std::vector<ServiceKey> none;
  EXPECT_FAILS(seal_drm_ltkm(1, 1, {std::nullopt, test::counted(0)}, none), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace cas::simulcrypt::bcast
