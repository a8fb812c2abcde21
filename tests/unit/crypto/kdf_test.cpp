// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/kdf.hpp"

#include <gtest/gtest.h>

#include "base/writer.hpp"
#include "crypto/mac.hpp"
#include "support/result_matchers.hpp"
#include "support/vector_file.hpp"

namespace cas::crypto {
namespace {

SecretBytes secret(std::string_view text) { return SecretBytes::copy_of(as_bytes(text)); }

TEST(Hkdf, GivesTheKeysOfRfc5869) {
  test::for_each_vector("crypto/hkdf_sha256.txt", [](test::Vector& vector) {
    SCOPED_TRACE(vector.text("case"));
    const Bytes expected = vector.hex("output");
    const auto key = hkdf_sha256(vector.hex("input_key"), vector.hex("salt"), vector.hex("info"), expected.size());
    ASSERT_OK(key);
    EXPECT_EQ(to_hex(key->reveal()), to_hex(expected));
    const auto prepared = test::value_or_throw(HkdfSha256::create(vector.hex("input_key"), vector.hex("salt")));
    const auto expanded = prepared.expand(vector.hex("info"), expected.size());
    ASSERT_OK(expanded);
    EXPECT_EQ(to_hex(expanded->reveal()), to_hex(expected));
  });
}

TEST(Hkdf, KeepsToItsLimits) {
  const Bytes key(32);
  const Bytes info(1024);
  EXPECT_FAILS(hkdf_sha256({}, {}, {}, 32), ErrorKind::invalid_argument);
  EXPECT_FAILS(HkdfSha256::create({}, {}), ErrorKind::invalid_argument);
  EXPECT_FAILS(test::value_or_throw(HkdfSha256::create(key, {})).expand({}, 8161), ErrorKind::invalid_argument);
  EXPECT_FAILS(hkdf_sha256(key, {}, {}, 0), ErrorKind::invalid_argument);
  EXPECT_FAILS(hkdf_sha256(key, {}, {}, 8161), ErrorKind::invalid_argument);
  EXPECT_FAILS(hkdf_sha256(key, {}, Bytes(1025), 32), ErrorKind::invalid_argument);
  const auto longest = hkdf_sha256(key, {}, info, 8160);
  ASSERT_OK(longest);
  // What is asked for less is the beginning of what is asked for more (RFC 5869, 2.3).
  const auto shorter = hkdf_sha256(key, {}, info, 33);
  ASSERT_OK(shorter);
  EXPECT_EQ(to_hex(shorter->reveal()), to_hex(longest->reveal().first(33)));
}

/// SP 800-108, 4.1, from AES-CMAC alone: K(i) = PRF(key, [i] || fixed input).
Bytes counter_mode(const SecretBytes& key, ByteView fixed_input, std::size_t size) {
  Bytes out;
  for (std::uint32_t i = 1; out.size() < size; ++i) {
    const auto block = aes_cmac(key, {ByteWriter().u32(i).view(), fixed_input});
    append(out, block.value());
  }
  out.resize(size);
  return out;
}

TEST(Kbkdf, TheReadingOfSp800108IsTheOneOfNist) {
  test::for_each_vector("crypto/kbkdf_cmac_cavp.txt", [](test::Vector& vector) {
    SCOPED_TRACE(vector.text("case"));
    const Bytes expected = vector.hex("output");
    EXPECT_EQ(to_hex(counter_mode(vector.secret("key"), vector.hex("fixed_input"), expected.size())), to_hex(expected));
  });
}

TEST(Kbkdf, IsCounterModeOverLabelZeroContextAndLength) {
  test::for_each_vector("crypto/kbkdf_cmac.txt", [](test::Vector& vector) {
    const SecretBytes key = vector.secret("key");
    const std::string label = vector.text("label");
    const Bytes context = vector.hex("context");
    const Bytes expected = vector.hex("output");
    const auto derived = kbkdf_cmac(key, label, context, expected.size());
    ASSERT_OK(derived);
    EXPECT_EQ(to_hex(derived->reveal()), to_hex(expected));
    const Bytes fixed_input = ByteWriter()
                                  .bytes(as_bytes(label))
                                  .u8(0)
                                  .bytes(context)
                                  .u32(static_cast<std::uint32_t>(8 * expected.size()))
                                  .take();
    EXPECT_EQ(to_hex(derived->reveal()), to_hex(counter_mode(key, fixed_input, expected.size())));
  });
}

TEST(Kbkdf, EveryInputChangesTheKey) {
  const SecretBytes key(16);
  const auto derived = kbkdf_cmac(key, "label", as_bytes("context"), 16);
  ASSERT_OK(derived);
  const auto differs = [&](const Result<SecretBytes>& other) {
    ASSERT_OK(other);
    EXPECT_NE(to_hex(derived->reveal()), to_hex(other->reveal().first(16)));
  };
  differs(kbkdf_cmac(SecretBytes(32), "label", as_bytes("context"), 16));
  differs(kbkdf_cmac(key, "labels", as_bytes("context"), 16));
  differs(kbkdf_cmac(key, "label", as_bytes("contexts"), 16));
  differs(kbkdf_cmac(key, "labelc", as_bytes("ontext"), 16));
  differs(kbkdf_cmac(key, "label", as_bytes("context"), 32));  // the length is part of the input
}

TEST(Kbkdf, KeepsToItsLimits) {
  for (const std::size_t size : {0U, 8U, 15U, 17U, 33U}) {
    EXPECT_FAILS(kbkdf_cmac(SecretBytes(size), "label", {}, 16), ErrorKind::invalid_argument);
  }
  EXPECT_FAILS(kbkdf_cmac(SecretBytes(16), "label", {}, 0), ErrorKind::invalid_argument);
  EXPECT_FAILS(kbkdf_cmac(SecretBytes(16), "label", {}, 65537), ErrorKind::invalid_argument);
  EXPECT_OK(kbkdf_cmac(SecretBytes(16), "label", {}, 65536));
}

TEST(Scrypt, GivesTheKeysOfRfc7914) {
  test::for_each_vector("crypto/scrypt.txt", [](test::Vector& vector) {
    const Bytes expected = vector.hex("output");
    const ScryptCost cost{vector.number("n"), static_cast<std::uint32_t>(vector.number("r")),
                          static_cast<std::uint32_t>(vector.number("p"))};
    const std::string salt = vector.text("salt");
    const auto key = scrypt(secret(vector.text("pass_phrase")), as_bytes(salt), cost, expected.size());
    ASSERT_OK(key);
    EXPECT_EQ(to_hex(key->reveal()), to_hex(expected));
  });
}

TEST(Scrypt, RefusesCostsThatAFileMayNotAskFor) {
  constexpr std::uint64_t huge = std::uint64_t{1} << 63;
  const ScryptCost refused[] = {
      {0, 8, 1},        {1, 8, 1},           {3, 8, 1},        {1000, 8, 1},     // n is no power of two above 1
      {1U << 20, 8, 1},                                                          // RFC 7914, the fourth example: 1 GiB
      {1U << 19, 8, 1}, {1U << 12, 1024, 1}, {huge, 1, 1},     {huge, 1024, 1},  // more than 256 MiB
      {2, 1U << 31, 1}, {2, ~0U, 1},         {2, 1025, 1},                       // r
      {16, 8, 17},      {16, 8, ~0U},                                            // p
      {16, 0, 1},       {16, 8, 0},          {1U << 16, 1, 1}, {huge, 3, 1},     // n is not below 2^(16 r)
  };
  for (const ScryptCost& cost : refused) {
    SCOPED_TRACE(std::to_string(cost.n) + ", " + std::to_string(cost.r) + ", " + std::to_string(cost.p));
    EXPECT_FAILS(scrypt(secret("pass phrase"), as_bytes("salt"), cost, 32), ErrorKind::invalid_argument);
  }
  EXPECT_FAILS(scrypt(secret("pass phrase"), as_bytes("salt"), {16, 8, 1}, 0), ErrorKind::invalid_argument);
  EXPECT_FAILS(scrypt(secret("pass phrase"), as_bytes("salt"), {16, 8, 1}, 1025), ErrorKind::invalid_argument);
}

TEST(Scrypt, TakesTheLimitsThemselves) {
  EXPECT_OK(scrypt(secret("pass phrase"), as_bytes("salt"), {1U << 18, 8, 1}, 32));  // 256 MiB
  EXPECT_OK(scrypt(secret("pass phrase"), as_bytes("salt"), {2, 1024, 16}, 1024));
  EXPECT_OK(scrypt(secret("pass phrase"), as_bytes("salt"), {1U << 15, 1, 1}, 1));
}

}  // namespace
}  // namespace cas::crypto
