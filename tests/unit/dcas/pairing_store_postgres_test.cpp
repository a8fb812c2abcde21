// SPDX-License-Identifier: LGPL-2.1-or-later
#include <atomic>
#include <map>
#include <thread>

#include "pairing_stores.hpp"
#include "support/private_postgres.hpp"

namespace cas::dcas {
namespace {

using service::PostgresConnection;
using test::PrivatePostgres;
using test::value_or_throw;

/// One server for all tests that leave it running; nothing where this machine has none.
PrivatePostgres* shared_server() {
  static const std::unique_ptr<PrivatePostgres> server = []() -> std::unique_ptr<PrivatePostgres> {
    if (!PrivatePostgres::missing().empty()) return nullptr;
    return value_or_throw(PrivatePostgres::start({.durable = false, .settings = {"deadlock_timeout=10ms"}}));
  }();
  return server.get();
}

class PostgresBackend final : public PairingStoreBackend {
 public:
  explicit PostgresBackend(const PrivatePostgres& server) : url_(server.url()) {
    change("DROP TABLE IF EXISTS dcas_device");
  }
  std::unique_ptr<PairingStore> open(const SecretBytes& storage_key, Random& random) override {
    return value_or_throw(open_postgres_pairing_store({url_, {}}, storage_key, random));
  }
  void change(const std::string& sql) override {
    auto connection = value_or_throw(PostgresConnection::open({url_, {}}));
    ASSERT_OK(connection.run(sql));
  }
  std::vector<Bytes> read(const std::string& sql) override {
    auto connection = value_or_throw(PostgresConnection::open({url_, {}}));
    value_or_throw(connection.prepare("read", sql));
    const auto rows = value_or_throw(connection.execute({"read", {}}));
    std::vector<Bytes> all;
    for (std::size_t row = 0; row < rows.size(); ++row) all.push_back(rows.bytes(row, 0));
    return all;
  }
  [[nodiscard]] std::string zeros() const override { return "decode(repeat('00', 16), 'hex')"; }

