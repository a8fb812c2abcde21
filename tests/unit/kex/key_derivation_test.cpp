// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/key_derivation.hpp"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/result_matchers.hpp"
#include "tests/support/vector_file.hpp"

namespace cas::kex {
namespace {

using test::value_or_throw;

Seed seed(std::uint16_t version, std::uint8_t first = 0, UtcTime from = UtcTime(0)) {
  Seed made;
  made.version = version;
  made.value = SecretBytes(seed_size);
  for (std::uint8_t at = 0; at < seed_size; ++at)
    made.value.reveal_mutable()[at] = static_cast<std::uint8_t>(first + at);
  made.from = from;
  return made;
}
template <typename... Seeds>
KeyDerivation with(Seeds... seeds) {
  std::vector<Seed> all;
  (all.push_back(std::move(seeds)), ...);
  return value_or_throw(KeyDerivation::create(std::move(all)));
}
KeyMaterial derive(const KeyDerivation& derivation, const KeyName& name, std::optional<UtcTime> time = {},
                   const Uuid& asked = {}) {
  return value_or_throw(derivation.derive(name, time, asked));
}
bool same(const KeyMaterial& a, const KeyMaterial& b) {
  return a.kid == b.kid && a.iv == b.iv && equal(a.value.reveal(), b.value.reveal());
}
KeyName live(std::uint64_t index) {
  KeyName name;
  name.content_id = "channel-1";
  name.period_index = index;
  return name;
}

TEST(KeyDerivation, GivesTheVectors) {
  const KeyDerivation derivation = with(seed(1));
  std::map<std::string, KeyName> names;
  names["whole content"].content_id = "movie-7";
  names["live"] = {"channel-1", "HD", "5M", 42, {}, {}};
  names["by time"] = {"channel-1", "", "", {}, UtcTime(1796040000000000000), UtcTime(1796040010000000000)};
  names["without end"] = {"channel-1", "AUDIO", "", {}, UtcTime(1796040000000000000), {}};
  test::for_each_vector("kex/derived-keys.txt", [&](test::Vector& vector) {
    const KeyName& name = names.at(vector.text("case"));
    EXPECT_EQ(name.encode(), vector.hex("name"));
    const KeyMaterial key = derive(derivation, name);
    EXPECT_EQ(to_hex(key.kid.bytes), to_hex(vector.hex("kid")));
    EXPECT_EQ(to_hex(key.iv), to_hex(vector.hex("iv")));
    EXPECT_EQ(to_hex(key.value.reveal()), to_hex(vector.hex("key")));
  });
}

// No two names have one key: also not those whose texts, one behind the other, are the same.
TEST(KeyDerivation, EachNameHasAKeyOfItsOwn) {
  const KeyDerivation derivation = with(seed(1));
  std::vector<KeyName> names{{"ab", "c", "", {}, {}, {}},         {"a", "bc", "", {}, {}, {}},
                             {"abc", "", "", {}, {}, {}},         {"a", "b", "c", {}, {}, {}},
                             {"a", "", "bc", {}, {}, {}},         {"abc", "", "", 0, {}, {}},
                             {"abc", "", "", 1, {}, {}},          {"abc", "", "", {}, UtcTime(0), {}},
                             {"abc", "", "", {}, UtcTime(1), {}}, {"abc", "", "", {}, UtcTime(0), UtcTime(1)}};
  std::set<std::string> keys, kids;
  for (const KeyName& name : names) {
    const KeyMaterial key = derive(derivation, name);
    EXPECT_TRUE(keys.insert(to_hex(key.value.reveal())).second) << name.text();
    EXPECT_TRUE(kids.insert(key.kid.text()).second) << name.text();
  }
}

// 5.1.3: servers that have never spoken with one another are redundant.
TEST(KeyDerivation, R5_1_3_ServersWithTheSameSeedsAnswerAlike) {
  const KeyDerivation one = with(seed(1)), other = with(seed(1)), stranger = with(seed(1, 7));
  EXPECT_TRUE(same(derive(one, live(5)), derive(other, live(5))));
  EXPECT_FALSE(equal(derive(one, live(5)).value.reveal(), derive(stranger, live(5)).value.reveal()));
}

TEST(KeyDerivation, TheTimeOfAPeriodThatHasANumberIsNoPartOfItsName) {
  KeyName with_time = live(5);
  with_time.period_start = UtcTime(1);
  with_time.period_end = UtcTime(2);
  EXPECT_EQ(with_time.encode(), live(5).encode());
}

TEST(KeyDerivation, ANewSeedChangesNoAnswerThatWasGiven) {
  const UtcTime change(std::chrono::hours(1000));
  const KeyDerivation before = with(seed(1)), after = with(seed(1), seed(2, 100, change));
  KeyName period = live(5);
  period.period_start = change - UtcTime(1);
  EXPECT_TRUE(same(derive(before, period), derive(after, period)));
  period.period_start = change;
  const KeyMaterial old = derive(before, period), fresh = derive(after, period);
  EXPECT_FALSE(same(old, fresh));
  EXPECT_EQ(fresh.kid.bytes[1], 2);
  // Whoever has the old key id gets the old key.
  EXPECT_TRUE(same(derive(after, period, {}, old.kid), old));
  // Content without any time stays with the first.
  EXPECT_TRUE(same(derive(before, {"movie"}), derive(after, {"movie"})));
  EXPECT_EQ(derive(after, {"movie"}, change).kid.bytes[1], 2);
}

TEST(KeyDerivation, ASeedMayBeForSomeContentAlone) {
  Seed of_2027 = seed(2, 100);
  of_2027.contents = {"2027-*"};
  const KeyDerivation derivation = with(seed(1), std::move(of_2027), seed(3, 50, UtcTime(std::chrono::hours(1))));
  EXPECT_EQ(derive(derivation, {"2027-movie"}).kid.bytes[1], 2);
  EXPECT_EQ(derive(derivation, {"2026-movie"}).kid.bytes[1], 1);
  EXPECT_EQ(derive(derivation, {"2026-movie"}, UtcTime(std::chrono::hours(2))).kid.bytes[1], 3);
}

// A key id that looks like one of an old seed, but is not the one for this name, brings no key of that seed.
TEST(KeyDerivation, AKeyIdOfAnotherNameChoosesNoSeed) {
  const KeyDerivation derivation = with(seed(1), seed(2, 100, UtcTime(1)));
  const KeyMaterial other = derive(with(seed(1)), live(6));
  EXPECT_EQ(derive(derivation, live(5), UtcTime(5), other.kid).kid.bytes[1], 2);
}

TEST(KeyDerivation, RefusesSeedsThatContradictOneAnother) {
  const auto create = [](auto... seeds) {
    std::vector<Seed> all;
    (all.push_back(std::move(seeds)), ...);
    return KeyDerivation::create(std::move(all));
  };
  EXPECT_FAILS(create(), ErrorKind::invalid_argument);
  EXPECT_FAILS(create(seed(1), seed(1)), ErrorKind::invalid_argument);
  EXPECT_FAILS(create(seed(2), seed(1)), ErrorKind::invalid_argument);
  EXPECT_FAILS(create(seed(1, 0, UtcTime(5)), seed(2, 0, UtcTime(4))), ErrorKind::invalid_argument);
  Seed shorter = seed(1);
  shorter.value = SecretBytes(31);
  EXPECT_FAILS(create(std::move(shorter)), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace cas::kex
