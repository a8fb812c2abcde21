// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/pairing_trigger.hpp"

#include <gtest/gtest.h>

namespace cas::dcas {
namespace {

TEST(PairingTrigger, Condition1PowerUpOrReset) {
  for (const bool is_virgin : {true, false}) {
    PairingTrigger trigger(is_virgin, "north");
    EXPECT_EQ(trigger.on_power_up(), PairingReason::powered_up);
    EXPECT_EQ(trigger.on_power_up(), PairingReason::powered_up);  // a reset ends what was going on
  }
}

TEST(PairingTrigger, Condition2AVirginSmHearsAnAnnouncement) {
  PairingTrigger trigger(true, std::nullopt);
  EXPECT_EQ(trigger.on_security_announce("north"), PairingReason::first_announcement);
  EXPECT_EQ(trigger.on_security_announce("north"), std::nullopt);  // it is running
  trigger.run_failed();
  EXPECT_EQ(trigger.on_security_announce("north"), PairingReason::first_announcement);
  trigger.run_succeeded("north");
  trigger.set_virgin(false);
  EXPECT_EQ(trigger.on_security_announce("north"), std::nullopt);
}

TEST(PairingTrigger, Condition3AnSmMovesToAnotherNetwork) {
  PairingTrigger trigger(false, "north");
  EXPECT_EQ(trigger.on_security_announce("north"), std::nullopt);
  EXPECT_EQ(trigger.on_security_announce("south"), PairingReason::moved_network);
  EXPECT_EQ(trigger.on_security_announce("south"), std::nullopt);
  EXPECT_EQ(trigger.network(), "north");
  trigger.run_succeeded("south");
  EXPECT_EQ(trigger.network(), "south");
  EXPECT_EQ(trigger.on_security_announce("south"), std::nullopt);
  EXPECT_EQ(trigger.on_security_announce("north"), PairingReason::moved_network);
}

TEST(PairingTrigger, Condition4ANonVirginSmIsAskedToUpdate) {
  PairingTrigger trigger(false, "north");
  EXPECT_EQ(trigger.on_download("north"), PairingReason::update_requested);
  EXPECT_EQ(trigger.on_download("north"), std::nullopt);
  trigger.run_succeeded("north");
  EXPECT_EQ(trigger.on_download("north"), PairingReason::update_requested);
  trigger.run_failed();
  EXPECT_EQ(trigger.on_download("south"), PairingReason::moved_network);
}

TEST(PairingTrigger, AVirginSmIsNotAskedToUpdate) {
  PairingTrigger trigger(true, std::nullopt);
  EXPECT_EQ(trigger.on_download("north"), std::nullopt);
}

}  // namespace
}  // namespace cas::dcas
