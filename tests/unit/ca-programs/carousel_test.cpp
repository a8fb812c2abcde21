// SPDX-License-Identifier: LGPL-2.1-or-later
#include "carousel.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "support/result_matchers.hpp"

namespace cas::emmg_program {
namespace {

using std::chrono::milliseconds;

class CarouselTest : public testing::Test {
 protected:
  Result<std::vector<ca_system::StoredEmm>> fetch(ca_system::IssueNumber after, std::size_t count) {
    if (failing) return fail(ErrorKind::io, "the disk is gone");
    std::vector<ca_system::StoredEmm> found;
    for (auto each = emms.upper_bound(after); each != emms.end() && found.size() < count; ++each)
      found.push_back({each->first, Bytes{each->second}});
    return found;
  }
  /// The issue numbers that go out now, at most so many.
  std::string send(int most = 1000) {
    std::string sent;
    for (int i = 0; i < most; ++i) {
      const auto front = carousel.front(now);
      if (!front || *front == nullptr) break;
      sent += (sent.empty() ? "" : " ") + std::to_string((*front)->issue);
      carousel.pop();
    }
    return sent;
  }

  std::map<ca_system::IssueNumber, std::uint8_t> emms{{1, 1}, {2, 2}, {3, 3}};
  bool failing = false;
  Instant now{0};
  Carousel carousel{[this](auto after, auto count) { return fetch(after, count); }, milliseconds(1000)};
};

TEST_F(CarouselTest, BeginsAnewWhenTheTimeHasCome) {
  EXPECT_EQ(send(), "1 2 3 1 2 3");  // the first time all of them are new
  EXPECT_EQ(send(), "");
  now += milliseconds(999);
  EXPECT_EQ(send(), "");
  now += milliseconds(1);
  EXPECT_EQ(send(), "1 2 3");
  EXPECT_EQ(carousel.cycles(), 1U);
}

TEST_F(CarouselTest, NewOnesGoFirstAndTheCycleGoesOnWhereItWas) {
  send(6);
  now += milliseconds(1000);
  EXPECT_EQ(send(1), "1");
  emms[9] = 9;
  carousel.changed();
  EXPECT_EQ(send(), "9 2 3 9");
}

TEST_F(CarouselTest, WhatIsGoneIsNotSentAnyMore) {
  EXPECT_EQ(send(4), "1 2 3 1");
  emms.erase(2);
  emms.erase(3);
  emms[4] = 4;
  carousel.changed();
  EXPECT_EQ(send(), "4 4");
}

TEST_F(CarouselTest, PagesFollowOneAnother) {
  emms.clear();
  for (unsigned i = 1; i <= 200; ++i) emms[i] = 0;
  int count = 0;
  while (carousel.front(now).value() != nullptr && count < 1000) {
    carousel.pop();
    ++count;
  }
  EXPECT_EQ(count, 400);
}

TEST_F(CarouselTest, NothingToSendIsNoTrouble) {
  emms.clear();
  EXPECT_EQ(send(), "");
  EXPECT_EQ(carousel.cycles(), 0U);
  emms[1] = 1;
  carousel.changed();
  EXPECT_EQ(send(1), "1");
}

TEST_F(CarouselTest, PassesOnWhyItCannotRead) {
  failing = true;
  EXPECT_FAILS(carousel.front(now), ErrorKind::io);
  failing = false;
  EXPECT_EQ(send(3), "1 2 3");
}

}  // namespace
}  // namespace cas::emmg_program
