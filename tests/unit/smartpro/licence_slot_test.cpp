// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/licence_slot.hpp"

#include <gtest/gtest.h>

#include "protected_file_fixture.hpp"
#include "support/result_matchers.hpp"

namespace cas::smartpro {
namespace {

using test::must;

TEST(LicenceSlot, HasTheDocumentedForm) {
  EXPECT_EQ(to_hex(must(encode_licence_slot(Bytes{0xab, 0xcd}, 12))), "0000000c00000002abcd0000");
}

TEST(LicenceSlot, GivesBackLicencesOfEverySize) {
  test::SeededRandom random(3);
  for (std::size_t size : {1U, 2U, 100U, 4095U, 4096U}) {
    const Bytes lecm = test::random_bytes(random, size);
    const Bytes slot = must(encode_licence_slot(lecm, default_licence_slot_size));
    EXPECT_EQ(slot.size(), default_licence_slot_size);
    EXPECT_TRUE(equal(must(parse_licence_slot(slot)), lecm));
  }
}

TEST(LicenceSlot, RefusesWhatDoesNotFit) {
  EXPECT_FAILS(encode_licence_slot(Bytes(4097), default_licence_slot_size), ErrorKind::exhausted);
  EXPECT_FAILS(encode_licence_slot({}, default_licence_slot_size), ErrorKind::invalid_argument);
  EXPECT_FAILS(encode_licence_slot(Bytes(1), min_licence_slot_size - 1), ErrorKind::invalid_argument);
  EXPECT_FAILS(encode_licence_slot(Bytes(1), max_licence_slot_size + 1), ErrorKind::invalid_argument);
  EXPECT_OK(encode_licence_slot(Bytes(1), min_licence_slot_size));
}

/// Outside the licence, which its MAC covers, no bit of a slot can change.
TEST(LicenceSlot, RefusesEveryChangedBitAroundTheLicence) {
  test::SeededRandom random(4);
  Bytes lecm = test::random_bytes(random, 40);
  lecm.back() = 0x5a;
  const Bytes slot = must(encode_licence_slot(lecm, 100));
  for (std::size_t bit = 0; bit < slot.size() * 8; ++bit) {
    const std::size_t byte = bit / 8;
    if (byte >= licence_slot_overhead && byte < licence_slot_overhead + lecm.size()) continue;
    Bytes changed = slot;
    changed[byte] ^= static_cast<std::uint8_t>(1U << bit % 8);
    const auto parsed = parse_licence_slot(changed);
    // A size made larger takes zeros into the licence, which cannot pass its MAC.
    if (parsed) {
      EXPECT_TRUE(byte < licence_slot_overhead && parsed->size() > lecm.size()) << "bit " << bit;
    } else {
      EXPECT_FAILS(parsed, ErrorKind::malformed);
    }
  }
}

TEST(LicenceSlot, RefusesAWrongSlotSize) {
  Bytes slot = must(encode_licence_slot(Bytes(10, 1), 100));
  EXPECT_FAILS(parse_licence_slot(ByteView(slot).first(64)), ErrorKind::malformed);
  slot.resize(128);
  EXPECT_FAILS(parse_licence_slot(slot), ErrorKind::malformed);
  EXPECT_FAILS(parse_licence_slot(ByteView(slot).first(3)), ErrorKind::truncated);
}

}  // namespace
}  // namespace cas::smartpro
