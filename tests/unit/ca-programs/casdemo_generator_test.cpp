// SPDX-License-Identifier: LGPL-2.1-or-later
#include "casdemo_generator.hpp"

#include <gtest/gtest.h>

#include "casdemo/access_criteria.hpp"
#include "mpegts/packet.hpp"
#include "support/allocation_count.hpp"
#include "support/manual_clock.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"

namespace cas::ecmg_program {
namespace {

using casdemo::AccessCriteria;
using simulcrypt::EcmAnswer;

constexpr std::uint32_t super_cas_id = 0x12340001;

class CasdemoGeneratorTest : public testing::Test {
 protected:
  CasdemoGeneratorTest() { make({super_cas_id, {}, casdemo::ProductId{1}}); }
  void make(const CasdemoTerms& terms) {
    generator.emplace(terms, clock, random);
    set_keys();
  }
  // Products 1 and 7, whose keys 3 and 4 follow one another in an hour.
  void set_keys() {
    std::vector<ca_system::EntitlementKey> keys;
    for (const casdemo::ProductId product : {casdemo::ProductId{7}, casdemo::ProductId{1}})
      for (const casdemo::KeyId id : {casdemo::KeyId{4}, casdemo::KeyId{3}}) {
        const UnixSeconds start = began + (id - 3) * 3600;
        keys.push_back({product, id, start, start + 3600, key_of(product, id)});
      }
    EXPECT_OK(generator->set_keys(keys));
  }
  static SecretBytes key_of(casdemo::ProductId product, casdemo::KeyId id) {
    return SecretBytes::copy_of(Bytes(16, static_cast<std::uint8_t>(product * 16 + id)));
  }
  std::uint64_t open() { return generator->open_stream({super_cas_id, 1, 1, 1, 100})->handle; }
  EcmAnswer ask(std::uint64_t stream, ByteView criteria = {}, bool changed = false) {
    simulcrypt::EcmOrder order;
    order.handle = stream;
    order.cp_number = 65535;
    order.words = words;
    order.access_criteria = criteria;
    order.access_criteria_changed = changed;
    order.cw_encryption = cw_encryption;
    return generator->make_ecm(order, out);
  }
  void expect_refused(const EcmAnswer& answer, ecmg::Error error) {
    EXPECT_EQ(answer.kind, EcmAnswer::Kind::refused);
    EXPECT_EQ(answer.error_status, static_cast<std::uint16_t>(error));
  }
  casdemo::EcmView view(const EcmAnswer& answer) {
    EXPECT_EQ(answer.kind, EcmAnswer::Kind::ready);
    auto parsed = casdemo::EcmView::parse(ByteView(out).first(answer.size));
    if (!parsed) throw std::runtime_error(parsed.error().message);
    return *parsed;
  }

