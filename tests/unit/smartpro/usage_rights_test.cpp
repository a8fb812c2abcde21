// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/usage_rights.hpp"

#include <gtest/gtest.h>

#include "base/tlv.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"

namespace cas::smartpro {
namespace {

TEST(UsageRights, DefaultsAllowRenderingAndProcessing) {
  EXPECT_EQ(UsageRights{}.describe(), "render, process");
  EXPECT_EQ(to_hex(UsageRights{}.encode()), "800103");
}

TEST(UsageRights, EverythingComesBack) {
  UsageRights rights;
  rights.process = false;
  rights.change_rights = true;
  rights.bridge = true;
  rights.bridge_hops = 2;
  rights.bridge_to = {{1, 2, 3, 4, 5, 6, 7, 8}, {9, 9, 9, 9, 9, 9, 9, 9}};
  rights.not_before = 1'700'000'000;
  rights.not_after = 1'800'000'000;
  rights.play_count = 3;
  rights.output_flags = output_hdcp_required | output_no_recording;
  const auto back = UsageRights::parse(rights.encode());
  ASSERT_OK(back);
  EXPECT_EQ(*back, rights);
  EXPECT_EQ(
      rights.describe(),
      "render, change rights, bridge over 2 hops to 0102030405060708 to 0909090909090909; from 2023-11-14T22:13:20Z; "
      "until 2027-01-15T08:00:00Z; 3 plays; HDCP required; no recording");
}

TEST(UsageRights, RandomRightsComeBack) {
  test::SeededRandom random(3);
  for (int i = 0; i < 500; ++i) {
    UsageRights rights;
    rights.render = random.below(2) != 0;
    rights.process = random.below(2) != 0;
    rights.bridge = random.below(2) != 0;
    if (rights.bridge) rights.bridge_to.resize(random.below(33));
    if (rights.bridge) rights.bridge_hops = static_cast<std::uint8_t>(random.below(256));
    if (random.below(2) != 0) rights.not_before = static_cast<UnixSeconds>(random.below(1ULL << 40));
    if (random.below(2) != 0) rights.not_after = static_cast<UnixSeconds>(random.below(1ULL << 40));
    if (random.below(2) != 0) rights.play_count = static_cast<std::uint32_t>(random.below(1ULL << 32));
    rights.output_flags = static_cast<std::uint32_t>(random.below(1ULL << 32));
    const auto back = UsageRights::parse(rights.encode());
    ASSERT_OK(back);
    EXPECT_EQ(*back, rights);
  }
}

TEST(UsageRights, RefusesWhatItDoesNotUnderstand) {
  EXPECT_FAILS(UsageRights::parse({}), ErrorKind::malformed);                            // no field 80
  EXPECT_FAILS(UsageRights::parse(test::hex("800110")), ErrorKind::unsupported);         // an unknown permission
  EXPECT_FAILS(UsageRights::parse(test::hex("800103 8a0100")), ErrorKind::unsupported);  // an unknown critical field
  EXPECT_OK(UsageRights::parse(test::hex("800103 ca0100")));                             // an unknown optional field
  EXPECT_FAILS(UsageRights::parse(test::hex("800103 800103")), ErrorKind::malformed);    // twice
  EXPECT_FAILS(UsageRights::parse(test::hex("80020003")), ErrorKind::malformed);         // wrong width
  EXPECT_FAILS(UsageRights::parse(test::hex("800103 8208 8000000000000000")), ErrorKind::malformed);  // before 1970
  EXPECT_FAILS(UsageRights::parse(test::hex("800108")), ErrorKind::malformed);         // bridging, and not how far
  EXPECT_FAILS(UsageRights::parse(test::hex("800103 840101")), ErrorKind::malformed);  // how far, and no bridging
  EXPECT_FAILS(UsageRights::parse(test::hex("800108 840401020304")), ErrorKind::truncated);  // half a VDID
  TlvWriter many;
  many.number(0x80, 8, 1).field(0x84, Bytes(1 + 33 * 8, 1));
  EXPECT_FAILS(UsageRights::parse(many.view()), ErrorKind::malformed);
}

TEST(UsageRights, WithNoHopLeftTheyKeepTheirDomains) {
  UsageRights rights;
  rights.bridge = true;
  rights.bridge_hops = 0;
  rights.bridge_to = {{1}, {2}};
  const auto back = UsageRights::parse(rights.encode());
  ASSERT_OK(back);
  EXPECT_EQ(*back, rights);
}

/// Rights with a limit of every sort.
UsageRights limited() {
  UsageRights rights;
  rights.process = false;
  rights.bridge = true;
  rights.bridge_hops = 2;
  rights.bridge_to = {{1}, {2}};
  rights.not_before = 100;
  rights.not_after = 200;
  rights.play_count = 3;
  rights.output_flags = output_hdcp_required | output_no_analogue;
  return rights;
}

TEST(UsageRightsWithin, TheSameAndNarrowerOnesAre) {
  EXPECT_OK(limited().check_within(limited()));
  EXPECT_OK(limited().check_within([] {
    UsageRights all;
    all.bridge = true;
    all.bridge_hops = 2;
    return all;
  }()));
  UsageRights narrower = limited();
  narrower.render = false;
  narrower.bridge_hops = 0;
  narrower.bridge_to = {{2}};
  narrower.not_before = 101;
  narrower.not_after = 199;
  narrower.play_count = 0;
  narrower.output_flags |= output_no_recording;
  EXPECT_OK(narrower.check_within(limited()));
  narrower.bridge = false;
  narrower.bridge_to.clear();
  narrower.bridge_hops = 9;  // says nothing then
  EXPECT_OK(narrower.check_within(limited()));
}

TEST(UsageRightsWithin, EachWiderOneIsNamed) {
  const auto refusal = [](void (*widen)(UsageRights&)) {
    UsageRights wider = limited();
    widen(wider);
    const Status checked = wider.check_within(limited());
    return checked ? std::string("within")
                   : std::string(error_kind_name(checked.error().kind)) + ": " + checked.error().message;
  };
  const std::string start = "refused: the new rights ";
  EXPECT_EQ(refusal([](UsageRights& rights) { rights.process = true; }),
            start + "allow processing, and those of the licence do not");
  EXPECT_EQ(refusal([](UsageRights& rights) { rights.change_rights = true; }),
            start + "allow changes of rights, and those of the licence do not");
  EXPECT_EQ(refusal([](UsageRights& rights) { rights.not_before = 99; }),
            start + "begin earlier than those of the licence");
  EXPECT_EQ(refusal([](UsageRights& rights) { rights.not_before.reset(); }),
            start + "begin earlier than those of the licence");
  EXPECT_EQ(refusal([](UsageRights& rights) { rights.not_after = 201; }),
            start + "end later than those of the licence");
  EXPECT_EQ(refusal([](UsageRights& rights) { rights.not_after.reset(); }),
            start + "end later than those of the licence");
  EXPECT_EQ(refusal([](UsageRights& rights) { rights.play_count = 4; }),
            start + "allow more plays than those of the licence");
  EXPECT_EQ(refusal([](UsageRights& rights) { rights.play_count.reset(); }),
            start + "allow more plays than those of the licence");
  EXPECT_EQ(refusal([](UsageRights& rights) { rights.output_flags = output_hdcp_required; }),
            start + "lift a condition of output of the licence");
  EXPECT_EQ(refusal([](UsageRights& rights) { rights.bridge_hops = 3; }),
            start + "allow more hops than those of the licence");
  const std::string domains = start + "allow bridging to a domain to which those of the licence do not";
  EXPECT_EQ(refusal([](UsageRights& rights) { rights.bridge_to = {{1}, {3}}; }), domains);
  EXPECT_EQ(refusal([](UsageRights& rights) { rights.bridge_to.clear(); }), domains);
  UsageRights none;
  none.render = false;
  none.process = false;
  EXPECT_FAILS(UsageRights{}.check_within(none), ErrorKind::refused);
  UsageRights bridging;
  bridging.bridge = true;
  EXPECT_FAILS(bridging.check_within(UsageRights{}), ErrorKind::refused);
  EXPECT_FAILS(bridging.check_bridging_within(UsageRights{}), ErrorKind::refused);
}

TEST(UsageRightsWindow, IsOpenFromItsBeginningToBeforeItsEnd) {
  UsageRights rights;
  EXPECT_OK(rights.check_time(0));
  rights.not_before = 100;
  rights.not_after = 200;
  EXPECT_FAILS(rights.check_time(99), ErrorKind::expired);
  EXPECT_OK(rights.check_time(100));
  EXPECT_OK(rights.check_time(199));
  EXPECT_FAILS(rights.check_time(200), ErrorKind::expired);
}

}  // namespace
}  // namespace cas::smartpro
