// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <array>

#include "base/reader.hpp"
#include "casdemo/ecm.hpp"
#include "casdemo/emm.hpp"
#include "casdemo/emm_commands.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/vector_file.hpp"
#include "tests/unit/casdemo/fixed_random.hpp"

namespace cas::casdemo {
namespace {

// The invocation field of the vectors counts from 0: as many nonces are taken before.
NonceSequence nonces_before(test::FixedRandom& random, ByteView nonce) {
  auto nonces = NonceSequence::create(random);
  for (std::uint8_t i = 0; i < nonce[11]; ++i) EXPECT_OK(nonces->next());
  return std::move(*nonces);
}

void check_ecm(test::Vector& vector) {
  const SecretBytes key = vector.secret("key");
  const Bytes nonce = vector.hex("nonce"), words = vector.hex("words"), section = vector.hex("section");
  const auto criteria = AccessCriteria::parse(vector.hex("criteria"));
  ASSERT_OK(criteria);
  const std::size_t word_size = vector.number("word_size");
  const auto period = static_cast<std::uint16_t>(vector.number("crypto_period"));
  const auto first = static_cast<std::uint16_t>(vector.number("first_word"));
  const auto key_id = static_cast<KeyId>(vector.number("key_id"));
  const auto time = static_cast<UnixSeconds>(vector.number("time"));
  std::vector<ByteView> views;
  for (std::size_t at = 0; at < words.size(); at += word_size) views.push_back(ByteView(words).subspan(at, word_size));

  test::FixedRandom random(Bytes(nonce.begin(), nonce.begin() + 8));
  auto writer = EcmWriter::create(criteria->product(), key_id, key, random);
  ASSERT_OK(writer);
  std::array<std::uint8_t, max_ecm_size> out{};
  std::size_t size = 0;
  for (std::uint8_t i = 0; i <= nonce[11]; ++i) {
    const auto written = writer->write({period, first, views, time}, *criteria, out);
    ASSERT_OK(written);
    size = *written;
  }
  EXPECT_EQ(to_hex(ByteView(out).first(size)), to_hex(section));

  const auto view = EcmView::parse(section);
  ASSERT_OK(view);
  EXPECT_EQ(view->crypto_period, period);
  EXPECT_EQ(view->first_word, first);
  EXPECT_EQ(view->words, views.size());
  EXPECT_EQ(view->word_size, word_size);
  EXPECT_EQ(view->time, time);
  EXPECT_EQ(view->key_id, key_id);
  EXPECT_TRUE(equal(view->criteria.encoded(), criteria->encoded()));
  const auto opened = open_ecm_words(*view, key);
  ASSERT_OK(opened);
  EXPECT_EQ(to_hex(opened->reveal()), to_hex(words));
}

void check_emm(test::Vector& vector) {
  const SecretBytes key = vector.secret("key");
  const Bytes nonce = vector.hex("nonce"), section = vector.hex("section"), plain = vector.hex("commands");
  const Bytes address_bytes = vector.hex("address");
  EmmAddress address{static_cast<EmmAddressing>(vector.number("table_id")), 0};
  for (const std::uint8_t byte : address_bytes) address.number = address.number << 8 | byte;
  const Bytes issue_bytes = vector.hex("issue");
  ByteReader issue_reader(issue_bytes);
  const IssueNumber issue = issue_reader.u64().value();

  const auto commands = parse_commands(plain);
  ASSERT_OK(commands);
  test::FixedRandom random(Bytes(nonce.begin(), nonce.begin() + 8));
  NonceSequence nonces = nonces_before(random, nonce);
  const auto made = make_emm(address, key, issue, *commands, nonces);
  ASSERT_OK(made);
  EXPECT_EQ(to_hex(*made), to_hex(section));

  const auto view = EmmView::parse(section);
  ASSERT_OK(view);
  EXPECT_EQ(view->address, address);
  EXPECT_EQ(view->issue, issue);
  const auto opened = open_emm(*view, key);
  ASSERT_OK(opened);
  const auto encoded = encode_commands(*opened);
  ASSERT_OK(encoded);
  EXPECT_EQ(to_hex(encoded->reveal()), to_hex(plain));
}

TEST(CasdemoVectors, AreWhatIsWrittenAndRead) {
  test::for_each_vector("casdemo/casdemo.txt", [](test::Vector& vector) {
    SCOPED_TRACE(vector.text("case"));
    vector.text("kind") == "ecm" ? check_ecm(vector) : check_emm(vector);
  });
}

}  // namespace
}  // namespace cas::casdemo