  static constexpr UnixSeconds began = 1'800'000'000;
  test::ManualClock clock{began};
  test::SeededRandom random{3};
  std::optional<CasdemoGenerator> generator;
  Bytes word_a{1, 2, 3, 6, 5, 6, 7, 18}, word_b{9, 8, 7, 24, 5, 4, 3, 12};
  std::vector<ecmg::ControlWord> words{{65535, word_a}, {0, word_b}};
  std::optional<ByteView> cw_encryption;
  Bytes out = Bytes(1000);
};

TEST_F(CasdemoGeneratorTest, ServesItsSuperCasIdAlone) {
  EXPECT_TRUE(generator->open_channel(super_cas_id).has_value());
  EXPECT_EQ(generator->open_channel(super_cas_id + 1).error(), ecmg::Error::unknown_super_cas_id);
}

TEST_F(CasdemoGeneratorTest, PutsTheWordsUnderTheKeyOfTheProduct) {
  const auto made = view(ask(open()));
  EXPECT_EQ(made.crypto_period, 65535);
  EXPECT_EQ(made.first_word, 65535);
  EXPECT_EQ(made.time, began);
  EXPECT_EQ(made.key_id, 3);
  EXPECT_EQ(made.criteria.product(), 1);
  const auto opened = casdemo::open_ecm_words(made, key_of(1, 3));
  ASSERT_OK(opened);
  EXPECT_TRUE(equal(opened->reveal().first(8), word_a));
  EXPECT_TRUE(equal(opened->reveal().last(8), word_b));
}

TEST_F(CasdemoGeneratorTest, TakesTheAccessCriteriaOfTheStream) {
  const std::uint64_t stream = open();
  const std::array<casdemo::Region, 1> regions{49};
  const auto criteria = AccessCriteria::create(7, 16, regions).value();
  const auto made = view(ask(stream, criteria.encoded(), true));
  EXPECT_EQ(made.criteria.product(), 7);
  EXPECT_EQ(made.criteria.minimum_age(), 16);
  EXPECT_TRUE(made.criteria.blacks_out(49));
  EXPECT_OK(casdemo::open_ecm_words(made, key_of(7, 3)));
  EXPECT_EQ(view(ask(stream, criteria.encoded())).criteria.product(), 7);
  EXPECT_EQ(view(ask(open())).criteria.product(), 1);  // another stream
}

TEST_F(CasdemoGeneratorTest, RefusesWhatItCannotServe) {
  const std::uint64_t stream = open();
  expect_refused(ask(stream, as_bytes("xyz"), true), ecmg::Error::invalid_value);
  expect_refused(ask(stream, as_bytes("xyz")), ecmg::Error::invalid_value);
  expect_refused(ask(stream, AccessCriteria(2).encoded(), true), ecmg::Error::invalid_value);
  EXPECT_EQ(ask(stream, AccessCriteria(7).encoded(), true).kind, EcmAnswer::Kind::ready);
  cw_encryption = as_bytes("how");
  expect_refused(ask(stream), ecmg::Error::invalid_value);
  cw_encryption.reset();
  const Bytes odd(7);
  words[1].word = odd;
  expect_refused(ask(stream), ecmg::Error::invalid_value);
  words.assign(5, {0, word_a});
  expect_refused(ask(stream), ecmg::Error::invalid_value);
  EXPECT_EQ(generator->ecms(), 1U);
}

TEST_F(CasdemoGeneratorTest, WithoutADefaultProductCriteriaAreDemanded) {
  EXPECT_TRUE(generator->open_stream({})->access_criteria_optional);
  make({super_cas_id, {}, std::nullopt});
  const auto grant = generator->open_stream({});
  EXPECT_FALSE(grant->access_criteria_optional);
  EXPECT_EQ(ask(grant->handle, AccessCriteria(1).encoded(), true).kind, EcmAnswer::Kind::ready);
}

TEST_F(CasdemoGeneratorTest, KeysFollowOneAnother) {
  const std::uint64_t stream = open();
  clock.advance(std::chrono::seconds(3599));
  EXPECT_EQ(view(ask(stream)).key_id, 3);
  clock.advance(std::chrono::seconds(1));
  EXPECT_EQ(view(ask(stream)).key_id, 4);
  clock.advance(std::chrono::seconds(3600));
  expect_refused(ask(stream), no_key_in_force);
  clock.set(began - 1);
  expect_refused(ask(stream), no_key_in_force);
}

TEST_F(CasdemoGeneratorTest, ANewerKeyTakesOverFromOneThatWouldLast) {
  std::vector<ca_system::EntitlementKey> keys;
  keys.push_back({1, 6, began + 60, began + 3600, key_of(1, 6)});
  keys.push_back({1, 3, began, began + 3600, key_of(1, 3)});
  EXPECT_OK(generator->set_keys(keys));
  const std::uint64_t stream = open();
  EXPECT_EQ(view(ask(stream)).key_id, 3);
  clock.advance(std::chrono::seconds(60));
  EXPECT_EQ(view(ask(stream)).key_id, 6);
}

TEST_F(CasdemoGeneratorTest, StreamsThatAreOpenTakeNewKeys) {
  const std::uint64_t stream = open();
  const std::uint64_t other = open();
  expect_refused(ask(other, AccessCriteria(9).encoded(), true), ecmg::Error::invalid_value);
  std::vector<ca_system::EntitlementKey> keys;
  keys.push_back({9, 1, began, began + 10, key_of(9, 1)});
  EXPECT_OK(generator->set_keys(keys));
  expect_refused(ask(stream), no_key_in_force);
  EXPECT_EQ(view(ask(other, AccessCriteria(9).encoded())).criteria.product(), 9);
  set_keys();
  EXPECT_EQ(view(ask(stream)).key_id, 3);
  expect_refused(ask(other), no_key_in_force);
}

TEST_F(CasdemoGeneratorTest, PacketsHoldTheSameSections) {
  CasdemoTerms terms{super_cas_id, {}, casdemo::ProductId{1}};
  terms.parameters.section_tspkt_flag = ecmg::transport_packets;
  make(terms);
  EXPECT_EQ(generator->longest_ecm(), 188U);
  const std::uint64_t stream = open();
  const auto first = ask(stream);
  ASSERT_EQ(first.kind, EcmAnswer::Kind::ready);
  ASSERT_EQ(first.size, 188U);
  EXPECT_EQ(out[0], 0x47);
  EXPECT_EQ(out[3] & 0x0f, 0);
  EXPECT_EQ(out[4], 0);  // pointer_field
  EXPECT_EQ(out[5], 0x81);
  EXPECT_OK(casdemo::EcmView::parse(ByteView(out).subspan(5, 3U + out[7])));
  EXPECT_EQ(out[187], 0xff);
  ask(stream);
  EXPECT_EQ(out[3] & 0x0f, 1);
}

TEST_F(CasdemoGeneratorTest, TakesNoMemoryForAnEcm) {
  const std::uint64_t stream = open();
  const AccessCriteria criteria(7);
  ask(stream, criteria.encoded(), true);
  const std::size_t before = test::allocation_count();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(ask(stream, criteria.encoded(), i % 10 == 0).kind, EcmAnswer::Kind::ready);
  EXPECT_EQ(test::allocation_count(), before);
}

}  // namespace
}  // namespace cas::ecmg_program
