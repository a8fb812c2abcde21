// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/key_agreement.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <thread>
#include <vector>

#include "crypto/random.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"
#include "support/vector_file.hpp"

namespace cas::crypto {
namespace {

constexpr DhGroup both_groups[] = {DhGroup::p256, DhGroup::ffdhe2048};

/// Gives what the test has written down, and fails when that is used up.
class ScriptedRandom final : public Random {
 public:
  explicit ScriptedRandom(std::vector<Bytes> draws) : draws_(std::move(draws)) {}
  Status fill(MutableByteView out) override {
    if (next_ == draws_.size()) return cas::fail(ErrorKind::io, "no randomness left");
    EXPECT_EQ(out.size(), draws_[next_].size());
    std::copy(draws_[next_].begin(), draws_[next_].end(), out.begin());
    ++next_;
    return {};
  }
  [[nodiscard]] std::size_t used() const { return next_; }

 private:
  std::vector<Bytes> draws_;
  std::size_t next_ = 0;
};

void check_agreement(DhGroup group, test::Vector& vector) {
  SCOPED_TRACE(vector.text("case"));
  const auto a = dh_key_pair_from_private(group, vector.secret("private_a"));
  const auto b = dh_key_pair_from_private(group, vector.secret("private_b"));
  ASSERT_OK(a);
  ASSERT_OK(b);
  EXPECT_EQ(to_hex(a->public_value), to_hex(vector.hex("public_a")));
  EXPECT_EQ(to_hex(b->public_value), to_hex(vector.hex("public_b")));
  const std::string shared = to_hex(vector.hex("shared"));
  const auto ab = derive_dh_shared(*a, b->public_value);
  const auto ba = derive_dh_shared(*b, a->public_value);
  ASSERT_OK(ab);
  ASSERT_OK(ba);
  EXPECT_EQ(to_hex(ab->reveal()), shared);
  EXPECT_EQ(to_hex(ba->reveal()), shared);
}

void check_public_value(DhGroup group, test::Vector& vector) {
  SCOPED_TRACE(vector.text("case"));
  const Bytes value = vector.hex("public");
  test::SeededRandom random(1);
  const auto own = generate_dh_key_pair(group, random);
  ASSERT_OK(own);
  if (vector.yes("valid")) {
    EXPECT_OK(validate_dh_public(group, value));
    EXPECT_OK(derive_dh_shared(*own, value));
  } else {
    EXPECT_FAILS(validate_dh_public(group, value), ErrorKind::authentication_failed);
    EXPECT_FAILS(derive_dh_shared(*own, value), ErrorKind::authentication_failed);
  }
}

TEST(KeyAgreement, P256GivesTheVectors) {
  test::for_each_vector("crypto/p256_agreement.txt",
                        [](test::Vector& vector) { check_agreement(DhGroup::p256, vector); });
}

TEST(KeyAgreement, Ffdhe2048GivesTheVectors) {
  test::for_each_vector("crypto/ffdhe2048_agreement.txt",
                        [](test::Vector& vector) { check_agreement(DhGroup::ffdhe2048, vector); });
}

TEST(KeyAgreement, P256RefusesWhatIsNoPublicValue) {
  test::for_each_vector("crypto/p256_public.txt",
                        [](test::Vector& vector) { check_public_value(DhGroup::p256, vector); });
}

TEST(KeyAgreement, Ffdhe2048RefusesWhatIsNoPublicValue) {
  test::for_each_vector("crypto/ffdhe2048_public.txt",
                        [](test::Vector& vector) { check_public_value(DhGroup::ffdhe2048, vector); });
}

TEST(KeyAgreement, AValueOfOneGroupIsNoneOfTheOther) {
  test::SeededRandom random(2);
  const auto p256 = generate_dh_key_pair(DhGroup::p256, random);
  const auto ffdhe2048 = generate_dh_key_pair(DhGroup::ffdhe2048, random);
  ASSERT_OK(p256);
  ASSERT_OK(ffdhe2048);
  EXPECT_FAILS(derive_dh_shared(*p256, ffdhe2048->public_value), ErrorKind::authentication_failed);
  EXPECT_FAILS(derive_dh_shared(*ffdhe2048, p256->public_value), ErrorKind::authentication_failed);
}

TEST(KeyAgreement, PairsAreDrawnFromTheGivenRandomnessAlone) {
  for (const DhGroup group : both_groups) {
    SCOPED_TRACE(dh_group_name(group));
    test::SeededRandom first(3);
    test::SeededRandom again(3);
    test::SeededRandom other(4);
    const auto a = generate_dh_key_pair(group, first);
    const auto b = generate_dh_key_pair(group, again);
    const auto c = generate_dh_key_pair(group, other);
    ASSERT_OK(a);
    ASSERT_OK(b);
    ASSERT_OK(c);
    EXPECT_EQ(to_hex(a->private_value.reveal()), to_hex(b->private_value.reveal()));
    EXPECT_EQ(a->public_value, b->public_value);
    EXPECT_NE(a->public_value, c->public_value);
    EXPECT_EQ(a->private_value.size(), dh_private_size(group));
    EXPECT_EQ(a->public_value.size(), dh_public_size(group));
    const auto shared = derive_dh_shared(*a, c->public_value);
    ASSERT_OK(shared);
    EXPECT_EQ(shared->size(), dh_shared_size(group));
    const auto copy = derive_dh_shared(a->clone(), c->public_value);
    ASSERT_OK(copy);
    EXPECT_EQ(to_hex(copy->reveal()), to_hex(shared->reveal()));
  }
}

const Bytes order_of_p256 = test::hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");

Bytes order_plus(int delta) {
  Bytes value = order_of_p256;
  value.back() = static_cast<std::uint8_t>(value.back() + delta);
  return value;
}

TEST(KeyAgreement, DrawsAgainWhatIsOutOfRange) {
  ScriptedRandom random({Bytes(32), order_of_p256, order_plus(1), Bytes(32, 0xff), order_plus(-1), Bytes(32, 1)});
  const auto pair = generate_dh_key_pair(DhGroup::p256, random);
  ASSERT_OK(pair);
  EXPECT_EQ(to_hex(pair->private_value.reveal()), to_hex(order_plus(-1)));
  EXPECT_EQ(random.used(), 5U);

  ScriptedRandom for_ffdhe({Bytes(32), Bytes(32, 0xff)});
  const auto large = generate_dh_key_pair(DhGroup::ffdhe2048, for_ffdhe);
  ASSERT_OK(large);
  EXPECT_EQ(to_hex(large->private_value.reveal()), to_hex(Bytes(32, 0xff)));
}

TEST(KeyAgreement, GivesUpOnABrokenGenerator) {
  for (const DhGroup group : both_groups) {
    ScriptedRandom zeros(std::vector<Bytes>(1000, Bytes(32)));
    EXPECT_FAILS(generate_dh_key_pair(group, zeros), ErrorKind::internal);
    ScriptedRandom nothing({});
    EXPECT_FAILS(generate_dh_key_pair(group, nothing), ErrorKind::io);
  }
}

TEST(KeyAgreement, RefusesPrivateValuesOutOfRange) {
  for (const DhGroup group : both_groups) {
    for (const std::size_t size : {0U, 1U, 31U, 33U, 256U}) {
      EXPECT_FAILS(dh_key_pair_from_private(group, SecretBytes::copy_of(Bytes(size, 1))), ErrorKind::invalid_argument);
    }
    EXPECT_FAILS(dh_key_pair_from_private(group, SecretBytes(32)), ErrorKind::invalid_argument);
  }
  for (const Bytes& value : {order_of_p256, order_plus(1), Bytes(32, 0xff)}) {
    EXPECT_FAILS(dh_key_pair_from_private(DhGroup::p256, SecretBytes::copy_of(value)), ErrorKind::invalid_argument);
  }
  EXPECT_OK(dh_key_pair_from_private(DhGroup::p256, SecretBytes::copy_of(order_plus(-1))));
}

TEST(KeyAgreement, RefusesAPairThatIsNone) {
  test::SeededRandom random(5);
  for (const DhGroup group : both_groups) {
    const auto peer = generate_dh_key_pair(group, random);
    ASSERT_OK(peer);
    EXPECT_FAILS(derive_dh_shared(DhKeyPair{group, SecretBytes(), peer->public_value}, peer->public_value),
                 ErrorKind::invalid_argument);
    EXPECT_FAILS(derive_dh_shared(DhKeyPair{group, SecretBytes(32), peer->public_value}, peer->public_value),
                 ErrorKind::invalid_argument);
    EXPECT_FAILS(derive_dh_shared(DhKeyPair{group, peer->private_value.clone(), {}}, peer->public_value),
                 ErrorKind::invalid_argument);
  }
}

TEST(KeyAgreement, APairServesSeveralThreads) {
  for (const DhGroup group : both_groups) {
    const auto own = generate_dh_key_pair(group, system_random());
    const auto peer = generate_dh_key_pair(group, system_random());
    ASSERT_OK(own);
    ASSERT_OK(peer);
    const auto expected = derive_dh_shared(*peer, own->public_value);
    ASSERT_OK(expected);
    std::vector<std::thread> threads;
    std::vector<std::string> shared(4);
    for (std::string& one : shared) {
      threads.emplace_back([&one, &own, &peer] {
        for (int i = 0; i < 5; ++i) one = to_hex(derive_dh_shared(*own, peer->public_value)->reveal());
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::string& one : shared) EXPECT_EQ(one, to_hex(expected->reveal()));
  }
}

TEST(SystemRandom, FillsAllOfIt) {
  // A byte that stays zero in 16 fills is one that is not filled: the odds against it are 2^128.
  std::array<std::uint8_t, 100> seen{};
  for (int i = 0; i < 16; ++i) {
    std::array<std::uint8_t, 100> bytes{};
    ASSERT_OK(system_random().fill(bytes));
    for (std::size_t k = 0; k < bytes.size(); ++k) seen[k] |= bytes[k];
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), 0), 0);
  EXPECT_OK(system_random().fill({}));
}

}  // namespace
}  // namespace cas::crypto
