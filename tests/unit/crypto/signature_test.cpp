// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/signature.hpp"

#include <gtest/gtest.h>

#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"
#include "support/vector_file.hpp"

namespace cas::crypto {
namespace {

TEST(Signature, VerifiesTheVectorsAndRefusesTheirForgeries) {
  test::for_each_vector("crypto/ecdsa_p256.txt", [](test::Vector& vector) {
    SCOPED_TRACE(vector.text("case"));
    const Bytes public_value = vector.hex("public");
    const std::string message = vector.text("message");
    const Bytes signature = vector.hex("signature");
    const auto key = SigningKey::from_private(vector.secret("private"));
    ASSERT_OK(key);
    EXPECT_EQ(to_hex(key->public_value().value()), to_hex(public_value));
    if (vector.yes("valid")) {
      EXPECT_OK(verify_signature(public_value, as_bytes(message), signature));
    } else {
      EXPECT_FAILS(verify_signature(public_value, as_bytes(message), signature), ErrorKind::authentication_failed);
    }
  });
}

TEST(Signature, WhatIsSignedVerifiesAndNothingElse) {
  test::SeededRandom random(1);
  const auto key = SigningKey::generate(random);
  const auto other = SigningKey::generate(random);
  ASSERT_OK(key);
  ASSERT_OK(other);
  for (const std::size_t size : {0U, 1U, 1000U}) {
    Bytes message(size, 0x5a);
    const auto signature = key->sign(message);
    ASSERT_OK(signature);
    EXPECT_OK(verify_signature(*key->public_value(), message, *signature));
    EXPECT_FAILS(verify_signature(*other->public_value(), message, *signature), ErrorKind::authentication_failed);
    message.push_back(0);
    EXPECT_FAILS(verify_signature(*key->public_value(), message, *signature), ErrorKind::authentication_failed);
  }
}

TEST(Signature, RefusesEveryChangedBit) {
  test::SeededRandom random(2);
  const auto key = SigningKey::generate(random);
  ASSERT_OK(key);
  const auto signature = key->sign(as_bytes("message"));
  ASSERT_OK(signature);
  for (std::size_t bit = 0; bit < 8 * signature->size(); ++bit) {
    Bytes changed = *signature;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_FAILS(verify_signature(*key->public_value(), as_bytes("message"), changed),
                 ErrorKind::authentication_failed);
  }
  for (std::size_t size = 0; size < signature->size(); ++size) {
    EXPECT_FAILS(verify_signature(*key->public_value(), as_bytes("message"), ByteView(*signature).first(size)),
                 ErrorKind::authentication_failed);
  }
}

TEST(Signature, RefusesPublicValuesThatAreNone) {
  test::for_each_vector("crypto/p256_public.txt", [](test::Vector& vector) {
    SCOPED_TRACE(vector.text("case"));
    static_cast<void>(vector.yes("valid"));
    test::SeededRandom random(3);
    const auto signature = SigningKey::generate(random)->sign(as_bytes("message"));
    ASSERT_OK(signature);
    EXPECT_FAILS(verify_signature(vector.hex("public"), as_bytes("message"), *signature),
                 ErrorKind::authentication_failed);
  });
}

TEST(Signature, KeysAreDrawnFromTheGivenRandomnessAlone) {
  test::SeededRandom first(4);
  test::SeededRandom again(4);
  const auto a = SigningKey::generate(first);
  const auto b = SigningKey::generate(again);
  ASSERT_OK(a);
  ASSERT_OK(b);
  EXPECT_EQ(a->public_value().value(), b->public_value().value());
  const auto restored = SigningKey::from_private(a->private_value().value());
  ASSERT_OK(restored);
  EXPECT_EQ(restored->public_value().value(), a->public_value().value());
}

TEST(Signature, APrivateValueKeepsItsLeadingZeros) {
  Bytes small(32);
  small[31] = 7;
  const auto key = SigningKey::from_private(SecretBytes::copy_of(small));
  ASSERT_OK(key);
  EXPECT_EQ(to_hex(key->private_value()->reveal()), to_hex(small));
}

TEST(Signature, RefusesPrivateValuesOutOfRange) {
  EXPECT_FAILS(SigningKey::from_private(SecretBytes()), ErrorKind::invalid_argument);
  EXPECT_FAILS(SigningKey::from_private(SecretBytes(32)), ErrorKind::invalid_argument);
  EXPECT_FAILS(SigningKey::from_private(SecretBytes::copy_of(Bytes(32, 0xff))), ErrorKind::invalid_argument);
  EXPECT_FAILS(SigningKey::from_private(SecretBytes::copy_of(Bytes(31, 1))), ErrorKind::invalid_argument);
  EXPECT_FAILS(SigningKey::from_private(SecretBytes::copy_of(Bytes(33, 1))), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace cas::crypto
