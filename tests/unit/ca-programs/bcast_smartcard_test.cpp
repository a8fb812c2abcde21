// SPDX-License-Identifier: LGPL-2.1-or-later
// The Smartcard Profile in cas-ecmg: its keys, its short term key messages, and long term key messages for a subscriber.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/writer.hpp"
#include "bcast_generator.hpp"
#include "bcast_ltkm.hpp"
#include "simulcrypt/bcast/bcast_receiver.hpp"
#include "support/manual_clock.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"

namespace cas::ecmg_program {
namespace {

namespace bcast = simulcrypt::bcast;
using bcast::ServiceKey;
using simulcrypt::EcmAnswer;
using test::value_or_throw;

constexpr std::int64_t period = 3600;
constexpr std::uint32_t super_cas_id = 0x00020007;
constexpr bcast::KeyDomain key_domain{0x00, 0xf1, 0x10};
constexpr const char* subscriber = "001@example.org";
constexpr std::uint16_t news = 1, films = 2;
constexpr std::uint16_t news_stream = 11, films_stream = 12;

BcastIssuer issuer() { return {key_domain, "bsm@example.org"}; }

BcastService service_with(std::uint16_t id, std::vector<std::uint16_t> streams,
                          ServiceKey::Kind kind = ServiceKey::Kind::service) {
  BcastService service;
  service.id = id;
  service.kind = kind;
  service.key_period = std::chrono::seconds(period);
  service.streams = std::move(streams);
  return service;
}

SecretBytes smk(std::size_t size = 16) {
  SecretBytes key(size);
  std::ranges::fill(key.reveal_mutable(), std::uint8_t{0x5a});
  return key;
}

class BcastSmartcard : public testing::Test {
 protected:
  BcastSmartcard() {
    EXPECT_OK(keys.add_service(service_with(news, {news_stream}), began, random));
    EXPECT_OK(keys.add_service(service_with(films, {films_stream}, ServiceKey::Kind::programme), began, random));
    EXPECT_OK(keys.subscribe(subscriber, {news}));
  }
  [[nodiscard]] BcastKeys copy_of_keys() const { return value_or_throw(BcastKeys::parse(keys.serialise())); }
  static SmartcardLtkmOrder order(std::optional<std::uint16_t> service = {}, std::string key = "now") {
    return {subscriber, smk(), service, std::move(key)};
  }
  Result<BcastLtkm> make(const SmartcardLtkmOrder& wanted) { return make_smartcard_ltkm(keys, wanted, clock.now()); }
  bcast::BcastReceiver receiver_of(const char* identity) {
    return value_or_throw(
        bcast::BcastReceiver::create_smartcard({key_domain, "bsm@example.org", identity, smk()}, clock));
  }

