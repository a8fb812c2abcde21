// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/key_transport.hpp"

#include <gtest/gtest.h>

#include "crypto/tls_authority.hpp"
#include "support/result_matchers.hpp"

namespace cas::crypto {
namespace {

using test::value_or_throw;

class KeyTransport : public testing::Test {
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

TEST_F(KeyTransport, GoesFromACertificateToItsKey) {
  const auto recipient = value_or_throw(RsaRecipient::from_certificate(certificate()));
  const SecretBytes secret = SecretBytes::copy_of(test::hex("00112233445566778899aabbccddeeff"));
  const auto sealed = recipient.encrypt(secret);
  ASSERT_OK(sealed);
  EXPECT_EQ(sealed->size(), 256U);
  EXPECT_NE(*sealed, value_or_throw(recipient.encrypt(secret)));  // OAEP is randomised
  const auto opened = key().decrypt(*sealed);
  ASSERT_OK(opened);
  EXPECT_TRUE(equal(opened->reveal(), secret.reveal()));
  EXPECT_TRUE(key().belongs_to(certificate()));
}

TEST_F(KeyTransport, OpensWithAKeyThatWasWrittenAndRead) {
  const auto again = RsaPrivateKey::from_pem(value_or_throw(key().to_pem()), {});
  ASSERT_OK(again);
  const auto recipient = value_or_throw(RsaRecipient::from_certificate(certificate()));
  EXPECT_OK(again->decrypt(value_or_throw(recipient.encrypt(SecretBytes(32)))));
}

TEST_F(KeyTransport, RefusesWhatIsForSomebodyElseOrChanged) {
  const auto recipient = value_or_throw(RsaRecipient::from_certificate(certificate()));
  Bytes sealed = value_or_throw(recipient.encrypt(SecretBytes(32)));
  const auto other = value_or_throw(RsaPrivateKey::generate(2048));
  EXPECT_FALSE(other.belongs_to(certificate()));
  EXPECT_FAILS(other.decrypt(sealed), ErrorKind::authentication_failed);
  for (const std::size_t at : {std::size_t{0}, sealed.size() / 2, sealed.size() - 1}) {
    Bytes changed = sealed;
    changed[at] ^= 1;
    EXPECT_FAILS(key().decrypt(changed), ErrorKind::authentication_failed);
  }
  EXPECT_FAILS(key().decrypt(ByteView(sealed).first(255)), ErrorKind::authentication_failed);
  EXPECT_FAILS(key().decrypt({}), ErrorKind::authentication_failed);
}

TEST_F(KeyTransport, TakesRsaKeysOfASufficientSizeAlone) {
  const auto elliptic = value_or_throw(authority().issue(subject()));
  const Bytes der = value_or_throw(certificate_pem_to_der(as_bytes(elliptic.certificate_pem)));
  EXPECT_FAILS(RsaRecipient::from_certificate(der), ErrorKind::unsupported);
  EXPECT_FAILS(RsaPrivateKey::from_pem(elliptic.key_pem, {}), ErrorKind::unsupported);
  EXPECT_FAILS(RsaPrivateKey::generate(1024), ErrorKind::invalid_argument);
  EXPECT_FAILS(RsaRecipient::from_certificate({}), ErrorKind::malformed);
  Bytes longer = certificate();
  longer.push_back(0);
  EXPECT_FAILS(RsaRecipient::from_certificate(longer), ErrorKind::malformed);
  const auto recipient = value_or_throw(RsaRecipient::from_certificate(certificate()));
  EXPECT_FAILS(recipient.encrypt(SecretBytes(256 - 41)), ErrorKind::invalid_argument);
}

TEST_F(KeyTransport, AnAuthorityIsReadAgain) {
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
