// SPDX-License-Identifier: LGPL-2.1-or-later
#include <map>

#include "pairing_stores.hpp"
#include "tests/support/power_cut_sqlite.hpp"
#include "tests/support/temporary_folder.hpp"

namespace cas::dcas {
namespace {

using test::PowerCutSqlite;
using test::value_or_throw;
using Unsynced = PowerCutSqlite::Unsynced;

constexpr std::size_t pairs = 6;

/// Figure 5 on a disk that keeps nothing that was not synced.
class PairingPowerCut : public testing::Test {
 protected:
  PairingPowerCut() { make(); }
  [[nodiscard]] std::filesystem::path file() const { return folder.path() / "devices.db"; }
  Result<std::unique_ptr<PairingStore>> open() {
    return open_sqlite_pairing_store(file(), SecretBytes(service::storage_key_size), random);
  }
  void make() {
    value_or_throw(create_sqlite_pairing_store(file()));
    const auto store = value_or_throw(open());
    std::vector<NewDevice> devices;
    for (std::size_t at = 0; at < pairs; ++at) {
      devices.push_back(new_sm(random, sm(at)));
      devices.push_back(new_tp(tp(at)));
    }
    value_or_throw(store->add_devices(devices));
  }
  void begin_anew() {
    known.clear();
    asked.clear();
    disk.restore(Unsynced::kept);
    std::filesystem::remove(file());
    disk.forget();
    make();
    disk.restore(Unsynced::kept);
  }
  static std::string sm(std::size_t pair) { return "sm-" + std::to_string(pair); }
  static std::string tp(std::size_t pair) { return "tp-" + std::to_string(pair); }

  /// Where a pair stands: how many stays it has had, and whether the last one goes on.
  struct Stay {
    std::uint64_t number = 0;
    bool there = false;
    bool operator==(const Stay&) const = default;
  };

  /// Three pairs from `first` on are asked for in one call; what was answered is known.
  bool pair(PairingStore& store, std::size_t first) {
    std::vector<PairRequest> requests;
    asked.clear();
    for (std::size_t at = first; at < first + 3; ++at) {
      requests.push_back(pair_request(random, sm(at % pairs), tp(at % pairs)));
      asked[at % pairs] = {known[at % pairs].number + 1, true};
    }
    const auto outcomes = store.pair(requests, noon);
    if (!outcomes) return false;
    for (std::size_t at = 0; at < requests.size(); ++at) {
      EXPECT_TRUE(is_success(outcomes->at(at).verdict)) << pairing_verdict_name(outcomes->at(at).verdict);
      known[(first + at) % pairs] = {outcomes->at(at).lease.number, true};
    }
    asked.clear();
    return true;
  }
  bool leave(PairingStore& store, std::size_t first) {
    std::vector<LeaseReport> reports;
    asked.clear();
    for (std::size_t at = first; at < first + 3; ++at) {
      const Stay stay = known[at % pairs];
      reports.push_back({sm(at % pairs), tp(at % pairs), "ap-1", stay.number});
      asked[at % pairs] = {stay.number, false};
    }
    const auto verdicts = store.leave(reports, noon);
    if (!verdicts) return false;
    for (std::size_t at = 0; at < reports.size(); ++at) {
      EXPECT_EQ(verdicts->at(at), LeaseVerdict::done);
      known[(first + at) % pairs].there = false;
    }
    asked.clear();
    return true;
  }
  /// Opened and closed several times, so that the write-ahead log is begun, goes on, is brought into the file, and begun
  /// anew. True when it was not cut off.
  bool work() {
    for (std::size_t round = 0; round < 3; ++round) {
      const auto store = open();
      if (!store) return false;
      for (const std::size_t first : {round, round + 3})
        if (!pair(**store, first) || !leave(**store, first)) return false;
      if (!pair(**store, round) || !leave(**store, round)) return false;
    }
    return true;
  }

