// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/secret.hpp"

#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <concepts>
#include <ostream>
#include <thread>
#include <type_traits>

#include "base/random.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"

namespace cas {
namespace {

using test::hex;

template <typename T>
concept Printable = requires(std::ostream& out, const T& value) {
  out << value;
};
static_assert(!Printable<SecretBytes>, "a secret must not be printable");
static_assert(!std::equality_comparable<SecretBytes>, "secrets are compared in constant time, by another function");
static_assert(!std::is_copy_constructible_v<SecretBytes> && !std::is_copy_assignable_v<SecretBytes>);
static_assert(std::is_nothrow_move_constructible_v<SecretBytes> && std::is_nothrow_move_assignable_v<SecretBytes>);
static_assert(!std::is_convertible_v<SecretBytes, ByteView>, "access to a secret is by name");

TEST(SecretBytes, StartsAsZeros) {
  const SecretBytes secret(33);
  EXPECT_EQ(secret.size(), 33U);
  EXPECT_TRUE(std::ranges::all_of(secret.reveal(), [](std::uint8_t byte) { return byte == 0; }));
}

TEST(SecretBytes, EmptyOnesAreHarmless) {
  SecretBytes nothing;
  EXPECT_TRUE(nothing.empty());
  EXPECT_TRUE(nothing.reveal().empty());
  nothing.reset();
  EXPECT_TRUE(nothing.clone().empty());
  EXPECT_TRUE(SecretBytes(0).empty());
  EXPECT_TRUE(SecretBytes::copy_of({}).empty());
}

TEST(SecretBytes, CopiesByNameOnly) {
  const Bytes source = hex("00112233");
  const SecretBytes secret = SecretBytes::copy_of(source);
  SecretBytes clone = secret.clone();
  EXPECT_NE(clone.reveal().data(), secret.reveal().data());
  clone.reveal_mutable()[0] = 0xff;
  EXPECT_EQ(copy_of(secret.reveal()), source);
  EXPECT_EQ(copy_of(clone.reveal()), hex("ff112233"));
}

TEST(SecretBytes, MovesTakeTheMemoryAndEmptyTheSource) {
  SecretBytes first = SecretBytes::copy_of(hex("0102"));
  const std::uint8_t* memory = first.reveal().data();
  SecretBytes second(std::move(first));
  EXPECT_EQ(second.reveal().data(), memory);
  EXPECT_TRUE(first.empty());  // NOLINT: what a moved-from secret is, is the point
  EXPECT_EQ(first.reveal().data(), nullptr);

  SecretBytes third = SecretBytes::copy_of(hex("030405"));
  third = std::move(second);
  EXPECT_EQ(copy_of(third.reveal()), hex("0102"));
  EXPECT_TRUE(second.empty());  // NOLINT
}

TEST(SecretBytes, AssigningItToItselfKeepsIt) {
  SecretBytes secret = SecretBytes::copy_of(hex("0102"));
  SecretBytes& same = secret;
  secret = std::move(same);
  EXPECT_EQ(copy_of(secret.reveal()), hex("0102"));
}

// Released blocks stay mapped in OpenSSL's secure heap, which keeps its own list in their first bytes; what a secret
// left behind would still be there. A byte of the list's addresses may be the mark by chance, so runs of it are counted.
std::size_t left_behind(const std::uint8_t* memory, std::size_t size, std::uint8_t mark) {
  constexpr std::size_t shortest_run = sizeof(void*);
  const volatile std::uint8_t* released = memory;
  std::size_t found = 0, run = 0;
  for (std::size_t i = 0; i < size; ++i) {
    run = released[i] == mark ? run + 1 : 0;
    if (run >= shortest_run) ++found;
  }
  return found;
}

constexpr std::size_t size = 512;
constexpr std::uint8_t mark = 0xa5;

SecretBytes marked() {
  SecretBytes secret(size);
  std::ranges::fill(secret.reveal_mutable(), mark);
  return secret;
}

TEST(SecretBytes, IsCleansedWhenDestroyed) {
  const std::uint8_t* memory = nullptr;
  {
    const SecretBytes secret = marked();
    memory = secret.reveal().data();
    ASSERT_GT(left_behind(memory, size, mark), size / 2);
  }
  EXPECT_EQ(left_behind(memory, size, mark), 0U);
}

TEST(SecretBytes, IsCleansedWhenReset) {
  SecretBytes secret = marked();
  const std::uint8_t* memory = secret.reveal().data();
  secret.reset();
  EXPECT_TRUE(secret.empty());
  EXPECT_EQ(left_behind(memory, size, mark), 0U);
}

TEST(SecretBytes, IsCleansedWhenAnotherIsMovedIn) {
  SecretBytes secret = marked();
  const std::uint8_t* memory = secret.reveal().data();
  secret = SecretBytes(1);
  EXPECT_EQ(left_behind(memory, size, mark), 0U);
}

TEST(SecretBytes, OverflowingTheLockedArenaStillGivesMemory) {
  std::vector<SecretBytes> many;
  for (int i = 0; i < 40; ++i) {
    many.emplace_back(std::size_t{16} * 1024);
    many.back().reveal_mutable()[many.back().size() - 1] = static_cast<std::uint8_t>(i);
  }
  for (int i = 0; i < 40; ++i) EXPECT_EQ(many[static_cast<std::size_t>(i)].reveal().back(), i);
}

// A server has many secrets at once; OpenSSL takes its own from the same arena, those of its random number generator among
// them.
TEST(SecretBytes, ManyOfThemLeaveOpensslWhatItNeeds) {
  std::vector<SecretBytes> many;
  for (int i = 0; i < 20'000; ++i) many.emplace_back(std::size_t{16});
  void* of_openssl = OPENSSL_secure_malloc(1024);
  ASSERT_NE(of_openssl, nullptr);
  EXPECT_EQ(CRYPTO_secure_allocated(of_openssl), 1);
  OPENSSL_secure_free(of_openssl);
}

TEST(SecretBytes, ThreadsMakeAndReleaseTheirOwn) {
  std::vector<std::jthread> threads;
  std::vector<int> wrong(4);
  for (std::size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([t, &wrong] {
      for (int round = 0; round < 500; ++round) {
        SecretBytes secret(48);
        std::ranges::fill(secret.reveal_mutable(), static_cast<std::uint8_t>(t));
        const SecretBytes moved = secret.clone();
        if (!std::ranges::all_of(moved.reveal(), [t](std::uint8_t byte) { return byte == t; })) ++wrong[t];
      }
    });
  threads.clear();
  EXPECT_EQ(wrong, std::vector<int>(4));
}

TEST(Cleanse, ZeroesEveryByte) {
  Bytes bytes(100, mark);
  cleanse(MutableByteView(bytes).first(99));
  EXPECT_EQ(std::ranges::count(bytes, 0), 99);
  EXPECT_EQ(bytes.back(), mark);
  cleanse({});
}

Status fails_early(Bytes& buffer) {
  const ScopedCleanse cleanse_at_end(buffer);
  buffer = hex("a5a5a5a5");
  CAS_TRY(Status(fail(ErrorKind::io, "early")));
  return {};
}

TEST(ScopedCleanse, CleansesHoweverTheScopeEnds) {
  Bytes buffer;
  EXPECT_FAILS(fails_early(buffer), ErrorKind::io);
  EXPECT_EQ(buffer, Bytes(4));
}

class BrokenRandom final : public Random {
 public:
  Status fill(MutableByteView) override { return fail(ErrorKind::io, "no entropy"); }
};

TEST(RandomSecret, DrawsAllBytesOrFails) {
  test::SeededRandom random(4), same(4);
  const auto secret = random_secret(random, 32);
  ASSERT_OK(secret);
  Bytes expected(32);
  ASSERT_OK(same.fill(expected));
  EXPECT_EQ(copy_of(secret->reveal()), expected);

  BrokenRandom broken;
  EXPECT_FAILS(random_secret(broken, 32), ErrorKind::io);
}

}  // namespace
}  // namespace cas
