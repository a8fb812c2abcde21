// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/certificate_authority.hpp"

#include <gtest/gtest.h>

#include "dcas/credentials.hpp"
#include "dcas/roles.hpp"
#include "dcas_world.hpp"
#include "support/temporary_folder.hpp"

namespace cas::dcas {
namespace {

using test::dcas_key;
using test::value_or_throw;

class CertificateAuthorityTest : public testing::Test {
 protected:
  CertificateAuthority make(bool has_extended_suite) {
    return value_or_throw(CertificateAuthority::create("TA", dcas_key("ta"), has_extended_suite, clock_, random_));
  }
  test::ManualClock clock_;
  test::SeededRandom random_{3};
  const crypto::RsaPublicKey device_key_ = value_or_throw(dcas_key("sm-a").public_key());
};

TEST_F(CertificateAuthorityTest, GivesEachItsRole) {
  auto authority = make(true);
  EXPECT_OK(authority.root().verify_is_root());
  for (const auto& [kind, role] : {std::pair{PartyKind::secure_micro, role_secure_micro},
                                   std::pair{PartyKind::transport_processor, role_transport_processor},
                                   std::pair{PartyKind::authentication_proxy, role_authentication_proxy}}) {
    const auto certificate = authority.issue(kind, "device-1", device_key_);
    ASSERT_OK(certificate);
    EXPECT_EQ(certificate->roles(), (std::vector{std::string(role), std::string(capability_extended_suite)}));
    EXPECT_OK(verify_party(authority.root(), *certificate, role, &clock_));
  }
}

TEST_F(CertificateAuthorityTest, SaysWhoHasTheExtendedSuite) {
  auto authority = make(false);
  EXPECT_FALSE(authority.root().has_role(capability_extended_suite));
  EXPECT_FALSE(value_or_throw(authority.issue(PartyKind::secure_micro, "device-1", device_key_))
                   .has_role(capability_extended_suite));
}

TEST_F(CertificateAuthorityTest, IssuesForAFactorysRequest) {
  auto authority = make(true);
  const auto request = value_or_throw(crypto::RsaCertificateRequest::make(dcas_key("sm-a"), "sm-from-factory"));
  const auto certificate = authority.issue(PartyKind::secure_micro, request);
  ASSERT_OK(certificate);
  EXPECT_EQ(certificate->common_name(), "sm-from-factory");
  EXPECT_TRUE(certificate->public_key() == device_key_);
  const auto blank = value_or_throw(crypto::RsaCertificateRequest::make(dcas_key("sm-a"), "no id"));
  EXPECT_FAILS(authority.issue(PartyKind::secure_micro, blank), ErrorKind::malformed);
  EXPECT_FAILS(authority.issue(PartyKind::secure_micro, std::string(65, 'a'), device_key_), ErrorKind::malformed);
}

TEST_F(CertificateAuthorityTest, IsKeptAndReadAgain) {
  const test::TemporaryFolder folder;
  const auto place = folder.path() / "ta";
  const SecretBytes pass_phrase = SecretBytes::copy_of(as_bytes("correct horse"));
  EXPECT_FAILS(CertificateAuthority::load(place, pass_phrase, clock_, random_), ErrorKind::not_found);
  const auto authority = make(true);
  ASSERT_OK(authority.save(place, pass_phrase));
  EXPECT_FAILS(authority.save(place, pass_phrase), ErrorKind::refused);
  EXPECT_FAILS(CertificateAuthority::load(place, {}, clock_, random_), ErrorKind::permission_denied);
  const auto again = CertificateAuthority::load(place, pass_phrase, clock_, random_);
  ASSERT_OK(again);
  EXPECT_EQ(again->root().der(), authority.root().der());
  const SecretBytes other = value_or_throw(dcas_key("sm-a").to_pem(pass_phrase));
  ASSERT_OK(write_file_durably(place / "root.key", other.reveal()));
  EXPECT_FAILS(CertificateAuthority::load(place, pass_phrase, clock_, random_), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace cas::dcas
