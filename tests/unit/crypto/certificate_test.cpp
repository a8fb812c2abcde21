// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/certificate.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "forged_certificate.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"

namespace cas::crypto {
namespace {

constexpr UnixSeconds begin = 1'700'000'000;
constexpr UnixSeconds end = 1'900'000'000;
constexpr UnixSeconds root_end = 2'000'000'000;
constexpr UnixSeconds now = 1'800'000'000;
// ITU-T X.667: an arc of 128 bits, as anybody may have without asking.
const std::string token_role = "2.25.329800735698586629295641978511506172918";
const std::string host_role = "1.3.6.1.4.1.99999.7.2";

SigningKey some_key(std::uint64_t seed) {
  test::SeededRandom random(seed);
  auto key = SigningKey::generate(random);
  return std::move(key.value());
}

Certificate some_root(const SigningKey& key, const std::string& name = "Test root") {
  auto root = make_root_certificate(key, name, 1, begin, root_end);
  return std::move(root.value());
}

CertificateSubject some_subject(std::uint64_t seed, bool with_ffdhe2048) {
  test::SeededRandom random(seed);
  CertificateSubject subject;
  subject.common_name = "T\xc3\xb6ken 42";
  subject.serial_number = 42;
  subject.p256_public = generate_dh_key_pair(DhGroup::p256, random)->public_value;
  if (with_ffdhe2048) subject.ffdhe2048_public = generate_dh_key_pair(DhGroup::ffdhe2048, random)->public_value;
  subject.roles = {token_role, host_role};
  subject.not_before = begin;
  subject.not_after = end;
  return subject;
}

class CertificateTest : public testing::Test {
 protected:
  const SigningKey key_ = some_key(1);
  const Certificate root_ = some_root(key_);
};

TEST_F(CertificateTest, SaysWhatItWasIssuedFor) {
  for (const bool with_ffdhe2048 : {false, true}) {
    const CertificateSubject subject = some_subject(2, with_ffdhe2048);
    const auto leaf = issue_certificate(root_, key_, subject);
    ASSERT_OK(leaf);
    EXPECT_EQ(leaf->common_name(), subject.common_name);
    EXPECT_EQ(leaf->serial_number(), subject.serial_number);
    EXPECT_EQ(leaf->roles(), subject.roles);
    EXPECT_TRUE(leaf->has_role(token_role));
    EXPECT_TRUE(leaf->has_role(host_role));
    EXPECT_FALSE(leaf->has_role("1.3.6.1.4.1.99999.7"));
    EXPECT_FALSE(leaf->has_role(""));
    EXPECT_EQ(leaf->not_before(), begin);
    EXPECT_EQ(leaf->not_after(), end);
    ASSERT_TRUE(leaf->dh_public(DhGroup::p256).has_value());
    EXPECT_TRUE(equal(*leaf->dh_public(DhGroup::p256), subject.p256_public));
    ASSERT_EQ(leaf->dh_public(DhGroup::ffdhe2048).has_value(), with_ffdhe2048);
    if (with_ffdhe2048) {
      EXPECT_TRUE(equal(*leaf->dh_public(DhGroup::ffdhe2048), subject.ffdhe2048_public));
    }
    EXPECT_OK(leaf->verify_issued_by(root_, now));
  }
}

TEST_F(CertificateTest, ComesBackFromDerAndPem) {
  const auto leaf = issue_certificate(root_, key_, some_subject(3, true));
  ASSERT_OK(leaf);
  const auto from_der = Certificate::from_der(leaf->der());
  ASSERT_OK(from_der);
  EXPECT_EQ(from_der->der(), leaf->der());
  const auto pem = leaf->to_pem();
  ASSERT_OK(pem);
  const auto from_pem = Certificate::from_pem(as_bytes(*pem));
  ASSERT_OK(from_pem);
  EXPECT_EQ(from_pem->der(), leaf->der());
  // The first certificate of several, behind a key and words for people.
  const std::string key = as_text(key_.to_pem(SecretBytes())->reveal());
  const auto first = Certificate::from_pem(as_bytes("Certificate of token 42\n" + key + *pem + *root_.to_pem()));
  ASSERT_OK(first);
  EXPECT_EQ(first->der(), leaf->der());
}

TEST_F(CertificateTest, ARootIsARootAndNoLeaf) {
  EXPECT_OK(root_.verify_is_root());
  EXPECT_FAILS(root_.verify_issued_by(root_, now), ErrorKind::authentication_failed);
  EXPECT_FAILS(root_.verify_issued_by(root_, std::nullopt), ErrorKind::authentication_failed);
  EXPECT_TRUE(root_.roles().empty());
  EXPECT_FALSE(root_.dh_public(DhGroup::ffdhe2048).has_value());
}

TEST_F(CertificateTest, ALeafIsNoRoot) {
  const auto leaf = issue_certificate(root_, key_, some_subject(4, false));
  ASSERT_OK(leaf);
  EXPECT_FAILS(leaf->verify_is_root(), ErrorKind::authentication_failed);
  EXPECT_FAILS(leaf->verify_issued_by(*leaf, now), ErrorKind::authentication_failed);
  EXPECT_FAILS(root_.verify_issued_by(*leaf, now), ErrorKind::authentication_failed);
  EXPECT_FAILS(issue_certificate(*leaf, key_, some_subject(5, false)), ErrorKind::authentication_failed);
}

TEST_F(CertificateTest, AnotherRootHasNotIssuedIt) {
  const auto leaf = issue_certificate(root_, key_, some_subject(6, false));
  ASSERT_OK(leaf);
  const SigningKey other_key = some_key(7);
  // Another name and another key; the same name and another key; another name and the same key.
  EXPECT_FAILS(leaf->verify_issued_by(some_root(other_key, "Other root"), now), ErrorKind::authentication_failed);
  EXPECT_FAILS(leaf->verify_issued_by(some_root(other_key), now), ErrorKind::authentication_failed);
  EXPECT_FAILS(leaf->verify_issued_by(some_root(key_, "Other root"), now), ErrorKind::authentication_failed);
  // The same name and key under a new serial number: the root was renewed.
  const auto renewed = make_root_certificate(key_, "Test root", 2, begin + 1, root_end + 1);
  ASSERT_OK(renewed);
  EXPECT_OK(leaf->verify_issued_by(*renewed, now));
}

TEST_F(CertificateTest, IsValidFromItsFirstSecondToItsLast) {
  const auto leaf = issue_certificate(root_, key_, some_subject(8, false));
  ASSERT_OK(leaf);
  EXPECT_OK(leaf->verify_issued_by(root_, begin));
  EXPECT_OK(leaf->verify_issued_by(root_, end));
  EXPECT_FAILS(leaf->verify_issued_by(root_, begin - 1), ErrorKind::expired);
  EXPECT_FAILS(leaf->verify_issued_by(root_, end + 1), ErrorKind::expired);
  EXPECT_FAILS(leaf->verify_issued_by(root_, 0), ErrorKind::expired);
  EXPECT_FAILS(leaf->verify_issued_by(root_, -1), ErrorKind::expired);
  EXPECT_FAILS(leaf->verify_issued_by(root_, 4'102'444'800), ErrorKind::expired);  // 2100
  EXPECT_OK(leaf->verify_issued_by(root_, std::nullopt));                          // a card without a clock
}

TEST_F(CertificateTest, ALeafThatOutlivesItsRootExpiresWithIt) {
  CertificateSubject subject = some_subject(9, false);
  subject.not_after = root_end + 100;
  const auto leaf = issue_certificate(root_, key_, subject);
  ASSERT_OK(leaf);
  EXPECT_OK(leaf->verify_issued_by(root_, root_end));
  EXPECT_FAILS(leaf->verify_issued_by(root_, root_end + 1), ErrorKind::expired);
}

TEST_F(CertificateTest, TimesOfBothFormsAreExact) {
  // RFC 5280, 4.1.2.5: UTCTime to 2049, GeneralizedTime from 2050.
  for (const UnixSeconds time : {UnixSeconds{0}, UnixSeconds{951'782'400}, UnixSeconds{2'524'607'999},
                                 UnixSeconds{2'524'608'000}, UnixSeconds{253'402'300'799}}) {
    const auto root = make_root_certificate(key_, "Test root", 1, 0, time);
    ASSERT_OK(root);
    EXPECT_EQ(root->not_after(), time);
    EXPECT_EQ(root->not_before(), 0);
  }
}

TEST_F(CertificateTest, ServesSeveralThreads) {
  const auto leaf = issue_certificate(root_, key_, some_subject(10, true));
  ASSERT_OK(leaf);
  const auto read = Certificate::from_der(leaf->der());
  const auto read_root = Certificate::from_der(root_.der());
  ASSERT_OK(read);
  ASSERT_OK(read_root);
  std::array<bool, 4> good{};
  std::vector<std::thread> threads;
  for (bool& one : good) {
    threads.emplace_back([&one, copy = *read, root = *read_root] {
      one = true;
      for (int i = 0; i < 20; ++i)
        one = one && copy.verify_issued_by(root, now).has_value() && root.verify_is_root().has_value();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, (std::array<bool, 4>{true, true, true, true}));
}

// ------------------------------------------------------------------------------------------- what is refused to be
// issued

TEST_F(CertificateTest, IssuesNothingThatItWouldNotRead) {
  const CertificateSubject good = some_subject(11, true);
  const auto refused = [this](const CertificateSubject& subject, ErrorKind kind) {
    EXPECT_FAILS(issue_certificate(root_, key_, subject), kind);
  };
  for (const std::string& name :
       {std::string(), std::string(65, 'a'), std::string("a\nb"), std::string("a\0b", 3), std::string("\x1b[2J"),
        std::string("\x7f"), std::string("\xc2\x9b"), std::string("\xff\xfe"), std::string("\xc3")}) {
    CertificateSubject subject = good;
    subject.common_name = name;
    refused(subject, ErrorKind::invalid_argument);
    EXPECT_FAILS(make_root_certificate(key_, name, 1, begin, end), ErrorKind::invalid_argument);
  }
  for (const std::uint64_t serial : {std::uint64_t{0}, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    CertificateSubject subject = good;
    subject.serial_number = serial;
    refused(subject, ErrorKind::invalid_argument);
    EXPECT_FAILS(make_root_certificate(key_, "Test root", serial, begin, end), ErrorKind::invalid_argument);
  }
  using Window = std::pair<UnixSeconds, UnixSeconds>;
  for (const auto& [from, to] : {Window{end, begin}, Window{-1, end}, Window{begin, 253'402'300'800}}) {
    CertificateSubject subject = good;
    subject.not_before = from;
    subject.not_after = to;
    refused(subject, ErrorKind::invalid_argument);
    EXPECT_FAILS(make_root_certificate(key_, "Test root", 1, from, to), ErrorKind::invalid_argument);
  }
  using Roles = std::vector<std::string>;
  for (const Roles& roles :
       {Roles{}, Roles{"serverAuth"}, Roles{""}, Roles{"1.2.x"}, Roles{"01.2"}, Roles{"1.2.3", "1.2.3"}, Roles{"4.1"},
        Roles{"1"}, Roles{"1.2.3 "}, Roles{"2.25." + std::string(124, '1')}, Roles(17, "1.2")}) {
    CertificateSubject subject = good;
    subject.roles = roles;
    refused(subject, ErrorKind::invalid_argument);
  }
  for (const Bytes& value : {Bytes(), Bytes(65), Bytes(64, 1), good.ffdhe2048_public}) {
    CertificateSubject subject = good;
    subject.p256_public = value;
    refused(subject, ErrorKind::authentication_failed);
  }
  for (const Bytes& value : {Bytes(1), Bytes(256), Bytes(256, 0xff), good.p256_public}) {
    CertificateSubject subject = good;
    subject.ffdhe2048_public = value;
    refused(subject, ErrorKind::authentication_failed);
  }
  EXPECT_FAILS(issue_certificate(root_, some_key(12), good), ErrorKind::invalid_argument);
  EXPECT_OK(issue_certificate(root_, key_, good));
}

TEST_F(CertificateTest, TakesItsLimitsThemselves) {
  CertificateSubject subject = some_subject(13, true);
  subject.common_name = std::string(64, 'a');
  subject.serial_number = (std::uint64_t{1} << 63) - 1;
  subject.roles.clear();
  for (int i = 0; i < 15; ++i)
    subject.roles.push_back("2.25.34028236692093846346337460743176821145" + std::to_string(i));
  subject.roles.push_back("2.25." + std::string(123, '1'));
  const auto leaf = issue_certificate(root_, key_, subject);
  ASSERT_OK(leaf);
  EXPECT_EQ(leaf->serial_number(), subject.serial_number);
  EXPECT_EQ(leaf->common_name(), subject.common_name);
  EXPECT_EQ(leaf->roles(), subject.roles);
  EXPECT_OK(leaf->verify_issued_by(root_, now));
}

// ------------------------------------------------------------------------------------------------------- damage and
// forgery

TEST_F(CertificateTest, RefusesEveryChangedBit) {
  const auto leaf = issue_certificate(root_, key_, some_subject(14, false));
  ASSERT_OK(leaf);
  for (std::size_t bit = 0; bit < 8 * leaf->der().size(); ++bit) {
    Bytes changed = leaf->der();
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    const auto read = Certificate::from_der(changed);
    EXPECT_FALSE(read.has_value() && read->verify_issued_by(root_, now).has_value()) << bit;
  }
  for (std::size_t bit = 0; bit < 8 * root_.der().size(); ++bit) {
    Bytes changed = root_.der();
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    const auto read = Certificate::from_der(changed);
    EXPECT_FALSE(read.has_value() && read->verify_is_root().has_value()) << bit;
  }
}

TEST_F(CertificateTest, RefusesChangedBytesOfTheAlternativeKey) {
  const auto leaf = issue_certificate(root_, key_, some_subject(15, true));
  ASSERT_OK(leaf);
  for (std::size_t at = 0; at < leaf->der().size(); ++at) {
    Bytes changed = leaf->der();
    changed[at] ^= static_cast<std::uint8_t>(1U << (at % 8));
    const auto read = Certificate::from_der(changed);
    EXPECT_FALSE(read.has_value() && read->verify_issued_by(root_, now).has_value()) << at;
  }
}

TEST_F(CertificateTest, RefusesWhatIsCutShortOrFollowedByMore) {
  const auto leaf = issue_certificate(root_, key_, some_subject(16, false));
  ASSERT_OK(leaf);
  for (std::size_t size = 0; size < leaf->der().size(); ++size) {
    EXPECT_FAILS(Certificate::from_der(ByteView(leaf->der()).first(size)), ErrorKind::malformed);
  }
  Bytes longer = leaf->der();
  longer.push_back(0);
  EXPECT_FAILS(Certificate::from_der(longer), ErrorKind::malformed);
  Bytes twice = leaf->der();
  append(twice, leaf->der());
  EXPECT_FAILS(Certificate::from_der(twice), ErrorKind::malformed);
  EXPECT_FAILS(Certificate::from_der(Bytes(4097, 0x30)), ErrorKind::malformed);
}

TEST_F(CertificateTest, RefusesWhatIsNoPem) {
  const std::string pem = root_.to_pem().value();
  EXPECT_FAILS(Certificate::from_pem({}), ErrorKind::malformed);
  EXPECT_FAILS(Certificate::from_pem(as_bytes("no certificate")), ErrorKind::malformed);
  EXPECT_FAILS(Certificate::from_pem(key_.to_pem(SecretBytes())->reveal()), ErrorKind::malformed);
  EXPECT_FAILS(Certificate::from_pem(as_bytes(pem.substr(0, pem.size() / 2))), ErrorKind::malformed);
  EXPECT_FAILS(Certificate::from_pem(as_bytes(pem + std::string(65536, '\n'))), ErrorKind::malformed);
  std::string empty = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n";
  EXPECT_FAILS(Certificate::from_pem(as_bytes(empty)), ErrorKind::malformed);
}

TEST_F(CertificateTest, GarbageNeverDoesHarm) {
  test::SeededRandom random(17);
  const auto leaf = issue_certificate(root_, key_, some_subject(18, true));
  ASSERT_OK(leaf);
  for (int round = 0; round < 2000; ++round) {
    Bytes changed = leaf->der();
    const std::uint64_t changes = 1 + random.below(4);
    for (std::uint64_t i = 0; i < changes; ++i) {
      // Mostly within the fields before the big integers, where the structure is.
      const std::size_t at = random.below(random.below(4) == 0 ? changed.size() : 450);
      changed[at] = static_cast<std::uint8_t>(random.below(256));
    }
    const auto read = Certificate::from_der(changed);
    if (read.has_value() && changed != leaf->der()) {
      EXPECT_FALSE(read->verify_issued_by(root_, now).has_value());
    }
  }
}

// ------------------------------------------------------------------------------------------------------- the openssl
// program

struct ProgramRun {
  int status = -1;
  std::string output;
};

ProgramRun run_program(const std::string& command) {
  ProgramRun result;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return result;
  std::array<char, 4096> buffer{};
  for (std::size_t size = 0; (size = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    result.output.append(buffer.data(), size);
  result.status = pclose(pipe);
  return result;
}

TEST_F(CertificateTest, TheOpensslProgramReadsAndVerifiesIt) {
  if (run_program("openssl version").status != 0) GTEST_SKIP() << "there is no openssl program here";
  const auto leaf = issue_certificate(root_, key_, some_subject(19, true));
  ASSERT_OK(leaf);
  std::string folder = testing::TempDir() + "cas-certificate-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string root_file = folder + "/root.pem";
  const std::string leaf_file = folder + "/leaf.pem";
  std::ofstream(root_file) << root_.to_pem().value();
  std::ofstream(leaf_file) << leaf->to_pem().value();

  const ProgramRun text = run_program("openssl x509 -noout -text -nameopt utf8 -in '" + leaf_file + "'");
  EXPECT_EQ(text.status, 0) << text.output;
  for (const char* expected :
       {"Version: 3 (0x2)", "Serial Number: 42 (0x2a)", "Signature Algorithm: ecdsa-with-SHA256",
        "Issuer: CN=Test root", "Subject: CN=T\xc3\xb6ken 42", "NIST CURVE: P-256",
        "X509v3 Basic Constraints: critical", "CA:FALSE", "X509v3 Key Usage: critical", "Key Agreement",
        "X509v3 Extended Key Usage: critical", "2.25.329800735698586629295641978511506172918, 1.3.6.1.4.1.99999.7.2",
        "X509v3 Authority Key Identifier", "2.5.29.72"}) {
    EXPECT_NE(text.output.find(expected), std::string::npos) << expected << " is not in\n" << text.output;
  }
  const ProgramRun verified =
      run_program("openssl verify -x509_strict -attime 1800000000 -CAfile '" + root_file + "' '" + leaf_file + "'");
  EXPECT_EQ(verified.status, 0) << verified.output;
  const ProgramRun root_text = run_program("openssl x509 -noout -text -in '" + root_file + "'");
  EXPECT_NE(root_text.output.find("CA:TRUE, pathlen:0"), std::string::npos) << root_text.output;
  EXPECT_NE(root_text.output.find("Certificate Sign, CRL Sign"), std::string::npos) << root_text.output;
  std::remove(root_file.c_str());
  std::remove(leaf_file.c_str());
  rmdir(folder.c_str());
}

}  // namespace
}  // namespace cas::crypto