  /// What was answered is there; of what was asked, all or nothing; and both sides say the same.
  void expect_rules(const std::string& when) {
    const auto opened = open();
    ASSERT_TRUE(opened.has_value()) << when << ": " << opened.error().message;
    PairingStore& store = **opened;
    EXPECT_OK(store.verify());
    EXPECT_EQ(value_or_throw(store.count()), 2 * pairs);
    std::size_t done = 0;
    for (std::size_t at = 0; at < pairs; ++at) {
      const DeviceRecord record = value_or_throw(store.device(sm(at)));
      const Stay stay{record.lease ? record.lease->number : 0, record.state == PairingState::auth_paired};
      EXPECT_EQ(record.state == PairingState::virgin, stay.number == 0);
      if (asked.contains(at) && stay == asked.at(at)) {
        ++done;
        known[at] = stay;
        continue;
      }
      EXPECT_EQ(stay.number, known[at].number) << at;
      EXPECT_EQ(stay.there, known[at].there) << at;
    }
    EXPECT_TRUE(done == 0 || done == asked.size());
    // It goes on by figure 6, whatever was cut off.
    for (std::size_t at = 0; at < pairs; ++at) {
      const PairingVerdict verdict = pair_one(store, pair_request(random, sm(at), tp(at))).verdict;
      EXPECT_EQ(verdict, known[at].number == 0 ? PairingVerdict::paired
                         : known[at].there     ? PairingVerdict::already_paired
                                               : PairingVerdict::paired_again);
      EXPECT_FALSE(is_success(pair_one(store, pair_request(random, sm(at), tp((at + 1) % pairs))).verdict));
    }
    EXPECT_OK(store.verify());
    if (HasFailure()) ADD_FAILURE() << when;
  }

  test::TemporaryFolder folder;
  test::SeededRandom random{5};
  PowerCutSqlite disk;
  std::map<std::size_t, Stay> known, asked;
};

TEST_F(PairingPowerCut, WhatWasAnsweredIsThereAndTheRestIsWholeOrNot) {
  begin_anew();
  ASSERT_TRUE(work());
  const std::size_t steps = disk.steps();
  EXPECT_GT(steps, 60U);
  std::size_t answered = 0;
  for (std::size_t step = 0; step <= steps && !HasFailure(); ++step)
    for (const auto unsynced : {Unsynced::lost, Unsynced::kept, Unsynced::prefix, Unsynced::scattered}) {
      begin_anew();
      disk.cut_at(step);
      static_cast<void>(work());
      for (const auto& [pair, stay] : known) answered += stay.number;
      disk.restore(unsynced, static_cast<std::uint32_t>(step + 1));
      expect_rules("cut at step " + std::to_string(step) + ", way " + std::to_string(static_cast<int>(unsynced)));
    }
  EXPECT_GT(answered, steps * 8);  // it was not for nothing
}

// The answer was lost with the power: the same request gets it.
TEST_F(PairingPowerCut, ARequestThatComesAgainIsAnsweredWhetherOrNotItWasCommitted) {
  const PairRequest request = pair_request(random, sm(0), tp(0));
  std::map<PairingVerdict, std::size_t> seen;
  for (std::size_t step = 0;; ++step) {
    begin_anew();
    disk.cut_at(step);
    bool cut = true;
    {
      const auto store = open();
      cut = !store || !(*store)->pair({&request, 1}, noon);
    }
    disk.restore(Unsynced::kept);
    const auto store = value_or_throw(open());
    const PairOutcome outcome = pair_one(*store, request, noon + 1);
    ASSERT_TRUE(is_success(outcome.verdict)) << step;
    EXPECT_EQ(outcome.lease.number, 1U);
    ++seen[outcome.verdict];
    if (!cut) break;
  }
  EXPECT_GT(seen[PairingVerdict::paired], 0U);
  EXPECT_GT(seen[PairingVerdict::repeated], 0U);
}

// The shim itself: a store that does not sync loses what it has answered.
TEST_F(PairingPowerCut, WithoutSyncingPairsWouldBeLost) {
  begin_anew();
  disk.ignore_syncs();
  { EXPECT_TRUE(pair(*value_or_throw(open()), 0)); }
  disk.restore(Unsynced::lost);
  EXPECT_EQ(value_or_throw(value_or_throw(open())->device(sm(0))).state, PairingState::virgin);
}

}  // namespace
}  // namespace cas::dcas
