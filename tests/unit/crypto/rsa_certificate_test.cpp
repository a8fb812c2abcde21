// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/rsa_certificate.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "base/durable_file.hpp"
#include "support/result_matchers.hpp"
#include "support/vector_file.hpp"

namespace cas::crypto {
namespace {

using test::value_or_throw;

constexpr UnixSeconds begin = 1'700'000'000;
constexpr UnixSeconds end = 1'900'000'000;
constexpr UnixSeconds root_end = 2'000'000'000;
constexpr UnixSeconds now = 1'800'000'000;
const std::string role = "1.3.6.1.4.1.99999.7.2";
const std::string capability = "1.3.6.1.4.1.99999.7.3";

class RsaCertificateTest : public testing::Test {
 protected:
  static const RsaPrivateKey& root_key() {
    static const RsaPrivateKey key = value_or_throw(RsaPrivateKey::from_pem(
        SecretBytes::copy_of(value_or_throw(read_file(std::string(CAS_VECTORS) + "/crypto/rsa.pem", 4096))), {}));
    return key;
  }
  static const RsaPrivateKey& leaf_key() {
    static const RsaPrivateKey key = value_or_throw(RsaPrivateKey::generate(2048));
    return key;
  }
  static RsaCertificate root(const std::string& name = "TA") {
    return value_or_throw(make_rsa_root_certificate(root_key(), name, {capability}, 1, begin, root_end));
  }
  static RsaCertificateSubject subject() {
    return {"0011223344556677", 42, value_or_throw(leaf_key().public_key()), {role, capability}, begin, end};
  }
};

TEST_F(RsaCertificateTest, SaysWhatItWasIssuedFor) {
  const RsaCertificate top = root();
  const auto leaf = issue_rsa_certificate(top, root_key(), subject());
  ASSERT_OK(leaf);
  EXPECT_EQ(leaf->common_name(), "0011223344556677");
  EXPECT_EQ(leaf->serial_number(), 42U);
  EXPECT_EQ(leaf->roles(), (std::vector<std::string>{role, capability}));
  EXPECT_TRUE(leaf->has_role(role));
  EXPECT_FALSE(leaf->has_role("1.3.6.1.4.1.99999.7"));
  EXPECT_EQ(leaf->not_before(), begin);
  EXPECT_EQ(leaf->not_after(), end);
  EXPECT_TRUE(leaf->public_key() == subject().key);
  EXPECT_TRUE(leaf_key().belongs_to(leaf->der()));
  EXPECT_OK(leaf->verify_issued_by(top, now));
  EXPECT_OK(leaf->verify_issued_by(top, std::nullopt));
  EXPECT_FAILS(leaf->verify_is_root(), ErrorKind::authentication_failed);
  EXPECT_OK(top.verify_is_root());
  EXPECT_TRUE(top.has_role(capability));
  EXPECT_FAILS(top.verify_issued_by(top, now), ErrorKind::authentication_failed);
}

TEST_F(RsaCertificateTest, ComesBackFromDerAndPem) {
  const RsaCertificate top = root();
  const auto leaf = value_or_throw(issue_rsa_certificate(top, root_key(), subject()));
  const auto again = RsaCertificate::from_pem(as_bytes(value_or_throw(leaf.to_pem())));
  ASSERT_OK(again);
  EXPECT_EQ(again->der(), leaf.der());
  for (std::size_t size = 0; size < leaf.der().size(); size += 7)
    EXPECT_FALSE(RsaCertificate::from_der(ByteView(leaf.der()).first(size)).has_value());
  Bytes longer = leaf.der();
  longer.push_back(0);
  EXPECT_FAILS(RsaCertificate::from_der(longer), ErrorKind::malformed);
}

TEST_F(RsaCertificateTest, IsValidFromItsFirstSecondToItsLast) {
  const RsaCertificate top = root();
  const auto leaf = value_or_throw(issue_rsa_certificate(top, root_key(), subject()));
  EXPECT_OK(leaf.verify_issued_by(top, begin));
  EXPECT_OK(leaf.verify_issued_by(top, end));
  EXPECT_FAILS(leaf.verify_issued_by(top, begin - 1), ErrorKind::expired);
  EXPECT_FAILS(leaf.verify_issued_by(top, end + 1), ErrorKind::expired);
  RsaCertificateSubject long_lived = subject();
  long_lived.not_after = root_end + 1000;
  const auto outlives = value_or_throw(issue_rsa_certificate(top, root_key(), long_lived));
  EXPECT_FAILS(outlives.verify_issued_by(top, root_end + 1), ErrorKind::expired);
}

TEST_F(RsaCertificateTest, BelievesNothingButItsOwnKind) {
  test::for_each_vector("crypto/rsa_certificate.txt", [](test::Vector& vector) {
    const testing::ScopedTrace trace(__FILE__, __LINE__, vector.text("case"));
    const auto top = RsaCertificate::from_der(vector.hex("root"));
    ASSERT_OK(top);
    const auto leaf = RsaCertificate::from_der(vector.hex("leaf"));
    const std::string result = vector.text("result");
    if (result == "malformed") {
      EXPECT_FAILS(leaf, ErrorKind::malformed);
    } else if (result == "unsupported") {
      EXPECT_FAILS(leaf, ErrorKind::unsupported);
    } else {
      ASSERT_OK(leaf);
      if (result == "ok") {
        EXPECT_OK(leaf->verify_issued_by(*top, now));
        EXPECT_OK(top->verify_is_root());
      } else {
        EXPECT_EQ(result, "untrusted");
        EXPECT_FALSE(leaf->verify_issued_by(*top, now) && top->verify_is_root());
      }
    }
  });
}

TEST_F(RsaCertificateTest, AnotherRootHasNotIssuedIt) {
  const auto leaf = value_or_throw(issue_rsa_certificate(root(), root_key(), subject()));
  EXPECT_FAILS(leaf.verify_issued_by(root("Another"), now), ErrorKind::authentication_failed);
  const auto impostor = value_or_throw(make_rsa_root_certificate(leaf_key(), "TA", {capability}, 1, begin, root_end));
  EXPECT_FAILS(leaf.verify_issued_by(impostor, now), ErrorKind::authentication_failed);
}

TEST_F(RsaCertificateTest, RefusesEveryChangedByte) {
  const RsaCertificate top = root();
  const auto leaf = value_or_throw(issue_rsa_certificate(top, root_key(), subject()));
  for (std::size_t i = 0; i < leaf.der().size(); ++i) {
    Bytes changed = leaf.der();
    changed[i] ^= 0x04;
    const auto read = RsaCertificate::from_der(changed);
    EXPECT_FALSE(read && read->verify_issued_by(top, now)) << "byte " << i;
  }
}

TEST_F(RsaCertificateTest, IssuesNothingThatItWouldNotRead) {
  const RsaCertificate top = root();
  const auto with = [&](auto change) {
    RsaCertificateSubject changed = subject();
    change(changed);
    return issue_rsa_certificate(top, root_key(), changed);
  };
  EXPECT_FAILS(with([](auto& s) { s.common_name = ""; }), ErrorKind::invalid_argument);
  EXPECT_FAILS(with([](auto& s) { s.common_name = std::string(65, 'a'); }), ErrorKind::invalid_argument);
  EXPECT_FAILS(with([](auto& s) { s.serial_number = 0; }), ErrorKind::invalid_argument);
  EXPECT_FAILS(with([](auto& s) { s.roles.clear(); }), ErrorKind::invalid_argument);
  EXPECT_FAILS(with([](auto& s) { s.roles.push_back("no role"); }), ErrorKind::invalid_argument);
  EXPECT_FAILS(with([](auto& s) { s.not_after = s.not_before - 1; }), ErrorKind::invalid_argument);
  EXPECT_FAILS(issue_rsa_certificate(top, leaf_key(), subject()), ErrorKind::invalid_argument);
  const auto leaf = value_or_throw(issue_rsa_certificate(top, root_key(), subject()));
  EXPECT_FAILS(issue_rsa_certificate(leaf, leaf_key(), subject()), ErrorKind::authentication_failed);
}

TEST_F(RsaCertificateTest, IsIssuedForARequest) {
  const auto made = RsaCertificateRequest::make(leaf_key(), "0011223344556677");
  ASSERT_OK(made);
  const std::string pem = value_or_throw(made->to_pem());
  const auto request = RsaCertificateRequest::from_pem(as_bytes(pem));
  ASSERT_OK(request);
  EXPECT_EQ(request->common_name(), "0011223344556677");
  EXPECT_TRUE(request->public_key() == subject().key);
  // A base64 character inside the signature, which is the end.
  std::string changed = pem;
  char& c = changed[changed.find("-----END") - 60];
  c = c == 'A' ? 'B' : 'A';
  EXPECT_FAILS(RsaCertificateRequest::from_pem(as_bytes(changed)), ErrorKind::authentication_failed);
  EXPECT_FAILS(RsaCertificateRequest::from_pem(as_bytes("no request")), ErrorKind::malformed);
  EXPECT_FAILS(RsaCertificateRequest::from_pem({}), ErrorKind::malformed);
  EXPECT_FAILS(RsaCertificateRequest::make(leaf_key(), ""), ErrorKind::invalid_argument);
}

class OpensslProgram : public RsaCertificateTest {
 protected:
  void SetUp() override {
    if (run("openssl version").first != 0) GTEST_SKIP() << "there is no openssl program here";
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
  }
  void TearDown() override { static_cast<void>(run("rm -rf '" + folder_ + "'")); }
  static std::pair<int, std::string> run(const std::string& command) {
    FILE* pipe = popen((command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) return {-1, {}};
    std::string output;
    std::array<char, 4096> piece{};
    for (std::size_t size = 0; (size = fread(piece.data(), 1, piece.size(), pipe)) > 0;)
      output.append(piece.data(), size);
    return {pclose(pipe), output};
  }
  std::string folder_ = testing::TempDir() + "cas-rsa-certificate-XXXXXX";
};

TEST_F(OpensslProgram, ReadsAndVerifiesACertificate) {
  const RsaCertificate top = root();
  std::ofstream(folder_ + "/root.pem") << value_or_throw(top.to_pem());
  std::ofstream(folder_ + "/leaf.pem") << value_or_throw(
      value_or_throw(issue_rsa_certificate(top, root_key(), subject())).to_pem());
  const auto [status, text] = run("openssl x509 -noout -text -nameopt utf8 -in '" + folder_ + "/leaf.pem'");
  EXPECT_EQ(status, 0) << text;
  for (const char* expected : {"Version: 3 (0x2)", "Signature Algorithm: rsassaPss", "Salt Length: 0x20",
                               "Issuer: CN=TA", "Subject: CN=0011223344556677", "Public-Key: (2048 bit)",
                               "X509v3 Basic Constraints: critical", "CA:FALSE", "Digital Signature, Key Encipherment",
                               "X509v3 Extended Key Usage: critical", "1.3.6.1.4.1.99999.7.2, 1.3.6.1.4.1.99999.7.3"})
    EXPECT_NE(text.find(expected), std::string::npos) << expected << " is not in\n" << text;
  const auto [verified, said] = run("openssl verify -x509_strict -attime 1800000000 -CAfile '" + folder_ +
                                    "/root.pem' '" + folder_ + "/leaf.pem'");
  EXPECT_EQ(verified, 0) << said;
}

TEST_F(OpensslProgram, MakesRequestsThatAreTaken) {
  const std::string key_file = folder_ + "/device.key";
  std::ofstream(key_file) << as_text(value_or_throw(leaf_key().to_pem()).reveal());
  for (const char* how : {"-sha256", "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32"}) {
    SCOPED_TRACE(how);
    const auto [status, pem] = run("openssl req -new -subj /CN=8899aabbccddeeff -key '" + key_file + "' " + how);
    ASSERT_EQ(status, 0) << pem;
    const auto request = RsaCertificateRequest::from_pem(as_bytes(pem));
    ASSERT_OK(request);
    EXPECT_EQ(request->common_name(), "8899aabbccddeeff");
  }
  const auto [status, pem] = run("openssl req -new -subj /CN=8899aabbccddeeff -sha1 -key '" + key_file + "'");
  if (status == 0) {
    EXPECT_FAILS(RsaCertificateRequest::from_pem(as_bytes(pem)), ErrorKind::authentication_failed);
  }
  const auto made = value_or_throw(RsaCertificateRequest::make(leaf_key(), "8899aabbccddeeff"));
  std::ofstream(folder_ + "/device.csr") << value_or_throw(made.to_pem());
  const auto [verified, said] = run("openssl req -noout -verify -in '" + folder_ + "/device.csr'");
  EXPECT_EQ(verified, 0) << said;
}

}  // namespace
}  // namespace cas::crypto
