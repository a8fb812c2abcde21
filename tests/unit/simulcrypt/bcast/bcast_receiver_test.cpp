// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/bcast_receiver.hpp"

#include <gtest/gtest.h>

#include "simulcrypt/bcast/ltkm_generator.hpp"
#include "simulcrypt/bcast/stkm_generator.hpp"
#include "support/result_matchers.hpp"
#include "unit/simulcrypt/bcast/keys.hpp"

namespace cas::simulcrypt::bcast {
namespace {

using std::chrono::seconds;
using Outcome = BcastReceiver::Outcome;

constexpr std::uint32_t bsm = 0x00010007;
constexpr std::uint16_t stream = 9;

SecretBytes tek_of(std::uint16_t period) { return test::counted(static_cast<std::uint8_t>(period), 30); }

// A generator and a receiver of one service.
class BcastReceiverTest : public ::testing::Test {
 protected:
  StkmGenerator make_generator(Profile profile, bool service = true, bool programme = false) {
    StkmStreamOptions options;
    options.profile = profile;
    options.stream = stream;
    options.key_domain = test::key_domain;
    return cas::test::value_or_throw(
        StkmGenerator::create(options, service ? std::optional(test::service_key()) : std::nullopt,
                              programme ? std::optional(test::programme_key()) : std::nullopt, clock));
  }
  Bytes stkm(StkmGenerator& generator, std::uint16_t period, bool next = false) {
    const SecretBytes first = tek_of(period);
    const SecretBytes second = tek_of(static_cast<std::uint16_t>(period + 1));
    const ecmg::ControlWord words[] = {{period, first.reveal()},
                                       {static_cast<std::uint16_t>(period + 1), second.reveal()}};
    Bytes out(longest_stkm);
    const auto size = generator.make(std::span(words).first(next ? 2 : 1), seconds(10), {}, out);
    out.resize(cas::test::value_or_throw(size));
    return out;
  }
  BcastReceiver drm_receiver(std::optional<ServiceKey> key = test::service_key()) {
    std::vector<DrmRecipient> recipients;
    recipients.push_back({77, test::counted(0x60)});
    recipients.push_back({std::nullopt, test::counted(0x70)});
    auto receiver = cas::test::value_or_throw(BcastReceiver::create_drm(bsm, std::move(recipients), clock));
    if (key) {
      EXPECT_EQ(*receiver.take_ltkm(drm_ltkm(std::move(*key))), Outcome::taken);
    }
    return receiver;
  }
  Bytes drm_ltkm(ServiceKey key, bool to_all = false) {
    std::vector<ServiceKey> keys;
    keys.push_back(std::move(key));
    if (to_all) return *ltkms.make({std::nullopt, test::counted(0x70)}, keys);
    return *ltkms.make({77, test::counted(0x60)}, keys);
  }
  BcastReceiver smartcard_receiver(std::optional<ServiceKey> key = test::service_key()) {
    auto receiver = cas::test::value_or_throw(BcastReceiver::create_smartcard(test::subscription(), clock));
    if (key) {
      EXPECT_EQ(*receiver.take_ltkm(*card_ltkms.make(test::subscription(), *key)), Outcome::taken);
    }
    return receiver;
  }
  static std::string tek_in(const BcastReceiver& receiver, std::uint16_t id) {
    const ReceivedTek* const tek = receiver.find_tek(stream, id);
    return tek == nullptr ? "none" : to_hex(tek->tek.material.reveal());
  }

