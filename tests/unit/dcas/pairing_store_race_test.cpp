// SPDX-License-Identifier: LGPL-2.1-or-later
// Several servers on one database ask at the same time: figure 6's outcomes, and no others.
#include <algorithm>
#include <array>
#include <barrier>
#include <map>
#include <set>
#include <thread>

#include "pairing_stores.hpp"

namespace cas::dcas {
namespace {

using test::value_or_throw;

TEST_P(PairingStores, TwoServersAndTheSamePair) {
  constexpr std::size_t pairs = 40;
  const auto one = open(), other = open();
  add(*one, pairs);
  std::array<std::vector<PairRequest>, 2> requests;
  for (std::size_t at = 0; at < pairs; ++at)
    for (std::size_t server = 0; server < 2; ++server)
      requests[server].push_back(
          pair_request(random, "sm-" + std::to_string(at), "tp-" + std::to_string(at), "ap-" + std::to_string(server)));
  std::array<std::map<std::string, PairingVerdict>, 2> verdicts;
  std::barrier together(2);
  const auto race = [&](std::size_t server) {
    PairingStore& store = server == 0 ? *one : *other;
    for (const PairRequest& request : requests[server]) {
      together.arrive_and_wait();
      verdicts[server].emplace(request.sm, pair_one(store, request).verdict);
    }
  };
  std::thread thread(race, 1);
  race(0);
  thread.join();
  for (std::size_t at = 0; at < pairs; ++at) {
    const std::string sm = "sm-" + std::to_string(at);
    const std::set<PairingVerdict> both{verdicts[0].at(sm), verdicts[1].at(sm)};
    EXPECT_EQ(both, (std::set{PairingVerdict::paired, PairingVerdict::already_paired})) << sm;
    const std::size_t winner = is_success(verdicts[0].at(sm)) ? 0 : 1;
    EXPECT_EQ(value_or_throw(one->device(sm)).lease->ap, "ap-" + std::to_string(winner));
  }
  EXPECT_OK(one->verify());
}

// Two batches for the same four devices, crosswise: one wins as a whole, since a batch is one transaction.
TEST_P(PairingStores, TwoServersAndSwappedPairs) {
  constexpr std::size_t fours = 25;
  const auto one = open(), other = open();
  add(*one, 2 * fours);
  std::barrier together(2);
  std::array<std::vector<std::array<PairingVerdict, 2>>, 2> verdicts;
  const auto race = [&](std::size_t server) {
    test::SeededRandom own(server + 50);
    PairingStore& store = server == 0 ? *one : *other;
    for (std::size_t four = 0; four < fours; ++four) {
      std::vector<PairRequest> requests;
      for (std::size_t at = 0; at < 2; ++at)
        requests.push_back(pair_request(own, "sm-" + std::to_string(2 * four + at),
                                        "tp-" + std::to_string(2 * four + (server == 0 ? at : 1 - at))));
      together.arrive_and_wait();
      const auto outcomes = value_or_throw(store.pair(requests, noon));
      verdicts[server].push_back({outcomes[0].verdict, outcomes[1].verdict});
    }
  };
  std::thread thread(race, 1);
  race(0);
  thread.join();
  const std::array won{PairingVerdict::paired, PairingVerdict::paired},
      lost{PairingVerdict::already_paired, PairingVerdict::already_paired};
  for (std::size_t four = 0; four < fours; ++four) {
    const bool first = verdicts[0][four] == won;
    EXPECT_EQ(verdicts[0][four], first ? won : lost);
    EXPECT_EQ(verdicts[1][four], first ? lost : won);
    for (std::size_t at = 0; at < 2; ++at)
      expect_pair(*one, "sm-" + std::to_string(2 * four + at), "tp-" + std::to_string(2 * four + (first ? at : 1 - at)),
                  PairingState::auth_paired);
  }
  EXPECT_OK(one->verify());
}

// Partners that have left, asked for again by one server, and crosswise by the other: they come back, and nobody else.
TEST_P(PairingStores, PartnersComeBackWhileAnotherSwapsThem) {
  constexpr std::size_t pairs = 20;
  const auto one = open(), other = open();
  add(*one, pairs);
  std::vector<PairRequest> all;
  std::vector<LeaseReport> leaves;
  for (std::size_t at = 0; at < pairs; ++at) {
    all.push_back(pair_request(random, "sm-" + std::to_string(at), "tp-" + std::to_string(at)));
    leaves.push_back({all.back().sm, all.back().tp, "ap-1", 1});
  }
  ASSERT_OK(one->pair(all, noon));
  ASSERT_OK(one->leave(leaves, noon));
  std::barrier together(2);
  std::thread thread([&] {
    test::SeededRandom own(7);
    for (std::size_t at = 0; at < pairs; ++at) {
      const std::string swapped = "tp-" + std::to_string((at + 1) % pairs);
      const PairRequest request = pair_request(own, "sm-" + std::to_string(at), swapped);
      together.arrive_and_wait();
      EXPECT_FALSE(is_success(pair_one(*other, request).verdict)) << at;
    }
  });
  for (std::size_t at = 0; at < pairs; ++at) {
    const PairRequest request = pair_request(random, "sm-" + std::to_string(at), "tp-" + std::to_string(at));
    together.arrive_and_wait();
    EXPECT_EQ(pair_one(*one, request).verdict, PairingVerdict::paired_again) << at;
  }
  thread.join();
  EXPECT_OK(one->verify());
}

// Whatever three servers ask, leave and sweep, in any order: a device has one partner for good, and of the stays of a pair
// each is given to one request.
TEST_P(PairingStores, ServersThatDoEverythingAtOnceKeepToTheRules) {
  constexpr std::size_t devices = 8, calls = 60, count = 3;
  add(*open(), devices);
  std::barrier together(count);
  struct Told {
    std::string sm, tp;
    std::uint64_t number;
  };
  std::array<std::vector<Told>, count> told;
  const auto work = [&](std::size_t server) {
    test::SeededRandom own(server + 70);
    const auto store = open_with(own);
    together.arrive_and_wait();
    for (std::size_t call = 0; call < calls; ++call) {
      const UnixSeconds now = noon + static_cast<UnixSeconds>(call) * 60;
      std::vector<PairRequest> requests;
      for (std::size_t at = 0; at < 4; ++at) {
        // Mostly their own partners, so that many come back.
        const std::size_t sm = own.below(devices), tp = own.below(3) == 0 ? own.below(devices) : sm;
        requests.push_back(pair_request(own, "sm-" + std::to_string(sm), "tp-" + std::to_string(tp)));
      }
      const auto outcomes = store->pair(requests, now);
      ASSERT_OK(outcomes);
      std::vector<LeaseReport> leaves;
      for (std::size_t at = 0; at < requests.size(); ++at) {
        if (!is_success(outcomes->at(at).verdict)) continue;
        told[server].push_back({requests[at].sm, requests[at].tp, outcomes->at(at).lease.number});
        if (own.below(2) == 0)
          leaves.push_back({requests[at].sm, requests[at].tp, "ap-1", outcomes->at(at).lease.number});
      }
      ASSERT_OK(store->leave(leaves, now));
      if (call % 5 == server) ASSERT_OK(store->expire(now, 3));
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t server = 1; server < count; ++server) threads.emplace_back(work, server);
  work(0);
  for (std::thread& thread : threads) thread.join();
  std::map<std::string, std::string> partner;
  std::set<std::pair<std::string, std::uint64_t>> stays;
  for (const auto& all : told)
    for (const Told& one : all) {
      EXPECT_EQ(partner.try_emplace(one.sm, one.tp).first->second, one.tp);
      EXPECT_EQ(partner.try_emplace(one.tp, one.sm).first->second, one.sm);
      EXPECT_TRUE(stays.emplace(one.sm, one.number).second) << one.sm << " " << one.number;
    }
  EXPECT_GT(stays.size(), 2 * devices);  // they did come back
  const auto store = open();
  EXPECT_OK(store->verify());
  for (const auto& [id, its] : partner) EXPECT_EQ(partner_of(*store, id), its);
}

// Each is swept by one server.
TEST_P(PairingStores, TwoServersSweepTheSameLeases) {
  constexpr std::size_t pairs = 60;
  const auto one = open(), other = open();
  add(*one, pairs);
  std::vector<PairRequest> all;
  for (std::size_t at = 0; at < pairs; ++at)
    all.push_back(pair_request(random, "sm-" + std::to_string(at), "tp-" + std::to_string(at)));
  ASSERT_OK(one->pair(all, noon));
  std::barrier together(2);
  std::array<std::vector<std::string>, 2> ended;
  const auto sweep = [&](std::size_t server) {
    PairingStore& store = server == 0 ? *one : *other;
    together.arrive_and_wait();
    for (int round = 0; round < 20; ++round)
      for (const EndedLease& lease : value_or_throw(store.expire(noon + 1000, 7))) ended[server].push_back(lease.sm);
  };
  std::thread thread(sweep, 1);
  sweep(0);
  thread.join();
  std::set<std::string> different(ended[0].begin(), ended[0].end());
  different.insert(ended[1].begin(), ended[1].end());
  EXPECT_EQ(different.size(), pairs);
  EXPECT_EQ(ended[0].size() + ended[1].size(), pairs);
  EXPECT_OK(one->verify());
}

}  // namespace
}  // namespace cas::dcas
