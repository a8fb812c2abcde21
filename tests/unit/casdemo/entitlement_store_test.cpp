// SPDX-License-Identifier: LGPL-2.1-or-later
#include "casdemo/entitlement_store.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"

namespace cas::casdemo {
namespace {

constexpr CardNumber card_number = 0x1122334455667788;
const Bytes even_word{1, 2, 3, 4, 5, 6, 7, 8}, odd_word{11, 12, 13, 14, 15, 16, 17, 18};

SecretBytes key(std::uint8_t byte) { return SecretBytes::copy_of(Bytes(16, byte)); }

/// The key of a product with that id.
SecretBytes entitlement_key(ProductId product, KeyId key_id) {
  Bytes bytes(16, static_cast<std::uint8_t>(product));
  bytes[0] = static_cast<std::uint8_t>(key_id);
  return SecretBytes::copy_of(bytes);
}

Grant grant(ProductId product, KeyId key_id = 2, UnixSeconds start = 100, UnixSeconds expiry = 200) {
  return {product, key_id, start, expiry, entitlement_key(product, key_id)};
}

class EntitlementStoreTest : public testing::Test {
 protected:
  template <typename... Commands>
  Result<EmmOutcome> receive(const EmmAddress& address, std::uint8_t key_byte, IssueNumber issue,
                             Commands... commands) {
    std::vector<EmmCommand> list;
    (list.emplace_back(std::move(commands)), ...);
    const auto section = make_emm(address, key(key_byte), issue, list, nonces_);
    EXPECT_OK(section);
    return store_.receive_emm(*section);
  }
  /// To this card.
  template <typename... Commands>
  Result<EmmOutcome> tell(IssueNumber issue, Commands... commands) {
    return receive(EmmAddress::to_card(card_number), 0x33, issue, std::move(commands)...);
  }
  Bytes ecm(const AccessCriteria& criteria, KeyId key_id = 2, UnixSeconds time = 150) {
    auto writer = EcmWriter::create(criteria.product(), key_id, entitlement_key(criteria.product(), key_id), random_);
    const std::vector<ByteView> words{even_word, odd_word};
    std::array<std::uint8_t, max_ecm_size> out{};
    const auto size = writer->write({6, 6, words, time}, criteria, out);
    EXPECT_OK(size);
    return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(*size)};
  }
  Result<OpenedEcm> open(ProductId product, KeyId key_id = 2, UnixSeconds time = 150) {
    return store_.open_ecm(ecm(AccessCriteria(product), key_id, time));
  }
  void expect(const Result<EmmOutcome>& outcome, EmmOutcome expected) {
    ASSERT_OK(outcome);
    EXPECT_EQ(static_cast<int>(*outcome), static_cast<int>(expected));
  }

