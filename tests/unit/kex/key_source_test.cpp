// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/key_source.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "crypto/random.hpp"
#include "tests/support/loopback_kms.hpp"
#include "tests/support/result_matchers.hpp"

namespace cas::kex {
namespace {

using test::LoopbackKms;
using test::value_or_throw;

class Listener : public KeySourceListener {
 public:
  void failed_over(const std::string&, const std::string&, const std::string&) override {}
  void recovered(const std::string&) override {}
  void negotiated(const std::string&, const std::string&, bool) override {}
  void disagreement(const std::string&, const std::string&) override {}
  void not_fetched(std::uint64_t, const Error&) override { happened(); }
  void fetched(std::uint64_t) override { happened(); }
  void wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(30), [&] { return count_ >= count; }));
  }

 protected:
  void happened() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t count_ = 0;
};

class KeySourceTest : public testing::Test {
 protected:
  std::shared_ptr<KeySource> open(const std::string& content) {
    KeySourceSettings settings;
    settings.client.urls = {kms.url()};
    settings.content_id = content;
    settings.period = std::chrono::seconds(1);
    return value_or_throw(KeySource::open(std::move(settings), system_clock(), crypto::system_random()));
  }
  LoopbackKms kms;
};

TEST_F(KeySourceTest, SourcesWithTheSameSettingsAreOne) {
  const auto one = open("a"), same = open("a"), other = open("b");
  EXPECT_EQ(one, same);
  EXPECT_NE(one, other);
}

TEST_F(KeySourceTest, KeysAreThereAheadOfTheirPeriods) {
  const auto listener = std::make_shared<Listener>();
  KeySource::User user(open("a"), listener);
  EXPECT_EQ(user.find(7), nullptr);
  user.want(7);
  listener->wait_for(3);
  for (std::uint64_t period = 7; period < 10; ++period) ASSERT_NE(user.find(period), nullptr) << period;
  EXPECT_EQ(user.find(10), nullptr);
  EXPECT_EQ(user.peek(8)->period.index, 8U);
}

// Users come and go while answers are on their way, and ask for more.
TEST_F(KeySourceTest, MayEndAtAnyMoment) {
  for (unsigned round = 0; round < 300; ++round) {
    const auto listener = std::make_shared<Listener>();
    KeySource::User user(open("round"), listener);
    for (std::uint64_t period = 0; period < 3; ++period) user.want(period * 5);
    if (round % 3 == 0) listener->wait_for(1);
    if (round % 3 == 1) std::this_thread::sleep_for(std::chrono::microseconds(round * 7));
  }
}

// The last user may go in a callback.
TEST_F(KeySourceTest, MayEndOnTheThreadOfItsClient) {
  class Last final : public Listener {
   public:
    void fetched(std::uint64_t) override {
      {
        const std::lock_guard lock(user_mutex);
        user.reset();
      }
      happened();
    }
    std::mutex user_mutex;
    std::unique_ptr<KeySource::User> user;
  };
  for (int round = 0; round < 20; ++round) {
    const auto last = std::make_shared<Last>();
    {
      const std::lock_guard lock(last->user_mutex);
      last->user = std::make_unique<KeySource::User>(open("last"), last);
      last->user->want(1);
    }
    last->wait_for(1);
    const std::lock_guard lock(last->user_mutex);
    EXPECT_EQ(last->user, nullptr);
  }
}

TEST_F(KeySourceTest, RefusesSettingsThatCannotBe) {
  const auto with = [&](const std::function<void(KeySourceSettings&)>& change) {
    KeySourceSettings settings;
    settings.client.urls = {kms.url()};
    settings.content_id = "a";
    change(settings);
    return KeySource::open(std::move(settings), system_clock(), crypto::system_random());
  };
  EXPECT_FAILS(with([](KeySourceSettings& of) { of.content_id.clear(); }), ErrorKind::invalid_argument);
  EXPECT_FAILS(with([](KeySourceSettings& of) { of.prefetch = 101; }), ErrorKind::invalid_argument);
  EXPECT_FAILS(with([](KeySourceSettings& of) { of.period = std::chrono::nanoseconds(-1); }),
               ErrorKind::invalid_argument);
  EXPECT_FAILS(with([](KeySourceSettings& of) {
                 of.push = true;
                 of.key_size = 7;
               }),
               ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace cas::kex
