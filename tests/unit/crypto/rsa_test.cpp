// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/rsa.hpp"

#include <gtest/gtest.h>

#include "base/durable_file.hpp"
#include "crypto/tls_authority.hpp"
#include "support/result_matchers.hpp"
#include "support/vector_file.hpp"

namespace cas::crypto {
namespace {

using test::value_or_throw;

class Rsa : public testing::Test {
 protected:
  static const RsaPrivateKey& key() {
    static const RsaPrivateKey made = value_or_throw(RsaPrivateKey::generate(2048));
    return made;
  }
  static const TlsAuthority& authority() {
    static const TlsAuthority made = value_or_throw(TlsAuthority::create("Test", 1'700'000'000, 2'000'000'000));
    return made;
  }
  static TlsAuthority::Subject subject() {
    TlsAuthority::Subject who;
    who.common_name = "packager";
    who.dns_names = {"packager.example"};
    who.addresses = {"127.0.0.1", "::1"};
    who.not_before = 1'700'000'000;
    who.not_after = 1'900'000'000;
    return who;
  }
  static Bytes certificate() {
    return value_or_throw(certificate_pem_to_der(as_bytes(value_or_throw(authority().issue_for(key(), subject())))));
  }
};

TEST_F(Rsa, GoesFromACertificateToItsKey) {
  const auto recipient = value_or_throw(RsaPublicKey::from_certificate(certificate()));
  const SecretBytes secret = SecretBytes::copy_of(test::hex("00112233445566778899aabbccddeeff"));
  const auto sealed = recipient.encrypt(secret, OaepHash::sha1);
  ASSERT_OK(sealed);
  EXPECT_EQ(sealed->size(), 256U);
  EXPECT_NE(*sealed, value_or_throw(recipient.encrypt(secret, OaepHash::sha1)));  // OAEP is randomised
  const auto opened = key().decrypt(*sealed, OaepHash::sha1);
  ASSERT_OK(opened);
  EXPECT_TRUE(equal(opened->reveal(), secret.reveal()));
  EXPECT_TRUE(key().belongs_to(certificate()));
}

TEST_F(Rsa, OpensWithAKeyThatWasWrittenAndRead) {
  const auto again = RsaPrivateKey::from_pem(value_or_throw(key().to_pem()), {});
  ASSERT_OK(again);
  const auto recipient = value_or_throw(RsaPublicKey::from_certificate(certificate()));
  EXPECT_OK(again->decrypt(value_or_throw(recipient.encrypt(SecretBytes(32), OaepHash::sha1)), OaepHash::sha1));
}

TEST_F(Rsa, RefusesWhatIsForSomebodyElseOrChanged) {
  const auto recipient = value_or_throw(RsaPublicKey::from_certificate(certificate()));
  Bytes sealed = value_or_throw(recipient.encrypt(SecretBytes(32), OaepHash::sha1));
  const auto other = value_or_throw(RsaPrivateKey::generate(2048));
  EXPECT_FALSE(other.belongs_to(certificate()));
  EXPECT_FAILS(other.decrypt(sealed, OaepHash::sha1), ErrorKind::authentication_failed);
  for (const std::size_t at : {std::size_t{0}, sealed.size() / 2, sealed.size() - 1}) {
    Bytes changed = sealed;
    changed[at] ^= 1;
    EXPECT_FAILS(key().decrypt(changed, OaepHash::sha1), ErrorKind::authentication_failed);
  }
  EXPECT_FAILS(key().decrypt(ByteView(sealed).first(255), OaepHash::sha1), ErrorKind::authentication_failed);
  EXPECT_FAILS(key().decrypt({}, OaepHash::sha1), ErrorKind::authentication_failed);
}

TEST_F(Rsa, TakesRsaKeysOfASufficientSizeAlone) {
  const auto elliptic = value_or_throw(authority().issue(subject()));
  const Bytes der = value_or_throw(certificate_pem_to_der(as_bytes(elliptic.certificate_pem)));
  EXPECT_FAILS(RsaPublicKey::from_certificate(der), ErrorKind::unsupported);
  EXPECT_FAILS(RsaPrivateKey::from_pem(elliptic.key_pem, {}), ErrorKind::unsupported);
  EXPECT_FAILS(RsaPrivateKey::generate(1024), ErrorKind::invalid_argument);
  EXPECT_FAILS(RsaPublicKey::from_certificate({}), ErrorKind::malformed);
  Bytes longer = certificate();
  longer.push_back(0);
  EXPECT_FAILS(RsaPublicKey::from_certificate(longer), ErrorKind::malformed);
  const auto recipient = value_or_throw(RsaPublicKey::from_certificate(certificate()));
  EXPECT_FAILS(recipient.encrypt(SecretBytes(256 - 41), OaepHash::sha1), ErrorKind::invalid_argument);
  EXPECT_FAILS(recipient.encrypt(SecretBytes(256 - 65), OaepHash::sha256), ErrorKind::invalid_argument);
  EXPECT_OK(recipient.encrypt(SecretBytes(256 - 66), OaepHash::sha256));
}

TEST_F(Rsa, GivesWhatAnotherLibraryGives) {
  const Bytes pem = value_or_throw(read_file(std::string(CAS_VECTORS) + "/crypto/rsa.pem", 4096));
  const auto private_key = value_or_throw(RsaPrivateKey::from_pem(SecretBytes::copy_of(pem), {}));
  const auto public_key = value_or_throw(private_key.public_key());
  test::for_each_vector("crypto/rsa.txt", [&](test::Vector& vector) {
    const testing::ScopedTrace trace(__FILE__, __LINE__, vector.text("case"));
    const std::string operation = vector.text("operation");
    const Bytes input = vector.hex("input"), output = vector.hex("output");
    const bool valid = vector.yes("valid");
    if (operation == "pss") {
      if (valid)
        EXPECT_OK(public_key.verify(input, output));
      else
        EXPECT_FAILS(public_key.verify(input, output), ErrorKind::authentication_failed);
      return;
    }
    const auto plain = private_key.decrypt(input, operation == "oaep-sha1" ? OaepHash::sha1 : OaepHash::sha256);
    if (valid) {
      ASSERT_OK(plain);
      EXPECT_EQ(to_hex(plain->reveal()), to_hex(output));
    } else {
      EXPECT_FAILS(plain, ErrorKind::authentication_failed);
    }
  });
}

TEST_F(Rsa, SignsForTheHolderOfThePublicKey) {
  const auto public_key = value_or_throw(key().public_key());
  const Bytes message = test::hex("44434153");
  const auto signature = key().sign(message);
  ASSERT_OK(signature);
  EXPECT_EQ(signature->size(), public_key.size());
  EXPECT_NE(*signature, value_or_throw(key().sign(message)));  // PSS is randomised
  EXPECT_OK(public_key.verify(message, *signature));
  EXPECT_FAILS(public_key.verify({}, *signature), ErrorKind::authentication_failed);
  EXPECT_FAILS(public_key.verify(message, {}), ErrorKind::authentication_failed);
  Bytes longer = *signature;
  longer.push_back(0);
  EXPECT_FAILS(public_key.verify(message, longer), ErrorKind::authentication_failed);
  Bytes changed = *signature;
  changed[100] ^= 1;
  EXPECT_FAILS(public_key.verify(message, changed), ErrorKind::authentication_failed);
}

TEST_F(Rsa, OpensWithTheHashThatItWasClosedWith) {
  const auto public_key = value_or_throw(key().public_key());
  const Bytes sealed = value_or_throw(public_key.encrypt(SecretBytes(20), OaepHash::sha256));
  EXPECT_OK(key().decrypt(sealed, OaepHash::sha256));
  EXPECT_FAILS(key().decrypt(sealed, OaepHash::sha1), ErrorKind::authentication_failed);
}

TEST_F(Rsa, WritesAndReadsKeys) {
  const SecretBytes pass_phrase = SecretBytes::copy_of(as_bytes("correct horse"));
  const SecretBytes pem = value_or_throw(key().to_pem(pass_phrase));
  EXPECT_FAILS(RsaPrivateKey::from_pem(pem, {}), ErrorKind::permission_denied);
  const auto again = value_or_throw(RsaPrivateKey::from_pem(pem, pass_phrase));
  const auto public_key = value_or_throw(key().public_key());
  EXPECT_TRUE(value_or_throw(again.public_key()) == public_key);
  Bytes der = value_or_throw(public_key.to_der());
  EXPECT_TRUE(value_or_throw(RsaPublicKey::from_der(der)) == public_key);
  EXPECT_TRUE(value_or_throw(RsaPublicKey::from_certificate(certificate())) == public_key);
  EXPECT_FALSE(value_or_throw(value_or_throw(RsaPrivateKey::generate(2048)).public_key()) == public_key);
  der.push_back(0);
  EXPECT_FAILS(RsaPublicKey::from_der(der), ErrorKind::malformed);
  EXPECT_FAILS(RsaPublicKey::from_der({}), ErrorKind::malformed);
}

/// `der` with another public exponent of three bytes in place of 65537, which stands at its end.
Result<RsaPublicKey> with_exponent(Bytes der, const char* exponent) {
  const Bytes digits = test::hex(exponent);
  std::copy(digits.begin(), digits.end(), der.end() - 3);
  return RsaPublicKey::from_der(der);
}

TEST_F(Rsa, RefusesExponentsThatProtectNothing) {
  const Bytes der = value_or_throw(value_or_throw(key().public_key()).to_der());
  EXPECT_OK(with_exponent(der, "010001"));
  EXPECT_OK(with_exponent(der, "010003"));
  EXPECT_FAILS(with_exponent(der, "010002"), ErrorKind::unsupported);
  EXPECT_FAILS(with_exponent(der, "000001"), ErrorKind::unsupported);
}

TEST_F(Rsa, AnAuthorityIsReadAgain) {
  const std::string pem = value_or_throw(authority().certificate_pem());
  const SecretBytes key_pem = value_or_throw(authority().key_pem());
  EXPECT_OK(TlsAuthority::load(as_bytes(pem), key_pem, {}));
  const auto other = value_or_throw(TlsAuthority::create("Other", 1'700'000'000, 2'000'000'000));
  EXPECT_FAILS(TlsAuthority::load(as_bytes(value_or_throw(other.certificate_pem())), key_pem, {}),
               ErrorKind::invalid_argument);
  auto wrong = subject();
  wrong.addresses = {"localhost"};
  EXPECT_FAILS(authority().issue(wrong), ErrorKind::invalid_argument);
  wrong = subject();
  wrong.dns_names = {"a,IP:1.2.3.4"};
  EXPECT_FAILS(authority().issue(wrong), ErrorKind::invalid_argument);
  wrong = subject();
  wrong.common_name = "";
  EXPECT_FAILS(authority().issue(wrong), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace cas::crypto
