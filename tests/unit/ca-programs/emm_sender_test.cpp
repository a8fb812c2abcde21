// SPDX-License-Identifier: LGPL-2.1-or-later
#include "emm_sender.hpp"

#include <gtest/gtest.h>

#include "support/result_matchers.hpp"

namespace cas::emmg_program {
namespace {

using std::chrono::milliseconds;

class EmmSenderTest : public testing::Test {
 protected:
  EmmSenderTest() { metrics = EmmgMetrics::create(registry).value(); }
  /// Runs for a while in steps of 20 ms; bytes that went out.
  std::size_t run(EmmSender& sender, milliseconds time) {
    std::size_t bytes = 0;
    for (const Instant end = now + time; now < end; now += milliseconds(20))
      EXPECT_OK(sender.send(now, [&](std::span<const ByteView> datagrams) -> Status {
        if (blocked) return fail(ErrorKind::exhausted, "too much waits");
        for (const ByteView datagram : datagrams) {
          bytes += datagram.size();
          last = copy_of(datagram);
        }
        return {};
      }));
    return bytes;
  }

  service::MetricRegistry registry;
  EmmgMetrics metrics;
  Instant now{0};
  bool blocked = false;
  Bytes last;
  Bytes section = [] {
    Bytes made(103, 0);
    made[0] = 0x82;
    made[1] = 0x70;
    made[2] = 100;
    return made;
  }();
  Carousel carousel{[this](ca_system::IssueNumber after, std::size_t) -> Result<std::vector<ca_system::StoredEmm>> {
                      std::vector<ca_system::StoredEmm> one;
                      if (after == 0) one.push_back({1, section});
                      return one;
                    },
                    milliseconds(0)};
};

TEST_F(EmmSenderTest, KeepsToTheBandwidth) {
  EmmSender sender(carousel, metrics, false);
  EXPECT_EQ(run(sender, milliseconds(100)), 0U);  // nothing is allocated yet
  sender.set_bandwidth(80, now);                  // 10,000 bytes a second
  const std::size_t sent = run(sender, milliseconds(10'000));
  EXPECT_GT(sent, 99'000U);
  EXPECT_LT(sent, 102'000U);
  EXPECT_EQ(metrics.bytes->value(), sent);
  EXPECT_EQ(metrics.emms->value(), sent / 103);
  sender.set_bandwidth(0, now);
  EXPECT_EQ(run(sender, milliseconds(1000)), 0U);
  EXPECT_EQ(metrics.bandwidth->value(), 0);
}

TEST_F(EmmSenderTest, WhatCouldNotGoOutGoesLater) {
  EmmSender sender(carousel, metrics, false);
  sender.set_bandwidth(80, now);
  blocked = true;
  EXPECT_EQ(run(sender, milliseconds(1000)), 0U);
  EXPECT_EQ(metrics.emms->value(), 0U);
  blocked = false;
  EXPECT_GT(run(sender, milliseconds(1000)), 0U);
  EXPECT_EQ(last, section);
}

TEST_F(EmmSenderTest, PacketsCountAsTheyAre) {
  EmmSender sender(carousel, metrics, true);
  sender.set_bandwidth(80, now);
  const std::size_t sent = run(sender, milliseconds(10'000));
  EXPECT_EQ(sent % 188, 0U);
  EXPECT_LT(sent, 102'000U);
  ASSERT_EQ(last.size(), 188U);
  EXPECT_EQ(last[0], 0x47);
  EXPECT_TRUE(equal(ByteView(last).subspan(5, section.size()), section));
}

}  // namespace
}  // namespace cas::emmg_program
