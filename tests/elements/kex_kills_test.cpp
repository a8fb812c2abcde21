// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The first of two key servers is killed and started again, again and again, at random moments of a stream that runs in
// real time.
#include <cstdlib>
#include <fstream>

#include "kex_keysource_test.hpp"
#include "support/seeded_random.hpp"

namespace cas::test {
namespace {

using Out = KeySourceHarness::Out;
using std::chrono::steady_clock;

/// 20, or as many as KEX_KILLS says.
int kills() {
  const char* asked = std::getenv("KEX_KILLS");
  return asked == nullptr ? 20 : std::atoi(asked);
}

/// For how long this thread was ready to run and had no processor, as far as the kernel tells.
std::chrono::nanoseconds waited_for_processor() {
  std::ifstream file("/proc/thread-self/schedstat");
  std::int64_t ran = 0, waited = 0;
  file >> ran >> waited;
  return std::chrono::nanoseconds(waited);
}

TEST(KexKills, NoBufferIsLateAndEachPeriodHasItsKey) {
  LoopbackKms first, second;
  const std::string content = fresh_content();
  // Frames of 40 ms are sent each 10 ms, so that a period is 250 ms long.
  constexpr auto step = milliseconds(10);
  KeySourceHarness harness(live_from(first.url() + "," + second.url(), content),
                           {{"timeout", "60"}, {"prefetch", "2"}});
  SeededRandom random(std::random_device{}());
  std::atomic<bool> over{false};
  std::thread killer([&] {
    for (int kill = 0; kill < kills(); ++kill) {
      std::this_thread::sleep_for(milliseconds(random.below(250)));
      first.stop();
      std::this_thread::sleep_for(milliseconds(random.below(400)));
      first.start();
    }
    over = true;
  });
  auto due = steady_clock::now();
  guint64 number = 0;
  steady_clock::duration longest{0};
  for (; !over; ++number, due += step) {
    std::this_thread::sleep_until(due);
    const auto waited = waited_for_processor();
    const auto begun = steady_clock::now();
    ASSERT_EQ(harness.push(number), GST_FLOW_OK);
    const auto took = steady_clock::now() - begun - (waited_for_processor() - waited);
    if (number > 0) longest = std::max<steady_clock::duration>(longest, took);
  }
  killer.join();
  // The element's own waits are counted below, to the nanosecond; a busy machine may add something.
  EXPECT_LE(longest, std::chrono::nanoseconds(KeySourceHarness::frame)) << "a buffer was late by more than a frame";
  EXPECT_EQ(harness.stat("late-keys"), 0U);
  EXPECT_EQ(harness.stat("waited"), 0U);
  const auto periods = harness.periods_of_buffers();
  ASSERT_EQ(periods.size(), number);
  for (guint64 at = 0; at < number; ++at) ASSERT_EQ(periods[at], at / KeySourceHarness::frames_of_period) << at;
  EXPECT_GE(harness.stat("fail-overs"), 1U);
  const auto message = harness.wait_for_message("kex-fail-over");
  ASSERT_TRUE(message);
  EXPECT_NE(std::string(gst_structure_get_string(message.get(), "cause")), "");
  // The right keys: those that the other server gives by itself.
  KeySourceHarness alone(live_from(second.url(), content), {{"on-failure", "block"}});
  ASSERT_EQ(alone.push(0, number), GST_FLOW_OK);
  const auto keys = harness.of(Out::Kind::key), expected = alone.of(Out::Kind::key);
  ASSERT_EQ(keys.size(), expected.size());
  for (std::size_t at = 0; at < keys.size(); ++at) ASSERT_EQ(keys[at].key, expected[at].key) << at;
  RecordProperty("fail-overs", static_cast<int>(harness.stat("fail-overs")));
}

}  // namespace
}  // namespace cas::test
