// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/key_store.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "kex/access_policy.hpp"
#include "kex/content_pattern.hpp"
#include "kex/stored_key_cipher.hpp"
#include "service/store.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"
#include "tests/support/temporary_folder.hpp"

namespace cas::kex {
namespace {

using test::value_or_throw;

class SqliteKeys : public testing::Test {
 protected:
  SqliteKeys() { EXPECT_OK(create_sqlite_key_store(file())); }
  [[nodiscard]] std::filesystem::path file() const { return folder.path() / "keys.db"; }
  std::unique_ptr<KeyStore> open(std::uint8_t storage_key = 1) {
    SecretBytes key(storage_key_size);
    key.reveal_mutable()[0] = storage_key;
    return value_or_throw(open_sqlite_key_store(file(), key, random));
  }
  KeyProposal proposal(const std::string& content, std::uint64_t period) {
    KeyProposal made;
    made.name.content_id = content;
    made.name.period_index = period;
    made.key.kid = value_or_throw(Uuid::draw(random));
    made.key.iv[0] = static_cast<std::uint8_t>(period);
    made.key.value = value_or_throw(random_secret(random, content_key_size));
    return made;
  }
  static Result<SettledKey> settle_one(KeyStore& store, const KeyProposal& wanted) {
    auto all = store.settle({&wanted, 1});
    if (!all) return fail(all.error());
    return std::move(all->at(0));
  }
  static void expect_same(const Result<SettledKey>& settled, const KeyMaterial& key) {
    ASSERT_OK(settled);
    EXPECT_EQ(settled->key.kid, key.kid);
    EXPECT_EQ(settled->key.iv, key.iv);
    EXPECT_TRUE(equal(settled->key.value.reveal(), key.value.reveal()));
  }

  test::TemporaryFolder folder;
  test::SeededRandom random{9};
};

// 5.2.2.
TEST_F(SqliteKeys, R5_2_2_AKeyStaysWithItsContentId) {
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
  auto file_of_store =
      value_or_throw(service::Store::open(file(), {"keys", 0x434b4d31, std::array<std::string_view, 1>{""}}));
  auto by_content = value_or_throw(file_of_store.prepare("SELECT kid FROM content_key WHERE content_id = 'channel'"));
  ASSERT_TRUE(value_or_throw(by_content.step()));
  EXPECT_EQ(to_hex(by_content.bytes(0)), to_hex(first.key.kid.bytes));
}

TEST_F(SqliteKeys, WhoeverIsFirstWins) {
  const auto one = open(), other = open();
  for (std::uint64_t period = 0; period < 50; ++period) {
    const KeyProposal a = proposal("channel", period), b = proposal("channel", period);
    KeyStore& first = period % 2 == 0 ? *one : *other;
    KeyStore& second = period % 2 == 0 ? *other : *one;
    expect_same(settle_one(first, a), a.key);
    expect_same(settle_one(second, b), a.key);
  }
}

TEST_F(SqliteKeys, ManyAreSettledAtOnce) {
  const auto store = open();
  std::vector<KeyProposal> wanted;
  for (std::uint64_t period = 0; period < 20; ++period) wanted.push_back(proposal("channel", period % 10));
  const auto settled = value_or_throw(store->settle(wanted));
  ASSERT_EQ(settled.size(), 20U);
  for (std::size_t at = 0; at < 20; ++at) expect_same(settled[at], wanted[at % 10].key);
}

TEST_F(SqliteKeys, AKeyIdIsOfOneNameAlone) {
  const auto store = open();
  const KeyProposal first = proposal("channel", 1);
  expect_same(settle_one(*store, first), first.key);
  KeyProposal second = proposal("channel", 2);
  second.key.kid = first.key.kid;
  const auto replaced = settle_one(*store, second);
  ASSERT_OK(replaced);
  EXPECT_NE(replaced->key.kid, first.key.kid);
  KeyProposal pushed = proposal("channel", 3);
  pushed.key.kid = first.key.kid;
  pushed.pushed = true;
  EXPECT_FAILS(settle_one(*store, pushed), ErrorKind::refused);
}

TEST_F(SqliteKeys, APushedKeyIsTheOneOrAnError) {
  const auto store = open();
  KeyProposal pushed = proposal("channel", 1);
  pushed.pushed = true;
  pushed.key.auxiliary = {{{}, "rating", "12"}};
  expect_same(settle_one(*store, pushed), pushed.key);
  expect_same(settle_one(*store, pushed), pushed.key);  // again: nothing has changed
  const auto asked = settle_one(*store, proposal("channel", 1));
  expect_same(asked, pushed.key);
  EXPECT_EQ(asked->key.auxiliary, pushed.key.auxiliary);
  KeyProposal other = proposal("channel", 1);
  other.pushed = true;
  EXPECT_FAILS(settle_one(*store, other), ErrorKind::refused);
  other.key.kid = pushed.key.kid;
  EXPECT_FAILS(settle_one(*store, other), ErrorKind::refused);
  expect_same(settle_one(*store, proposal("channel", 1)), pushed.key);
}

TEST_F(SqliteKeys, NoKeyStandsInTheFile) {
  const KeyProposal first = proposal("channel", 1);
  { EXPECT_OK(settle_one(*open(), first)); }
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(in), {}};
    EXPECT_EQ(content.find(as_text(first.key.value.reveal())), std::string::npos) << entry.path();
  }
}

TEST_F(SqliteKeys, AnotherStorageKeyOpensNothing) {
  const KeyProposal first = proposal("channel", 1);
  { EXPECT_OK(settle_one(*open(1), first)); }
  const auto store = open(2);
  EXPECT_FAILS(settle_one(*store, proposal("channel", 1)), ErrorKind::authentication_failed);
}

// Who can write into the database cannot give one content the key of another.
TEST_F(SqliteKeys, RowsCannotBeExchanged) {
  const KeyProposal first = proposal("free", 1), second = proposal("dear", 1);
  {
    const auto store = open();
    EXPECT_OK(settle_one(*store, first));
    EXPECT_OK(settle_one(*store, second));
  }
  auto raw = value_or_throw(service::Store::open(file(), {"keys", 0x434b4d31, std::array<std::string_view, 1>{""}}));
  for (const char* change : {"UPDATE content_key SET value = (SELECT value FROM content_key WHERE content_id = 'free') "
                             "WHERE content_id = 'dear'",
                             "UPDATE content_key SET kid = zeroblob(16) WHERE content_id = 'free'",
                             "UPDATE content_key SET iv = zeroblob(16) WHERE content_id = 'free'"}) {
    auto transaction = value_or_throw(raw.begin());
    ASSERT_OK(value_or_throw(raw.prepare(change)).run());
    ASSERT_OK(transaction.commit());
  }
  const auto store = open();
  EXPECT_FAILS(settle_one(*store, proposal("dear", 1)), ErrorKind::authentication_failed);
  EXPECT_FAILS(settle_one(*store, proposal("free", 1)), ErrorKind::authentication_failed);
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
