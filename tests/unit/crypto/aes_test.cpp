// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/aes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "support/allocation_count.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"
#include "support/vector_file.hpp"

namespace cas::crypto {
namespace {

using Nonce = std::array<std::uint8_t, gcm_nonce_size>;
using Tag = std::array<std::uint8_t, gcm_tag_size>;
using Block = std::array<std::uint8_t, aes_block_size>;

template <typename Array>
Array array_of(ByteView bytes) {
  Array array{};
  EXPECT_EQ(bytes.size(), array.size());
  std::copy_n(bytes.begin(), std::min(bytes.size(), array.size()), array.begin());
  return array;
}

Bytes random_bytes(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  test::SeededRandom random(seed);
  EXPECT_OK(random.fill(bytes));
  return bytes;
}

/// Each test runs for every workload: another library may compute it.
class AesOf : public testing::TestWithParam<Workload> {
 protected:
  static AesGcm gcm_of(const SecretBytes& key) {
    auto gcm = AesGcm::create(key, GetParam());
    return std::move(gcm.value());
  }

  static AesCtr ctr_of(const SecretBytes& key, const Block& counter) {
    auto ctr = AesCtr::create(key, counter, GetParam());
    return std::move(ctr.value());
  }
};

class AesGcmOf : public AesOf {};
class AesCtrOf : public AesOf {};

std::string workload_name(const testing::TestParamInfo<Workload>& info) {
  return info.param == Workload::bulk ? "bulk" : "messages";
}

INSTANTIATE_TEST_SUITE_P(Workloads, AesGcmOf, testing::Values(Workload::messages, Workload::bulk), workload_name);
INSTANTIATE_TEST_SUITE_P(Workloads, AesCtrOf, testing::Values(Workload::messages, Workload::bulk), workload_name);

// ---------------------------------------------------------------------------------------------------------- AES-GCM

struct Sealed {
  Bytes cipher_text;
  Tag tag{};
};

Sealed seal(AesGcm& gcm, const Nonce& nonce, ByteView associated, ByteView plain) {
  Sealed sealed{Bytes(plain.size()), {}};
  EXPECT_OK(gcm.seal(nonce, associated, {&plain, 1}, sealed.cipher_text, sealed.tag));
  return sealed;
}

TEST_P(AesGcmOf, GivesTheCasesOfTheSpecification) {
  test::for_each_vector("crypto/aes_gcm.txt", [](test::Vector& vector) {
    SCOPED_TRACE(vector.text("case"));
    AesGcm gcm = gcm_of(vector.secret("key"));
    const auto nonce = array_of<Nonce>(vector.hex("nonce"));
    const Bytes associated = vector.hex("associated");
    const Bytes plain = vector.hex("plain");
    const Bytes cipher_text = vector.hex("cipher_text");
    const auto tag = array_of<Tag>(vector.hex("tag"));

    const Sealed sealed = seal(gcm, nonce, associated, plain);
    EXPECT_EQ(to_hex(sealed.cipher_text), to_hex(cipher_text));
    EXPECT_EQ(to_hex(sealed.tag), to_hex(tag));

    Bytes opened(cipher_text.size());
    const ByteView piece = cipher_text;
    EXPECT_OK(gcm.open(nonce, associated, {&piece, 1}, tag, opened));
    EXPECT_EQ(to_hex(opened), to_hex(plain));
  });
}

TEST_P(AesGcmOf, DoesNotDependOnHowTheMessageIsCut) {
  AesGcm gcm = gcm_of(SecretBytes(32));
  const Bytes plain = random_bytes(100, 1);
  const Sealed whole = seal(gcm, {}, as_bytes("associated"), plain);
  test::SeededRandom random(2);
  for (int round = 0; round < 200; ++round) {
    std::vector<ByteView> pieces;
    std::vector<ByteView> sealed_pieces;
    for (std::size_t at = 0; at < plain.size();) {
      const std::size_t size = std::min<std::size_t>(random.below(40), plain.size() - at);  // zero sizes too
      pieces.push_back(ByteView(plain).subspan(at, size));
      sealed_pieces.push_back(ByteView(whole.cipher_text).subspan(at, size));
      at += size;
    }
    Sealed sealed{Bytes(plain.size()), {}};
    ASSERT_OK(gcm.seal(Nonce{}, as_bytes("associated"), pieces, sealed.cipher_text, sealed.tag));
    ASSERT_EQ(to_hex(sealed.cipher_text), to_hex(whole.cipher_text));
    ASSERT_EQ(to_hex(sealed.tag), to_hex(whole.tag));
    Bytes opened(plain.size());
    ASSERT_OK(gcm.open(Nonce{}, as_bytes("associated"), sealed_pieces, whole.tag, opened));
    ASSERT_EQ(opened, plain);
  }
}

TEST_P(AesGcmOf, WorksInPlace) {
  AesGcm gcm = gcm_of(SecretBytes(16));
  for (const std::size_t size : {1U, 16U, 1000U, 65536U}) {
    const Bytes plain = random_bytes(size, size);
    const Sealed apart = seal(gcm, {}, {}, plain);
    Bytes buffer = plain;
    Tag tag{};
    ByteView piece = buffer;
    ASSERT_OK(gcm.seal(Nonce{}, {}, {&piece, 1}, buffer, tag));
    EXPECT_EQ(buffer, apart.cipher_text);
    EXPECT_EQ(tag, apart.tag);
    ASSERT_OK(gcm.open(Nonce{}, {}, {&piece, 1}, tag, buffer));
    EXPECT_EQ(buffer, plain);
  }
}

TEST_P(AesGcmOf, RefusesInputThatOverlapsItsOutputShifted) {
  AesGcm gcm = gcm_of(SecretBytes(16));
  Bytes buffer = random_bytes(64, 3);
  const Bytes before = buffer;
  Tag tag{};
  const ByteView behind = ByteView(buffer).subspan(1, 32);
  EXPECT_FAILS(gcm.seal(Nonce{}, {}, {&behind, 1}, MutableByteView(buffer).first(32), tag),
               ErrorKind::invalid_argument);
  const ByteView ahead = ByteView(buffer).first(32);
  EXPECT_FAILS(gcm.seal(Nonce{}, {}, {&ahead, 1}, MutableByteView(buffer).subspan(31, 32), tag),
               ErrorKind::invalid_argument);
  const ByteView exchanged[] = {ByteView(buffer).subspan(32), ByteView(buffer).first(32)};
  EXPECT_FAILS(gcm.seal(Nonce{}, {}, exchanged, buffer, tag), ErrorKind::invalid_argument);
  EXPECT_FAILS(gcm.open(Nonce{}, {}, {&behind, 1}, tag, MutableByteView(buffer).first(32)),
               ErrorKind::invalid_argument);
  EXPECT_EQ(buffer, before);
  // Side by side is no overlap.
  EXPECT_OK(gcm.seal(Nonce{}, {}, {&ahead, 1}, MutableByteView(buffer).subspan(32, 32), tag));
}

TEST_P(AesGcmOf, RefusesOutputOfAnotherSize) {
  AesGcm gcm = gcm_of(SecretBytes(16));
  const Bytes plain(32);
  const ByteView pieces[] = {ByteView(plain).first(20), ByteView(plain).subspan(20)};
  Tag tag{};
  for (const std::size_t size : {0U, 19U, 20U, 31U, 33U}) {
    Bytes out(size);
    EXPECT_FAILS(gcm.seal(Nonce{}, {}, pieces, out, tag), ErrorKind::invalid_argument);
    EXPECT_FAILS(gcm.open(Nonce{}, {}, pieces, tag, out), ErrorKind::invalid_argument);
    EXPECT_EQ(out, Bytes(size));
  }
}

/// What follows is refused, and leaves nothing of the plain text; afterwards the object works as before.
void expect_forgery(AesGcm& gcm, const Nonce& nonce, ByteView associated, ByteView cipher_text, const Tag& tag) {
  Bytes plain(cipher_text.size(), 0xaa);
  EXPECT_FAILS(gcm.open(nonce, associated, {&cipher_text, 1}, tag, plain), ErrorKind::authentication_failed);
  EXPECT_TRUE(std::all_of(plain.begin(), plain.end(), [](std::uint8_t byte) { return byte == 0; }));
}

TEST_P(AesGcmOf, RefusesEveryChangedBit) {
  AesGcm gcm = gcm_of(SecretBytes::copy_of(random_bytes(32, 4)));
  const Nonce nonce = array_of<Nonce>(random_bytes(12, 5));
  const Bytes associated = random_bytes(20, 6);
  const Bytes plain = random_bytes(45, 7);
  const Sealed sealed = seal(gcm, nonce, associated, plain);
  for (std::size_t bit = 0; bit < 8 * gcm_tag_size; ++bit) {
    Tag tag = sealed.tag;
    tag[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    expect_forgery(gcm, nonce, associated, sealed.cipher_text, tag);
  }
  for (std::size_t bit = 0; bit < 8 * plain.size(); ++bit) {
    Bytes cipher_text = sealed.cipher_text;
    cipher_text[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    expect_forgery(gcm, nonce, associated, cipher_text, sealed.tag);
  }
  for (std::size_t bit = 0; bit < 8 * associated.size(); ++bit) {
    Bytes changed = associated;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    expect_forgery(gcm, nonce, changed, sealed.cipher_text, sealed.tag);
  }
  for (std::size_t bit = 0; bit < 8 * gcm_nonce_size; ++bit) {
    Nonce changed = nonce;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    expect_forgery(gcm, changed, associated, sealed.cipher_text, sealed.tag);
  }
  Bytes opened(plain.size());
  const ByteView piece = sealed.cipher_text;
  EXPECT_OK(gcm.open(nonce, associated, {&piece, 1}, sealed.tag, opened));
  EXPECT_EQ(opened, plain);
}

TEST_P(AesGcmOf, RefusesWhatIsCutOrMovedAcrossItsBorders) {
  AesGcm gcm = gcm_of(SecretBytes(16));
  const Bytes associated = random_bytes(20, 8);
  const Bytes plain = random_bytes(40, 9);
  const Sealed sealed = seal(gcm, {}, associated, plain);
  for (std::size_t size = 0; size < plain.size(); ++size) {
    expect_forgery(gcm, {}, associated, ByteView(sealed.cipher_text).first(size), sealed.tag);
  }
  for (std::size_t size = 0; size < associated.size(); ++size) {
    expect_forgery(gcm, {}, ByteView(associated).first(size), sealed.cipher_text, sealed.tag);
  }
  Bytes longer = associated;
  longer.push_back(sealed.cipher_text[0]);
  expect_forgery(gcm, {}, longer, ByteView(sealed.cipher_text).subspan(1), sealed.tag);
  AesGcm other = gcm_of(SecretBytes::copy_of(Bytes(16, 1)));
  expect_forgery(other, {}, associated, sealed.cipher_text, sealed.tag);
}

TEST_P(AesGcmOf, AForgeryInPlaceLeavesNothing) {
  AesGcm gcm = gcm_of(SecretBytes(16));
  const Bytes plain = random_bytes(100, 10);
  Sealed sealed = seal(gcm, {}, {}, plain);
  sealed.tag[15] ^= 1;
  const ByteView piece = sealed.cipher_text;
  EXPECT_FAILS(gcm.open(Nonce{}, {}, {&piece, 1}, sealed.tag, sealed.cipher_text), ErrorKind::authentication_failed);
  EXPECT_EQ(sealed.cipher_text, Bytes(100));
}

TEST_P(AesGcmOf, TheTagMayLieInTheMemoryThatIsOpenedInPlace) {
  AesGcm gcm = gcm_of(SecretBytes(16));
  const Bytes plain = random_bytes(48, 11);
  const Sealed sealed = seal(gcm, {}, {}, plain);
  // The reader's buffer: cipher text and tag, opened into the same place together with what lies behind.
  Bytes buffer = sealed.cipher_text;
  append(buffer, sealed.tag);
  const ByteView piece = ByteView(buffer).first(48);
  EXPECT_OK(gcm.open(Nonce{}, {}, {&piece, 1}, std::span<const std::uint8_t, 16>(buffer.data() + 48, 16),
                     MutableByteView(buffer).first(48)));
  EXPECT_EQ(Bytes(buffer.begin(), buffer.begin() + 48), plain);
}

TEST_P(AesGcmOf, RefusesKeysOfOtherSizes) {
  for (const std::size_t size : {0U, 1U, 15U, 17U, 24U, 31U, 33U, 64U}) {
    EXPECT_FAILS(AesGcm::create(SecretBytes(size), GetParam()), ErrorKind::invalid_argument);
  }
}

TEST_P(AesGcmOf, AsksForNoMemoryOnceItIsMade) {
  ASSERT_TRUE(test::counts_openssl());
  AesGcm gcm = gcm_of(SecretBytes(32));
  Bytes buffer(65536 + 7);
  const ByteView pieces[] = {ByteView(buffer).first(1000), ByteView(buffer).subspan(1000)};
  Bytes out(buffer.size());
  Tag tag{};
  const std::size_t before = test::allocation_count();
  bool good = true;
  for (std::uint8_t i = 0; i < 10; ++i) {
    const Nonce nonce = {i};
    good = good && gcm.seal(nonce, ByteView(buffer).first(13), pieces, out, tag).has_value();
    const ByteView piece = out;
    good = good && gcm.open(nonce, ByteView(buffer).first(13), {&piece, 1}, tag, out).has_value();
  }
  EXPECT_EQ(test::allocation_count(), before);
  EXPECT_TRUE(good);
}

// ---------------------------------------------------------------------------------------------------------- AES-CTR

TEST_P(AesCtrOf, GivesTheExamplesOfSp80038AAndCarries) {
  test::for_each_vector("crypto/aes_ctr.txt", [](test::Vector& vector) {
    SCOPED_TRACE(vector.text("case"));
    const SecretBytes key = vector.secret("key");
    const auto counter = array_of<Block>(vector.hex("initial_counter"));
    const Bytes plain = vector.hex("plain");
    const std::string expected = to_hex(vector.hex("cipher_text"));
    AesCtr ctr = ctr_of(key, counter);
    Bytes out(plain.size());
    EXPECT_OK(ctr.apply(plain, out));
    EXPECT_EQ(to_hex(out), expected);
    // The same from every position, where the carry is not OpenSSL's but ours.
    for (std::size_t position = 0; position <= plain.size(); ++position) {
      ASSERT_OK(ctr.seek(position));
      Bytes rest(plain.size() - position);
      ASSERT_OK(ctr.apply(ByteView(plain).subspan(position), rest));
      ASSERT_EQ(to_hex(rest), expected.substr(2 * position)) << position;
    }
  });
}

TEST_P(AesCtrOf, AnyCutAndAnyPositionGiveTheStraightStream) {
  const SecretBytes key = SecretBytes::copy_of(random_bytes(16, 12));
  const auto counter = array_of<Block>(random_bytes(16, 13));
  const Bytes plain = random_bytes(5000, 14);
  Bytes straight(plain.size());
  AesCtr ctr = ctr_of(key, counter);
  ASSERT_OK(ctr.apply(plain, straight));
  test::SeededRandom random(15);
  for (int round = 0; round < 300; ++round) {
    std::size_t at = random.below(plain.size());
    ASSERT_OK(ctr.seek(at));
    while (at < plain.size()) {
      const std::size_t size = std::min<std::size_t>(random.below(700), plain.size() - at);
      Bytes out(plain.begin() + static_cast<std::ptrdiff_t>(at),
                plain.begin() + static_cast<std::ptrdiff_t>(at + size));
      ASSERT_OK(ctr.apply(out, out));  // in place
      ASSERT_TRUE(std::equal(out.begin(), out.end(), straight.begin() + static_cast<std::ptrdiff_t>(at))) << at;
      at += size;
    }
  }
}

TEST_P(AesCtrOf, ReachesTheEndsOfTheStream) {
  const SecretBytes key(16);
  // Block 2^60 - 1 of one stream is block 0 of a stream whose counter begins there: both carries must agree.
  Block far{};
  far[0] = 0xff;
  std::fill(far.begin() + 8, far.end(), 0xff);
  AesCtr ctr = ctr_of(key, far);
  ASSERT_OK(ctr.seek(~std::uint64_t{0} - 15));
  // 0xff00000000000000ffffffffffffffff + 0x0fffffffffffffff = 0xff000000000000010ffffffffffffffe
  Block sum = {0xff, 0, 0, 0, 0, 0, 0, 1, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe};
  AesCtr direct = ctr_of(key, sum);
  Bytes a(16);
  Bytes b(16);
  ASSERT_OK(ctr.apply(a, a));
  ASSERT_OK(direct.apply(b, b));
  EXPECT_EQ(to_hex(a), to_hex(b));
  ASSERT_OK(ctr.seek(~std::uint64_t{0}));
  Bytes last(1);
  ASSERT_OK(ctr.apply(last, last));
  EXPECT_EQ(last[0], a[15]);
}

TEST_P(AesCtrOf, RefusesSizesThatDiffer) {
  AesCtr ctr = ctr_of(SecretBytes(16), {});
  Bytes in(16);
  Bytes out(15);
  EXPECT_FAILS(ctr.apply(in, out), ErrorKind::invalid_argument);
  EXPECT_FAILS(ctr.apply(out, in), ErrorKind::invalid_argument);
  EXPECT_FAILS(ctr.apply(ByteView(in).first(15), MutableByteView(in).subspan(1)), ErrorKind::invalid_argument);
  EXPECT_EQ(in, Bytes(16));
  EXPECT_EQ(out, Bytes(15));
  for (const std::size_t size : {0U, 1U, 15U, 17U, 24U, 31U, 33U}) {
    EXPECT_FAILS(AesCtr::create(SecretBytes(size), Block{}, GetParam()), ErrorKind::invalid_argument);
  }
}

TEST_P(AesCtrOf, AsksForNoMemoryOnceItIsMade) {
  ASSERT_TRUE(test::counts_openssl());
  AesCtr ctr = ctr_of(SecretBytes(16), {});
  Bytes buffer(1000);
  const std::size_t before = test::allocation_count();
  bool good = true;
  for (std::uint64_t i = 0; i < 100; ++i) {
    good = good && ctr.seek(i * 77).has_value();
    good = good && ctr.apply(buffer, buffer).has_value();
  }
  EXPECT_EQ(test::allocation_count(), before);
  EXPECT_TRUE(good);
}

// ------------------------------------------------------------------------------------------- one library beside the
// other

/// `bytes` cut into one to nine pieces.
std::vector<ByteView> cut_at_random(ByteView bytes, test::SeededRandom& random) {
  std::vector<ByteView> pieces;
  for (std::uint64_t i = random.below(9); i > 0; --i) {
    const auto size = static_cast<std::size_t>(random.below(bytes.size() + 1));
    pieces.push_back(bytes.first(size));
    bytes = bytes.subspan(size);
  }
  pieces.push_back(bytes);
  return pieces;
}

TEST(AesOfAllWorkloads, GcmIsTheSame) {
  test::SeededRandom random(31);
  for (int i = 0; i < 300; ++i) {
    const SecretBytes key = SecretBytes::copy_of(random_bytes(i % 2 == 0 ? 16 : 32, 1000 + i));
    AesGcm messages = std::move(AesGcm::create(key, Workload::messages).value());
    AesGcm bulk = std::move(AesGcm::create(key, Workload::bulk).value());
    const Bytes plain = random_bytes(random.below(5000), 2000 + i);
    const Bytes associated = random_bytes(random.below(40), 3000 + i);
    const Nonce nonce = array_of<Nonce>(random_bytes(gcm_nonce_size, 4000 + i));
    const Sealed expected = seal(messages, nonce, associated, plain);
    Sealed sealed{Bytes(plain.size()), {}};
    ASSERT_OK(bulk.seal(nonce, associated, cut_at_random(plain, random), sealed.cipher_text, sealed.tag));
    ASSERT_EQ(to_hex(sealed.cipher_text), to_hex(expected.cipher_text)) << i;
    ASSERT_EQ(to_hex(sealed.tag), to_hex(expected.tag)) << i;
    Bytes opened(plain.size());
    ASSERT_OK(bulk.open(nonce, associated, cut_at_random(sealed.cipher_text, random), sealed.tag, opened));
    ASSERT_EQ(opened, plain);
  }
}

TEST(AesOfAllWorkloads, CtrIsTheSameAlsoWhereTheCounterCarries) {
  test::SeededRandom random(32);
  for (int i = 0; i < 300; ++i) {
    const SecretBytes key = SecretBytes::copy_of(random_bytes(i % 2 == 0 ? 16 : 32, 1000 + i));
    Block counter = array_of<Block>(random_bytes(aes_block_size, 2000 + i));
    // So that some of the last bytes overflow within the buffer.
    std::fill(counter.end() - static_cast<std::ptrdiff_t>(1 + random.below(counter.size())), counter.end() - 1, 0xff);
    AesCtr messages = std::move(AesCtr::create(key, counter, Workload::messages).value());
    AesCtr bulk = std::move(AesCtr::create(key, counter, Workload::bulk).value());
    const std::uint64_t position = random.below(10'000);
    ASSERT_OK(messages.seek(position));
    ASSERT_OK(bulk.seek(position));
    const Bytes plain = random_bytes(random.below(10'000), 3000 + i);
    Bytes expected(plain.size());
    ASSERT_OK(messages.apply(plain, expected));
    Bytes applied;
    for (const ByteView piece : cut_at_random(plain, random)) {
      applied.insert(applied.end(), piece.begin(), piece.end());
      const MutableByteView in_place = MutableByteView(applied).last(piece.size());
      ASSERT_OK(bulk.apply(in_place, in_place));
    }
    ASSERT_EQ(to_hex(applied), to_hex(expected)) << i;
  }
}

TEST(AesOfAllWorkloads, CiphersInSeveralThreadsDoNotDisturbEachOther) {
  const SecretBytes key = SecretBytes::copy_of(random_bytes(16, 1));
  const Bytes plain = random_bytes(20'000, 2);
  AesCtr reference = std::move(AesCtr::create(key, Block{}, Workload::messages).value());
  Bytes expected(plain.size());
  ASSERT_OK(reference.apply(plain, expected));
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        auto ctr = AesCtr::create(key, Block{}, Workload::bulk);
        Bytes out(plain.size());
        if (!ctr || !ctr->apply(plain, out) || out != expected) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

// ---------------------------------------------------------------------------------------------------------- AES-CBC

TEST(AesCbc, GivesTheExamplesOfSp80038A) {
  test::for_each_vector("crypto/aes_cbc.txt", [](test::Vector& vector) {
    SCOPED_TRACE(vector.text("case"));
    const SecretBytes key = vector.secret("key");
    const auto iv = array_of<Block>(vector.hex("iv"));
    const Bytes plain = vector.hex("plain");
    const Bytes cipher_text = vector.hex("cipher_text");
    const auto encrypted = aes_cbc_encrypt(key, iv, plain);
    ASSERT_OK(encrypted);
    EXPECT_EQ(to_hex(*encrypted), to_hex(cipher_text));
    const auto decrypted = aes_cbc_decrypt(key, iv, cipher_text);
    ASSERT_OK(decrypted);
    EXPECT_EQ(to_hex(decrypted->reveal()), to_hex(plain));
  });
}

TEST(AesCbc, TakesWholeBlocksOnly) {
  const SecretBytes key(16);
  for (const std::size_t size : {1U, 15U, 17U, 31U}) {
    EXPECT_FAILS(aes_cbc_encrypt(key, Block{}, Bytes(size)), ErrorKind::invalid_argument);
    EXPECT_FAILS(aes_cbc_decrypt(key, Block{}, Bytes(size)), ErrorKind::invalid_argument);
  }
  for (const std::size_t size : {0U, 15U, 17U, 24U, 33U}) {
    EXPECT_FAILS(aes_cbc_encrypt(SecretBytes(size), Block{}, Bytes(16)), ErrorKind::invalid_argument);
    EXPECT_FAILS(aes_cbc_decrypt(SecretBytes(size), Block{}, Bytes(16)), ErrorKind::invalid_argument);
  }
  const auto nothing = aes_cbc_encrypt(key, Block{}, {});
  ASSERT_OK(nothing);
  EXPECT_TRUE(nothing->empty());
}

TEST(AesBlock, GivesWhatFips197Gives) {  // FIPS 197, C.1 and C.3
  const Bytes plain = test::hex("00112233445566778899aabbccddeeff");
  for (const auto& [key, cipher_text] :
       {std::pair{"000102030405060708090a0b0c0d0e0f", "69c4e0d86a7b0430d8cdb78070b4c55a"},
        std::pair{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
                  "8ea2b7ca516745bfeafc49904b496089"}}) {
    const auto block = aes_encrypt_block(SecretBytes::copy_of(test::hex(key)), ByteView(plain).first<aes_block_size>());
    ASSERT_OK(block);
    EXPECT_EQ(to_hex(block->reveal()), cipher_text);
  }
  EXPECT_FAILS(aes_encrypt_block(SecretBytes(24), ByteView(plain).first<aes_block_size>()),
               ErrorKind::invalid_argument);
}

/// RFC 3394, 4.3, 4.5 and 4.6: a key of 256 bits wraps 128, 192 and 256 bits.
TEST(AesKeyWrap, GivesWhatRfc3394Gives) {
  const SecretBytes key =
      SecretBytes::copy_of(test::hex("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"));
  const std::pair<const char*, const char*> vectors[] = {
      {"00112233445566778899AABBCCDDEEFF", "64E8C3F9CE0F5BA263E9777905818A2A93C8191E7D6E8AE7"},
      {"00112233445566778899AABBCCDDEEFF0001020304050607",
       "A8F9BC1612C68B3FF6E6F4FBE30E71E4769C8B80A32CB8958CD5D17D6B254DA1"},
      {"00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F",
       "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"}};
  for (const auto& [secret, expected] : vectors) {
    const auto wrapped = aes_key_wrap(key, SecretBytes::copy_of(test::hex(secret)));
    ASSERT_OK(wrapped);
    EXPECT_EQ(*wrapped, test::hex(expected));
    const auto unwrapped = aes_key_unwrap(key, *wrapped);
    ASSERT_OK(unwrapped);
    EXPECT_TRUE(equal(unwrapped->reveal(), test::hex(secret)));
  }
}

TEST(AesKeyWrap, RefusesChangesOtherKeysAndSizes) {
  const SecretBytes key = SecretBytes::copy_of(random_bytes(32, 1));
  const auto wrapped = aes_key_wrap(key, SecretBytes::copy_of(random_bytes(32, 2)));
  ASSERT_OK(wrapped);
  for (std::size_t i = 0; i < wrapped->size(); ++i) {
    Bytes changed = *wrapped;
    changed[i] ^= 1;
    EXPECT_FAILS(aes_key_unwrap(key, changed), ErrorKind::authentication_failed);
  }
  EXPECT_FAILS(aes_key_unwrap(SecretBytes::copy_of(random_bytes(32, 3)), *wrapped), ErrorKind::authentication_failed);
  EXPECT_FAILS(aes_key_unwrap(key, ByteView(*wrapped).first(32)), ErrorKind::authentication_failed);
  EXPECT_FAILS(aes_key_unwrap(key, ByteView(*wrapped).first(39)), ErrorKind::invalid_argument);
  EXPECT_FAILS(aes_key_unwrap(key, ByteView(*wrapped).first(16)), ErrorKind::invalid_argument);
  EXPECT_FAILS(aes_key_unwrap(key, random_bytes(4112, 4)), ErrorKind::invalid_argument);
  EXPECT_FAILS(aes_key_unwrap(SecretBytes(16), *wrapped), ErrorKind::invalid_argument);
  EXPECT_FAILS(aes_key_wrap(SecretBytes(16), SecretBytes(32)), ErrorKind::invalid_argument);
  EXPECT_FAILS(aes_key_wrap(key, SecretBytes(8)), ErrorKind::invalid_argument);
  EXPECT_FAILS(aes_key_wrap(key, SecretBytes(20)), ErrorKind::invalid_argument);
  EXPECT_FAILS(aes_key_wrap(key, SecretBytes(4104)), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace cas::crypto