  test::SeededRandom random_{3};
  NonceSequence nonces_ = std::move(*NonceSequence::create(random_));
  EntitlementStore store_ = std::move(*EntitlementStore::create({card_number, key(0x33), key(0x44)}));
};

TEST_F(EntitlementStoreTest, OpensWhatItIsEntitledTo) {
  expect(tell(1, grant(1)), EmmOutcome::applied);
  const auto opened = open(1);
  ASSERT_OK(opened);
  EXPECT_EQ(opened->crypto_period, 6);
  EXPECT_EQ(opened->first_word, 6);
  ASSERT_EQ(opened->count(), 2U);
  EXPECT_TRUE(equal(opened->word(0), even_word));
  EXPECT_TRUE(equal(opened->word(1), odd_word));
}

TEST_F(EntitlementStoreTest, IsMadeWithKeysOfTheirSize) {
  EXPECT_FAILS(EntitlementStore::create({1, SecretBytes(15), key(1)}), ErrorKind::invalid_argument);
  EXPECT_FAILS(EntitlementStore::create({1, key(1), SecretBytes(17)}), ErrorKind::invalid_argument);
}

TEST_F(EntitlementStoreTest, RefusesWhatItIsNotEntitledTo) {
  EXPECT_FAILS(open(1), ErrorKind::not_found);
  expect(tell(1, grant(1)), EmmOutcome::applied);
  EXPECT_FAILS(open(2), ErrorKind::not_found);
  EXPECT_FAILS(open(1, 3), ErrorKind::not_found);  // the next key
  EXPECT_FAILS(open(1, 4), ErrorKind::not_found);  // one of the same parity
}

TEST_F(EntitlementStoreTest, HoldsFromStartToExpiry) {
  expect(tell(1, grant(1)), EmmOutcome::applied);
  EXPECT_FAILS(open(1, 2, 99), ErrorKind::expired);
  EXPECT_OK(open(1, 2, 100));
  EXPECT_OK(open(1, 2, 199));
  EXPECT_FAILS(open(1, 2, 200), ErrorKind::expired);
}

TEST_F(EntitlementStoreTest, AForgedEcmIsNoticedBeforeItsTimeIsBelieved) {
  expect(tell(1, grant(1)), EmmOutcome::applied);
  Bytes late = ecm(AccessCriteria(1));
  late[14] = 0x7f;
  EXPECT_FAILS(store_.open_ecm(late), ErrorKind::authentication_failed);
}

TEST_F(EntitlementStoreTest, ABlackoutIsForItsRegion) {
  const auto criteria = AccessCriteria::create(1, 0, std::vector<Region>{7, 8});
  ASSERT_OK(criteria);
  expect(tell(1, grant(1), Personalise{7, {}}), EmmOutcome::applied);
  EXPECT_FAILS(store_.open_ecm(ecm(*criteria)), ErrorKind::refused);
  expect(tell(2, Personalise{9, {}}), EmmOutcome::applied);
  EXPECT_OK(store_.open_ecm(ecm(*criteria)));
}

TEST_F(EntitlementStoreTest, TheAgeLimitIsKept) {
  expect(tell(1, grant(1)), EmmOutcome::applied);
  const auto criteria = AccessCriteria::create(1, 12, {});
  ASSERT_OK(criteria);
  EXPECT_OK(store_.open_ecm(ecm(*criteria)));
  store_.set_age_limit(11);
  EXPECT_FAILS(store_.open_ecm(ecm(*criteria)), ErrorKind::permission_denied);
  store_.set_age_limit(12);
  EXPECT_OK(store_.open_ecm(ecm(*criteria)));
}

TEST_F(EntitlementStoreTest, HasThePresentKeyAndTheNext) {
  expect(tell(1, grant(1, 2)), EmmOutcome::applied);
  expect(tell(2, grant(1, 3, 200, 300)), EmmOutcome::applied);
  EXPECT_OK(open(1, 2, 150));
  EXPECT_OK(open(1, 3, 250));
  expect(tell(3, grant(1, 4, 300, 400)), EmmOutcome::applied);
  EXPECT_FAILS(open(1, 2, 150), ErrorKind::not_found);
  EXPECT_OK(open(1, 3, 250));
  EXPECT_OK(open(1, 4, 350));
  EXPECT_EQ(store_.entitlements(), (std::vector<Entitlement>{{1, 4, 300, 400}, {1, 3, 200, 300}}));
}

TEST_F(EntitlementStoreTest, ObeysWhatIsToItToItsGroupsAndToAll) {
  expect(receive(EmmAddress::to_all(), 0x44, 1, grant(1)), EmmOutcome::applied);
  expect(receive(EmmAddress::to_group(5), 0x55, 2, grant(2)), EmmOutcome::not_addressed);
  expect(receive(EmmAddress::to_card(card_number + 1), 0x33, 3, grant(3)), EmmOutcome::not_addressed);
  Personalise personalise{0, {}};
  personalise.groups.push_back({5, key(0x55)});
  expect(tell(4, std::move(personalise)), EmmOutcome::applied);
  EXPECT_EQ(store_.groups(), std::vector<GroupNumber>{5});
  expect(receive(EmmAddress::to_group(5), 0x55, 5, grant(2)), EmmOutcome::applied);
  EXPECT_OK(open(1));
  EXPECT_OK(open(2));
  EXPECT_FAILS(open(3), ErrorKind::not_found);
  expect(tell(6, Personalise{0, {}}), EmmOutcome::applied);
  expect(receive(EmmAddress::to_group(5), 0x55, 7, Withdraw{2}), EmmOutcome::not_addressed);
}

TEST_F(EntitlementStoreTest, AForgedEmmChangesNothing) {
  EXPECT_FAILS(receive(EmmAddress::to_card(card_number), 0x34, 1, grant(1)), ErrorKind::authentication_failed);
  EXPECT_FAILS(receive(EmmAddress::to_all(), 0x33, 1, grant(1)), ErrorKind::authentication_failed);
  EXPECT_FAILS(store_.receive_emm(Bytes{0x84, 0x70, 0x00}), ErrorKind::truncated);
  EXPECT_TRUE(store_.entitlements().empty());
}

TEST_F(EntitlementStoreTest, ARepeatedEmmIsObeyedOnce) {
  expect(tell(1, grant(1)), EmmOutcome::applied);
  expect(tell(1, grant(1)), EmmOutcome::nothing_new);
}

TEST_F(EntitlementStoreTest, AReplayedGrantDoesNotBringBackWhatWasWithdrawn) {
  expect(tell(1, grant(1, 2), grant(1, 3)), EmmOutcome::applied);
  expect(tell(2, Withdraw{1}), EmmOutcome::applied);
  EXPECT_FAILS(open(1), ErrorKind::not_found);
  expect(tell(1, grant(1, 2), grant(1, 3)), EmmOutcome::nothing_new);
  EXPECT_FAILS(open(1), ErrorKind::not_found);
  expect(tell(2, Withdraw{1}), EmmOutcome::nothing_new);
  expect(tell(3, grant(1)), EmmOutcome::applied);
  EXPECT_OK(open(1));
  expect(tell(2, Withdraw{1}), EmmOutcome::nothing_new);
  EXPECT_OK(open(1));
}

TEST_F(EntitlementStoreTest, AWithdrawalMayOvertakeTheGrant) {
  expect(tell(2, Withdraw{1}), EmmOutcome::applied);
  expect(tell(1, grant(1)), EmmOutcome::nothing_new);
  EXPECT_FAILS(open(1), ErrorKind::not_found);
}

TEST_F(EntitlementStoreTest, AWithdrawalSparesANewerKey) {
  expect(tell(1, grant(1, 2)), EmmOutcome::applied);
  expect(tell(3, grant(1, 3)), EmmOutcome::applied);
  expect(tell(2, Withdraw{1}), EmmOutcome::applied);
  EXPECT_FAILS(open(1, 2), ErrorKind::not_found);
  EXPECT_OK(open(1, 3));
}

TEST_F(EntitlementStoreTest, AReplayedGrantDoesNotLengthenWhatWasShortened) {
  expect(tell(1, grant(1, 2, 100, 1000)), EmmOutcome::applied);
  expect(tell(2, grant(1, 2, 100, 200)), EmmOutcome::applied);
  expect(tell(1, grant(1, 2, 100, 1000)), EmmOutcome::nothing_new);
  EXPECT_FAILS(open(1, 2, 500), ErrorKind::expired);
}

TEST_F(EntitlementStoreTest, AReplayedPersonalisationChangesNothing) {
  expect(tell(2, Personalise{2, {}}), EmmOutcome::applied);
  expect(tell(1, Personalise{1, {}}), EmmOutcome::nothing_new);
  EXPECT_EQ(store_.region(), 2);
}

TEST_F(EntitlementStoreTest, RefusesAProductMoreThanItHasSlotsAndThenObeysNothing) {
  for (ProductId product = 0; product < EntitlementStore::max_products; ++product)
    expect(tell(product + 1U, grant(product)), EmmOutcome::applied);
  EXPECT_FAILS(tell(100, grant(0, 3), grant(1000)), ErrorKind::exhausted);
  EXPECT_FAILS(open(0, 3), ErrorKind::not_found);
  expect(tell(101, grant(0, 3)), EmmOutcome::applied);  // a product that has its slot
  EXPECT_EQ(store_.entitlements().size(), EntitlementStore::max_products + 1);
}

TEST_F(EntitlementStoreTest, ASlotThatIsUsedAgainStillKeepsReplaysOut) {
  for (ProductId product = 0; product < EntitlementStore::max_products; ++product)
    expect(tell(product + 1U, grant(product)), EmmOutcome::applied);
  expect(tell(100, Withdraw{0}), EmmOutcome::applied);
  expect(tell(101, grant(1000)), EmmOutcome::applied);  // in the slot of product 0
  EXPECT_OK(open(1000));
  expect(tell(102, Withdraw{1}), EmmOutcome::applied);
  expect(tell(1, grant(0)), EmmOutcome::nothing_new);  // a replay, although there would be a slot
  EXPECT_FAILS(open(0), ErrorKind::not_found);
  expect(tell(103, grant(0)), EmmOutcome::applied);  // in the slot of product 1
  EXPECT_OK(open(0));
  expect(tell(2, grant(1)), EmmOutcome::nothing_new);
}

TEST_F(EntitlementStoreTest, AnExpiredEntitlementMakesRoom) {
  for (ProductId product = 0; product < EntitlementStore::max_products; ++product)
    expect(tell(product + 1U, grant(product, 2, 100, product < 3 ? 150 : 1000)), EmmOutcome::applied);
  EXPECT_FAILS(tell(100, grant(1000)), ErrorKind::exhausted);
  EXPECT_OK(open(4, 2, 160));  // a card learns the time from ECMs
  expect(tell(100, grant(1000)), EmmOutcome::applied);
  expect(tell(101, grant(1001)), EmmOutcome::applied);
  EXPECT_FAILS(open(0), ErrorKind::not_found);
  EXPECT_FAILS(open(1), ErrorKind::not_found);
  // What the slot of product 1 was told is not forgotten: a grant from before it stays void, although there is room.
  expect(tell(2, grant(1, 2, 100, 1000)), EmmOutcome::nothing_new);
  expect(tell(102, grant(1, 2, 100, 1000)), EmmOutcome::applied);
}

TEST_F(EntitlementStoreTest, AWithdrawalThatFindsNoSlotStillHolds) {
  for (ProductId product = 0; product < EntitlementStore::max_products; ++product)
    expect(tell(product + 1U, grant(product)), EmmOutcome::applied);
  expect(tell(100, Withdraw{1000}), EmmOutcome::applied);
  expect(tell(101, Withdraw{0}), EmmOutcome::applied);
  expect(tell(99, grant(1000)), EmmOutcome::nothing_new);
  expect(tell(100, Withdraw{1000}), EmmOutcome::nothing_new);
  expect(tell(102, grant(1000)), EmmOutcome::applied);
}

// ------------------------------------------------------------------------------------------------------------- format

class EntitlementStoreFormat : public EntitlementStoreTest {
 protected:
  Bytes encoded() {
    Personalise personalise{7, {}};
    personalise.groups.push_back({5, key(0x55)});
    personalise.groups.push_back({6, key(0x66)});
    expect(tell(1, std::move(personalise), grant(1, 2)), EmmOutcome::applied);
    expect(tell(2, grant(1, 3), grant(2, 3)), EmmOutcome::applied);
    store_.set_age_limit(12);
    EXPECT_OK(open(1));
    return copy_of(store_.encode().reveal());
  }
  static Bytes with(Bytes bytes, std::size_t at, std::uint8_t value) {
    bytes[at] = value;
    return bytes;
  }
  // Where things are, as in docs/formats/casdemo.md.
  static constexpr std::size_t latest_at = 64, groups_at = 72, second_group_at = 93, products_at = 113,
                               first_product_at = 114, second_product_at = first_product_at + 95;
};

TEST_F(EntitlementStoreFormat, ComesBackAsItWas) {
  const Bytes bytes = encoded();
  EXPECT_EQ(bytes.size(), second_product_at + 95);
  auto parsed = EntitlementStore::parse(bytes);
  ASSERT_OK(parsed);
  EXPECT_EQ(copy_of(parsed->encode().reveal()), bytes);
  EXPECT_EQ(parsed->number(), card_number);
  EXPECT_EQ(parsed->region(), 7);
  EXPECT_EQ(parsed->age_limit(), 12);
  EXPECT_EQ(parsed->groups(), (std::vector<GroupNumber>{5, 6}));
  EXPECT_EQ(parsed->entitlements(), store_.entitlements());
  store_ = std::move(*parsed);
  EXPECT_OK(open(1, 3));
  expect(tell(1, grant(1, 2)), EmmOutcome::nothing_new);
  expect(receive(EmmAddress::to_group(6), 0x66, 9, grant(9)), EmmOutcome::applied);
}

TEST_F(EntitlementStoreFormat, DamagedOnesAreRefused) {
  const Bytes bytes = encoded();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FAILS(EntitlementStore::parse(ByteView(bytes).first(size)), ErrorKind::truncated);
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_FAILS(EntitlementStore::parse(longer), ErrorKind::malformed);
  EXPECT_FAILS(EntitlementStore::parse(with(bytes, 0, 'X')), ErrorKind::malformed);
  EXPECT_FAILS(EntitlementStore::parse(with(bytes, 4, 2)), ErrorKind::unsupported);
  EXPECT_FAILS(EntitlementStore::parse(with(bytes, latest_at, 0x80)), ErrorKind::malformed);
  EXPECT_FAILS(EntitlementStore::parse(with(bytes, groups_at, 9)), ErrorKind::malformed);
  EXPECT_FAILS(EntitlementStore::parse(with(bytes, second_group_at + 3, 5)), ErrorKind::malformed);
  EXPECT_FAILS(EntitlementStore::parse(with(bytes, products_at, 65)), ErrorKind::malformed);
  EXPECT_FAILS(EntitlementStore::parse(with(bytes, second_product_at + 1, 1)), ErrorKind::malformed);
  EXPECT_FAILS(EntitlementStore::parse(with(bytes, first_product_at + 10, 4)), ErrorKind::malformed);
  EXPECT_FAILS(EntitlementStore::parse(with(bytes, first_product_at + 20, 3)), ErrorKind::malformed);
}

}  // namespace
}  // namespace cas::casdemo
