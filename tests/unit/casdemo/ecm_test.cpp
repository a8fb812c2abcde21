// SPDX-License-Identifier: LGPL-2.1-or-later
#include "casdemo/ecm.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <set>
#include <vector>

#include "tests/support/allocation_count.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"
#include "tests/unit/casdemo/fixed_random.hpp"

namespace cas::casdemo {
namespace {

constexpr ProductId product = 0x0101;
const Bytes even_word{1, 2, 3, 4, 5, 6, 7, 8}, odd_word{11, 12, 13, 14, 15, 16, 17, 18};

SecretBytes key(std::uint8_t byte = 0x11) { return SecretBytes::copy_of(Bytes(16, byte)); }

class Ecm : public testing::Test {
 protected:
  Bytes write(EcmRequest request, const AccessCriteria& criteria = AccessCriteria(product)) {
    std::array<std::uint8_t, max_ecm_size> out{};
    const auto size = writer_.write(request, criteria, out);
    if (!size) throw std::runtime_error(size.error().message);
    return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(*size)};
  }
  Result<std::size_t> try_write(const EcmRequest& request, const AccessCriteria& criteria = AccessCriteria(product)) {
    std::array<std::uint8_t, max_ecm_size> out{};
    return writer_.write(request, criteria, out);
  }

  test::SeededRandom random_{1};
  EcmWriter writer_ = std::move(*EcmWriter::create(product, 2, key(), random_));
  std::vector<ByteView> words_{even_word, odd_word};
};

TEST_F(Ecm, TableIdTogglesWithTheCryptoPeriod) {
  EXPECT_EQ(write({6, 6, words_, 0})[0], 0x80);
  EXPECT_EQ(write({7, 7, words_, 0})[0], 0x81);
  EXPECT_EQ(write({65535, 65535, words_, 0})[0], 0x81);
  EXPECT_EQ(write({0, 0, words_, 0})[0], 0x80);
}

TEST_F(Ecm, TheLargestFits) {
  const Bytes word(16, 0x55);
  const std::vector<ByteView> words(4, word);
  const auto criteria = AccessCriteria::create(product, 18, std::vector<Region>{1, 2, 3, 4, 5, 6, 7, 8});
  ASSERT_OK(criteria);
  EXPECT_EQ(write({1, 1, words, std::numeric_limits<UnixSeconds>::max()}, *criteria).size(), max_ecm_size);
}

TEST_F(Ecm, NoNonceIsGivenTwice) {
  std::set<Bytes> nonces;
  auto other = EcmWriter::create(product, 2, key(), random_);  // another generator with the same key
  ASSERT_OK(other);
  for (int i = 0; i < 1000; ++i) {
    for (EcmWriter* writer : {&writer_, &*other}) {
      std::array<std::uint8_t, max_ecm_size> out{};
      const auto size = writer->write({1, 1, words_, 0}, AccessCriteria(product), out);
      ASSERT_OK(size);
      const auto view = EcmView::parse(ByteView(out).first(*size));
      ASSERT_OK(view);
      EXPECT_TRUE(nonces.emplace(view->nonce.begin(), view->nonce.end()).second);
    }
  }
}

TEST_F(Ecm, MakingOneTakesNoMemory) {
  std::array<std::uint8_t, max_ecm_size> out{};
  const AccessCriteria criteria(product);
  ASSERT_OK(writer_.write({1, 1, words_, 0}, criteria, out));
  const std::size_t before = test::allocation_count();
  for (int i = 0; i < 100; ++i) static_cast<void>(writer_.write({1, 1, words_, 0}, criteria, out));
  EXPECT_EQ(test::allocation_count(), before);
}

TEST_F(Ecm, WhatCannotBeIsNotMade) {
  const Bytes seven(7, 1), sixteen(16, 1);
  const std::vector<ByteView> five(5, even_word), odd_size{seven}, mixed{even_word, sixteen};
  EXPECT_FAILS(try_write({1, 1, {}, 0}), ErrorKind::invalid_argument);
  EXPECT_FAILS(try_write({1, 1, five, 0}), ErrorKind::invalid_argument);
  EXPECT_FAILS(try_write({1, 1, odd_size, 0}), ErrorKind::invalid_argument);
  EXPECT_FAILS(try_write({1, 1, mixed, 0}), ErrorKind::invalid_argument);
  EXPECT_FAILS(try_write({1, 1, words_, -1}), ErrorKind::invalid_argument);
  EXPECT_FAILS(try_write({1, 1, words_, 0}, AccessCriteria(product + 1)), ErrorKind::invalid_argument);
  EXPECT_FAILS(EcmWriter::create(product, 1, SecretBytes(15), random_), ErrorKind::invalid_argument);
  test::FixedRandom broken({1});
  broken.fails = true;
  EXPECT_FAILS(EcmWriter::create(product, 1, key(), broken), ErrorKind::io);
}

TEST_F(Ecm, AnyChangedBitIsNoticed) {
  const Bytes section = write({6, 6, words_, 1'800'000'000});
  for (std::size_t bit = 0; bit < section.size() * 8; ++bit) {
    Bytes changed = section;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    const auto view = EcmView::parse(changed);
    if (view) EXPECT_FAILS(open_ecm_words(*view, key()), ErrorKind::authentication_failed);
  }
  const auto view = EcmView::parse(section);
  ASSERT_OK(view);
  EXPECT_OK(open_ecm_words(*view, key()));
  EXPECT_FAILS(open_ecm_words(*view, key(0x12)), ErrorKind::authentication_failed);
  EXPECT_FAILS(open_ecm_words(*view, SecretBytes(32)), ErrorKind::invalid_argument);
}

TEST_F(Ecm, DamagedOnesAreRefused) {
  const Bytes section = write({6, 6, words_, 0});
  for (std::size_t size = 0; size < section.size(); ++size)
    EXPECT_FAILS(EcmView::parse(ByteView(section).first(size)), ErrorKind::truncated);
  const auto with = [&section](std::size_t at, std::uint8_t value) {
    Bytes changed = section;
    changed[at] = value;
    return changed;
  };
  Bytes longer = section;
  longer.push_back(0);
  EXPECT_FAILS(EcmView::parse(longer), ErrorKind::malformed);
  EXPECT_FAILS(EcmView::parse(Bytes(257)), ErrorKind::malformed);
  ++longer[2];
  EXPECT_FAILS(EcmView::parse(longer), ErrorKind::malformed);          // inside, behind the tag
  EXPECT_FAILS(EcmView::parse(with(0, 0x81)), ErrorKind::malformed);   // the other parity
  EXPECT_FAILS(EcmView::parse(with(0, 0x82)), ErrorKind::malformed);   // an EMM
  EXPECT_FAILS(EcmView::parse(with(1, 0xf0)), ErrorKind::malformed);   // section_syntax_indicator
  EXPECT_FAILS(EcmView::parse(with(3, 2)), ErrorKind::unsupported);    // version
  EXPECT_FAILS(EcmView::parse(with(4, 0)), ErrorKind::malformed);      // no words
  EXPECT_FAILS(EcmView::parse(with(4, 5)), ErrorKind::malformed);      // too many
  EXPECT_FAILS(EcmView::parse(with(5, 9)), ErrorKind::malformed);      // of a size that no cipher has
  EXPECT_FAILS(EcmView::parse(with(10, 0x80)), ErrorKind::malformed);  // time
  EXPECT_FAILS(EcmView::parse(with(20, 3)), ErrorKind::truncated);     // access criteria
}

}  // namespace
}  // namespace cas::casdemo
