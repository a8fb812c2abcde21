// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/absence_proof.hpp"

#include <gtest/gtest.h>

#include "base/hex.hpp"
#include "base/writer.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"
#include "tests/support/test_system.hpp"
#include "tests/support/vector_file.hpp"

namespace cas::smartpro {
namespace {

using test::value_or_throw;

constexpr std::size_t run_size = RevokedElementsBuilder::run_size;

/// Even numbers from 10 on, so that every odd one is absent.
std::vector<RevokedNumber> even_numbers(std::size_t count) {
  std::vector<RevokedNumber> numbers(count);
  for (std::size_t i = 0; i < count; ++i) numbers[i] = 10 + 2 * i;
  return numbers;
}

RevokedElements elements_of(const std::vector<RevokedNumber>& numbers) {
  auto builder = value_or_throw(RevokedElementsBuilder::create());
  for (const RevokedNumber number : numbers) value_or_throw(builder.add(number));
  return value_or_throw(builder.finish());
}

/// The sizes at which the tree changes its shape, and around them.
const std::size_t sizes[] = {0,   1,   2,   31,  32,  33,  63,  64,  65,  95,   96,   97,   127,  128,
                             129, 160, 161, 192, 224, 225, 256, 257, 512, 1000, 1024, 1025, 3200, 10'001};

TEST(RevokedElements, AreTheSameStreamedAndAsATree) {
  for (const std::size_t size : sizes) {
    const auto numbers = even_numbers(size);
    const RevokedElements elements = elements_of(numbers);
    EXPECT_EQ(elements.count, size);
    EXPECT_EQ(to_hex(elements.root), to_hex(value_or_throw(AbsenceProver::create(numbers)).root())) << size;
    ByteWriter payload;
    for (const RevokedNumber number : numbers) payload.u64(number);
    EXPECT_EQ(elements.digest, value_or_throw(crypto::sha256(payload.view())));
    // However the payload is cut into parts.
    auto builder = value_or_throw(RevokedElementsBuilder::create());
    ByteView rest = payload.view();
    for (std::size_t part = 8; !rest.empty(); part = part * 2 + 8) {
      const std::size_t taken = std::min(part, rest.size());
      ASSERT_OK(builder.add_payload(rest.first(taken)));
      rest = rest.subspan(taken);
    }
    EXPECT_EQ(value_or_throw(builder.finish()), elements);
  }
}

TEST(RevokedElements, AreInAscendingOrderEachOnce) {
  auto builder = value_or_throw(RevokedElementsBuilder::create());
  ASSERT_OK(builder.add(5));
  EXPECT_FAILS(builder.add(5), ErrorKind::malformed);
  EXPECT_FAILS(builder.add(4), ErrorKind::malformed);
  EXPECT_FAILS(builder.add_payload(Bytes(7)), ErrorKind::malformed);
  EXPECT_OK(builder.add(~RevokedNumber{0}));
  EXPECT_FAILS(builder.add(0), ErrorKind::malformed);
}

TEST(RevokedElements, OfADomainIsItsIdentifierReadAsANumber) {
  EXPECT_EQ(number_of({0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0xff}), 0x01020304050607ffU);
}

TEST(AbsenceProof, ShowsEveryNumberThatIsAbsent) {
  for (const std::size_t size : sizes) {
    if (size > 1100) continue;
    const auto numbers = even_numbers(size);
    const RevokedElements elements = elements_of(numbers);
    const auto prover = value_or_throw(AbsenceProver::create(numbers));
    std::vector<RevokedNumber> absent{0, 1, 9, ~RevokedNumber{0}};
    for (std::size_t i = 0; i <= size; ++i) absent.push_back(9 + 2 * i);
    for (const RevokedNumber number : absent) {
      const auto proof = prover.prove(number);
      ASSERT_OK(proof);
      ASSERT_LE(proof->size(), max_absence_proof_size);
      SCOPED_TRACE(std::to_string(number) + " in a list of " + std::to_string(size));
      ASSERT_OK(verify_absence(elements, number, *proof));
    }
  }
}

TEST(AbsenceProof, ThereIsNoneForANumberOnTheList) {
  for (const std::size_t size : {1U, 32U, 33U, 64U, 100U}) {
    const auto numbers = even_numbers(size);
    const RevokedElements elements = elements_of(numbers);
    const auto prover = value_or_throw(AbsenceProver::create(numbers));
    // Every proof that can be made of this list, for every number on it: a neighbour's is the best that a forger has.
    std::vector<Bytes> proofs;
    for (RevokedNumber number = 7; number < 14 + 2 * size; number += 2)
      proofs.push_back(value_or_throw(prover.prove(number)));
    for (const RevokedNumber number : numbers) {
      EXPECT_FAILS(prover.prove(number), ErrorKind::revoked);
      for (const Bytes& proof : proofs)
        ASSERT_FALSE(verify_absence(elements, number, proof).has_value()) << size << ": " << number;
    }
  }
}

TEST(AbsenceProof, IsGoodForItsPlaceOnly) {
  const auto numbers = even_numbers(200);
  const RevokedElements elements = elements_of(numbers);
  const auto prover = value_or_throw(AbsenceProver::create(numbers));
  const Bytes in_run_2 = value_or_throw(prover.prove(numbers[2 * run_size + 5] + 1));
  EXPECT_OK(verify_absence(elements, numbers[3 * run_size - 1] + 1, in_run_2));  // in front of the fence
  EXPECT_FAILS(verify_absence(elements, numbers[3 * run_size] + 1, in_run_2), ErrorKind::authentication_failed);
  EXPECT_FAILS(verify_absence(elements, numbers[2 * run_size] - 1, in_run_2), ErrorKind::authentication_failed);
  EXPECT_FAILS(verify_absence(elements, 0, in_run_2), ErrorKind::authentication_failed);
  EXPECT_FAILS(verify_absence(elements, ~RevokedNumber{0}, in_run_2), ErrorKind::authentication_failed);
}

TEST(AbsenceProof, EveryChangeAndCutIsFound) {
  const auto numbers = even_numbers(200);
  const RevokedElements elements = elements_of(numbers);
  const RevokedNumber absent = numbers[100] + 1;
  const Bytes proof = value_or_throw(value_or_throw(AbsenceProver::create(numbers)).prove(absent));
  for (std::size_t bit = 0; bit < proof.size() * 8; ++bit) {
    Bytes changed = proof;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    SCOPED_TRACE(bit);
    EXPECT_FAILS(verify_absence(elements, absent, changed), ErrorKind::authentication_failed);
  }
  for (std::size_t size = 0; size < proof.size(); ++size) {
    SCOPED_TRACE(size);
    EXPECT_FAILS(verify_absence(elements, absent, ByteView(proof).first(size)), ErrorKind::authentication_failed);
  }
  Bytes longer = proof;
  longer.resize(proof.size() + crypto::sha256_size);
  EXPECT_FAILS(verify_absence(elements, absent, longer), ErrorKind::authentication_failed);
  EXPECT_FAILS(verify_absence(elements, absent, Bytes(max_absence_proof_size + 1)), ErrorKind::authentication_failed);
}

TEST(AbsenceProof, OfAnOlderListIsNone) {
  auto numbers = even_numbers(200);
  const RevokedNumber lost = numbers[100] + 1;
  const Bytes old_proof = value_or_throw(value_or_throw(AbsenceProver::create(numbers)).prove(lost));
  numbers.insert(numbers.begin() + 101, lost);
  EXPECT_FAILS(verify_absence(elements_of(numbers), lost, old_proof), ErrorKind::authentication_failed);
  // Nor is that of an empty one, or the word that the list is empty.
  EXPECT_FAILS(verify_absence(elements_of(numbers), lost, {}), ErrorKind::authentication_failed);
  EXPECT_OK(verify_absence(elements_of({}), lost, {}));
  EXPECT_FAILS(verify_absence(elements_of({}), lost, old_proof), ErrorKind::authentication_failed);
}

// The file is computed by tests/vectors/smartpro/check_smartpro_vectors.py, from the page alone.
TEST(AbsenceProof, IsAsThePageSays) {
  test::for_each_vector("smartpro/revocation.txt", [](test::Vector& vector) {
    std::vector<RevokedNumber> numbers(vector.number("count"));
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = 1000 + 10 * i;
    const RevokedElements elements = elements_of(numbers);
    EXPECT_EQ(to_hex(elements.digest), to_hex(vector.hex("digest")));
    EXPECT_EQ(to_hex(elements.root), to_hex(vector.hex("root")));
    const RevokedNumber absent = vector.number("absent");
    EXPECT_EQ(to_hex(value_or_throw(value_or_throw(AbsenceProver::create(numbers)).prove(absent))),
              to_hex(vector.hex("proof")));
    EXPECT_OK(verify_absence(elements, absent, vector.hex("proof")));
  });
}

TEST(AbsenceProof, OfAMillionIsSmall) {
  const auto numbers = even_numbers(1'000'000);
  const auto prover = value_or_throw(AbsenceProver::create(numbers));
  const Bytes proof = value_or_throw(prover.prove(numbers[567'890] + 1));
  EXPECT_LE(proof.size(), 748U);
  RevokedElements elements;
  elements.count = 1'000'000;
  elements.root = prover.root();
  EXPECT_OK(verify_absence(elements, numbers[567'890] + 1, proof));
}

}  // namespace
}  // namespace cas::smartpro
