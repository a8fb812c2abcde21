// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/aes_cbc_batch.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "support/allocation_count.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"
#include "support/vector_file.hpp"

namespace cas::crypto {
namespace {

using Block = std::array<std::uint8_t, aes_block_size>;

Bytes random_bytes(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  test::SeededRandom random(seed);
  EXPECT_OK(random.fill(bytes));
  return bytes;
}

/// Each test runs for every workload: another library may compute it.
class AesCbcBatchOf : public testing::TestWithParam<Workload> {
 protected:
  static AesCbcBatch batch_of(const SecretBytes& key) {
    auto batch = AesCbcBatch::create(key, GetParam());
    return std::move(batch.value());
  }
};

std::string workload_name(const testing::TestParamInfo<Workload>& info) {
  return info.param == Workload::bulk ? "bulk" : "messages";
}

INSTANTIATE_TEST_SUITE_P(Workloads, AesCbcBatchOf, testing::Values(Workload::messages, Workload::bulk), workload_name);

/// Messages of many sizes with an IV each, side by side in one buffer.
struct Batch {
  Batch(std::size_t count, std::uint64_t seed) : ivs(random_bytes(count * aes_block_size, seed + 1)) {
    test::SeededRandom random(seed);
    std::size_t total = 0;
    for (std::size_t i = 0; i < count; ++i) {
      sizes.push_back(aes_block_size * static_cast<std::size_t>(random.below(13)));  // zero too
      total += sizes.back();
    }
    plain = random_bytes(total, seed + 2);
    data = plain;
    std::size_t at = 0;
    for (std::size_t i = 0; i < count; ++i) {
      messages.push_back({data.data() + at, sizes[i], ivs.data() + i * aes_block_size});
      at += sizes[i];
    }
  }
  /// The same messages, one by one through the function for single messages.
  [[nodiscard]] Bytes expected(const SecretBytes& key) const {
    Bytes all;
    std::size_t at = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const std::span<const std::uint8_t, aes_block_size> iv(ivs.data() + i * aes_block_size, aes_block_size);
      append(all, aes_cbc_encrypt(key, iv, ByteView(plain).subspan(at, sizes[i])).value());
      at += sizes[i];
    }
    return all;
  }

  std::vector<std::size_t> sizes;
  Bytes ivs;
  Bytes plain;
  Bytes data;
  std::vector<CbcMessage> messages;
};

TEST_P(AesCbcBatchOf, GivesTheExamplesOfSp80038A) {
  std::size_t seen = 0;
  test::for_each_vector("crypto/aes_cbc.txt", [&](test::Vector& vector) {
    SCOPED_TRACE(vector.text("case"));
    const SecretBytes key = vector.secret("key");
    const Bytes iv = vector.hex("iv");
    const Bytes plain = vector.hex("plain");
    const Bytes cipher_text = vector.hex("cipher_text");
    if (key.size() != 16) return;
    ++seen;
    AesCbcBatch batch = batch_of(key);
    Bytes data = plain;
    const CbcMessage message{data.data(), data.size(), iv.data()};
    ASSERT_OK(batch.encrypt({&message, 1}));
    EXPECT_EQ(to_hex(data), to_hex(cipher_text));
    ASSERT_OK(batch.decrypt({&message, 1}));
    EXPECT_EQ(to_hex(data), to_hex(plain));
  });
  EXPECT_GT(seen, 0U);
}

TEST_P(AesCbcBatchOf, EachMessageIsComputedAsIfItWereAlone) {
  const SecretBytes key = SecretBytes::copy_of(random_bytes(16, 1));
  AesCbcBatch cipher = batch_of(key);
  for (const std::size_t count : {0U, 1U, 2U, 15U, 16U, 17U, 63U, 64U, 65U, 128U, 129U, 1000U}) {
    SCOPED_TRACE(count);
    Batch batch(count, count);
    const Bytes expected = batch.expected(key);
    ASSERT_OK(cipher.encrypt(batch.messages));
    ASSERT_EQ(to_hex(batch.data), to_hex(expected));
    ASSERT_OK(cipher.decrypt(batch.messages));
    ASSERT_EQ(to_hex(batch.data), to_hex(batch.plain));
  }
}

TEST_P(AesCbcBatchOf, MessagesMayShareAnIv) {
  const Bytes iv = random_bytes(16, 2);
  AesCbcBatch cipher = batch_of(SecretBytes(16));
  Bytes data(40 * 32, 7);
  std::vector<CbcMessage> messages;
  for (std::size_t i = 0; i < 40; ++i) messages.push_back({data.data() + 32 * i, 32, iv.data()});
  ASSERT_OK(cipher.encrypt(messages));
  for (std::size_t i = 1; i < 40; ++i) EXPECT_TRUE(std::equal(data.begin(), data.begin() + 32, messages[i].data));
  EXPECT_EQ(iv, random_bytes(16, 2));
}

TEST_P(AesCbcBatchOf, TakesTheLongestMessageAndNoLonger) {
  AesCbcBatch cipher = batch_of(SecretBytes(16));
  const Block iv{};
  Bytes data(cbc_batch_max_message + aes_block_size);
  const CbcMessage longest{data.data(), cbc_batch_max_message, iv.data()};
  ASSERT_OK(cipher.encrypt({&longest, 1}));
  const Bytes expected = aes_cbc_encrypt(SecretBytes(16), iv, Bytes(cbc_batch_max_message)).value();
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), data.begin()));
  ASSERT_OK(cipher.decrypt({&longest, 1}));
  EXPECT_EQ(data, Bytes(data.size()));
  const CbcMessage longer{data.data(), cbc_batch_max_message + aes_block_size, iv.data()};
  EXPECT_FAILS(cipher.encrypt({&longer, 1}), ErrorKind::invalid_argument);
  EXPECT_FAILS(cipher.decrypt({&longer, 1}), ErrorKind::invalid_argument);
  EXPECT_EQ(data, Bytes(data.size()));
}

