// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/key_store.hpp"

#include <algorithm>
#include <barrier>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "kex/access_policy.hpp"
#include "kex/content_pattern.hpp"
#include "key_stores.hpp"
#include "service/store.hpp"
#include "tests/support/temporary_folder.hpp"

namespace cas::kex {
namespace {

using test::value_or_throw;

class SqliteBackend final : public KeyStoreBackend {
 public:
  SqliteBackend() { value_or_throw(create_sqlite_key_store(file())); }
  std::unique_ptr<KeyStore> open(const SecretBytes& storage_key, Random& random) override {
    return value_or_throw(open_sqlite_key_store(file(), storage_key, random));
  }
  void change(const std::string& sql) override {
    auto raw = open_raw();
    auto transaction = value_or_throw(raw.begin());
    ASSERT_OK(value_or_throw(raw.prepare(sql)).run());
    ASSERT_OK(transaction.commit());
  }
  std::vector<Bytes> read(const std::string& sql) override {
    auto raw = open_raw();
    auto statement = value_or_throw(raw.prepare(sql));
    std::vector<Bytes> all;
    while (value_or_throw(statement.step())) all.push_back(statement.bytes(0));
    return all;
  }
  [[nodiscard]] std::string literal(const Bytes& bytes) const override { return "x'" + to_hex(bytes) + "'"; }
  [[nodiscard]] std::filesystem::path file() const { return folder.path() / "keys.db"; }

