// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/key_agreement.hpp"
#include "crypto/signature.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"
#include "support/vector_file.hpp"

namespace cas::crypto {
namespace {

SecretBytes secret(std::string_view text) { return SecretBytes::copy_of(as_bytes(text)); }

SigningKey some_key(std::uint64_t seed) {
  test::SeededRandom random(seed);
  auto key = SigningKey::generate(random);
  return std::move(key.value());
}

bool is_same(const SigningKey& a, const SigningKey& b) {
  return to_hex(a.private_value()->reveal()) == to_hex(b.private_value()->reveal());
}

TEST(KeyPem, ASigningKeyComesBackFromItsPem) {
  const SigningKey key = some_key(1);
  for (const char* pass_phrase : {"", "x", "a pass phrase with spaces, and \xc3\xa4"}) {
    SCOPED_TRACE(pass_phrase);
    const auto pem = key.to_pem(secret(pass_phrase));
    ASSERT_OK(pem);
    const auto restored = SigningKey::from_pem(*pem, secret(pass_phrase));
    ASSERT_OK(restored);
    EXPECT_TRUE(is_same(*restored, key));
  }
}

TEST(KeyPem, APairComesBackFromItsPem) {
  test::SeededRandom random(2);
  for (const DhGroup group : {DhGroup::p256, DhGroup::ffdhe2048}) {
    const auto pair = generate_dh_key_pair(group, random);
    ASSERT_OK(pair);
    const auto pem = dh_key_pair_to_pem(*pair, secret("pass phrase"));
    ASSERT_OK(pem);
    const auto restored = dh_key_pair_from_pem(group, *pem, secret("pass phrase"));
    ASSERT_OK(restored);
    EXPECT_EQ(to_hex(restored->private_value.reveal()), to_hex(pair->private_value.reveal()));
    EXPECT_EQ(restored->public_value, pair->public_value);
    const DhGroup other = group == DhGroup::p256 ? DhGroup::ffdhe2048 : DhGroup::p256;
    EXPECT_FAILS(dh_key_pair_from_pem(other, *pem, secret("pass phrase")), ErrorKind::unsupported);
  }
}

TEST(KeyPem, AWrongPassPhraseIsRefusedWithoutAQuestion) {
  const SigningKey key = some_key(3);
  const auto pem = key.to_pem(secret("right"));
  ASSERT_OK(pem);
  for (const char* wrong : {"", "Right", "righ", "right "}) {
    EXPECT_FAILS(SigningKey::from_pem(*pem, secret(wrong)), ErrorKind::permission_denied);
  }
  EXPECT_FAILS(SigningKey::from_pem(*pem, SecretBytes(1025)), ErrorKind::invalid_argument);
  EXPECT_FAILS(key.to_pem(SecretBytes(1025)), ErrorKind::invalid_argument);
}

TEST(KeyPem, TheTextIsEncryptedAndNeverTheSame) {
  const SigningKey key = some_key(4);
  const auto first = key.to_pem(secret("pass phrase"));
  const auto second = key.to_pem(secret("pass phrase"));
  ASSERT_OK(first);
  ASSERT_OK(second);
  EXPECT_EQ(as_text(first->reveal()).find("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), 0U);
  EXPECT_NE(as_text(first->reveal()), as_text(second->reveal()));
}

TEST(KeyPem, ReadsWhatTheOpensslProgramWrites) {
  test::for_each_vector("crypto/key_pem.txt", [](test::Vector& vector) {
    SCOPED_TRACE(vector.text("case"));
    // The lines of a PEM text stand one after the other, parted by '|'.
    std::string pem = vector.text("pem");
    std::replace(pem.begin(), pem.end(), '|', '\n');
    const std::string pass_phrase = vector.text("pass_phrase");
    const std::string expected = vector.text("result");
    const auto key = SigningKey::from_pem(secret(pem), secret(pass_phrase));
    if (expected == "ok") {
      ASSERT_OK(key);
      EXPECT_EQ(to_hex(key->private_value()->reveal()), to_hex(vector.hex("private")));
    } else {
      ASSERT_FALSE(key.has_value());
      EXPECT_EQ(error_kind_name(key.error().kind), expected) << key.error().message;
    }
  });
}

TEST(KeyPem, DamageIsNeverTakenForAKey) {
  const SigningKey key = some_key(5);
  const auto pem = key.to_pem(SecretBytes());
  ASSERT_OK(pem);
  const std::string text = as_text(pem->reveal());
  for (std::size_t size = 0; size + 1 < text.size(); ++size) {
    EXPECT_FALSE(SigningKey::from_pem(secret(std::string_view(text).substr(0, size)), SecretBytes()).has_value())
        << size;
  }
  int read = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const char instead : {'A', '/', '\n', '\0', '-'}) {
      if (text[at] == instead) continue;
      std::string changed = text;
      changed[at] = instead;
      const auto damaged = SigningKey::from_pem(secret(changed), SecretBytes());
      if (!damaged) continue;
      // What is still read is the very same key: a changed private value no longer fits the public one.
      EXPECT_TRUE(is_same(*damaged, key)) << at;
      ++read;
    }
  }
  EXPECT_LT(read, 40);  // line ends and the like
}

TEST(KeyPem, RefusesWhatIsNoPem) {
  EXPECT_FAILS(SigningKey::from_pem(SecretBytes(), SecretBytes()), ErrorKind::malformed);
  EXPECT_FAILS(SigningKey::from_pem(secret("no key"), SecretBytes()), ErrorKind::malformed);
  EXPECT_FAILS(SigningKey::from_pem(SecretBytes(16385), SecretBytes()), ErrorKind::malformed);
}

}  // namespace
}  // namespace cas::crypto