  cas::test::ManualClock clock{test::time};
  DrmLtkmGenerator ltkms = cas::test::value_or_throw(DrmLtkmGenerator::create(bsm, clock));
  SmartcardLtkmGenerator card_ltkms{clock};
};

TEST_F(BcastReceiverTest, TakesTheTeksOfTheDrmProfile) {
  StkmGenerator generator = make_generator(Profile::drm);
  BcastReceiver receiver = drm_receiver();
  EXPECT_EQ(*receiver.take_stkm(stream, stkm(generator, 65535, true)), Outcome::taken);
  EXPECT_EQ(tek_in(receiver, 65535), to_hex(tek_of(65535).reveal()));
  EXPECT_EQ(tek_in(receiver, 0), to_hex(tek_of(0).reveal()));
  ASSERT_EQ(receiver.teks(stream).size(), 2U);
  EXPECT_EQ(receiver.teks(stream)[0].tek.id, 65535);
  EXPECT_EQ(receiver.teks(stream)[0].lifetime, seconds(16));
  EXPECT_EQ(receiver.teks(stream)[0].protection, TrafficProtection::srtp);
  EXPECT_TRUE(receiver.teks(stream + 1).empty());
  EXPECT_EQ(receiver.find_tek(stream, 1), nullptr);
}

TEST_F(BcastReceiverTest, TakesTheTeksOfTheSmartcardProfile) {
  StkmGenerator generator = make_generator(Profile::smartcard);
  BcastReceiver receiver = smartcard_receiver();
  EXPECT_EQ(*receiver.take_stkm(stream, stkm(generator, 3)), Outcome::taken);
  EXPECT_EQ(tek_in(receiver, 3), to_hex(tek_of(3).reveal()));
}

TEST_F(BcastReceiverTest, LetsInWhoHasTheServiceOrTheProgramme) {
  StkmGenerator both = make_generator(Profile::drm, true, true);
  const Bytes message = stkm(both, 5, true);
  for (const bool programme : {false, true}) {
    BcastReceiver receiver = drm_receiver(programme ? test::programme_key() : test::service_key());
    EXPECT_EQ(*receiver.take_stkm(stream, message), Outcome::taken);
    EXPECT_EQ(tek_in(receiver, 6), to_hex(tek_of(6).reveal()));
  }
  BcastReceiver stranger = drm_receiver(std::nullopt);
  EXPECT_FAILS(stranger.take_stkm(stream, message), ErrorKind::not_found);
  StkmGenerator programme_alone = make_generator(Profile::smartcard, false, true);
  BcastReceiver buyer = smartcard_receiver(test::programme_key());
  EXPECT_EQ(*buyer.take_stkm(stream, stkm(programme_alone, 5)), Outcome::taken);
}

TEST_F(BcastReceiverTest, KnowsARepetitionFromAReplay) {
  for (const Profile profile : {Profile::drm, Profile::smartcard}) {
    StkmGenerator generator = make_generator(profile);
    BcastReceiver receiver = profile == Profile::drm ? drm_receiver() : smartcard_receiver();
    const Bytes first = stkm(generator, 1);
    const Bytes second = stkm(generator, 2);  // within the same second
    clock.advance(seconds(10));
    const Bytes third = stkm(generator, 3);
    EXPECT_EQ(*receiver.take_stkm(stream, first), Outcome::taken);
    EXPECT_EQ(*receiver.take_stkm(stream, first), Outcome::repeated);
    EXPECT_EQ(*receiver.take_stkm(stream, second), Outcome::taken);
    EXPECT_FAILS(receiver.take_stkm(stream, first), ErrorKind::outdated);
    EXPECT_EQ(*receiver.take_stkm(stream, third), Outcome::taken);
    EXPECT_FAILS(receiver.take_stkm(stream, second), ErrorKind::outdated);
    EXPECT_FAILS(receiver.take_stkm(stream, first), ErrorKind::outdated);
    EXPECT_EQ(*receiver.take_stkm(stream, third), Outcome::repeated);
  }
}

TEST_F(BcastReceiverTest, RefusesOlderLtkms) {
  BcastReceiver receiver = drm_receiver(std::nullopt);
  const Bytes first = drm_ltkm(test::service_key());
  const Bytes second = drm_ltkm(test::service_key());
  EXPECT_EQ(*receiver.take_ltkm(second), Outcome::taken);
  EXPECT_EQ(*receiver.take_ltkm(second), Outcome::repeated);
  EXPECT_FAILS(receiver.take_ltkm(first), ErrorKind::outdated);
  // Those under another key of the receiver count apart.
  EXPECT_EQ(*receiver.take_ltkm(drm_ltkm(test::programme_key(), true)), Outcome::taken);
  EXPECT_EQ(receiver.key_count(), 2U);
  BcastReceiver card = smartcard_receiver(std::nullopt);
  const Bytes older = *card_ltkms.make(test::subscription(), test::service_key());
  const Bytes newer = *card_ltkms.make(test::subscription(), test::service_key());
  EXPECT_EQ(*card.take_ltkm(newer), Outcome::taken);
  EXPECT_EQ(*card.take_ltkm(newer), Outcome::repeated);
  EXPECT_FAILS(card.take_ltkm(older), ErrorKind::outdated);
  EXPECT_FAILS(card.take_ltkm(*card_ltkms.make(test::subscription(0x51), test::service_key())),
               ErrorKind::authentication_failed);
}

TEST_F(BcastReceiverTest, RefusesAForgedMessageAndKeepsWhatItHas) {
  for (const Profile profile : {Profile::drm, Profile::smartcard}) {
    StkmGenerator generator = make_generator(profile);
    BcastReceiver receiver = profile == Profile::drm ? drm_receiver() : smartcard_receiver();
    EXPECT_EQ(*receiver.take_stkm(stream, stkm(generator, 1)), Outcome::taken);
    clock.advance(seconds(1));
    const Bytes good = stkm(generator, 2);
    Bytes forged = good;
    forged.back() ^= 1;
    EXPECT_FAILS(receiver.take_stkm(stream, forged), ErrorKind::authentication_failed);
    EXPECT_EQ(tek_in(receiver, 2), "none");
    EXPECT_FALSE(receiver.take_stkm(stream, ByteView(good).first(good.size() - 1)));
    EXPECT_EQ(*receiver.take_stkm(stream, good), Outcome::taken);
    EXPECT_NE(tek_in(receiver, 1), "none");
  }
}

TEST_F(BcastReceiverTest, KeysEndWithTheirWindow) {
  StkmGenerator generator = make_generator(Profile::drm);
  StkmGenerator card_generator = make_generator(Profile::smartcard);
  BcastReceiver receiver = drm_receiver();
  BcastReceiver card = smartcard_receiver();
  const Bytes last = stkm(card_generator, 1);
  clock.set(test::time + 1000);
  EXPECT_THROW(stkm(generator, 1), std::runtime_error);  // expired
  EXPECT_FAILS(card.take_stkm(stream, last), ErrorKind::expired);
  // A head-end that goes on with an old key: the message's own time counts, not the receiver's clock.
  ServiceKey longer = test::service_key();
  longer.valid_until = test::time + 5000;
  ASSERT_OK(generator.set_keys(longer.clone(), std::nullopt));
  const Bytes late = stkm(generator, 1);
  clock.set(test::time);
  EXPECT_FAILS(receiver.take_stkm(stream, late), ErrorKind::expired);
  EXPECT_EQ(*receiver.take_ltkm(drm_ltkm(std::move(longer))), Outcome::taken);
  EXPECT_EQ(receiver.key_count(), 1U);
  EXPECT_EQ(*receiver.take_stkm(stream, late), Outcome::taken);
}

// The TEK of these messages lives for 16 seconds.
TEST_F(BcastReceiverTest, AChangeOfKeysAllowsForClocksThatDiffer) {
  StkmGenerator generator = make_generator(Profile::smartcard);
  clock.set(test::time + 999);
  const Bytes last = stkm(generator, 1);
  const auto outcome_at = [this](UnixSeconds now, const Bytes& message) {
    clock.set(test::time);
    BcastReceiver receiver = smartcard_receiver();
    clock.set(now);
    return receiver.take_stkm(stream, message);
  };
  EXPECT_OK(outcome_at(test::time + 999 + 16, last));  // ahead, or the message is repeated
  EXPECT_FAILS(outcome_at(test::time + 999 + 17, last), ErrorKind::expired);
  ServiceKey later = test::service_key();
  later.valid_from = test::time + 1000;
  later.valid_until = test::time + 2000;
  EXPECT_OK(generator.set_keys(later.clone(), std::nullopt));
  clock.set(test::time + 1000);
  const Bytes of_later = stkm(generator, 3);
  for (const int behind : {16, 17}) {
    clock.set(test::time);
    BcastReceiver receiver = smartcard_receiver(later.clone());
    clock.set(test::time + 1000 - behind);
    EXPECT_EQ(receiver.take_stkm(stream, of_later).has_value(), behind == 16) << behind;
  }
}

TEST_F(BcastReceiverTest, KeepsTheNewestTeksAndLimitsWhatItKeeps) {
  StkmGenerator generator = make_generator(Profile::drm);
  BcastReceiver receiver = drm_receiver();
  for (std::uint16_t period = 0; period < 20; ++period) {
    EXPECT_EQ(*receiver.take_stkm(stream, stkm(generator, period)), Outcome::taken);
  }
  EXPECT_EQ(receiver.teks(stream).size(), 8U);
  EXPECT_EQ(receiver.teks(stream).back().tek.id, 19);
  EXPECT_EQ(tek_in(receiver, 11), "none");
  for (std::uint16_t other = 100; other < 163; ++other) EXPECT_FALSE(receiver.take_stkm(other, Bytes(3)));
  EXPECT_FAILS(receiver.take_stkm(163, Bytes(3)), ErrorKind::exhausted);
  for (std::uint32_t id = 1; id < 64; ++id) {
    ServiceKey key = test::service_key();
    key.id = id;
    ASSERT_OK(receiver.take_ltkm(drm_ltkm(std::move(key))));
  }
  // What it has already takes no more room.
  EXPECT_EQ(*receiver.take_ltkm(drm_ltkm(test::service_key(63))), Outcome::taken);
  EXPECT_EQ(receiver.key_count(), 64U);
  const Bytes one_more = drm_ltkm(test::service_key(64));
  EXPECT_FAILS(receiver.take_ltkm(one_more), ErrorKind::exhausted);
  clock.advance(seconds(1000));  // the others' windows are over
  EXPECT_EQ(*receiver.take_ltkm(one_more), Outcome::taken);
  EXPECT_EQ(receiver.key_count(), 1U);
}

TEST_F(BcastReceiverTest, RefusesKeysOfOtherSizes) {
  EXPECT_FAILS(BcastReceiver::create_drm(bsm, {}, clock), ErrorKind::invalid_argument);
  std::vector<DrmRecipient> recipients;
  recipients.push_back({std::nullopt, SecretBytes(15)});
  EXPECT_FAILS(BcastReceiver::create_drm(bsm, std::move(recipients), clock), ErrorKind::invalid_argument);
  SmartcardSubscription subscription = test::subscription();
  subscription.smk = SecretBytes(15);
  EXPECT_FAILS(BcastReceiver::create_smartcard(std::move(subscription), clock), ErrorKind::invalid_argument);
  StkmGenerator generator = make_generator(Profile::smartcard);
  BcastReceiver stranger = cas::test::value_or_throw(BcastReceiver::create_smartcard(
      {KeyDomain{1, 2, 3}, "bsm@example.org", "a@example.org", test::counted(0)}, clock));
  EXPECT_FAILS(stranger.take_stkm(stream, stkm(generator, 1)), ErrorKind::not_found);
}

TEST_F(BcastReceiverTest, AGeneratorRefusesWhatIsNoTek) {
  StkmGenerator generator = make_generator(Profile::drm);
  Bytes out(longest_stkm);
  const SecretBytes tek = test::counted(0, 30);
  const SecretBytes other = test::counted(0, 29);
  const ecmg::ControlWord good{1, tek.reveal()};
  const ecmg::ControlWord words[] = {good, {3, tek.reveal()}};
  const ecmg::ControlWord short_word[] = {{1, other.reveal()}};
  EXPECT_FAILS(generator.make({}, seconds(1), {}, out), ErrorKind::invalid_argument);
  EXPECT_FAILS(generator.make(words, seconds(1), {}, out), ErrorKind::invalid_argument);
  EXPECT_FAILS(generator.make(short_word, seconds(1), {}, out), ErrorKind::invalid_argument);
  EXPECT_FAILS(generator.make({&good, 1}, seconds(1), Bytes{1}, out), ErrorKind::malformed);
  EXPECT_FAILS(generator.make({&good, 1}, seconds(1), {}, MutableByteView(out).first(20)), ErrorKind::exhausted);
  EXPECT_FAILS(generator.set_keys(std::nullopt, std::nullopt), ErrorKind::invalid_argument);
  EXPECT_FAILS(generator.set_keys(test::programme_key(), std::nullopt), ErrorKind::invalid_argument);
  EXPECT_FAILS(DrmLtkmGenerator::create(0x00020001, clock), ErrorKind::invalid_argument);
  EXPECT_FAILS(next_counter(0xffffffff, clock.now()), ErrorKind::exhausted);
  EXPECT_EQ(*next_counter(7, 0), 8U);
}

}  // namespace
}  // namespace cas::simulcrypt::bcast
