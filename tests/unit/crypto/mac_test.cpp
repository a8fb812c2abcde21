// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/mac.hpp"

#include <gtest/gtest.h>

#include "crypto/constant_time.hpp"
#include "support/result_matchers.hpp"
#include "support/vector_file.hpp"

namespace cas::crypto {
namespace {

TEST(Mac, GivesTheHmacsOfRfc4231) {
  test::for_each_vector("crypto/hmac_sha256.txt", [](test::Vector& vector) {
    SCOPED_TRACE(vector.text("case"));
    const Bytes message = vector.hex("message");
    const SecretBytes key = vector.secret("key");
    const std::string expected = to_hex(vector.hex("mac"));
    for (std::size_t cut = 0; cut <= message.size(); ++cut) {
      const auto mac = hmac_sha256(key, {ByteView(message).first(cut), ByteView(message).subspan(cut)});
      ASSERT_OK(mac);
      ASSERT_EQ(to_hex(*mac), expected) << cut;
    }
  });
}

TEST(Mac, GivesTheHmacsWithSha512OfRfc4231) {
  const auto mac = [](ByteView key, std::string_view message) {
    const auto made =
        hmac_sha512(SecretBytes::copy_of(key), {as_bytes(message.substr(0, 3)), as_bytes(message.substr(3))});
    return made ? to_hex(*made) : made.error().message;
  };
  EXPECT_EQ(mac(Bytes(20, 0x0b), "Hi There"),
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
            "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854");
  EXPECT_EQ(mac(as_bytes("Jefe"), "what do ya want for nothing?"),
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
            "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737");
}

TEST(Mac, GivesTheHmacsOfRfc2202) {
  test::for_each_vector("crypto/hmac_sha1.txt", [](test::Vector& vector) {
    SCOPED_TRACE(vector.text("case"));
    const Bytes message = vector.hex("message");
    const SecretBytes key = vector.secret("key");
    const std::string expected = to_hex(vector.hex("mac"));
    for (std::size_t cut = 0; cut <= message.size(); ++cut) {
      const auto mac = hmac_sha1(key, {ByteView(message).first(cut), ByteView(message).subspan(cut)});
      ASSERT_OK(mac);
      ASSERT_EQ(to_hex(*mac), expected) << cut;
    }
    auto keyed = HmacSha1::create(key);
    ASSERT_OK(keyed);
    for (int i = 0; i < 3; ++i) {
      ASSERT_EQ(to_hex(keyed->compute({message, {}}).value()), expected);
      ASSERT_OK(keyed->compute({as_bytes("another message")}));
    }
  });
}

TEST(Mac, GivesTheCmacsOfRfc4493AndSp80038B) {
  test::for_each_vector("crypto/aes_cmac.txt", [](test::Vector& vector) {
    const Bytes message = vector.hex("message");
    const SecretBytes key = vector.secret("key");
    const std::string expected = to_hex(vector.hex("mac"));
    for (std::size_t cut = 0; cut <= message.size(); ++cut) {
      const auto mac = aes_cmac(key, {ByteView(message).first(cut), {}, ByteView(message).subspan(cut)});
      ASSERT_OK(mac);
      ASSERT_EQ(to_hex(*mac), expected) << cut;
    }
  });
}

// RFC 2104 pads a short key with zeros, so an empty key and one zero byte are the same key.
TEST(Mac, TakesAnEmptyHmacKey) {
  const auto empty = hmac_sha256(SecretBytes(), {as_bytes("message")});
  const auto zero = hmac_sha256(SecretBytes(1), {as_bytes("message")});
  ASSERT_OK(empty);
  ASSERT_OK(zero);
  EXPECT_EQ(to_hex(*empty), to_hex(*zero));
}

TEST(Mac, RefusesAnEmptyKeyForManyMessages) {
  EXPECT_FAILS(HmacSha1::create(SecretBytes()), ErrorKind::invalid_argument);
}

TEST(Mac, RefusesCmacKeysThatAreNoAesKeys) {
  for (const std::size_t size : {0U, 1U, 15U, 17U, 23U, 25U, 31U, 33U, 64U}) {
    EXPECT_FAILS(aes_cmac(SecretBytes(size), {as_bytes("message")}), ErrorKind::invalid_argument);
  }
}

TEST(ConstantTime, ComparesSizesAndEveryByte) {
  const Bytes a = {1, 2, 3, 4};
  EXPECT_TRUE(constant_time_equal(a, Bytes{1, 2, 3, 4}));
  EXPECT_TRUE(constant_time_equal({}, {}));
  EXPECT_FALSE(constant_time_equal(a, Bytes{1, 2, 3}));
  EXPECT_FALSE(constant_time_equal(a, {}));
  for (std::size_t i = 0; i < a.size(); ++i) {
    Bytes b = a;
    b[i] ^= 0x80;
    EXPECT_FALSE(constant_time_equal(a, b)) << i;
  }
}

}  // namespace
}  // namespace cas::crypto
