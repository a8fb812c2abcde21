// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/daemon_log.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/manual_clock.hpp"

namespace cas::tools {
namespace {

class DaemonLogTest : public testing::Test {
 protected:
  template <typename Write>
  std::string said(Write write) {
    testing::internal::CaptureStderr();
    write();
    return testing::internal::GetCapturedStderr();
  }
  test::ManualClock clock{1'800'000'000};
};

TEST_F(DaemonLogTest, TextIsASentenceALine) {
  DaemonLog log("prog", {}, clock);
  EXPECT_EQ(said([&] { log.info("came", "somebody came", {{"peer", "x"}}); }), "prog: somebody came\n");
}

TEST_F(DaemonLogTest, JsonIsAnObjectALine) {
  DaemonLog log("prog", {.json = true}, clock);
  EXPECT_EQ(said([&] {
              log.warning("came", "some\"body\nc\xff", {{"peer", "x"}});
            }),
            "{\"time\":\"2027-01-15T08:00:00Z\",\"level\":\"warning\",\"event\":\"came\",\"message\":"
            "\"some\\\"body\\nc\xef\xbf\xbd\","
            "\"peer\":\"x\"}\n");
}

TEST_F(DaemonLogTest, QuietMeansWarningsAndErrors) {
  DaemonLog log("prog", {.quiet = true}, clock);
  EXPECT_EQ(said([&] {
              log.info("a", "a");
              log.warning("b", "b");
              log.error("c", "c");
            }),
            "prog: b\nprog: c\n");
}

TEST_F(DaemonLogTest, PeersDoNotFillTheDisk) {
  DaemonLog log("prog", {}, clock);
  const std::string flood = said([&] {
    for (int i = 0; i < 5000; ++i) log.warning("again", "again");
  });
  EXPECT_EQ(std::ranges::count(flood, '\n'), DaemonLog::lines_a_second);
  EXPECT_EQ(said([&] { log.error("own", "an error"); }), "prog: an error\n");
  clock.advance(std::chrono::seconds(1));
  EXPECT_EQ(said([&] { log.info("again", "again"); }), "prog: 4900 lines before this one were left out\nprog: again\n");
}

}  // namespace
}  // namespace cas::tools