 private:
  std::string url_;
};

const PairingStoreKind postgres_kind{
    "Postgres",
    [] {
      const PrivatePostgres* server = shared_server();
      return server == nullptr ? nullptr
                               : std::unique_ptr<PairingStoreBackend>(std::make_unique<PostgresBackend>(*server));
    },
    [] { return PrivatePostgres::missing(); }};
INSTANTIATE_TEST_SUITE_P(Postgres, PairingStores, testing::Values(postgres_kind),
                         [](const auto& of) { return of.param.name; });

class PostgresPairs : public PairingStores {};
INSTANTIATE_TEST_SUITE_P(Postgres, PostgresPairs, testing::Values(postgres_kind),
                         [](const auto& of) { return of.param.name; });

constexpr const char* cut_all =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";

// Cut while each call is at work: what was answered stays, and what failed is asked again and done once.
TEST_P(PostgresPairs, ConnectionsThatAreCutLoseNothing) {
  constexpr std::size_t pairs = 10, turns = 40;
  const auto store = open();
  add(*store, pairs);
  std::atomic<std::size_t> turn{0};
  std::thread cutter([&] {
    for (std::size_t seen = 0; seen < turns; ++seen) {
      turn.wait(seen);
      backend->change(cut_all);
    }
  });
  const auto until_answered = [&](const auto& call) {
    for (;;) {
      auto outcomes = call();
      if (outcomes) return std::move(outcomes->at(0));
      EXPECT_STREQ(error_kind_name(outcomes.error().kind), error_kind_name(ErrorKind::io)) << outcomes.error().message;
    }
  };
  std::map<std::string, std::uint64_t> stays;
  for (std::size_t at = 0; at < turns; ++at) {
    const std::string sm = "sm-" + std::to_string(at % pairs), tp = "tp-" + std::to_string(at % pairs);
    const PairRequest request = pair_request(random, sm, tp);
    ++turn;
    turn.notify_one();
    const PairOutcome outcome = until_answered([&] { return store->pair({&request, 1}, noon); });
    EXPECT_TRUE(is_success(outcome.verdict)) << pairing_verdict_name(outcome.verdict);
    EXPECT_EQ(outcome.lease.number, ++stays[sm]);
    const LeaseReport report{sm, tp, "ap-1", stays[sm]};
    const LeaseVerdict verdict = until_answered([&] { return store->leave({&report, 1}, noon); });
    EXPECT_TRUE(verdict == LeaseVerdict::done || verdict == LeaseVerdict::done_before);
  }
  cutter.join();
  const auto again = open();
  EXPECT_OK(again->verify());
  for (const auto& [sm, number] : stays) EXPECT_EQ(value_or_throw(again->device(sm)).lease->number, number);
}

// A database whose owner has made the table once: the server's own account needs no right to make any.
TEST_P(PostgresPairs, AnAccountThatMayReadAddAndChangeIsEnough) {
  { const auto store = open(); }
  backend->change(
      "DO $$ BEGIN CREATE ROLE small LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
      "REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA public TO small;"
      "GRANT SELECT, INSERT, UPDATE ON dcas_device TO small;");
  const SecretBytes key(service::storage_key_size);
  const auto store = value_or_throw(open_postgres_pairing_store({shared_server()->url("small"), {}}, key, random));
  add(*store, 1);
  EXPECT_EQ(pair(*store, "sm-0", "tp-0"), PairingVerdict::paired);
  EXPECT_EQ(value_or_throw(store->expire(noon + 1000, 10)).size(), 1U);
  backend->change("DROP TABLE dcas_device");
  EXPECT_FAILS(open_postgres_pairing_store({shared_server()->url("small"), {}}, key, random),
               ErrorKind::permission_denied);
}

// Both find that there is no table.
TEST_P(PostgresPairs, TwoServersComeAtOnceToAnEmptyDatabase) {
  for (int round = 0; round < 5; ++round) {
    backend->change("DROP TABLE IF EXISTS dcas_device");
    std::thread other([&] {
      test::SeededRandom own(8);
      EXPECT_EQ(value_or_throw(open_with(own)->count()), 0U);
    });
    EXPECT_EQ(value_or_throw(open()->count()), 0U);
    other.join();
  }
}

// Two servers add the same devices.
TEST_P(PostgresPairs, DevicesThatTwoServersAddAreThereOnce) {
  constexpr std::size_t rounds = 10, devices = 20;
  const auto one = open(), other = open();
  for (std::size_t round = 0; round < rounds; ++round) {
    std::vector<NewDevice> same;
    for (std::size_t at = 0; at < devices; ++at)
      same.push_back(new_sm(random, "sm-" + std::to_string(round) + "-" + std::to_string(at)));
    std::uint64_t fresh = 0;
    std::thread thread([&] { fresh = value_or_throw(other->add_devices(same)); });
    const std::uint64_t own = value_or_throw(one->add_devices(same));
    thread.join();
    EXPECT_EQ(own + fresh, devices);
  }
  EXPECT_EQ(value_or_throw(one->count()), rounds * devices);
}

// Figure 5 on a disk that keeps nothing for sure but what was synced; also where the database is not to wait for it.
TEST(PairingPostgresPowerCut, WhatWasAnsweredIsThereAfterwards) {
  if (!PrivatePostgres::missing().empty()) GTEST_SKIP() << PrivatePostgres::missing();
  const auto server =
      value_or_throw(PrivatePostgres::start({.durable = true,
                                             .settings = {"synchronous_commit=off", "wal_writer_delay=10s"},
                                             .power_cuts = CAS_UNSYNCED_WRITES}));
  test::SeededRandom random{4};
  const auto open = [&] {
    return value_or_throw(
        open_postgres_pairing_store({server->url(), {}}, SecretBytes(service::storage_key_size), random));
  };
  using Left = test::UnsyncedWrites::Left;
  std::size_t lost = 0;
  for (std::uint32_t cut = 0; cut < 9; ++cut) {
    SCOPED_TRACE(cut);
    {
      const auto store = open();
      EXPECT_OK(store->verify());
      EXPECT_EQ(value_or_throw(store->count()), 2 * cut);
      const auto id = [](const char* kind, std::uint32_t number) { return kind + std::to_string(number); };
      for (std::uint32_t before = 0; before < cut; ++before) {
        // Even ones have left, odd ones are there.
        const DeviceRecord record = value_or_throw(store->device(id("sm-", before)));
        EXPECT_EQ(record.partner, id("tp-", before));
        EXPECT_EQ(record.state, before % 2 == 0 ? PairingState::paired_only : PairingState::auth_paired);
      }
      std::vector<NewDevice> devices;
      devices.push_back(new_sm(random, id("sm-", cut)));
      devices.push_back(new_tp(id("tp-", cut)));
      ASSERT_OK(store->add_devices(devices));
      ASSERT_EQ(pair_one(*store, pair_request(random, id("sm-", cut), id("tp-", cut))).verdict, PairingVerdict::paired);
      if (cut % 2 == 0) {
        ASSERT_EQ(leave_one(*store, {id("sm-", cut), id("tp-", cut), "ap-1", 1}), LeaseVerdict::done);
      }
    }
    const Left left = std::array{Left::nothing, Left::first_half, Left::scattered}[cut % 3];
    lost += value_or_throw(server->cut_power(left, cut));
    ASSERT_OK(server->restart());
  }
  EXPECT_GT(lost, 9U);  // it was not for nothing
}

TEST(PostgresPairingStore, AServerThatIsGoneIsAFailureUntilItIsBack) {
  if (!PrivatePostgres::missing().empty()) GTEST_SKIP() << PrivatePostgres::missing();
  const auto server = value_or_throw(PrivatePostgres::start());
  test::SeededRandom random(4);
  const auto store =
      value_or_throw(open_postgres_pairing_store({server->url(), {}}, SecretBytes(service::storage_key_size), random));
  std::vector<NewDevice> devices;
  devices.push_back(new_sm(random, "sm"));
  devices.push_back(new_tp("tp"));
  ASSERT_OK(store->add_devices(devices));
  const PairRequest request = pair_request(random, "sm", "tp");
  server->kill();
  EXPECT_FAILS(store->pair({&request, 1}, noon), ErrorKind::io);
  EXPECT_FAILS(store->check(), ErrorKind::io);
  ASSERT_OK(server->restart());
  EXPECT_OK(store->check());
  EXPECT_EQ(pair_one(*store, request).verdict, PairingVerdict::paired);
}

}  // namespace
}  // namespace cas::dcas