  test::ManualClock clock;
  const UnixSeconds began = clock.now();
  test::SeededRandom random{1};
  BcastKeys keys = value_or_throw(BcastKeys::create(super_cas_id, issuer()));
};

TEST_F(BcastSmartcard, KeysAreNumberedInTheGroupOfTheirService) {
  const BcastService& service = *value_or_throw(keys.service(films));
  ASSERT_EQ(service.keys.size(), 2U);
  EXPECT_EQ(service.keys[0].id, 0x00020001U);
  EXPECT_EQ(service.keys[1].id, 0x00020002U);
  EXPECT_EQ(service.keys[0].kind, ServiceKey::Kind::programme);
  EXPECT_EQ(value_or_throw(keys.service(news))->keys[0].id, 0x00010001U);
  ASSERT_OK(keys.renew(news, began + period, random));
  EXPECT_EQ(value_or_throw(keys.service(news))->keys[1].id, 0x00010003U);
  // Also when all of them are over.
  ASSERT_OK(keys.renew(news, began + 10 * period, random));
  const BcastService& renewed = *value_or_throw(keys.service(news));
  ASSERT_EQ(renewed.keys.size(), 1U);
  EXPECT_EQ(renewed.keys[0].id, 0x00010004U);
  EXPECT_EQ(renewed.keys[0].valid_from, began + 10 * period);
}

TEST_F(BcastSmartcard, AKeyGroupHasAnEnd) {
  Bytes bytes = keys.serialise();
  const auto renumber = [&bytes](std::uint32_t from, std::uint32_t to) {
    const Bytes old = ByteWriter().u32(from).take();
    std::ranges::copy(ByteWriter().u32(to).view(), std::search(bytes.begin(), bytes.end(), old.begin(), old.end()));
  };
  renumber(0x00010001, 0x0001fffe);
  renumber(0x00010002, 0x0001ffff);
  BcastKeys last = value_or_throw(BcastKeys::parse(bytes));
  EXPECT_FAILS(last.renew(news, began, random), ErrorKind::exhausted);
  EXPECT_FAILS(last.renew(news, began + 10 * period, random), ErrorKind::exhausted);
  EXPECT_OK(last.renew(films, began, random));
}

TEST_F(BcastSmartcard, ProfilesAreNotMixed) {
  EXPECT_FAILS(BcastKeys::create(super_cas_id), ErrorKind::invalid_argument);
  EXPECT_FAILS(BcastKeys::create(0x00010007, issuer()), ErrorKind::invalid_argument);
  EXPECT_FAILS(BcastKeys::create(0x00030007, issuer()), ErrorKind::invalid_argument);
  EXPECT_FAILS(BcastKeys::create(super_cas_id, BcastIssuer{key_domain, ""}), ErrorKind::invalid_argument);
  EXPECT_FAILS(BcastKeys::create(super_cas_id, BcastIssuer{key_domain, "a b"}), ErrorKind::invalid_argument);
  EXPECT_FAILS(BcastKeys::create(super_cas_id, BcastIssuer{key_domain, std::string(256, 'a')}),
               ErrorKind::invalid_argument);
  BcastKeys drm = value_or_throw(BcastKeys::create(0x00010007));
  EXPECT_FAILS(drm.add_service(service_with(1, {1}, ServiceKey::Kind::programme), began, random),
               ErrorKind::invalid_argument);
  EXPECT_FAILS(drm.subscribe(subscriber, {}), ErrorKind::invalid_argument);
  ASSERT_OK(drm.add_service(service_with(news, {1}), began, random));
  EXPECT_FAILS(make_smartcard_ltkm(drm, order(), began), ErrorKind::invalid_argument);
  // 14.1.1.3.4: long term key messages of the Smartcard Profile are not broadcast.
  EXPECT_FAILS(make_drm_ltkm(keys, {std::nullopt, smk()}, {}, began), ErrorKind::invalid_argument);
}

TEST_F(BcastSmartcard, TheFileIsReadAsItWasWritten) {
  ASSERT_OK(keys.subscribe("000@example.org", {films, news, films}));
  const BcastKeys again = copy_of_keys();
  EXPECT_EQ(to_hex(again.serialise()), to_hex(keys.serialise()));
  EXPECT_EQ(again.profile(), bcast::Profile::smartcard);
  EXPECT_EQ(again.issuer()->key_domain, key_domain);
  EXPECT_EQ(again.issuer()->bsm, "bsm@example.org");
  ASSERT_EQ(again.subscribers().size(), 2U);
  EXPECT_EQ(again.subscribers()[0].identity, "000@example.org");
  EXPECT_EQ(again.subscribers()[0].services, (std::vector<std::uint16_t>{news, films}));
  EXPECT_EQ(value_or_throw(again.service(films))->kind, ServiceKey::Kind::programme);
}

TEST_F(BcastSmartcard, ADamagedFileIsRefused) {
  const Bytes good = keys.serialise();
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(BcastKeys::parse(ByteView(good).first(size)));
  const auto changed = [&good](std::size_t at, std::uint8_t value) {
    Bytes bytes = good;
    bytes[at] = value;
    return BcastKeys::parse(bytes);
  };
  EXPECT_FAILS(changed(8, 3), ErrorKind::unsupported);
  EXPECT_FAILS(changed(10, 1), ErrorKind::invalid_argument);  // DRM Profile
  EXPECT_FAILS(changed(17, ' '), ErrorKind::invalid_argument);
  const std::size_t service = 13 + 3 + 1 + 15 + 4 + 2;
  EXPECT_FAILS(changed(service + 2, 2), ErrorKind::unsupported);  // what the keys are
  EXPECT_FAILS(changed(service + 3, 2), ErrorKind::unsupported);  // suite
  const std::size_t first_key = service + 2 + 1 + 1 + 8 + 1 + 2 + 1;
  EXPECT_FAILS(changed(first_key + 52 + 1, 3), ErrorKind::malformed);  // the key group of another service
  EXPECT_FAILS(changed(first_key + 3, 0), ErrorKind::malformed);       // key number 0
  EXPECT_FAILS(changed(first_key + 3, 2), ErrorKind::malformed);       // the number of the second one
  const std::size_t subscribed = good.size() - 2;
  EXPECT_FAILS(changed(subscribed + 1, 9), ErrorKind::malformed);      // a service that is not there
  EXPECT_FAILS(changed(subscribed - 4, 0x7f), ErrorKind::malformed);   // no identity
  EXPECT_FAILS(changed(subscribed - 1, 0), ErrorKind::malformed);      // to nothing
  EXPECT_FAILS(changed(subscribed - 21, 0xff), ErrorKind::exhausted);  // too many subscribers
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_FALSE(BcastKeys::parse(longer));
}

TEST_F(BcastSmartcard, SubscribersComeAndGo) {
  EXPECT_FAILS(keys.subscribe("002@example.org", {}), ErrorKind::invalid_argument);
  EXPECT_FAILS(keys.subscribe("002 example", {news}), ErrorKind::invalid_argument);
  EXPECT_FAILS(keys.subscribe("", {news}), ErrorKind::invalid_argument);
  EXPECT_FAILS(keys.subscribe("002@example.org", {9}), ErrorKind::not_found);
  EXPECT_FAILS(keys.subscriber("002@example.org"), ErrorKind::not_found);
  EXPECT_FAILS(keys.unsubscribe("002@example.org", {}), ErrorKind::not_found);
  EXPECT_FAILS(keys.unsubscribe(subscriber, {films}), ErrorKind::not_found);
  ASSERT_OK(keys.subscribe(subscriber, {films}));
  EXPECT_EQ(value_or_throw(keys.subscriber(subscriber))->services, (std::vector<std::uint16_t>{news, films}));
  ASSERT_OK(keys.unsubscribe(subscriber, {news}));
  EXPECT_EQ(value_or_throw(keys.subscriber(subscriber))->services, (std::vector<std::uint16_t>{films}));
  ASSERT_OK(keys.unsubscribe(subscriber, {}));
  EXPECT_FAILS(keys.subscriber(subscriber), ErrorKind::not_found);
}

// ---------------------------------------------------------------------------------------------- Long term key messages

TEST_F(BcastSmartcard, ALongTermKeyMessageIsOfOneKeyAndOneSubscriber) {
  auto receiver = receiver_of(subscriber);
  const BcastLtkm now = value_or_throw(make(order()));
  const BcastLtkm next = value_or_throw(make(order(news, "next")));
  EXPECT_EQ(now.keys, (std::vector<std::uint32_t>{0x00010001}));
  EXPECT_EQ(next.keys, (std::vector<std::uint32_t>{0x00010002}));
  EXPECT_GT(next.issue, now.issue);
  EXPECT_OK(receiver.take_ltkm(now.message));
  EXPECT_OK(receiver.take_ltkm(next.message));
  EXPECT_EQ(receiver.key_count(), 2U);
  auto other = receiver_of("002@example.org");
  EXPECT_FAILS(other.take_ltkm(now.message), ErrorKind::not_found);
  EXPECT_EQ(value_or_throw(make(order(news, "2"))).keys, next.keys);
  // The counter goes on in the file.
  keys = copy_of_keys();
  EXPECT_GT(value_or_throw(make(order())).issue, next.issue);
}

TEST_F(BcastSmartcard, WhoHasNotSubscribedGetsNoKey) {
  EXPECT_FAILS(make({"002@example.org", smk(), news, "now"}), ErrorKind::not_found);
  EXPECT_FAILS(make(order(films)), ErrorKind::permission_denied);
  EXPECT_FAILS(make(order(9)), ErrorKind::not_found);
  ASSERT_OK(keys.subscribe(subscriber, {films}));
  EXPECT_FAILS(make(order()), ErrorKind::invalid_argument);  // which of the two?
  EXPECT_OK(make(order(films)));
  ASSERT_OK(keys.unsubscribe(subscriber, {news}));
  EXPECT_FAILS(make(order(news)), ErrorKind::permission_denied);
}

TEST_F(BcastSmartcard, KeysThatAreOverOrNotThereAreNotGiven) {
  EXPECT_FAILS(make(order(news, "3")), ErrorKind::not_found);
  for (const char* wrong : {"", "0x1", "-1", "65536", "later"})
    EXPECT_FAILS(make(order(news, wrong)), ErrorKind::invalid_argument);
  clock.advance(std::chrono::seconds(period));
  EXPECT_FAILS(make(order(news, "1")), ErrorKind::expired);
  EXPECT_FAILS(make(order(news, "next")), ErrorKind::not_found);
  EXPECT_EQ(value_or_throw(make(order())).keys, (std::vector<std::uint32_t>{0x00010002}));
  clock.advance(std::chrono::seconds(period));
  EXPECT_FAILS(make(order()), ErrorKind::expired);
}

TEST_F(BcastSmartcard, AnSmkHasItsSize) {
  for (const std::size_t size : {0U, 15U, 33U, 64U}) {
    SCOPED_TRACE(size);
    const auto made = make({subscriber, smk(size), news, "now"});
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().kind, ErrorKind::invalid_argument);
    EXPECT_NE(made.error().message.find("(SMK) has 16 to 32 bytes"), std::string::npos);
  }
  EXPECT_OK(make({subscriber, smk(16), news, "now"}));
  EXPECT_OK(make({subscriber, smk(32), news, "now"}));
}

// --------------------------------------------------------------------------------------------- Short term key messages

class BcastSmartcardGenerator : public BcastSmartcard {
 protected:
  BcastSmartcardGenerator() { EXPECT_OK(generator.set_keys(copy_of_keys())); }
  EcmAnswer ask(std::uint16_t stream, std::uint16_t cp) {
    const auto grant = generator.open_stream({super_cas_id, 1, 1, stream, 100});
    if (!grant) throw std::runtime_error("the stream was not opened");
    const simulcrypt::ecmg::ControlWord words[] = {{cp, tek}};
    simulcrypt::EcmOrder order;
    order.handle = grant->handle;
    order.cp_number = cp;
    order.cp_duration = 100;
    order.words = words;
    return generator.make_ecm(order, out);
  }
  /// The number of the key that a message is under.
  std::uint32_t key_of(const EcmAnswer& answer) {
    EXPECT_EQ(answer.kind, EcmAnswer::Kind::ready);
    message = ByteView(out).first(answer.size);
    return value_or_throw(bcast::SmartcardStkm::parse(message)).head.service_key_id;
  }

