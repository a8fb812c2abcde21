// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "kex/key_store.hpp"
#include "kex/stored_key_cipher.hpp"
#include "tests/support/power_cut_sqlite.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"
#include "tests/support/temporary_folder.hpp"

namespace cas::kex {
namespace {

using test::PowerCutSqlite;
using test::value_or_throw;
using Unsynced = PowerCutSqlite::Unsynced;

/// 5.2.2 on a disk that keeps nothing that was not synced: what `settle` has given back stays.
class PowerCut : public testing::Test {
 protected:
  PowerCut() {
    value_or_throw(create_sqlite_key_store(file()));
    disk.restore(Unsynced::kept);
  }
  [[nodiscard]] std::filesystem::path file() const { return folder.path() / "keys.db"; }
  Result<std::unique_ptr<KeyStore>> open() {
    return open_sqlite_key_store(file(), SecretBytes(storage_key_size), random);
  }
  KeyProposal proposal(std::uint64_t period) {
    KeyProposal made;
    made.name.content_id = "channel";
    made.name.period_index = period;
    made.key.kid = value_or_throw(Uuid::draw(random));
    made.key.value = value_or_throw(random_secret(random, content_key_size));
    return made;
  }
  /// Keys of some periods; those that were given back are kept as answered.
  Status settle(KeyStore& store, std::uint64_t from, std::size_t count) {
    std::vector<KeyProposal> wanted;
    for (std::size_t at = 0; at < count; ++at) wanted.push_back(proposal(from + at));
    auto settled = store.settle(wanted);
    if (!settled) return fail(settled.error());
    for (std::size_t at = 0; at < count; ++at) {
      KeyMaterial key = std::move(settled->at(at).key);
      const auto [known, fresh] = answered.try_emplace(from + at, std::move(key));
      if (!fresh) {
        EXPECT_EQ(known->second.kid, key.kid) << from + at;
        EXPECT_TRUE(equal(known->second.value.reveal(), key.value.reveal())) << from + at;
      }
    }
    return {};
  }
  /// Opened and closed three times, so that the write-ahead log is begun, goes on, is brought into the file, and begun
  /// anew.
  void work(bool go_on) {
    for (std::uint64_t round = 0; round < 3; ++round) {
      auto store = open();
      if (!store && go_on) store = open();
      if (!store) {
        if (!go_on) return;
        continue;
      }
      for (std::uint64_t batch = 0; batch < 3; ++batch) {
        const std::uint64_t from = (round * 3 + batch) * 4;
        // The last key of the batch before is asked for, too.
        if (settle(**store, from == 0 ? 0 : from - 1, 4)) continue;
        if (!go_on) return;
        static_cast<void>(settle(**store, from == 0 ? 0 : from - 1, 4));
      }
    }
  }
  void expect_all_there(const std::string& when) {
    const auto store = open();
    ASSERT_TRUE(store.has_value()) << when << ": " << store.error().message;
    const std::size_t known = answered.size();
    for (std::uint64_t period = 0; period < 40; ++period) EXPECT_OK(settle(**store, period, 1));
    EXPECT_EQ(value_or_throw((*store)->count()), 40U) << when;
    EXPECT_GE(answered.size(), known);
    if (HasFailure()) ADD_FAILURE() << when;
  }
  std::size_t steps_of_the_work() {
    work(false);
    const std::size_t steps = disk.steps();
    begin_anew();
    return steps;
  }
  void begin_anew() {
    answered.clear();
    disk.restore(Unsynced::kept);
    std::filesystem::remove(file());
    disk.forget();
    value_or_throw(create_sqlite_key_store(file()));
    disk.restore(Unsynced::kept);
  }

  test::TemporaryFolder folder;
  test::SeededRandom random{5};
  PowerCutSqlite disk;
  std::map<std::uint64_t, KeyMaterial> answered;
};

TEST_F(PowerCut, R5_2_2_WhatWasAnsweredIsThereAfterwards) {
  const std::size_t steps = steps_of_the_work();
  EXPECT_GT(steps, 50U);
  std::size_t kept = 0;
  for (std::size_t step = 0; step <= steps && !HasFailure(); ++step)
    for (const auto unsynced : {Unsynced::lost, Unsynced::kept, Unsynced::prefix, Unsynced::scattered}) {
      begin_anew();
      disk.cut_at(step);
      work(false);
      kept += answered.size();
      disk.restore(unsynced, static_cast<std::uint32_t>(step + 1));
      expect_all_there("cut at step " + std::to_string(step) + ", way " + std::to_string(static_cast<int>(unsynced)));
    }
  EXPECT_GT(kept, steps * 4);  // it was not for nothing
}

// A disk that fails once, and loses power later on: what counted as stored after the failure is there all the same.
TEST_F(PowerCut, AFailureOfTheDiskIsNoLossOfKeys) {
  const std::size_t steps = steps_of_the_work();
  for (std::size_t step = 0; step < steps && !HasFailure(); ++step)
    for (const auto unsynced : {Unsynced::lost, Unsynced::scattered}) {
      begin_anew();
      disk.fail_at(step);
      work(true);
      EXPECT_GE(answered.size(), 20U);  // it goes on
      disk.restore(unsynced, static_cast<std::uint32_t>(step + 1));
      expect_all_there("failed at step " + std::to_string(step));
    }
}

// The shim itself: a store that does not sync loses what it has answered.
TEST_F(PowerCut, WithoutSyncingKeysWouldBeLost) {
  disk.ignore_syncs();
  {
    const auto store = value_or_throw(open());
    EXPECT_OK(settle(*store, 0, 4));
  }
  disk.restore(Unsynced::lost);
  const auto store = value_or_throw(open());
  EXPECT_EQ(value_or_throw(store->count()), 0U);
}

}  // namespace
}  // namespace cas::kex