TEST_P(AesCbcBatchOf, OneMessageWithHalfABlockLeavesAllAsTheyWere) {
  AesCbcBatch cipher = batch_of(SecretBytes(16));
  for (const std::size_t size : {1U, 15U, 17U, 175U}) {
    Batch batch(100, 3);
    batch.messages[99].data = batch.data.data();
    batch.messages[99].size = size;
    EXPECT_FAILS(cipher.encrypt(batch.messages), ErrorKind::invalid_argument);
    EXPECT_FAILS(cipher.decrypt(batch.messages), ErrorKind::invalid_argument);
    EXPECT_EQ(batch.data, batch.plain);
  }
}

TEST_P(AesCbcBatchOf, AnotherKeyHoldsForWhatFollows) {
  const SecretBytes first = SecretBytes::copy_of(random_bytes(16, 4));
  const SecretBytes second = SecretBytes::copy_of(random_bytes(16, 5));
  AesCbcBatch cipher = batch_of(first);
  Batch batch(70, 6);
  const Bytes under_first = batch.expected(first);
  const Bytes under_second = batch.expected(second);
  ASSERT_OK(cipher.set_key(second));
  ASSERT_OK(cipher.encrypt(batch.messages));
  EXPECT_EQ(batch.data, under_second);
  ASSERT_OK(cipher.decrypt(batch.messages));
  EXPECT_EQ(batch.data, batch.plain);
  // A key that is refused changes nothing.
  ASSERT_OK(cipher.set_key(first));
  for (const std::size_t size : {0U, 15U, 17U, 24U, 32U})
    EXPECT_FAILS(cipher.set_key(SecretBytes(size)), ErrorKind::invalid_argument);
  ASSERT_OK(cipher.encrypt(batch.messages));
  EXPECT_EQ(batch.data, under_first);
}

TEST_P(AesCbcBatchOf, RefusesKeysOfOtherSizes) {
  for (const std::size_t size : {0U, 1U, 15U, 17U, 24U, 32U})
    EXPECT_FAILS(AesCbcBatch::create(SecretBytes(size), GetParam()), ErrorKind::invalid_argument);
}

TEST_P(AesCbcBatchOf, AsksForNoMemoryOnceItIsMade) {
  ASSERT_TRUE(test::counts_openssl());
  const SecretBytes key = SecretBytes::copy_of(random_bytes(16, 7));
  AesCbcBatch cipher = batch_of(SecretBytes(16));
  Batch batch(300, 8);
  const std::size_t before = test::allocation_count();
  bool good = true;
  for (int i = 0; i < 10; ++i) {
    good = good && cipher.set_key(key).has_value();
    good = good && cipher.encrypt(batch.messages).has_value();
    good = good && cipher.decrypt(batch.messages).has_value();
  }
  EXPECT_EQ(test::allocation_count(), before);
  EXPECT_TRUE(good);
  EXPECT_EQ(batch.data, batch.plain);
}

}  // namespace
}  // namespace cas::crypto
