// SPDX-License-Identifier: LGPL-2.1-or-later
#include <thread>

#include "key_stores.hpp"
#include "support/private_postgres.hpp"

namespace cas::kex {
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

class PostgresBackend final : public KeyStoreBackend {
 public:
  explicit PostgresBackend(const PrivatePostgres& server) : url_(server.url()) {
    change("DROP TABLE IF EXISTS content_key");
  }
  std::unique_ptr<KeyStore> open(const SecretBytes& storage_key, Random& random) override {
    return value_or_throw(open_postgres_key_store({url_, {}}, storage_key, random));
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
  [[nodiscard]] std::string literal(const Bytes& bytes) const override {
    return "decode('" + to_hex(bytes) + "', 'hex')";
  }

 private:
  std::string url_;
};

const KeyStoreKind postgres_kind{
    "Postgres",
    [] {
      const PrivatePostgres* server = shared_server();
      return server == nullptr ? nullptr : std::unique_ptr<KeyStoreBackend>(std::make_unique<PostgresBackend>(*server));
    },
    [] { return PrivatePostgres::missing(); }};
INSTANTIATE_TEST_SUITE_P(Postgres, KeyStores, testing::Values(postgres_kind),
                         [](const auto& of) { return of.param.name; });

class PostgresKeys : public KeyStores {};
INSTANTIATE_TEST_SUITE_P(Postgres, PostgresKeys, testing::Values(postgres_kind),
                         [](const auto& of) { return of.param.name; });

TEST_P(PostgresKeys, AConnectionThatIsCutIsMadeAgain) {
  const auto store = open();
  const KeyProposal first = proposal("channel", 1);
  expect_same(settle_one(*store, first), first.key);
  for (std::uint64_t period = 2; period < 6; ++period) {
    backend->change(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()");
    expect_same(settle_one(*store, proposal("channel", 1)), first.key);
    const KeyProposal fresh = proposal("channel", period);
    expect_same(settle_one(*store, fresh), fresh.key);
  }
  EXPECT_EQ(value_or_throw(store->count()), 5U);
}

// Cut again and again while it works: whatever was answered stays.
TEST_P(PostgresKeys, ConnectionsThatAreCutLoseNothing) {
  const auto store = open();
  std::atomic<bool> done{false};
  std::thread cutter([&] {
    while (!done)
      backend->change(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
          "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()");
  });
  std::map<std::uint64_t, KeyMaterial> answered;
  for (std::uint64_t period = 0; period < 60; ++period) {
    auto settled = settle_one(*store, proposal("channel", period % 40));
    if (!settled) {
      EXPECT_STREQ(error_kind_name(settled.error().kind), error_kind_name(ErrorKind::io)) << settled.error().message;
      continue;
    }
    const auto [known, fresh] = answered.try_emplace(period % 40, std::move(settled->key));
    if (!fresh) expect_same(settled, known->second);
  }
  done = true;
  cutter.join();
  const auto again = open();
  for (const auto& [period, key] : answered) expect_same(settle_one(*again, proposal("channel", period)), key);
}

/// A database that loses power, and a store in it.
class PostgresPowerCut : public testing::Test {
 protected:
  void SetUp() override {
    if (!PrivatePostgres::missing().empty()) GTEST_SKIP() << PrivatePostgres::missing();
  }
  void start(bool durable, std::vector<std::string> settings = {}) {
    server = value_or_throw(PrivatePostgres::start(
        {.durable = durable, .settings = std::move(settings), .power_cuts = CAS_UNSYNCED_WRITES}));
  }
  std::unique_ptr<KeyStore> open() {
    return value_or_throw(open_postgres_key_store({server->url(), {}}, SecretBytes(storage_key_size), random));
  }
  /// Those keys as the store gives them, which may be new.
  std::vector<Bytes> settled(KeyStore& store, std::uint64_t count) {
    std::vector<KeyProposal> wanted(count);
    for (std::uint64_t period = 0; period < count; ++period) {
      wanted[period].name.content_id = "channel";
      wanted[period].name.period_index = period;
      wanted[period].key.kid = value_or_throw(Uuid::draw(random));
      wanted[period].key.value = value_or_throw(random_secret(random, content_key_size));
    }
    std::vector<Bytes> keys;
    for (auto& one : value_or_throw(store.settle(wanted))) keys.push_back(copy_of(one.key.value.reveal()));
    return keys;
  }

  test::SeededRandom random{4};
  std::unique_ptr<PrivatePostgres> server;
};

// 5.2.2 on a disk that keeps nothing for sure but what was synced; also where the database is not to wait for it.
TEST_F(PostgresPowerCut, R5_2_2_WhatWasAnsweredIsThereAfterwards) {
  start(true, {"synchronous_commit=off", "wal_writer_delay=10s"});
  std::size_t lost = 0;
  std::vector<Bytes> known;
  using Left = test::UnsyncedWrites::Left;
  for (std::uint32_t cut = 0; cut < 9; ++cut) {
    SCOPED_TRACE(cut);
    {
      const auto store = open();
      EXPECT_EQ(value_or_throw(store->count()), known.size());
      auto keys = settled(*store, known.size() + 5);
      ASSERT_TRUE(std::equal(known.begin(), known.end(), keys.begin()));
      known = std::move(keys);
    }
    const Left left = std::array{Left::nothing, Left::first_half, Left::scattered}[cut % 3];
    lost += value_or_throw(server->cut_power(left, cut));
    ASSERT_OK(server->restart());
  }
  EXPECT_EQ(settled(*open(), known.size()), known);
  EXPECT_GT(lost, 9U);  // it was not for nothing
}

// The disk of the test itself: a database that does not sync loses what it has answered.
TEST_F(PostgresPowerCut, WithoutSyncingKeysWouldBeLost) {
  start(false);
  ASSERT_OK(server->stop());
  ASSERT_OK(server->restart());
  const auto before = settled(*open(), 5);
  value_or_throw(server->cut_power(test::UnsyncedWrites::Left::nothing));
  const Status up = server->restart();
  if (!up) return;  // As well: there is no database left.
  test::SeededRandom other(5);
  const auto store = open_postgres_key_store({server->url(), {}}, SecretBytes(storage_key_size), other);
  EXPECT_TRUE(!store || settled(**store, 5) != before);
}

TEST(PostgresKeyStore, AServerThatIsGoneIsAFailureUntilItIsBack) {
  if (!PrivatePostgres::missing().empty()) GTEST_SKIP() << PrivatePostgres::missing();
  const auto server = value_or_throw(PrivatePostgres::start());
  test::SeededRandom random(4);
  const SecretBytes key(storage_key_size);
  const auto store = value_or_throw(open_postgres_key_store({server->url(), {}}, key, random));
  KeyProposal wanted;
  wanted.name.content_id = "channel";
  wanted.key.kid = value_or_throw(Uuid::draw(random));
  wanted.key.value = value_or_throw(random_secret(random, content_key_size));
  const KeyMaterial first = value_or_throw(store->settle({&wanted, 1})).at(0).key.clone();
  server->kill();
  EXPECT_FAILS(store->settle({&wanted, 1}), ErrorKind::io);
  EXPECT_FAILS(store->check(), ErrorKind::io);
  ASSERT_OK(server->restart());
  EXPECT_OK(store->check());
  wanted.key.kid = value_or_throw(Uuid::draw(random));
  const auto again = value_or_throw(store->settle({&wanted, 1}));
  EXPECT_EQ(again.at(0).key.kid, first.kid);
  EXPECT_FALSE(again.at(0).fresh);
}

// A database whose owner has made the table once: the server's own account needs no right to make any.
TEST_P(PostgresKeys, AnAccountThatMayReadAndAddIsEnough) {
  { const auto store = open(); }
  backend->change(
      "DO $$ BEGIN CREATE ROLE small LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
      "REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA public TO small;"
      "GRANT SELECT, INSERT ON content_key TO small;");
  const auto store = value_or_throw(
      open_postgres_key_store({shared_server()->url("small"), {}}, SecretBytes(storage_key_size), random));
  const KeyProposal first = proposal("channel", 1), second = proposal("channel", 2);
  expect_same(settle_one(*store, first), first.key);
  expect_same(bring_one(*store, second), second.key);
  backend->change("DROP TABLE content_key");
  EXPECT_FAILS(open_postgres_key_store({shared_server()->url("small"), {}}, SecretBytes(storage_key_size), random),
               ErrorKind::permission_denied);
}

// Both find that there is no table.
TEST_P(PostgresKeys, TwoServersComeAtOnceToAnEmptyDatabase) {
  for (int round = 0; round < 5; ++round) {
    backend->change("DROP TABLE IF EXISTS content_key");
    std::thread other([&] {
      test::SeededRandom own(8);
      EXPECT_EQ(value_or_throw(open_with(own)->count()), 0U);
    });
    EXPECT_EQ(value_or_throw(open()->count()), 0U);
    other.join();
  }
}

}  // namespace
}  // namespace cas::kex
