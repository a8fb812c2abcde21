// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bcast_keys.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/writer.hpp"
#include "bcast_generator.hpp"
#include "simulcrypt/bcast/bcast_receiver.hpp"
#include "support/manual_clock.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"
#include "support/temporary_folder.hpp"

namespace cas::ecmg_program {
namespace {

namespace bcast = simulcrypt::bcast;
using simulcrypt::EcmAnswer;
using test::value_or_throw;

constexpr std::int64_t period = 3600;

BcastService service_with(std::uint16_t id, std::vector<std::uint16_t> streams) {
  BcastService service;
  service.id = id;
  service.key_period = std::chrono::seconds(period);
  service.streams = std::move(streams);
  return service;
}

class BcastKeysTest : public testing::Test {
 protected:
  BcastKeysTest() { EXPECT_OK(keys.add_service(service_with(1, {1, 2}), began, random)); }

  test::ManualClock clock;
  const UnixSeconds began = clock.now();
  test::SeededRandom random{1};
  BcastKeys keys = value_or_throw(BcastKeys::create(0x00010007));
};

TEST_F(BcastKeysTest, AServiceHasTheKeyOfNowAndTheNext) {
  const BcastService& service = *value_or_throw(keys.service(1));
  ASSERT_EQ(service.keys.size(), 2U);
  EXPECT_EQ(service.key_at(began - 1), nullptr);
  EXPECT_EQ(service.key_at(began)->id, 1U);
  EXPECT_EQ(service.key_at(began + period - 1)->id, 1U);
  EXPECT_EQ(service.key_at(began + period)->id, 2U);
  EXPECT_EQ(service.key_at(began + 2 * period), nullptr);
  EXPECT_NE(to_hex(service.keys[0].key.reveal()), to_hex(service.keys[1].key.reveal()));
}

TEST_F(BcastKeysTest, WhatCannotBeIsNotAdded) {
  EXPECT_FAILS(BcastKeys::create(0x00020001), ErrorKind::invalid_argument);
  EXPECT_FAILS(BcastKeys::create(0xffca0001), ErrorKind::invalid_argument);
  EXPECT_FAILS(keys.add_service(service_with(1, {3}), began, random), ErrorKind::invalid_argument);
  EXPECT_FAILS(keys.add_service(service_with(2, {2}), began, random), ErrorKind::invalid_argument);
  EXPECT_FAILS(keys.add_service(service_with(2, {3, 3}), began, random), ErrorKind::invalid_argument);
  EXPECT_FAILS(keys.add_service(service_with(2, {0}), began, random), ErrorKind::invalid_argument);
  EXPECT_FAILS(keys.add_service(service_with(2, {}), began, random), ErrorKind::invalid_argument);
  EXPECT_FAILS(keys.add_service(service_with(0, {3}), began, random), ErrorKind::invalid_argument);
  EXPECT_EQ(keys.services().size(), 1U);
  EXPECT_FAILS(keys.service(2), ErrorKind::not_found);
  EXPECT_FAILS(keys.renew(2, began, random), ErrorKind::not_found);
  EXPECT_OK(keys.add_service(service_with(2, {3}), began, random));
}

TEST_F(BcastKeysTest, RenewedKeysFollowTheLastAndTakeThePlaceOfThoseThatAreOver) {
  ASSERT_OK(keys.renew(1, began + period, random));
  const BcastService& service = *value_or_throw(keys.service(1));
  ASSERT_EQ(service.keys.size(), 2U);
  EXPECT_EQ(service.keys[0].id, 2U);
  EXPECT_EQ(service.keys[1].id, 3U);
  EXPECT_EQ(service.keys[1].valid_from, began + 2 * period);
  // Too late: the new one begins at once.
  ASSERT_OK(keys.renew(1, began + 10 * period, random));
  ASSERT_EQ(service.keys.size(), 1U);
  EXPECT_EQ(service.keys[0].valid_from, began + 10 * period);
  for (std::size_t count = 1; count < max_bcast_keys; ++count) ASSERT_OK(keys.renew(1, began + 10 * period, random));
  EXPECT_FAILS(keys.renew(1, began + 10 * period, random), ErrorKind::exhausted);
}

TEST_F(BcastKeysTest, TheFileIsItsOwnersAlone) {
  test::TemporaryFolder folder;
  const auto file = folder.path() / "keys";
  ASSERT_OK(keys.add_service(service_with(9, {7}), began, random));
  const std::uint32_t issue = value_or_throw(keys.next_issue(began));
  ASSERT_OK(keys.write(file));
  struct stat status {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  BcastKeys again = value_or_throw(BcastKeys::read(file));
  EXPECT_EQ(again.super_cas_id(), 0x00010007U);
  EXPECT_EQ(to_hex(again.serialise()), to_hex(keys.serialise()));
  EXPECT_GT(value_or_throw(again.next_issue(began)), issue);
  EXPECT_FAILS(BcastKeys::read(folder.path() / "none"), ErrorKind::not_found);
}

TEST_F(BcastKeysTest, ADamagedFileIsRefused) {
  const Bytes good = keys.serialise();
  ASSERT_OK(BcastKeys::parse(good));
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(BcastKeys::parse(ByteView(good).first(size)));
  const auto changed = [&good](std::size_t at, std::uint8_t value) {
    Bytes bytes = good;
    bytes[at] = value;
    return BcastKeys::parse(bytes);
  };
  EXPECT_FAILS(changed(0, 'x'), ErrorKind::malformed);
  EXPECT_FAILS(changed(8, 3), ErrorKind::unsupported);
  EXPECT_FAILS(changed(8, 2), ErrorKind::invalid_argument);   // Smartcard Profile, with an id of the other
  EXPECT_FAILS(changed(10, 2), ErrorKind::invalid_argument);  // Smartcard Profile
  EXPECT_FAILS(changed(16, 1), ErrorKind::malformed);         // a key beyond the last number
  EXPECT_FAILS(changed(25, 2), ErrorKind::unsupported);       // suite
  EXPECT_FAILS(changed(38, 1), ErrorKind::malformed);         // the same key stream twice
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_FALSE(BcastKeys::parse(longer));
}

TEST_F(BcastKeysTest, NumbersAndTimesHaveAnEnd) {
  Bytes bytes = keys.serialise();
  std::fill(bytes.begin() + 13, bytes.begin() + 17, std::uint8_t{0xff});  // number of the last key
  BcastKeys last = value_or_throw(BcastKeys::parse(bytes));
  EXPECT_FAILS(last.renew(1, began, random), ErrorKind::exhausted);
  EXPECT_OK(BcastKeys::parse(last.serialise()));
  bytes = keys.serialise();
  const std::size_t until = bytes.size() - 32 - 8;  // of the second key
  std::ranges::copy(ByteWriter().u64(static_cast<std::uint64_t>(latest_bcast_time)).view(), bytes.data() + until);
  last = value_or_throw(BcastKeys::parse(bytes));
  EXPECT_FAILS(last.renew(1, began, random), ErrorKind::exhausted);
  bytes[until] = 0x40;
  EXPECT_FAILS(BcastKeys::parse(bytes), ErrorKind::malformed);
}

/// A BcastGenerator with what a channel asks of it.
class BcastGeneratorTest : public BcastKeysTest {
 protected:
  BcastGeneratorTest() { EXPECT_OK(generator.set_keys(copy_of_keys())); }
  BcastKeys copy_of_keys() const { return value_or_throw(BcastKeys::parse(keys.serialise())); }
  EcmAnswer ask(std::uint16_t stream, std::uint16_t cp) {
    const auto grant = generator.open_stream({0x00010007, 1, 1, stream, 100});
    if (!grant) throw std::runtime_error("the stream was not opened");
    const Bytes tek(30, 5);
    const simulcrypt::ecmg::ControlWord words[] = {{cp, tek}, {static_cast<std::uint16_t>(cp + 1), tek}};
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
    const auto stkm = value_or_throw(bcast::DrmStkm::parse(ByteView(out).first(answer.size)));
    return stkm.service->cid_extension;
  }
  void expect_refused(const EcmAnswer& answer, bcast::GlobalStatus status) {
    EXPECT_EQ(answer.kind, EcmAnswer::Kind::refused);
    EXPECT_EQ(answer.error_status, bcast::error_status_of(status));
  }

  BcastGenerator generator{{}, clock};
  Bytes out = Bytes(bcast::longest_stkm);
};

TEST_F(BcastGeneratorTest, TakesTheKeyOfTheSecond) {
  EXPECT_EQ(key_of(ask(1, 1)), 1U);
  EXPECT_EQ(key_of(ask(2, 1)), 1U);
  clock.advance(std::chrono::seconds(period - 1));
  EXPECT_EQ(key_of(ask(1, 2)), 1U);
  clock.advance(std::chrono::seconds(1));
  EXPECT_EQ(key_of(ask(1, 3)), 2U);
  clock.advance(std::chrono::seconds(period));
  expect_refused(ask(1, 4), bcast::GlobalStatus::service_unavailable);
  ASSERT_OK(keys.renew(1, clock.now(), random));
  ASSERT_OK(generator.set_keys(copy_of_keys()));
  EXPECT_EQ(key_of(ask(1, 5)), 3U);
}

TEST_F(BcastGeneratorTest, ServesItsSuperCasIdAndItsStreams) {
  EXPECT_EQ(generator.open_channel(0x00010008).error(), simulcrypt::ecmg::Error::unknown_super_cas_id);
  const auto channel = generator.open_channel(0x00010007);
  ASSERT_TRUE(channel);
  EXPECT_EQ(channel->section_tspkt_flag, simulcrypt::ecmg::binary_messages);
  EXPECT_EQ(channel->cw_per_msg, 2);
  EXPECT_EQ(generator.open_stream({0x00010007, 1, 1, 3, 100}).error(), simulcrypt::ecmg::Error::unknown_ecm_id);
  ASSERT_OK(keys.add_service(service_with(2, {3}), clock.now(), random));
  ASSERT_OK(generator.set_keys(copy_of_keys()));
  EXPECT_EQ(key_of(ask(3, 1)), 3U);
}

TEST_F(BcastGeneratorTest, RefusesKeysThatItsChannelsCannotHave) {
  BcastKeys other = value_or_throw(BcastKeys::create(0x00010008));
  ASSERT_OK(other.add_service(service_with(1, {1}), clock.now(), random));
  EXPECT_FAILS(generator.set_keys(std::move(other)), ErrorKind::invalid_argument);
  BcastKeys suite = value_or_throw(BcastKeys::create(0x00010007));
  BcastService service = service_with(1, {1});
  service.suite = bcast::SrtpSuite::aead_aes_128_gcm;
  ASSERT_OK(suite.add_service(std::move(service), clock.now(), random));
  EXPECT_FAILS(generator.set_keys(std::move(suite)), ErrorKind::invalid_argument);
  EXPECT_EQ(key_of(ask(1, 1)), 1U);
}

}  // namespace
}  // namespace cas::ecmg_program
