// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "kex/key_store.hpp"
#include "kex/stored_key_cipher.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"

namespace cas::kex {

/// An empty store of some kind, and a way to its tables beside it.
class KeyStoreBackend {
 public:
  virtual ~KeyStoreBackend() = default;
  virtual std::unique_ptr<KeyStore> open(const SecretBytes& storage_key, Random& random) = 0;
  virtual void change(const std::string& sql) = 0;
  /// The first column of all rows.
  virtual std::vector<Bytes> read(const std::string& sql) = 0;
  /// How its SQL writes bytes.
  [[nodiscard]] virtual std::string literal(const Bytes& bytes) const = 0;
  [[nodiscard]] std::string zeros() const { return literal(Bytes(16)); }
};

struct KeyStoreKind {
  const char* name;
  /// Nothing where this machine has none; then `missing` tells why.
  std::unique_ptr<KeyStoreBackend> (*make)();
  std::string (*missing)();
};

/// What holds for every KeyStore.
class KeyStores : public testing::TestWithParam<KeyStoreKind> {
 protected:
  void SetUp() override {
    backend = GetParam().make();
    if (!backend) GTEST_SKIP() << GetParam().missing();
  }
  std::unique_ptr<KeyStore> open(std::uint8_t storage_key = 1) { return open_with(random, storage_key); }
  std::unique_ptr<KeyStore> open_with(Random& of, std::uint8_t storage_key = 1) {
    SecretBytes key(storage_key_size);
    key.reveal_mutable()[0] = storage_key;
    return backend->open(key, of);
  }
  static KeyProposal proposal_of(Random& random, const std::string& content, std::uint64_t period) {
    KeyProposal made;
    made.name.content_id = content;
    made.name.period_index = period;
    made.key.kid = test::value_or_throw(Uuid::draw(random));
    made.key.iv[0] = static_cast<std::uint8_t>(period);
    made.key.value = test::value_or_throw(random_secret(random, content_key_size));
    return made;
  }
  KeyProposal proposal(const std::string& content, std::uint64_t period) {
    return proposal_of(random, content, period);
  }
  static Result<SettledKey> settle_one(KeyStore& store, const KeyProposal& wanted) {
    auto all = store.settle({&wanted, 1});
    if (!all) return fail(all.error());
    return std::move(all->at(0));
  }
  static Result<SettledKey> bring_one(KeyStore& store, const KeyProposal& key) {
    auto all = store.bring({&key, 1});
    if (!all) return fail(all.error());
    return std::move(all->at(0));
  }
  static void expect_same(const SettledKey& settled, const KeyMaterial& key) {
    EXPECT_EQ(settled.key.kid, key.kid);
    EXPECT_EQ(settled.key.iv, key.iv);
    EXPECT_TRUE(equal(settled.key.value.reveal(), key.value.reveal()));
  }
  static void expect_same(const Result<SettledKey>& settled, const KeyMaterial& key) {
    ASSERT_OK(settled);
    expect_same(*settled, key);
  }

  test::SeededRandom random{9};
  std::unique_ptr<KeyStoreBackend> backend;
};

}  // namespace cas::kex