  BcastGenerator generator{{}, clock, random};
  const Bytes tek = Bytes(30, 5);
  Bytes out = Bytes(bcast::longest_stkm);
  ByteView message;
};

TEST_F(BcastSmartcardGenerator, AsksForOneTekAMessage) {
  EXPECT_EQ(generator.open_channel(0x00010007).error(), simulcrypt::ecmg::Error::unknown_super_cas_id);
  const auto channel = generator.open_channel(super_cas_id);
  ASSERT_TRUE(channel);
  EXPECT_EQ(channel->section_tspkt_flag, simulcrypt::ecmg::binary_messages);
  EXPECT_EQ(channel->cw_per_msg, 1);
  EXPECT_EQ(channel->lead_cw, 0);
}

TEST_F(BcastSmartcardGenerator, WhoHasTheKeyGetsTheTek) {
  auto receiver = receiver_of(subscriber);
  ASSERT_OK(receiver.take_ltkm(value_or_throw(make(order())).message));
  EXPECT_EQ(key_of(ask(news_stream, 1)), 0x00010001U);
  ASSERT_OK(receiver.take_stkm(news_stream, message));
  EXPECT_EQ(to_hex(receiver.find_tek(news_stream, 1)->tek.material.reveal()), to_hex(tek));
  // Of what was not subscribed to.
  EXPECT_EQ(key_of(ask(films_stream, 1)), 0x00020001U);
  EXPECT_FAILS(receiver.take_stkm(films_stream, message), ErrorKind::not_found);
  ASSERT_OK(keys.subscribe(subscriber, {films}));
  ASSERT_OK(receiver.take_ltkm(value_or_throw(make(order(films))).message));
  EXPECT_OK(receiver.take_stkm(films_stream, message));
}

// The same second, key and stream: the counter is the same.
TEST_F(BcastSmartcardGenerator, TwoGeneratorsNeverUseOneKeyStreamForTwoTeks) {
  key_of(ask(news_stream, 1));
  const Bytes first = copy_of(message);
  generator = BcastGenerator({}, clock, random);
  ASSERT_OK(generator.set_keys(copy_of_keys()));
  key_of(ask(news_stream, 1));
  const auto one = value_or_throw(bcast::SmartcardStkm::parse(first));
  const auto other = value_or_throw(bcast::SmartcardStkm::parse(message));
  EXPECT_EQ(one.mikey.counter, other.mikey.counter);
  EXPECT_EQ(one.head.stream, news_stream);
  EXPECT_EQ(other.head.stream, news_stream);
  EXPECT_NE(to_hex(one.mikey.encrypted), to_hex(other.mikey.encrypted));
}

TEST_F(BcastSmartcardGenerator, KeysFollowOneAnother) {
  clock.advance(std::chrono::seconds(period));
  EXPECT_EQ(key_of(ask(news_stream, 2)), 0x00010002U);
  clock.advance(std::chrono::seconds(period));
  const EcmAnswer refused = ask(news_stream, 3);
  EXPECT_EQ(refused.kind, EcmAnswer::Kind::refused);
  EXPECT_EQ(refused.error_status, bcast::error_status_of(bcast::GlobalStatus::service_unavailable));
  ASSERT_OK(keys.renew(news, clock.now(), random));
  ASSERT_OK(keys.renew(films, clock.now(), random));
  ASSERT_OK(generator.set_keys(copy_of_keys()));
  EXPECT_EQ(key_of(ask(news_stream, 4)), 0x00010003U);
  EXPECT_EQ(key_of(ask(films_stream, 4)), 0x00020003U);
}

TEST_F(BcastSmartcardGenerator, RefusesKeysThatItsChannelsCannotHave) {
  const auto refuses = [&](std::uint32_t id, std::optional<BcastIssuer> by) {
    BcastKeys other = value_or_throw(BcastKeys::create(id, std::move(by)));
    EXPECT_OK(other.add_service(service_with(news, {news_stream}), clock.now(), random));
    EXPECT_FAILS(generator.set_keys(std::move(other)), ErrorKind::invalid_argument);
  };
  refuses(0x00020008, issuer());
  refuses(0x00010007, std::nullopt);
  refuses(super_cas_id, BcastIssuer{{0x00, 0xf1, 0x20}, "bsm@example.org"});
  EXPECT_EQ(key_of(ask(news_stream, 1)), 0x00010001U);
}

}  // namespace
}  // namespace cas::ecmg_program
