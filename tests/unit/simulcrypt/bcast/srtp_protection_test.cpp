// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/srtp_protection.hpp"

#include <gtest/gtest.h>

#include "simulcrypt/bcast/roc_carrying_tag.hpp"
#include "simulcrypt/bcast/rtp_protector.hpp"
#include "support/allocation_count.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"
#include "support/vector_file.hpp"
#include "unit/simulcrypt/bcast/keys.hpp"

namespace cas::simulcrypt::bcast {
namespace {

using cas::test::hex;
using cas::test::Vector;

constexpr std::uint32_t ssrc = 0x11223344;

Bytes rtp(std::uint16_t sequence, std::uint32_t source = ssrc, std::size_t payload = 100) {
  Bytes packet = {0x80, 0x60, static_cast<std::uint8_t>(sequence >> 8), static_cast<std::uint8_t>(sequence), 0, 0,
                  0x20, 0};
  for (int shift = 24; shift >= 0; shift -= 8) packet.push_back(static_cast<std::uint8_t>(source >> shift));
  for (std::size_t i = 0; i < payload; ++i) packet.push_back(static_cast<std::uint8_t>(i));
  return packet;
}

Tek tek_of(std::uint16_t id, SrtpSuite suite = SrtpSuite::aes_cm_128_hmac_sha1_80) {
  return {id, test::counted(static_cast<std::uint8_t>(id * 7), tek_size(TrafficProtection::srtp, suite))};
}

SrtpOptions with_roc(std::uint16_t rate) {
  SrtpOptions options;
  options.roc_carriage = RocCarriage::mode_2;
  options.roc_rate = rate;
  return options;
}

Bytes protect(SrtpProtection& sender, Bytes packet) {
  const std::size_t size = packet.size();
  packet.resize(size + srtp_trailer_size(SrtpSuite::aead_aes_128_gcm));
  const SrtpResult result = sender.protect(packet, size);
  EXPECT_EQ(result.outcome, SrtpOutcome::done);
  packet.resize(result.size);
  return packet;
}

SrtpOutcome unprotect(SrtpUnprotection& receiver, Bytes packet, const Bytes& expected = {}) {
  const SrtpResult result = receiver.unprotect(packet);
  if (result.outcome == SrtpOutcome::done && !expected.empty()) {
    packet.resize(result.size);
    EXPECT_EQ(to_hex(packet), to_hex(expected));
  }
  return result.outcome;
}

struct Pair {
  explicit Pair(const SrtpOptions& options)
      : sender(cas::test::value_or_throw(SrtpProtection::create(options))),
        receiver(cas::test::value_or_throw(SrtpUnprotection::create(options))),
        suite(options.suite) {}
  void begin(std::uint16_t period) {
    EXPECT_OK(sender.set_tek(tek_of(period, suite)));
    EXPECT_OK(receiver.add_tek(tek_of(period, suite)));
  }
  SrtpOutcome pass(std::uint16_t sequence) {
    const Bytes packet = rtp(sequence);
    return unprotect(receiver, protect(sender, packet), packet);
  }
  SrtpProtection sender;
  SrtpUnprotection receiver;
  SrtpSuite suite;
};

// RFC 3711, B.3.
TEST(Srtp, DerivesTheAuthenticationKeyOfRfc3711) {
  const auto key =
      srtp_authentication_key(hex("E1F97A0D3E018BE0D64FA32C06DE4139"), hex("0EC675AD498AFEEBB6960B3AABE6"));
  ASSERT_OK(key);
  EXPECT_EQ(to_hex(key->reveal()), "cebe321f6ff7716b6fd4ab49af256a156d38baa4");
  EXPECT_FAILS(srtp_authentication_key(Bytes(16), Bytes(13)), ErrorKind::invalid_argument);
}

TEST(Srtp, WritesThePacketsOfTheFormatsPage) {
  cas::test::for_each_vector("bcast/srtp.txt", [](Vector& vector) {
    SCOPED_TRACE(vector.text("case"));
    const auto rate = static_cast<std::uint16_t>(vector.number("rate"));
    const auto roc = vector.number("roc");
    Pair pair(rate == 0 ? SrtpOptions{} : with_roc(rate));
    const Tek tek{static_cast<std::uint16_t>(vector.number("tek_id")), vector.secret("tek")};
    ASSERT_OK(pair.sender.set_tek(tek));
    ASSERT_OK(pair.receiver.add_tek(tek));
    const Bytes packet = vector.hex("packet");
    const Bytes expected = vector.hex("protected");
    const std::uint16_t sequence = static_cast<std::uint16_t>(packet[2] << 8 | packet[3]);
    // As many turns of the sequence numbers as the vector's ROC.
    for (std::uint64_t turn = 0; turn < roc; ++turn) {
      for (const unsigned step : {1U, 0x4000U, 0x8000U, 0xc000U, 0xffffU}) {
        protect(pair.sender, rtp(static_cast<std::uint16_t>(step)));
      }
    }
    EXPECT_EQ(to_hex(protect(pair.sender, packet)), to_hex(expected));
    if (sequence % std::max<std::uint16_t>(rate, 1) != 0) pair.receiver.set_roc(ssrc, static_cast<std::uint32_t>(roc));
    EXPECT_EQ(unprotect(pair.receiver, expected, packet), SrtpOutcome::done);
  });
}

TEST(Srtp, OpensWhatItProtects) {
  for (const SrtpSuite suite : {SrtpSuite::aes_cm_128_hmac_sha1_80, SrtpSuite::aead_aes_128_gcm}) {
    SrtpOptions options;
    options.suite = suite;
    Pair pair(options);
    pair.begin(0x0102);
    for (std::uint16_t sequence = 65000; sequence != 100; ++sequence) ASSERT_EQ(pair.pass(sequence), SrtpOutcome::done);
    const Bytes packet = protect(pair.sender, rtp(100));
    EXPECT_EQ(packet.size(), 112 + srtp_trailer_size(suite));
    // Any bit that is turned over is noticed.
    for (std::size_t bit = 0; bit < 8 * packet.size(); ++bit) {
      Bytes changed = packet;
      changed[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
      ASSERT_NE(unprotect(pair.receiver, changed), SrtpOutcome::done) << bit;
    }
    for (std::size_t size = 0; size < packet.size(); ++size) {
      ASSERT_NE(unprotect(pair.receiver, copy_of(ByteView(packet).first(size))), SrtpOutcome::done) << size;
    }
    EXPECT_EQ(unprotect(pair.receiver, packet, rtp(100)), SrtpOutcome::done);
    EXPECT_EQ(unprotect(pair.receiver, packet), SrtpOutcome::replayed);
    EXPECT_EQ(pair.pass(101), SrtpOutcome::done);
  }
}

TEST(Srtp, RefusesPacketsThatAreNone) {
  Pair pair({});
  Bytes buffer = rtp(1);
  EXPECT_EQ(pair.sender.protect(buffer, buffer.size()).outcome, SrtpOutcome::no_room);
  buffer.resize(buffer.size() + 11);
  EXPECT_EQ(pair.sender.protect(buffer, 112).outcome, SrtpOutcome::no_room);
  buffer.resize(buffer.size() + 1);
  EXPECT_EQ(pair.sender.protect(buffer, 112).outcome, SrtpOutcome::no_tek);
  EXPECT_EQ(pair.receiver.unprotect(buffer).outcome, SrtpOutcome::no_tek);
  pair.begin(1);
  EXPECT_EQ(pair.sender.protect(buffer, 11).outcome, SrtpOutcome::malformed);
  EXPECT_EQ(pair.sender.protect(buffer, 200).outcome, SrtpOutcome::malformed);
  Bytes unaligned(200);
  std::ranges::copy(rtp(1), unaligned.begin() + 1);
  EXPECT_EQ(pair.sender.protect(MutableByteView(unaligned).subspan(1), 112).outcome, SrtpOutcome::malformed);
  buffer[0] = 0x40;  // another version
  EXPECT_EQ(pair.sender.protect(buffer, 112).outcome, SrtpOutcome::malformed);
  buffer[0] = 0x8f;  // 15 contributing sources that are not there
  EXPECT_EQ(pair.sender.protect(buffer, 71).outcome, SrtpOutcome::malformed);
  buffer[0] = 0x90;  // an extension that is longer than the packet
  buffer[14] = 0xff;
  EXPECT_EQ(pair.sender.protect(buffer, 112).outcome, SrtpOutcome::malformed);
  EXPECT_EQ(pair.sender.protect(buffer = rtp(1), 112).outcome, SrtpOutcome::no_room);
}

TEST(Srtp, RefusesOptionsAndTeksThatDoNotFit) {
  SrtpOptions options;
  options.roc_rate = 0;
  EXPECT_FAILS(SrtpProtection::create(options), ErrorKind::invalid_argument);
  options.roc_rate = 1;
  options.max_sources = 65;
  EXPECT_FAILS(SrtpUnprotection::create(options), ErrorKind::invalid_argument);
  options = with_roc(1);
  options.suite = SrtpSuite::aead_aes_128_gcm;
  EXPECT_FAILS(SrtpUnprotection::create(options), ErrorKind::invalid_argument);
  Pair pair({});
  EXPECT_FAILS(pair.sender.set_tek({1, SecretBytes(16)}), ErrorKind::invalid_argument);
  EXPECT_FAILS(pair.receiver.add_tek(tek_of(1, SrtpSuite::aead_aes_128_gcm)), ErrorKind::invalid_argument);
  pair.begin(1);
  EXPECT_FAILS(pair.sender.set_tek(tek_of(1)), ErrorKind::invalid_argument);  // its key stream would come twice
}

TEST(Srtp, PacketsOfTwoPeriodsMayPassEachOther) {
  Pair pair({});
  pair.begin(1);
  const Bytes late = protect(pair.sender, rtp(10));
  EXPECT_EQ(pair.pass(11), SrtpOutcome::done);
  pair.begin(2);
  EXPECT_EQ(pair.pass(12), SrtpOutcome::done);
  EXPECT_EQ(unprotect(pair.receiver, late, rtp(10)), SrtpOutcome::done);
  EXPECT_EQ(unprotect(pair.receiver, late), SrtpOutcome::replayed);
  EXPECT_EQ(pair.pass(13), SrtpOutcome::done);
  pair.receiver.remove_tek(1);
  EXPECT_EQ(unprotect(pair.receiver, late), SrtpOutcome::no_tek);
}

TEST(Srtp, ReplaysAreRefusedAfterTheTeksHaveChanged) {
  Pair pair({});
  std::vector<Bytes> seen;
  for (std::uint16_t period = 1; period <= 5; ++period) {
    pair.begin(period);
    for (int i = 0; i < 20; ++i) {
      const auto sequence = static_cast<std::uint16_t>(65500 + 20 * period + i);
      seen.push_back(protect(pair.sender, rtp(sequence)));
      ASSERT_EQ(unprotect(pair.receiver, seen.back(), rtp(sequence)), SrtpOutcome::done) << sequence;
    }
    // An STKM that comes again brings the same TEK again.
    EXPECT_OK(pair.receiver.add_tek(tek_of(period)));
  }
  for (const Bytes& packet : seen) ASSERT_EQ(unprotect(pair.receiver, packet), SrtpOutcome::replayed);
}

TEST(Srtp, TheRollOverCounterGoesOnAcrossTeksUnderLossAndDisorder) {
  for (const unsigned rate : {0U, 1U, 16U}) {
    Pair pair(rate == 0 ? SrtpOptions{} : with_roc(static_cast<std::uint16_t>(rate)));
    cas::test::SeededRandom random(rate + 1);
    std::vector<Bytes> waiting;
    std::size_t opened = 0;
    constexpr unsigned count = 200000;  // three turns
    for (unsigned index = 0; index < count; ++index) {
      // Periods end anywhere, also right where the numbers turn over.
      if (index % 13107 == 0) pair.begin(static_cast<std::uint16_t>(index / 13107));
      waiting.push_back(protect(pair.sender, rtp(static_cast<std::uint16_t>(index), ssrc, 4)));
      if (waiting.size() < 8) continue;
      const std::size_t which = random.below(waiting.size());
      const Bytes packet = std::move(waiting[which]);
      waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(which));
      if (random.below(10) == 0) continue;  // lost
      const SrtpOutcome outcome = unprotect(pair.receiver, packet);
      ASSERT_EQ(outcome, SrtpOutcome::done) << index << " at rate " << rate;
      ++opened;
    }
    EXPECT_GT(opened, count * 8 / 10);
  }
}

TEST(Srtp, ALateReceiverLearnsTheRollOverCounter) {
  Pair pair(with_roc(16));
  pair.begin(1);
  for (unsigned index = 0; index < 3 * 65536 + 3; ++index)
    protect(pair.sender, rtp(static_cast<std::uint16_t>(index), ssrc, 4));
  // Before the first packet that carries it there is nothing to go by.
  for (std::uint16_t sequence = 3; sequence < 16; ++sequence) {
    EXPECT_EQ(pair.pass(sequence), SrtpOutcome::roc_unknown);
  }
  for (std::uint16_t sequence = 16; sequence < 100; ++sequence) EXPECT_EQ(pair.pass(sequence), SrtpOutcome::done);
  // A TEK that begins now goes on with it.
  pair.begin(2);
  EXPECT_EQ(pair.pass(101), SrtpOutcome::done);
}

TEST(Srtp, AReceiverThatMissedATurnFindsBackAndNeverGoesBack) {
  Pair pair(with_roc(16));
  pair.begin(1);
  EXPECT_EQ(pair.pass(0), SrtpOutcome::done);
  const Bytes old = protect(pair.sender, rtp(16));
  for (unsigned index = 17; index < 65536 + 100; ++index)
    protect(pair.sender, rtp(static_cast<std::uint16_t>(index), ssrc, 4));
  EXPECT_EQ(pair.pass(101), SrtpOutcome::forged);  // it takes this for the first turn
  const Bytes telling = protect(pair.sender, rtp(112));
  Bytes forged = telling;
  forged[forged.size() - 10] ^= 1;  // its ROC
  EXPECT_EQ(unprotect(pair.receiver, forged), SrtpOutcome::forged);
  EXPECT_EQ(unprotect(pair.receiver, telling, rtp(112)), SrtpOutcome::done);
  EXPECT_EQ(pair.pass(113), SrtpOutcome::done);
  EXPECT_EQ(unprotect(pair.receiver, telling), SrtpOutcome::replayed);
  EXPECT_EQ(unprotect(pair.receiver, old), SrtpOutcome::replayed);
  EXPECT_EQ(pair.pass(114), SrtpOutcome::done);
}

TEST(Srtp, WithoutCarriageTheRollOverCounterCanBeTold) {
  for (const SrtpSuite suite : {SrtpSuite::aes_cm_128_hmac_sha1_80, SrtpSuite::aead_aes_128_gcm}) {
    SrtpOptions options;
    options.suite = suite;
    Pair pair(options);
    pair.begin(1);
    for (unsigned index = 0; index < 65536; ++index)
      protect(pair.sender, rtp(static_cast<std::uint16_t>(index), ssrc, 4));
    EXPECT_EQ(pair.pass(0), SrtpOutcome::roc_unknown);
    pair.receiver.set_roc(ssrc, 1);
    EXPECT_EQ(pair.pass(1), SrtpOutcome::done);
  }
}

TEST(Srtp, ForgedSourcesTakeNoRoom) {
  SrtpOptions options;
  options.max_sources = 2;
  Pair pair(options);
  pair.begin(1);
  for (std::uint32_t source = 100; source < 200; ++source) {
    Bytes forged = rtp(1, source);
    forged.resize(124);
    forged[113] = 1;  // the MKI
    EXPECT_EQ(unprotect(pair.receiver, forged), SrtpOutcome::roc_unknown);
  }
  for (const std::uint32_t source : {1U, 2U}) {
    EXPECT_EQ(unprotect(pair.receiver, protect(pair.sender, rtp(1, source))), SrtpOutcome::done);
  }
  Bytes third = rtp(1, 3);
  third.resize(124);
  EXPECT_EQ(pair.sender.protect(third, 112).outcome, SrtpOutcome::too_many_sources);
  auto other = *SrtpProtection::create({});
  ASSERT_OK(other.set_tek(tek_of(1)));
  const Bytes of_third = protect(other, rtp(1, 3));
  EXPECT_EQ(unprotect(pair.receiver, of_third), SrtpOutcome::too_many_sources);
  // Once the TEK is gone, the others' packets could not come again, and there is room.
  pair.receiver.remove_tek(1);
  ASSERT_OK(pair.receiver.add_tek(tek_of(2)));
  ASSERT_OK(other.set_tek(tek_of(2)));
  EXPECT_EQ(unprotect(pair.receiver, protect(other, rtp(2, 3))), SrtpOutcome::done);
}

TEST(Srtp, TheOldestTekGoesWhenThereAreTooMany) {
  Pair pair({});
  pair.begin(1);
  const Bytes first = protect(pair.sender, rtp(1));
  for (std::uint16_t period = 2; period <= max_live_teks; ++period) pair.begin(period);
  EXPECT_EQ(unprotect(pair.receiver, first), SrtpOutcome::done);
  pair.begin(max_live_teks + 1);
  EXPECT_EQ(unprotect(pair.receiver, first), SrtpOutcome::no_tek);
  EXPECT_EQ(pair.pass(2), SrtpOutcome::done);
}

TEST(Srtp, TakesNoMemoryForAPacket) {
  // But for the tags that carry the ROC, for which OpenSSL takes some of its own.
  Pair pair(with_roc(100));
  pair.begin(1);
  Bytes buffer = rtp(1);
  buffer.resize(200);
  const auto pass = [&](std::uint16_t sequence) {
    buffer[2] = static_cast<std::uint8_t>(sequence >> 8);
    buffer[3] = static_cast<std::uint8_t>(sequence);
    const std::size_t size = pair.sender.protect(buffer, 112).size;
    ASSERT_EQ(pair.receiver.unprotect(MutableByteView(buffer).first(size)).outcome, SrtpOutcome::done);
  };
  pass(1);
  const std::size_t before = cas::test::allocation_count();
  for (std::uint16_t sequence = 2; sequence < 100; ++sequence) pass(sequence);
  EXPECT_EQ(cas::test::allocation_count(), before);
}

TEST(RtpProtector, FollowsTheSynchroniser) {
  auto protector = RtpProtector::create({});
  ASSERT_OK(protector);
  auto receiver = SrtpUnprotection::create({});
  Bytes buffer = rtp(1);
  buffer.resize(112 + protector->trailer_size());
  EXPECT_EQ(protector->protect(buffer, 112).size, 112U);  // clear
  EXPECT_EQ(to_hex(ByteView(buffer).first(112)), to_hex(rtp(1)));
  cas::test::SeededRandom random(1);
  const auto suite = SrtpSuite::aes_cm_128_hmac_sha1_80;
  ControlWordGenerator words(random, RtpProtector::word_size(suite), ControlWordGenerator::Form::plain);
  for (PeriodIndex period = 65535; period < 65538; ++period) {
    const auto word = words.word(period);
    ASSERT_OK(word);
    ASSERT_OK(protector->begin_period(cp_number(period), *word));
    ASSERT_OK(protector->begin_period(cp_number(period), *word));
    EXPECT_TRUE(protector->protecting());
    ASSERT_OK(receiver->add_tek({cp_number(period), word->clone()}));
    const auto sequence = static_cast<std::uint16_t>(period);
    buffer = rtp(sequence);
    buffer.resize(112 + protector->trailer_size());
    const SrtpResult result = protector->protect(buffer, 112);
    ASSERT_EQ(result.outcome, SrtpOutcome::done);
    EXPECT_EQ(unprotect(*receiver, buffer, rtp(sequence)), SrtpOutcome::done);
    protector->go_clear();
    EXPECT_FALSE(protector->protecting());
  }
  EXPECT_FAILS(protector->begin_period(1, SecretBytes(30)), ErrorKind::invalid_argument);
  EXPECT_FAILS(protector->begin_period(9, SecretBytes(8)), ErrorKind::invalid_argument);
}

TEST(RtpStreamTime, GoesOnWhenTheTimeStampsTurnOver) {
  RtpStreamTime time(90000);
  EXPECT_EQ(time.at(0xffffffff - 89999), std::chrono::seconds(0));
  EXPECT_EQ(time.at(0), std::chrono::seconds(1));
  EXPECT_EQ(time.at(45000), std::chrono::milliseconds(1500));
  EXPECT_EQ(time.at(44000), std::chrono::milliseconds(1500));  // it never goes back
  EXPECT_EQ(time.at(90000), std::chrono::seconds(2));
}

}  // namespace
}  // namespace cas::simulcrypt::bcast
