// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/packet.hpp"

#include <gtest/gtest.h>

#include <array>

#include "support/result_matchers.hpp"

namespace cas::mpegts {
namespace {

using PacketBytes = std::array<std::uint8_t, packet_size>;

/// A packet that starts with these bytes and is all 0xAA behind them.
PacketBytes packet_of(const std::string& start) {
  PacketBytes packet;
  packet.fill(0xaa);
  std::ranges::copy(test::hex(start), packet.begin());
  return packet;
}

TEST(Packet, FieldsOfTheHeaderAreAtTheirPlaces) {
  const PacketBytes packet = packet_of("47 5234 d7");
  EXPECT_FALSE(has_transport_error(packet));
  EXPECT_TRUE(starts_payload_unit(packet));
  EXPECT_EQ(pid_of(packet), 0x1234);
  EXPECT_EQ(scrambling_control(packet), ScramblingControl::odd);
  EXPECT_FALSE(has_adaptation_field(packet));
  EXPECT_TRUE(has_payload(packet));
  EXPECT_EQ(continuity_counter(packet), 7);

  const PacketBytes other = packet_of("47 9fff 81");
  EXPECT_TRUE(has_transport_error(other));
  EXPECT_FALSE(starts_payload_unit(other));
  EXPECT_EQ(pid_of(other), null_pid);
  EXPECT_EQ(scrambling_control(other), ScramblingControl::even);
  EXPECT_FALSE(has_adaptation_field(other));
  EXPECT_FALSE(has_payload(other));
}

TEST(Packet, AFieldIsSetAndNothingElse) {
  const PacketBytes before = packet_of("47 ffff ff b700");
  PacketBytes packet = before;
  set_pid(packet, 0x0123);
  EXPECT_EQ(packet[1], 0xe1);
  EXPECT_EQ(packet[2], 0x23);
  set_pid(packet, 0x1fff);
  EXPECT_EQ(packet, before);
  set_continuity_counter(packet, 0x15);
  EXPECT_EQ(packet[3], 0xf5);
  set_continuity_counter(packet, 15);
  EXPECT_EQ(packet, before);
  for (const auto control :
       {ScramblingControl::clear, ScramblingControl::reserved, ScramblingControl::even, ScramblingControl::odd}) {
    set_scrambling_control(packet, control);
    EXPECT_EQ(scrambling_control(packet), control);
    EXPECT_EQ(packet[3] & 0x3f, 0x3f);
  }
  EXPECT_EQ(packet, before);
}

TEST(Packet, ThePayloadStartsBehindTheAdaptationField) {
  EXPECT_EQ(payload_offset(packet_of("47 0100 10")), 4U);
  EXPECT_EQ(payload_offset(packet_of("47 0100 30 00")), 5U);
  EXPECT_EQ(payload_offset(packet_of("47 0100 30 01 00")), 6U);
  EXPECT_EQ(payload_offset(packet_of("47 0100 30 b6 00")), 187U);
  const PacketBytes packet = packet_of("47 0100 30 b6 00");
  EXPECT_EQ(payload_of(packet).size(), 1U);
  EXPECT_EQ(payload_of(packet_of("47 0100 10")).size(), max_payload_size);
  PacketBytes writable = packet;
  EXPECT_EQ(mutable_payload_of(writable).data(), writable.data() + 187);
}

TEST(Packet, WithoutPayloadThereIsNoOffset) {
  EXPECT_EQ(payload_offset(packet_of("47 0100 00")), std::nullopt);
  EXPECT_EQ(payload_offset(packet_of("47 0100 20 b7 00")), std::nullopt);
  const PacketBytes packet = packet_of("47 0100 20 b7 00");
  EXPECT_TRUE(payload_of(packet).empty());
}

TEST(Packet, AnAdaptationFieldThatOverrunsIsRefused) {
  EXPECT_TRUE(adaptation_field_fits(packet_of("47 0100 30 b6 00")));
  EXPECT_TRUE(adaptation_field_fits(packet_of("47 0100 20 b7 00")));
  EXPECT_TRUE(adaptation_field_fits(packet_of("47 0100 10 ff")));
  for (const char* damaged : {"47 0100 30 b7 90", "47 0100 30 b8 90", "47 0100 30 ff 90", "47 0100 20 b8 90",
                              "47 0100 20 b6 90", "47 0100 20 ff 90"}) {
    SCOPED_TRACE(damaged);
    PacketBytes packet = packet_of(damaged);
    EXPECT_FALSE(adaptation_field_fits(packet));
    EXPECT_EQ(payload_offset(packet), std::nullopt);
    EXPECT_TRUE(payload_of(packet).empty());
    EXPECT_TRUE(mutable_payload_of(packet).empty());
    EXPECT_FALSE(discontinuity_indicator(packet));
    EXPECT_EQ(pcr_of(packet), std::nullopt);
    EXPECT_FALSE(set_pcr(packet, 1));
    EXPECT_EQ(packet, packet_of(damaged));
  }
}

TEST(Packet, FlagsAreThoseOfAFieldThatHasThem) {
  EXPECT_TRUE(discontinuity_indicator(packet_of("47 0100 30 01 80")));
  EXPECT_FALSE(discontinuity_indicator(packet_of("47 0100 30 01 7f")));
  EXPECT_TRUE(random_access_indicator(packet_of("47 0100 30 01 40")));
  EXPECT_FALSE(random_access_indicator(packet_of("47 0100 30 01 bf")));
  // A field of no bytes: what follows is payload already.
  EXPECT_FALSE(discontinuity_indicator(packet_of("47 0100 30 00 ff")));
  EXPECT_FALSE(discontinuity_indicator(packet_of("47 0100 10 01 ff")));
}

TEST(Packet, ThePcrIsBaseTimes300PlusExtension) {
  // 33 bits, 6 reserved ones, 9 bits.
  EXPECT_EQ(pcr_of(packet_of("47 0100 30 07 10 00000000 ff 2b")), 300U + 299U);
  EXPECT_EQ(pcr_of(packet_of("47 0100 30 07 10 00000001 7e 00")), 600U);
  EXPECT_EQ(pcr_of(packet_of("47 0100 20 b7 10 ffffffff ff 2b")), pcr_modulus - 1);
}

TEST(Packet, APcrThatCannotBeIsNone) {
  EXPECT_EQ(pcr_of(packet_of("47 0100 30 07 00 00000000 ff 2b")), std::nullopt) << "no flag";
  EXPECT_EQ(pcr_of(packet_of("47 0100 30 06 10 00000000 ff 2b")), std::nullopt) << "the field is too short";
  EXPECT_EQ(pcr_of(packet_of("47 0100 30 07 10 00000000 ff 2c")), std::nullopt) << "extension 300";
  EXPECT_EQ(pcr_of(packet_of("47 0100 10 07 10 00000000 ff 2b")), std::nullopt) << "payload";
}

TEST(Packet, APcrIsSetInItsPlace) {
  PacketBytes packet = packet_of("47 0100 30 07 10 00000000 6a 00");
  for (const std::uint64_t pcr :
       {std::uint64_t{0}, std::uint64_t{299}, std::uint64_t{300}, std::uint64_t{0x123456789abc}, pcr_modulus - 1}) {
    ASSERT_TRUE(set_pcr(packet, pcr));
    EXPECT_EQ(pcr_of(packet), pcr % pcr_modulus);
    EXPECT_EQ(packet[10] & 0x7e, 0x6a) << "reserved bits";
    EXPECT_EQ(packet[12], 0xaa);
    EXPECT_EQ(packet[5], 0x10);
  }
  ASSERT_TRUE(set_pcr(packet, pcr_modulus + 5));
  EXPECT_EQ(pcr_of(packet), 5U);
  PacketBytes without = packet_of("47 0100 30 07 00");
  EXPECT_FALSE(set_pcr(without, 1));
  EXPECT_EQ(without, packet_of("47 0100 30 07 00"));
}

TEST(Packet, RestampingWrapsBothWays) {
  PacketBytes packet = packet_of("47 0100 30 07 10 00000000 7e 05");
  ASSERT_TRUE(restamp_pcr(packet, -6));
  EXPECT_EQ(pcr_of(packet), pcr_modulus - 1);
  ASSERT_TRUE(restamp_pcr(packet, 2));
  EXPECT_EQ(pcr_of(packet), 1U);
  ASSERT_TRUE(restamp_pcr(packet, std::numeric_limits<std::int64_t>::min()));
  ASSERT_TRUE(restamp_pcr(packet, std::numeric_limits<std::int64_t>::max()));
  EXPECT_EQ(pcr_of(packet), 0U);
  PacketBytes without = packet_of("47 0100 10");
  EXPECT_FALSE(restamp_pcr(without, 1));
}

TEST(Packet, NullAndStuffingPacketsCarryNothing) {
  PacketBytes packet = packet_of("47");
  make_null_packet(packet);
  EXPECT_TRUE(equal(ByteView(packet).first(5), test::hex("47 1fff 10 ff")));
  EXPECT_EQ(packet[187], 0xff);
  make_stuffing_packet(packet, 0x0123, 9);
  EXPECT_TRUE(equal(ByteView(packet).first(7), test::hex("47 0123 29 b7 00 ff")));
  EXPECT_TRUE(adaptation_field_fits(packet));
  EXPECT_FALSE(has_payload(packet));
  EXPECT_FALSE(discontinuity_indicator(packet));
}

}  // namespace
}  // namespace cas::mpegts