 private:
  [[nodiscard]] service::Store open_raw() const {
    return value_or_throw(service::Store::open(file(), {"keys", 0x434b4d31, std::array<std::string_view, 1>{""}}));
  }
  test::TemporaryFolder folder;
};

const KeyStoreKind sqlite_kind{"Sqlite",
                               [] { return std::unique_ptr<KeyStoreBackend>(std::make_unique<SqliteBackend>()); },
                               [] { return std::string(); }};
INSTANTIATE_TEST_SUITE_P(Sqlite, KeyStores, testing::Values(sqlite_kind), [](const auto& of) { return of.param.name; });

// 5.2.2.
TEST_P(KeyStores, R5_2_2_AKeyStaysWithItsContentId) {
  const KeyProposal first = proposal("channel", 1);
  {
    const auto store = open();
    const auto settled = settle_one(*store, first);
    expect_same(settled, first.key);
    EXPECT_TRUE(settled->fresh);
  }
  const auto store = open();
  EXPECT_EQ(value_or_throw(store->count()), 1U);
  const auto again = settle_one(*store, proposal("channel", 1));  // another key is proposed
  expect_same(again, first.key);
  EXPECT_FALSE(again->fresh);
  const auto by_content = backend->read("SELECT kid FROM content_key WHERE content_id = 'channel'");
  ASSERT_EQ(by_content.size(), 1U);
  EXPECT_EQ(to_hex(by_content[0]), to_hex(first.key.kid.bytes));
}

TEST_P(KeyStores, WhoeverIsFirstWins) {
  const auto one = open(), other = open();
  for (std::uint64_t period = 0; period < 50; ++period) {
    const KeyProposal a = proposal("channel", period), b = proposal("channel", period);
    KeyStore& first = period % 2 == 0 ? *one : *other;
    KeyStore& second = period % 2 == 0 ? *other : *one;
    expect_same(settle_one(first, a), a.key);
    expect_same(settle_one(second, b), a.key);
  }
}

TEST_P(KeyStores, ManyAreSettledAtOnce) {
  const auto store = open();
  std::vector<KeyProposal> wanted;
  for (std::uint64_t period = 0; period < 20; ++period) wanted.push_back(proposal("channel", period % 10));
  const auto settled = value_or_throw(store->settle(wanted));
  ASSERT_EQ(settled.size(), 20U);
  for (std::size_t at = 0; at < 20; ++at) expect_same(settled[at], wanted[at % 10].key);
}

TEST_P(KeyStores, AKeyIdIsOfOneNameAlone) {
  const auto store = open();
  const KeyProposal first = proposal("channel", 1);
  expect_same(settle_one(*store, first), first.key);
  KeyProposal second = proposal("channel", 2);
  second.key.kid = first.key.kid;
  const auto replaced = settle_one(*store, second);
  ASSERT_OK(replaced);
  EXPECT_NE(replaced->key.kid, first.key.kid);
  KeyProposal brought = proposal("channel", 3);
  brought.key.kid = first.key.kid;
  EXPECT_FAILS(bring_one(*store, brought), ErrorKind::refused);
  EXPECT_EQ(value_or_throw(store->count()), 2U);  // nor is it kept under another id
}

TEST_P(KeyStores, AKeyThatIsBroughtIsTheOneOrAnError) {
  const auto store = open();
  KeyProposal brought = proposal("channel", 1);
  brought.key.auxiliary = {{{}, "rating", "12"}};
  const auto first = bring_one(*store, brought);
  expect_same(first, brought.key);
  EXPECT_TRUE(first->fresh);
  const auto again = bring_one(*store, brought);  // nothing has changed
  expect_same(again, brought.key);
  EXPECT_FALSE(again->fresh);
  const auto asked = settle_one(*store, proposal("channel", 1));
  expect_same(asked, brought.key);
  EXPECT_EQ(asked->key.auxiliary, brought.key.auxiliary);
  KeyProposal other = proposal("channel", 1);
  EXPECT_FAILS(bring_one(*store, other), ErrorKind::refused);
  other.key.kid = brought.key.kid;
  EXPECT_FAILS(bring_one(*store, other), ErrorKind::refused);
  expect_same(settle_one(*store, proposal("channel", 1)), brought.key);
}

TEST_P(KeyStores, KeysAreBroughtAllOrNone) {
  const auto store = open();
  const KeyProposal there = proposal("channel", 2);
  expect_same(settle_one(*store, there), there.key);
  const auto proposals = [&] {
    std::vector<KeyProposal> keys;
    for (const std::uint64_t period : {1, 2, 3}) keys.push_back(proposal("channel", period));
    return keys;
  };
  std::vector<KeyProposal> keys = proposals();
  EXPECT_FAILS(store->bring(keys), ErrorKind::refused);  // another key is there for the second
  EXPECT_EQ(value_or_throw(store->count()), 1U);
  keys[1].key = there.key.clone();
  keys[2].key.kid = there.key.kid;  // of another name
  EXPECT_FAILS(store->bring(keys), ErrorKind::refused);
  keys[2].key.kid = keys[0].key.kid;  // of another one that is brought
  EXPECT_FAILS(store->bring(keys), ErrorKind::refused);
  EXPECT_EQ(value_or_throw(store->count()), 1U);
  keys[2] = proposal("channel", 3);
  const auto settled = value_or_throw(store->bring(keys));
  ASSERT_EQ(settled.size(), 3U);
  for (std::size_t at = 0; at < 3; ++at) {
    expect_same(settled[at], keys[at].key);
    EXPECT_EQ(settled[at].fresh, at != 1);
  }
  EXPECT_EQ(value_or_throw(store->count()), 3U);
}

// Several servers are brought keys for the same names at the same time.
TEST_P(KeyStores, WhoeverBringsFirstWins) {
  constexpr std::size_t servers = 3, rounds = 20, keys_of_round = 4;
  std::vector<std::unique_ptr<KeyStore>> stores;
  std::vector<test::SeededRandom> randoms;
  for (std::size_t server = 0; server < servers; ++server) randoms.emplace_back(100 + server);
  for (std::size_t server = 0; server < servers; ++server) stores.push_back(open_with(randoms[server]));
  std::vector<std::vector<std::vector<KeyProposal>>> brought(servers);
  for (std::size_t server = 0; server < servers; ++server)
    for (std::size_t round = 0; round < rounds; ++round) {
      auto& keys = brought[server].emplace_back();
      // The servers' names overlap in part, and come in other orders.
      for (std::size_t at = 0; at < keys_of_round; ++at)
        keys.push_back(proposal_of(randoms[server], "channel", round * 100 + server + at));
      if (server % 2 == 1) std::ranges::reverse(keys);
    }
  std::vector<std::vector<bool>> taken(servers, std::vector<bool>(rounds));
  std::barrier together(servers);
  std::vector<std::thread> threads;
  for (std::size_t server = 0; server < servers; ++server)
    threads.emplace_back([&, server] {
      for (std::size_t round = 0; round < rounds; ++round) {
        together.arrive_and_wait();
        const auto settled = stores[server]->bring(brought[server][round]);
        EXPECT_TRUE(settled || settled.error().kind == ErrorKind::refused) << settled.error().message;
        taken[server][round] = settled.has_value();
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (std::size_t round = 0; round < rounds; ++round) {
    // All of them share a name: one was taken, as a whole, and nothing of the others.
    std::size_t winners = 0;
    for (std::size_t server = 0; server < servers; ++server) {
      if (!taken[server][round]) continue;
      ++winners;
      for (const KeyProposal& key : brought[server][round])
        expect_same(settle_one(*stores[0], KeyProposal{key.name, proposal("channel", 0).key}), key.key);
    }
    EXPECT_EQ(winners, 1U) << round;
  }
  EXPECT_EQ(value_or_throw(stores[0]->count()), rounds * keys_of_round);
}

TEST(SqliteKeys, NoKeyStandsInTheFile) {
  test::TemporaryFolder folder;
  test::SeededRandom random{9};
  KeyProposal first;
  first.name.content_id = "channel";
  first.key.value = value_or_throw(random_secret(random, content_key_size));
  ASSERT_OK(create_sqlite_key_store(folder.path() / "keys.db"));
  {
    const auto store =
        value_or_throw(open_sqlite_key_store(folder.path() / "keys.db", SecretBytes(storage_key_size), random));
    EXPECT_OK(store->settle({&first, 1}));
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(in), {}};
    EXPECT_EQ(content.find(as_text(first.key.value.reveal())), std::string::npos) << entry.path();
  }
}

TEST_P(KeyStores, NoKeyStandsInTheTable) {
  const KeyProposal first = proposal("channel", 1);
  EXPECT_OK(settle_one(*open(), first));
  for (const char* column : {"name", "kid", "iv", "value", "auxiliary"}) {
    const auto values = backend->read(std::string("SELECT ") + column + " FROM content_key");
    ASSERT_EQ(values.size(), 1U);
    EXPECT_EQ(as_text(values[0]).find(as_text(first.key.value.reveal())), std::string::npos) << column;
  }
}

TEST_P(KeyStores, AnotherStorageKeyOpensNothing) {
  const KeyProposal first = proposal("channel", 1);
  { EXPECT_OK(settle_one(*open(1), first)); }
  const auto store = open(2);
  EXPECT_FAILS(settle_one(*store, proposal("channel", 1)), ErrorKind::authentication_failed);
}

// Who can write into the database cannot give one content the key of another.
TEST_P(KeyStores, RowsCannotBeExchanged) {
  const KeyProposal first = proposal("free", 1), second = proposal("dear", 1);
  {
    const auto store = open();
    EXPECT_OK(settle_one(*store, first));
    EXPECT_OK(settle_one(*store, second));
  }
  backend->change(
      "UPDATE content_key SET value = (SELECT value FROM content_key WHERE content_id = 'free') "
      "WHERE content_id = 'dear'");
  backend->change("UPDATE content_key SET kid = " + backend->zeros() + " WHERE content_id = 'free'");
  const auto store = open();
  EXPECT_FAILS(settle_one(*store, proposal("dear", 1)), ErrorKind::authentication_failed);
  EXPECT_FAILS(settle_one(*store, proposal("free", 1)), ErrorKind::authentication_failed);
}

TEST_P(KeyStores, ARowIsOfItsNameAlone) {
  const KeyProposal first = proposal("free", 1), second = proposal("dear", 1);
  {
    const auto store = open();
    EXPECT_OK(settle_one(*store, first));
    EXPECT_OK(settle_one(*store, second));
  }
  backend->change("DELETE FROM content_key WHERE content_id = 'dear'");
  backend->change("UPDATE content_key SET content_id = 'dear', name = " + backend->literal(second.name.encode()));
  EXPECT_FAILS(settle_one(*open(), proposal("dear", 1)), ErrorKind::authentication_failed);
}

TEST_P(KeyStores, IdAndVectorOfAKeyAreItsOwn) {
  const KeyProposal first = proposal("channel", 1);
  { EXPECT_OK(settle_one(*open(), first)); }
  backend->change("UPDATE content_key SET iv = " + backend->zeros());
  EXPECT_FAILS(settle_one(*open(), first), ErrorKind::authentication_failed);
}

// Two servers ask for the same names, from the front and from the back: each name has one key.
TEST_P(KeyStores, TwoServersRace) {
  constexpr std::uint64_t names = 240, at_once = 8;
  std::array<std::map<std::uint64_t, Uuid>, 2> found;
  std::array<std::size_t, 2> fresh{};
  std::barrier together(2);
  const auto race = [&](std::size_t who) {
    test::SeededRandom own(static_cast<std::uint32_t>(who) + 20);
    const auto store = open_with(own);
    together.arrive_and_wait();
    for (std::uint64_t batch = 0; batch < names / at_once; ++batch) {
      std::vector<KeyProposal> wanted;
      for (std::uint64_t at = 0; at < at_once; ++at) {
        const std::uint64_t number = batch * at_once + at;
        wanted.push_back(proposal_of(own, "channel", who == 0 ? number : number ^ (at_once - 1)));
      }
      const auto settled = store->settle(wanted);
      ASSERT_OK(settled);
      for (std::size_t at = 0; at < wanted.size(); ++at) {
        fresh[who] += settled->at(at).fresh ? 1 : 0;
        found[who].emplace(*wanted[at].name.period_index, settled->at(at).key.kid);
      }
    }
  };
  std::thread other(race, 1);
  race(0);
  other.join();
  EXPECT_EQ(found[0].size(), names);
  EXPECT_EQ(found[0], found[1]);
  EXPECT_EQ(fresh[0] + fresh[1], names);
  EXPECT_EQ(value_or_throw(open()->count()), names);
}

// Key ids that cross: each server waits for what the other one has.
TEST_P(KeyStores, ServersThatWaitForOneAnotherBothGoOn) {
  constexpr std::uint64_t rounds = 20;
  std::vector<Uuid> ids;
  for (std::uint64_t at = 0; at < 2 * rounds; ++at) ids.push_back(value_or_throw(Uuid::draw(random)));
  std::barrier together(2);
  const auto push = [&](std::size_t who) {
    test::SeededRandom own(static_cast<std::uint32_t>(who) + 30);
    const auto store = open_with(own);
    for (std::uint64_t round = 0; round < rounds; ++round) {
      std::vector<KeyProposal> wanted;
      for (std::uint64_t at = 0; at < 2; ++at) {
        wanted.push_back(proposal_of(own, "server-" + std::to_string(who), round * 2 + at));
        wanted.back().key.kid = ids[round * 2 + (who == 0 ? at : 1 - at)];
      }
      together.arrive_and_wait();
      const auto settled = store->settle(wanted);
      ASSERT_OK(settled);
    }
  };
  std::thread other(push, 1);
  push(0);
  other.join();
  EXPECT_EQ(value_or_throw(open()->count()), 4 * rounds);
  std::set<std::string> different;
  for (const Bytes& id : backend->read("SELECT kid FROM content_key")) different.insert(to_hex(id));
  EXPECT_EQ(different.size(), 4 * rounds);
}

TEST(StoredKeyCipher, ChecksSizes) {
  test::SeededRandom random(1);
  EXPECT_FAILS(StoredKeyCipher::create(SecretBytes(16), random), ErrorKind::invalid_argument);
  auto cipher = value_or_throw(StoredKeyCipher::create(SecretBytes(32), random));
  EXPECT_FAILS(cipher.open({}, {}, {}, Bytes(27)), ErrorKind::malformed);
}

TEST(ContentPattern, StarsAndQuestionMarks) {
  for (const auto& [pattern, text] : {std::pair("*", ""),
                                      {"*", "a"},
                                      {"a*", "abc"},
                                      {"*c", "abc"},
                                      {"a*c", "ac"},
                                      {"a*b*c", "aXbYbZc"},
                                      {"a?c", "abc"},
                                      {"abc", "abc"},
                                      {"**", "x"},
                                      {"*a*", "bab"}})
    EXPECT_TRUE(matches(pattern, text)) << pattern << " " << text;
  for (const auto& [pattern, text] : {std::pair("", "a"),
                                      {"a", ""},
                                      {"?", ""},
                                      {"a*c", "abd"},
                                      {"a?c", "ac"},
                                      {"abc", "abcd"},
                                      {"a*b", "acc"},
                                      {"A*", "abc"}})
    EXPECT_FALSE(matches(pattern, text)) << pattern << " " << text;
  // Stays quick where a naive matcher is exponential.
  std::string many;
  for (int i = 0; i < 100; ++i) many += "*a";
  EXPECT_FALSE(matches(many + "b", std::string(256, 'a')));
}

TEST(AccessPolicy, WhatIsNotAllowedIsRefused) {
  AccessPolicy policy;
  policy.set("encoder", {{"news-*", "sport"}, {"news-own-*"}});
  EXPECT_OK(policy.check("encoder", KeyAccess::ask, "news-1"));
  EXPECT_OK(policy.check("encoder", KeyAccess::ask, "sport"));
  EXPECT_OK(policy.check("encoder", KeyAccess::push, "news-own-1"));
  EXPECT_FAILS(policy.check("encoder", KeyAccess::push, "news-1"), ErrorKind::refused);
  EXPECT_FAILS(policy.check("encoder", KeyAccess::ask, "movies"), ErrorKind::refused);
  EXPECT_FAILS(policy.check("nobody", KeyAccess::ask, "news-1"), ErrorKind::refused);
  EXPECT_FAILS(policy.check("", KeyAccess::ask, "news-1"), ErrorKind::refused);
}

}  // namespace
}  // namespace cas::kex
