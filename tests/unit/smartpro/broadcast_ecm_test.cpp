// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/broadcast_ecm.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "base/tlv.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"
#include "tests/support/test_system.hpp"

namespace cas::smartpro {
namespace {

using test::value_or_throw;

const BroadcastPlace place{0x4adc0001, 0x0203};

/// A licence for that crypto-period of the place, as a head-end token makes one.
Bytes licence_for(std::uint16_t cp_number, const UsageRights& rights = BroadcastCriteria::rendering_alone(),
                  std::size_t word_size = 16, const std::function<void(LicenceTerms&)>& change = {}) {
  const LicenceRequest request = value_or_throw(broadcast_licence_request(place, cp_number, {{}, rights}));
  LicenceTerms terms;
  terms.content_id = request.content_id;
  terms.cipher = request.cipher;
  terms.key_period = request.key_period;
  terms.header_digest = request.header_digest;
  terms.rights = request.rights;
  if (change) change(terms);
  return value_or_throw(seal_licence(SecretBytes(domain_key_size), terms, SecretBytes(word_size)));
}

Bytes ecm_for(std::uint16_t cp_number) {
  return value_or_throw(write_broadcast_ecm(place, cp_number, licence_for(cp_number)));
}

UsageRights widest_rights() {
  UsageRights rights;
  rights.change_rights = true;
  rights.not_before = 1;
  rights.not_after = 2;
  rights.play_count = 3;
  rights.output_flags = 1;
  rights.bridge = true;
  rights.bridge_to = {{1}};
  return rights;
}

/// More than there is room for.
UsageRights longest_rights_and_more() {
  UsageRights rights = widest_rights();
  rights.bridge_to = {{1}, {2}};
  return rights;
}

TEST(BroadcastEcm, CarriesALicenceAndItsPlace) {
  for (const unsigned number : {0U, 1U, 2U, 0xfffeU, 0xffffU}) {
    const auto cp_number = static_cast<std::uint16_t>(number);
    const Bytes lecm = licence_for(cp_number);
    const Bytes section = value_or_throw(write_broadcast_ecm(place, cp_number, lecm));
    EXPECT_EQ(section[0], cp_number % 2 == 0 ? 0x80 : 0x81);
    const BroadcastEcm ecm = value_or_throw(BroadcastEcm::parse(section));
    EXPECT_EQ(ecm.place, place);
    EXPECT_EQ(ecm.cp_number, cp_number);
    EXPECT_TRUE(equal(ecm.lecm, lecm));
    const OpenRequest request = ecm.open_request({7});
    EXPECT_EQ(request.header_digest, value_or_throw(place.digest()));
    EXPECT_EQ(request.cipher, ContentCipher::transport_stream);
    EXPECT_EQ(request.key_period, cp_number);
    EXPECT_EQ(request.play_id[0], 7);
  }
}

TEST(BroadcastEcm, FitsIntoAPacketWithTheUsualRightsAndIntoASectionWithTheLongest) {
  constexpr std::size_t packet_with_pointer_field = 183;
  EXPECT_EQ(ecm_for(5).size(), 162U);
  EXPECT_LE(ecm_for(5).size(), packet_with_pointer_field);
  const auto rights = widest_rights();
  ASSERT_LE(rights.encode().size(), max_broadcast_rights_size);
  EXPECT_OK(write_broadcast_ecm(place, 5, licence_for(5, rights)));
  const UsageRights longer = longest_rights_and_more();
  EXPECT_GT(longer.encode().size(), max_broadcast_rights_size);
  EXPECT_FAILS(write_broadcast_ecm(place, 5, licence_for(5, longer)), ErrorKind::exhausted);
}

TEST(BroadcastEcm, TheLongestRightsJustFit) {
  // An LECM grows by two bytes for each byte of rights, as long as its fields have lengths of one byte.
  const UsageRights usual = BroadcastCriteria::rendering_alone();
  const std::size_t room = max_broadcast_ecm_size - ecm_for(5).size();
  EXPECT_EQ(usual.encode().size() + room / 2, max_broadcast_rights_size);
}

TEST(BroadcastEcm, IsRefusedForAnotherPlaceOrCryptoPeriod) {
  const Bytes lecm = licence_for(5);
  EXPECT_OK(write_broadcast_ecm(place, 5, lecm));
  EXPECT_FAILS(write_broadcast_ecm(place, 6, lecm), ErrorKind::invalid_argument);
  EXPECT_FAILS(write_broadcast_ecm({place.super_cas_id + 1, place.ecm_id}, 5, lecm), ErrorKind::invalid_argument);
  EXPECT_FAILS(write_broadcast_ecm({place.super_cas_id, 1}, 5, lecm), ErrorKind::invalid_argument);
  EXPECT_FAILS(write_broadcast_ecm(place, 5, {}), ErrorKind::invalid_argument);
  const auto with = [](const std::function<void(LicenceTerms&)>& change) {
    return write_broadcast_ecm(place, 5, licence_for(5, {}, 16, change));
  };
  EXPECT_FAILS(with([](LicenceTerms& terms) { terms.cipher = ContentCipher::aes_128_gcm; }),
               ErrorKind::invalid_argument);
  EXPECT_FAILS(with([](LicenceTerms& terms) { terms.transfer = TransferDirection::to_simple_bridge; }),
               ErrorKind::invalid_argument);
}

TEST(BroadcastEcm, APlaceThatWasChangedOnTheWayIsFound) {
  for (std::size_t at = 4; at < 12; ++at) {  // Super_CAS_id, ECM_id, CP_number
    SCOPED_TRACE(at);
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes changed = ecm_for(5);
      changed[at] ^= static_cast<std::uint8_t>(1U << bit);
      EXPECT_FAILS(BroadcastEcm::parse(changed), ErrorKind::malformed);
      if (at == 11 && bit == 0) changed[0] ^= 1;  // another parity, with its table_id
      EXPECT_FAILS(BroadcastEcm::parse(changed), ErrorKind::malformed);
    }
  }
}

TEST(BroadcastEcm, RefusesSectionsThatAreNone) {
  const auto changed = [](const std::function<void(Bytes&)>& change) {
    Bytes section = ecm_for(5);
    change(section);
    return BroadcastEcm::parse(section);
  };
  EXPECT_FAILS(changed([](Bytes& section) { section[0] = 0x80; }), ErrorKind::malformed);  // the other parity's
  EXPECT_FAILS(changed([](Bytes& section) { section[0] = 0x82; }), ErrorKind::malformed);
  EXPECT_FAILS(changed([](Bytes& section) { section[1] |= 0x80; }), ErrorKind::malformed);  // section_syntax_indicator
  EXPECT_OK(changed([](Bytes& section) { section[1] &= 0x8f; }));                           // reserved
  EXPECT_FAILS(changed([](Bytes& section) { section[3] = 2; }), ErrorKind::unsupported);
  EXPECT_FAILS(changed([](Bytes& section) { section.push_back(0); }), ErrorKind::malformed);
  EXPECT_FAILS(changed([](Bytes& section) { section.resize(257); }), ErrorKind::malformed);
  // Longer than a CA section, and right otherwise.
  const Bytes long_lecm = licence_for(5, longest_rights_and_more());
  Bytes long_section = ecm_for(5);
  long_section.resize(12);
  append(long_section, long_lecm);
  const std::size_t length = long_section.size() - 3;
  ASSERT_GT(long_section.size(), max_broadcast_ecm_size);
  long_section[1] = static_cast<std::uint8_t>(0x70U | length >> 8);
  long_section[2] = static_cast<std::uint8_t>(length);
  EXPECT_FAILS(BroadcastEcm::parse(long_section), ErrorKind::malformed);
  // A licence that goes on behind its MAC.
  EXPECT_FAILS(changed([](Bytes& section) {
                 append(section, Bytes{0xc9, 0});
                 section[2] = static_cast<std::uint8_t>(section[2] + 2);
               }),
               ErrorKind::malformed);
  const Bytes whole = ecm_for(5);
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(BroadcastEcm::parse(ByteView(whole).first(size)).has_value()) << size;
}

TEST(BroadcastCriteria, SayNothingByDefault) {
  const BroadcastCriteria none = value_or_throw(BroadcastCriteria::parse({}));
  EXPECT_FALSE(none.content_id);
  EXPECT_TRUE(none.rights.render);
  EXPECT_FALSE(none.rights.process || none.rights.change_rights || none.rights.bridge);
  EXPECT_FALSE(none.rights.not_before || none.rights.not_after || none.rights.play_count);
  const LicenceRequest request = value_or_throw(broadcast_licence_request(place, 7, none));
  EXPECT_EQ(request.content_id, to_array<ContentId>(value_or_throw(place.digest())));
  EXPECT_EQ(request.header_digest, value_or_throw(place.digest()));
  EXPECT_EQ(request.cipher, ContentCipher::transport_stream);
  EXPECT_EQ(request.key_period, 7U);
  EXPECT_EQ(request.rights, none.rights);
}

TEST(BroadcastCriteria, ComeBackFromTheirBytes) {
  for (const auto& content_id : {std::optional<ContentId>(), std::optional<ContentId>(ContentId{1, 2, 3})}) {
    for (const UsageRights& rights : {BroadcastCriteria::rendering_alone(), UsageRights{}, widest_rights()}) {
      const BroadcastCriteria criteria{content_id, rights};
      EXPECT_EQ(value_or_throw(BroadcastCriteria::parse(criteria.encode())), criteria);
      const LicenceRequest request = value_or_throw(broadcast_licence_request(place, 1, criteria));
      EXPECT_EQ(request.rights, rights);
      EXPECT_TRUE(!content_id || request.content_id == *content_id);
    }
  }
}

TEST(BroadcastCriteria, RefusesWhatIsNone) {
  const auto parse = [](TlvTag tag, ByteView value) {
    return BroadcastCriteria::parse(TlvWriter().field(tag, value).view());
  };
  EXPECT_FAILS(parse(0x80, Bytes(15)), ErrorKind::malformed);
  EXPECT_FAILS(parse(0x80, Bytes(17)), ErrorKind::malformed);
  EXPECT_FAILS(parse(0x81, {}), ErrorKind::malformed);
  EXPECT_FAILS(parse(0x81, Bytes{0x80, 1, 0x10}), ErrorKind::unsupported);  // a right of a later version
  EXPECT_FAILS(parse(0x82, Bytes{1}), ErrorKind::unsupported);
  EXPECT_OK(parse(0xc0, Bytes{1}));
  EXPECT_FAILS(BroadcastCriteria::parse(Bytes{0x80}), ErrorKind::truncated);
  EXPECT_FAILS(parse(0x81, longest_rights_and_more().encode()), ErrorKind::malformed);  // no ECM has room for them
  const Bytes twice = TlvWriter().field(0x80, ContentId{}).field(0x80, ContentId{}).take();
  EXPECT_FAILS(BroadcastCriteria::parse(twice), ErrorKind::malformed);
}

TEST(BroadcastPlace, HasADigestOfItsOwn) {
  const HeaderDigest digest = value_or_throw(place.digest());
  EXPECT_NE(value_or_throw(BroadcastPlace{place.super_cas_id ^ 1, place.ecm_id}.digest()), digest);
  EXPECT_NE(value_or_throw(BroadcastPlace{place.super_cas_id, 0x0204}.digest()), digest);
  EXPECT_EQ(value_or_throw(BroadcastPlace{place.super_cas_id, 0x0203}.digest()), digest);
}

}  // namespace
}  // namespace cas::smartpro
