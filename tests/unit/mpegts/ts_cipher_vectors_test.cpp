// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#ifdef CAS_WITH_CSA
#  include <dvbcsa/dvbcsa.h>
#endif

#include "crypto/aes.hpp"
#include "scrambling_fixture.hpp"
#include "support/vector_file.hpp"

// What the ciphers compute: vectors that others have published, and a second implementation beside the batches.

namespace cas::mpegts {
namespace {

/// The packet, scrambled under this even word and no other packet beside it; and the way back.
Packet scrambled(TsCipher cipher, const TsCipherOptions& options, const SecretBytes& word, const Packet& clear) {
  auto scrambler = TsScrambler::create(cipher, options);
  auto descrambler = TsDescrambler::create(cipher, options);
  EXPECT_OK(scrambler);
  EXPECT_OK(descrambler);
  EXPECT_OK(scrambler->set_word(Parity::even, word));
  EXPECT_OK(descrambler->set_word(Parity::even, word));
  Packet packet = clear;
  std::uint8_t* const pointer = packet.data();
  EXPECT_OK(scrambler->scramble({&pointer, 1}, Parity::even));
  const Packet result = packet;
  EXPECT_OK(descrambler->descramble({&pointer, 1}));
  EXPECT_EQ(to_hex(packet), to_hex(clear));
  return result;
}

class TsCipherVectors : public testing::TestWithParam<crypto::Workload> {};
INSTANTIATE_TEST_SUITE_P(Workloads, TsCipherVectors,
                         testing::Values(crypto::Workload::messages, crypto::Workload::bulk), [](const auto& workload) {
                           return std::string(workload.param == crypto::Workload::bulk ? "bulk" : "messages");
                         });

TEST_P(TsCipherVectors, CissaGivesThoseOfTs103127) {
  test::for_each_vector("mpegts/cissa.txt", [](test::Vector& vector) {
    SCOPED_TRACE(vector.text("case"));
    const Bytes clear = vector.hex("clear");
    Packet packet{};
    ASSERT_EQ(clear.size(), packet.size());
    std::copy(clear.begin(), clear.end(), packet.begin());
    EXPECT_EQ(to_hex(scrambled(TsCipher::cissa, {{}, GetParam()}, vector.secret("word"), packet)),
              to_hex(vector.hex("scrambled")));
  });
}

TEST_P(TsCipherVectors, AesUserModesGiveThoseOfSp80038A) {
  test::for_each_vector("mpegts/aes_user_modes.txt", [](test::Vector& vector) {
    SCOPED_TRACE(vector.text("case"));
    const std::string name = vector.text("cipher");
    ASSERT_TRUE(name == "aes_128_cbc" || name == "aes_128_ctr") << name;
    TsCipherOptions options{{}, GetParam()};
    const Bytes iv = vector.hex("iv");
    ASSERT_EQ(iv.size(), options.iv.size());
    std::copy(iv.begin(), iv.end(), options.iv.begin());
    const Bytes clear = vector.hex("clear");
    const Packet packet = scrambled(name == "aes_128_cbc" ? TsCipher::aes_128_cbc : TsCipher::aes_128_ctr, options,
                                    vector.secret("word"), packet_with(clear));
    EXPECT_EQ(to_hex(payload_of(packet, clear.size())), to_hex(vector.hex("scrambled")));
  });
}

TEST(TsCipherOfEverySize, CissaIsCbcOverTheWholeBlocks) {
  constexpr std::string_view iv_text = "DVBTMCPTAESCISSA";
  std::array<std::uint8_t, 16> iv{};
  std::copy(iv_text.begin(), iv_text.end(), iv.begin());
  const SecretBytes word = word_of(16, 1);
  for (std::size_t size = 1; size <= 184; ++size) {
    const Bytes clear = random_bytes(size, size);
    const std::size_t whole = size - size % 16;
    Bytes expected = crypto::aes_cbc_encrypt(word, iv, ByteView(clear).first(whole)).value();
    append(expected, ByteView(clear).subspan(whole));
    const Packet packet = scrambled(TsCipher::cissa, {}, word, packet_with(clear));
    ASSERT_EQ(to_hex(payload_of(packet, size)), to_hex(expected)) << size;
  }
}

TEST(TsCipherOfEverySize, CtrIsTheKeyStreamFromTheStart) {
  TsCipherOptions options;
  options.iv = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0xff, 0xff, 0xff, 0xf4};
  const SecretBytes word = word_of(16, 2);
  for (std::size_t size = 1; size <= 184; ++size) {
    const Bytes clear = random_bytes(size, size);
    auto ctr = crypto::AesCtr::create(word, options.iv);
    ASSERT_OK(ctr);
    Bytes expected(size);
    ASSERT_OK(ctr->apply(clear, expected));
    const Packet packet = scrambled(TsCipher::aes_128_ctr, options, word, packet_with(clear));
    ASSERT_EQ(to_hex(payload_of(packet, size)), to_hex(expected)) << size;
  }
}

#ifdef CAS_WITH_CSA

TEST(Csa2Vectors, GivesThoseOfThePublicImplementations) {
  test::for_each_vector("mpegts/csa2.txt", [](test::Vector& vector) {
    SCOPED_TRACE(vector.text("case"));
    const Bytes clear = vector.hex("clear");
    const Packet packet = scrambled(TsCipher::csa2, {}, vector.secret("word"), packet_with(clear));
    EXPECT_EQ(to_hex(payload_of(packet, clear.size())), to_hex(vector.hex("scrambled")));
  });
}

/// The library has a second implementation, for one packet at a time.
TEST(TsCipherOfEverySize, Csa2IsThatOfSinglePackets) {
  const SecretBytes word = word_of(8, 3);
  const std::unique_ptr<dvbcsa_key_t, decltype(&dvbcsa_key_free)> key(dvbcsa_key_alloc(), &dvbcsa_key_free);
  dvbcsa_key_set(word.reveal().data(), key.get());
  for (std::size_t size = 1; size <= 184; ++size) {
    const Bytes clear = random_bytes(size, size);
    Bytes expected = clear;
    dvbcsa_encrypt(key.get(), expected.data(), static_cast<unsigned>(size));
    const Packet packet = scrambled(TsCipher::csa2, {}, word, packet_with(clear));
    ASSERT_EQ(to_hex(payload_of(packet, size)), to_hex(expected)) << size;
    if (size < 8) {
      EXPECT_EQ(expected, clear);
    }
  }
}

#else

TEST(Csa2Absent, IsRefusedWithTheRemedy) {
  const auto scrambler = TsScrambler::create(TsCipher::csa2);
  EXPECT_FAILS(scrambler, ErrorKind::unsupported);
  EXPECT_NE(scrambler.error().message.find("-Dcsa=enabled"), std::string::npos);
  EXPECT_FAILS(TsDescrambler::create(TsCipher::csa2), ErrorKind::unsupported);
}

#endif

}  // namespace
}  // namespace cas::mpegts
