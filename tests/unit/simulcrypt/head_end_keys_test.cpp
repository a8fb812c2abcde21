// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/key_announcement.hpp"
#include "tests/unit/simulcrypt/head_end_fixture.hpp"

// A head-end whose keys come from outside.

namespace cas::simulcrypt::test {
namespace {

constexpr Pid video = 0x101;

class HeadEndWithKeys : public HeadEndTest {
 protected:
  HeadEndWithKeys() {
    settings.key_source = KeySource::upstream;
    settings.wait_for_ecms = std::chrono::minutes(1);
  }
  static ContentKey key(std::uint64_t period, std::size_t size = 16) {
    ContentKey made;
    made.period = period;
    made.key = SecretBytes(size);
    for (std::size_t at = 0; at < size; ++at)
      made.key.reveal_mutable()[at] = static_cast<std::uint8_t>(period * 16 + at);
    made.key_id = "00112233-4455-6677-8899-aabbccddee" + std::to_string(10 + period % 90);
    made.content_id = "channel";
    return made;
  }
  void begin(std::uint64_t period) {
    if (!head_end) start();
    EXPECT_OK(head_end->begin_period(key(period)));
    EXPECT_OK(head_end->key_ahead(key(period + 1)));
    EXPECT_OK(head_end->key_ahead(key(period + 2)));
  }
};

TEST_F(HeadEndWithKeys, ChangesAtThePacketWhereverItIs) {
  // Runs of lengths at which the first packet of a period is sometimes a table, sometimes a clock reference, and sometimes
  // before anything is known.
  for (std::size_t length = 1; length < 60; ++length) {
    head_end.reset();
    listener = {};
    TestMultiplex multiplex({.bit_rate = 2'000'000});
    TestReceiver own(mpegts::TsCipher::cissa, ca_system_id);
    std::uint64_t packets = 0, period = 7;
    for (; packets < 600; ++period) {
      begin(period);
      Bytes run = multiplex.packets(length);
      const auto out = head_end->process(run);
      ASSERT_OK(out);
      own.push(*out);
      packets += length;
    }
    own.push(head_end->finish());
    EXPECT_EQ(own.undecodable, 0U) << length;
    EXPECT_EQ(own.continuity_errors, 0U) << length;
    ASSERT_FALSE(listener.periods.empty()) << length;
    // Each but the first begins with its run.
    for (std::size_t number = 1; number < listener.periods.size(); ++number)
      EXPECT_EQ(listener.periods[number].packet, (listener.periods[number].cp_number - 7U) * length) << length;
    EXPECT_EQ(listener.periods.back().cp_number, period - 1) << length;
    EXPECT_EQ(listener.periods.back().key_id, key(period - 1).key_id);
  }
}

TEST_F(HeadEndWithKeys, ChangesAtAClockReferenceWhileTheRateIsNotKnown) {
  TestMultiplex multiplex({});
  begin(7);
  send(multiplex.packets(100));
  ASSERT_EQ(listener.periods.size(), 1U);
  // The second one, from which nobody learns the rate, since the clock has leapt: no ECM may move it.
  Bytes reference(mpegts::packet_size);
  reference[0] = mpegts::sync_byte;
  reference[1] = video >> 8;
  reference[2] = video & 0xff;
  reference[3] = 0x20;
  reference[4] = mpegts::max_payload_size - 1;
  reference[5] = 0x10;
  const std::span<std::uint8_t, mpegts::packet_size> packet(reference);
  EXPECT_TRUE(mpegts::set_pcr(packet, 27'000'000 * std::uint64_t{1000}));
  begin(8);
  send(reference);
  ASSERT_EQ(listener.periods.size(), 2U);
  EXPECT_EQ(listener.periods[1].packet, 100U);
  EXPECT_EQ(mpegts::pid_of(mpegts::PacketView(reference)), video);
  send(multiplex.packets(100));
  EXPECT_EQ(receiver.undecodable, 0U);
}

TEST_F(HeadEndWithKeys, MovesNoClockReferenceForAnEcmWhileTheRateIsNotKnown) {
  TestMultiplex multiplex({});
  for (std::uint64_t period = 7; period < 40; ++period) {
    begin(period);
    send(multiplex.packets(37), 37);
  }
  finish();
  EXPECT_LT(receiver.clock_error(video).first, 3);
  expect_received(video);
}

TEST_F(HeadEndWithKeys, TellsAServiceThatComesLaterAllThatIsKnown) {
  settings.services[0].id = 101;
  TestMultiplex multiplex({.services = 2});
  begin(7);
  send(multiplex.seconds(0.5));
  begin(8);
  send(multiplex.seconds(0.5));
  HeadEndSettings more = settings;
  more.services.push_back(more.services[0]);
  more.services[1].id = 102;
  EXPECT_OK(head_end->apply(more));
  send(multiplex.seconds(0.5));
  EXPECT_EQ(listener.periods.back().group.service_id, 102);
  EXPECT_EQ(listener.periods.back().cp_number, 8);
  begin(9);
  send(multiplex.seconds(0.5));
  finish();
  ASSERT_EQ(listener.periods.size(), 5U);
  EXPECT_EQ(listener.periods[3].packet, listener.periods[4].packet);
}

TEST_F(HeadEndWithKeys, ScramblesTheSameWayWhateverRandomNumbersThereAre) {
  const auto scrambled = [&](std::uint64_t seed) {
    SeededRandom numbers(seed);
    RecordingListener told;
    HeadEndSettings given = settings;
    given.systems[0].supply = std::make_shared<PlainEcmg>();
    auto made = cas::test::value_or_throw(HeadEnd::create(given, told, numbers));
    Bytes all;
    TestMultiplex multiplex({});
    for (std::uint64_t period = 7; period < 10; ++period) {
      EXPECT_OK(made->begin_period(key(period)));
      Bytes run = multiplex.seconds(0.3);
      cas::append(all, cas::test::value_or_throw(made->process(run)));
    }
    return all;
  };
  EXPECT_TRUE(scrambled(1) == scrambled(2));
}

TEST_F(HeadEndWithKeys, RefusesKeysThatTheCipherCannotUse) {
  start();
  for (const std::size_t size : {8, 15, 17, 24, 32}) {
    EXPECT_FAILS(head_end->begin_period(key(7, size)), ErrorKind::invalid_argument);
    EXPECT_FAILS(head_end->key_ahead(key(7, size)), ErrorKind::invalid_argument);
  }
}

TEST_F(HeadEndWithKeys, DoesNotPassWhatIsToBeScrambledWithoutOne) {
  start();
  Bytes packets = TestMultiplex({}).packets(300);
  EXPECT_FAILS(head_end->process(packets), ErrorKind::not_found);
}

TEST_F(HeadEndWithKeys, LeavesTooManyAnnouncementsAside) {
  start();
  for (std::uint64_t period = 0; period < 100; ++period) EXPECT_OK(head_end->key_ahead(key(period)));
  ASSERT_FALSE(listener.problems.empty());
  EXPECT_NE(listener.problems[0].find("64"), std::string::npos);
  EXPECT_OK(head_end->begin_period(key(90)));
  TestMultiplex multiplex({});
  send(multiplex.seconds(0.5));
  EXPECT_EQ(listener.periods.back().cp_number, 90);
}

TEST_F(HeadEndWithKeys, StaysWithTheKindOfKeysThatItBeganWith) {
  start();
  HeadEndSettings other = settings;
  other.key_source = KeySource::generated;
  EXPECT_FAILS(head_end->apply(other), ErrorKind::invalid_argument);
  head_end = cas::test::value_or_throw(HeadEnd::create(other, listener, random));
  EXPECT_FAILS(head_end->begin_period(key(7)), ErrorKind::invalid_argument);
  EXPECT_FAILS(head_end->key_ahead(key(7)), ErrorKind::invalid_argument);
}

TEST_F(HeadEndWithKeys, HasOneWordForAllComponents) {
  settings.services[0].word_per_component = true;
  EXPECT_FAILS(HeadEnd::create(settings, listener, random), ErrorKind::invalid_argument);
}

TEST_F(HeadEndWithKeys, AloneAnnouncesThem) {
  settings.key_source = KeySource::generated;
  settings.services[0].systems[0].announce_content = true;
  EXPECT_FAILS(HeadEnd::create(settings, listener, random), ErrorKind::invalid_argument);
  settings.services[0].systems[0].announce_content = false;
  settings.services[0].systems[0].announce_keys = true;
  EXPECT_FAILS(HeadEnd::create(settings, listener, random), ErrorKind::invalid_argument);
}

TEST(KeyAnnouncement, HasItsForm) {
  ContentKey key;
  key.period = 0x0102030405060708;
  key.content_id = "a";
  key.key_id = "00112233-4455-6677-8899-aabbccddeeff";
  EXPECT_EQ(to_hex(cas::test::value_or_throw(content_announcement(key))),
            "e106"
            "800101"
            "810161");
  key.scheme = "cbcs";
  EXPECT_EQ(to_hex(cas::test::value_or_throw(key_announcement(key))),
            "e128"
            "800101"
            "810161"
            "820463626373"
            "831000112233445566778899aabbccddeeff"
            "84080102030405060708");
  key.content_id = std::string(max_announced_content_id, 'c');
  EXPECT_OK(content_announcement(key));
  key.content_id += 'c';
  EXPECT_FAILS(content_announcement(key), ErrorKind::exhausted);
  key.content_id = "a";
  for (const char* id : {"", "00112233-4455-6677-8899-aabbccddee", "00112233-4455-6677-8899-aabbccddeefg"}) {
    key.key_id = id;
    EXPECT_FAILS(key_announcement(key), ErrorKind::malformed);
  }
}

}  // namespace
}  // namespace cas::simulcrypt::test
