// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/fips186_prf.hpp"

#include <gtest/gtest.h>

#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"
#include "support/vector_file.hpp"

namespace cas::crypto {
namespace {

TEST(Fips186Prf, GivesThePublishedOutput) {
  test::for_each_vector("crypto/fips186_prf.txt", [](test::Vector& vector) {
    const testing::ScopedTrace trace(__FILE__, __LINE__, vector.text("case"));
    const SecretBytes seed = vector.secret("seed");
    const Bytes expected = vector.hex("output");
    // However much is asked for, it begins alike.
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{19}, expected.size()}) {
      const auto output = fips186_prf(seed, size);
      ASSERT_OK(output);
      EXPECT_EQ(to_hex(output->reveal()), to_hex(ByteView(expected).first(size)));
    }
  });
}

TEST(Fips186Prf, RefusesSeedsThatFipsDoesNotKnow) {
  EXPECT_FAILS(fips186_prf(SecretBytes(19), 20), ErrorKind::invalid_argument);
  EXPECT_FAILS(fips186_prf(SecretBytes(65), 20), ErrorKind::invalid_argument);
  EXPECT_FAILS(fips186_prf({}, 20), ErrorKind::invalid_argument);
  EXPECT_FAILS(fips186_prf(SecretBytes(32), 4097), ErrorKind::invalid_argument);
}

TEST(Fips186Prf, DrawsFromItsRandomAlone) {
  test::SeededRandom one(7), same(7), other(8);
  const auto drawn = fips186_random(one, 40);
  ASSERT_OK(drawn);
  EXPECT_EQ(to_hex(drawn->reveal()), to_hex(test::value_or_throw(fips186_random(same, 40)).reveal()));
  EXPECT_NE(to_hex(drawn->reveal()), to_hex(test::value_or_throw(fips186_random(other, 40)).reveal()));
  EXPECT_NE(to_hex(drawn->reveal()), to_hex(test::value_or_throw(fips186_random(one, 40)).reveal()));
}

}  // namespace
}  // namespace cas::crypto
