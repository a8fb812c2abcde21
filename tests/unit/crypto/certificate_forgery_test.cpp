// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "crypto/certificate.hpp"
#include "forged_certificate.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"
#include "support/vector_file.hpp"

// Certificates that are signed properly by the right key, and are not what they should be: what a careless or a
// captured certification authority could issue, or a parser be attacked with.

namespace cas::crypto {
namespace {

using test::der;
using test::ForgedCertificate;

constexpr UnixSeconds now = 1'800'000'000;
constexpr std::uint8_t sequence = 0x30;

SigningKey some_key(std::uint64_t seed) {
  test::SeededRandom random(seed);
  auto key = SigningKey::generate(random);
  return std::move(key.value());
}

class CertificateForgery : public testing::Test {
 protected:
  using Change = std::function<void(ForgedCertificate&)>;

  Bytes leaf_with(const Change& change) const {
    ForgedCertificate leaf = ForgedCertificate::leaf(root_, public_value_);
    change(leaf);
    return leaf.sign(key_);
  }
  void expect_leaf_unreadable(const std::string& what, ErrorKind kind, const Change& change) const {
    SCOPED_TRACE(what);
    EXPECT_FAILS(Certificate::from_der(leaf_with(change)), kind);
  }
  /// The leaf can be read, but is not accepted, be there a clock or not.
  void expect_leaf_untrusted(const std::string& what, const Change& change) const {
    SCOPED_TRACE(what);
    const auto leaf = Certificate::from_der(leaf_with(change));
    ASSERT_OK(leaf);
    EXPECT_FAILS(leaf->verify_issued_by(root_, now), ErrorKind::authentication_failed);
    EXPECT_FAILS(leaf->verify_issued_by(root_, std::nullopt), ErrorKind::authentication_failed);
  }
  void expect_leaf_good(const std::string& what, const Change& change) const {
    SCOPED_TRACE(what);
    const auto leaf = Certificate::from_der(leaf_with(change));
    ASSERT_OK(leaf);
    EXPECT_OK(leaf->verify_issued_by(root_, now));
  }
  /// Neither is it a root, nor does a proper leaf of its key verify under it.
  void expect_root_untrusted(const std::string& what, const Change& change) const {
    SCOPED_TRACE(what);
    ForgedCertificate forged = ForgedCertificate::root(key_);
    change(forged);
    const auto root = Certificate::from_der(forged.sign(key_));
    ASSERT_OK(root);
    EXPECT_FAILS(root->verify_is_root(), ErrorKind::authentication_failed);
    const auto leaf = Certificate::from_der(ForgedCertificate::leaf(root_, public_value_).sign(key_));
    ASSERT_OK(leaf);
    EXPECT_FAILS(leaf->verify_issued_by(*root, now), ErrorKind::authentication_failed);
  }

  const SigningKey key_ = some_key(1);
  const Certificate root_ = Certificate::from_der(ForgedCertificate::root(key_).sign(key_)).value();
  const Bytes public_value_ = some_key(2).public_value().value();
};

TEST_F(CertificateForgery, WithoutAChangeBothAreAccepted) {
  EXPECT_OK(root_.verify_is_root());
  expect_leaf_good("unchanged", [](ForgedCertificate&) {});
}

TEST_F(CertificateForgery, ReadsVersion3AndDerAlone) {
  expect_leaf_unreadable("v1, no version", ErrorKind::malformed, [](auto& leaf) { leaf.version.clear(); });
  expect_leaf_unreadable("v2", ErrorKind::malformed, [](auto& leaf) { leaf.version.back() = 1; });
  expect_leaf_unreadable("v4", ErrorKind::malformed, [](auto& leaf) { leaf.version.back() = 3; });
  expect_leaf_unreadable("unique identifiers", ErrorKind::malformed, [](auto& leaf) {
    leaf.unique_identifiers = {0x81, 2, 0, 1};
  });

  Bytes good = leaf_with([](auto&) {});
  ASSERT_EQ(good[1], 0x82);
  Bytes long_length = good;
  long_length[1] = 0x83;
  long_length.insert(long_length.begin() + 2, 0);
  EXPECT_FAILS(Certificate::from_der(long_length), ErrorKind::malformed);
  Bytes indefinite(good.begin() + 4, good.end());
  indefinite.insert(indefinite.begin(), {0x30, 0x80});
  indefinite.insert(indefinite.end(), {0, 0});
  EXPECT_FAILS(Certificate::from_der(indefinite), ErrorKind::malformed);
}

TEST_F(CertificateForgery, TheSerialNumberIsAnIdentity) {
  const auto with_serial = [](Bytes number) {
    return [number](ForgedCertificate& leaf) { leaf.serial_number = test::der_integer(number); };
  };
  expect_leaf_unreadable("0", ErrorKind::malformed, with_serial({0}));
  expect_leaf_unreadable("-1", ErrorKind::malformed, with_serial({0xff}));
  expect_leaf_unreadable("-2^63", ErrorKind::malformed, with_serial({0x80, 0, 0, 0, 0, 0, 0, 0}));
  expect_leaf_unreadable("2^63", ErrorKind::malformed, with_serial({0, 0x80, 0, 0, 0, 0, 0, 0, 0}));
  expect_leaf_unreadable("2^64", ErrorKind::malformed, with_serial({1, 0, 0, 0, 0, 0, 0, 0, 0}));
  expect_leaf_unreadable("2^64 + 42", ErrorKind::malformed, with_serial({1, 0, 0, 0, 0, 0, 0, 0, 42}));
  expect_leaf_unreadable("20 bytes", ErrorKind::malformed, with_serial(Bytes(20, 1)));
  expect_leaf_unreadable("a needless zero", ErrorKind::malformed, with_serial({0, 42}));
  expect_leaf_unreadable("empty", ErrorKind::malformed, with_serial({}));
  const auto largest = Certificate::from_der(leaf_with(with_serial({0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})));
  ASSERT_OK(largest);
  EXPECT_EQ(largest->serial_number(), (std::uint64_t{1} << 63) - 1);
}

TEST_F(CertificateForgery, TheNameCanBeShown) {
  const auto named = [](std::initializer_list<std::string> names) {
    return [subject = test::der_name(names)](ForgedCertificate& leaf) { leaf.subject = subject; };
  };
  expect_leaf_unreadable("no common name", ErrorKind::malformed, named({}));
  expect_leaf_unreadable("two", ErrorKind::malformed, named({"a", "b"}));
  expect_leaf_unreadable("empty", ErrorKind::malformed, named({""}));
  expect_leaf_unreadable("65 bytes", ErrorKind::malformed, named({std::string(65, 'a')}));
  expect_leaf_unreadable("a zero byte", ErrorKind::malformed, named({std::string("token\0.example", 14)}));
  expect_leaf_unreadable("an escape sequence", ErrorKind::malformed, named({"\x1b]0;title\x07"}));
  expect_leaf_unreadable("a C1 control", ErrorKind::malformed, named({"\xc2\x9b"}));
  expect_leaf_unreadable("no UTF-8", ErrorKind::malformed, named({"\xc3("}));
  expect_leaf_unreadable("UTF-8 in too many bytes", ErrorKind::malformed, named({"\xc0\xaf"}));
  expect_leaf_good("64 bytes", named({std::string(64, 'a')}));
  expect_leaf_good("the name of the root", named({"Root"}));
}

TEST_F(CertificateForgery, TimesAreThoseOfRfc5280) {
  const auto not_after = [](std::uint8_t tag, const std::string& text) {
    return [time = der(tag, {as_bytes(text)})](ForgedCertificate& leaf) { leaf.not_after = time; };
  };
  constexpr std::uint8_t utc = 0x17;
  constexpr std::uint8_t generalized = 0x18;
  expect_leaf_unreadable("no seconds", ErrorKind::malformed, not_after(utc, "3001010000Z"));
  expect_leaf_unreadable("a time zone", ErrorKind::malformed, not_after(utc, "300101000000+0100"));
  expect_leaf_unreadable("no zone", ErrorKind::malformed, not_after(utc, "300101000000"));
  expect_leaf_unreadable("month 13", ErrorKind::malformed, not_after(utc, "301301000000Z"));
  expect_leaf_unreadable("29 February 2030", ErrorKind::malformed, not_after(utc, "300229000000Z"));
  expect_leaf_unreadable("hour 24", ErrorKind::malformed, not_after(utc, "300101240000Z"));
  expect_leaf_unreadable("letters", ErrorKind::malformed, not_after(utc, "abcdefghijklZ"));
  expect_leaf_unreadable("empty", ErrorKind::malformed, not_after(utc, ""));
  expect_leaf_unreadable("GeneralizedTime before 2050", ErrorKind::malformed,
                         not_after(generalized, "20300101000000Z"));
  expect_leaf_unreadable("parts of seconds", ErrorKind::malformed, not_after(generalized, "20600101000000.5Z"));
  expect_leaf_unreadable("ends before it begins", ErrorKind::malformed, not_after(utc, "191231235959Z"));
  expect_leaf_unreadable("another type", ErrorKind::malformed, not_after(0x0c, "300101000000Z"));
  expect_leaf_good("2060", not_after(generalized, "20600101000000Z"));
}

TEST_F(CertificateForgery, ExtensionsStandOnceAndAreKnownOrNotCritical) {
  for (const std::string& oid : {test::oid_basic_constraints, test::oid_key_usage, test::oid_extended_key_usage,
                                 test::oid_subject_key_identifier, test::oid_authority_key_identifier}) {
    expect_leaf_unreadable("twice: " + oid, ErrorKind::malformed,
                           [&oid](auto& leaf) { leaf.extensions.push_back(leaf.extension(oid)); });
    expect_leaf_unreadable("cannot be read: " + oid, ErrorKind::malformed, [&oid](auto& leaf) {
      leaf.extension(oid).value = {0x30, 5, 1};
    });
    expect_leaf_unreadable("a byte behind the value: " + oid, ErrorKind::malformed,
                           [&oid](auto& leaf) { leaf.extension(oid).value.push_back(0); });
  }
  expect_leaf_unreadable("CA:FALSE written out (BER)", ErrorKind::malformed, [](auto& leaf) {
    leaf.extension(test::oid_basic_constraints).value = {sequence, 3, 0x01, 1, 0};
  });
  const Bytes value = {0x05, 0x00};
  expect_leaf_unreadable("unknown, critical", ErrorKind::unsupported,
                         [&](auto& leaf) { leaf.add("1.2.3.4", true, value); });
  expect_leaf_good("unknown, not critical", [&](auto& leaf) { leaf.add("1.2.3.4", false, value); });
  expect_leaf_unreadable("unknown, twice", ErrorKind::malformed, [&](auto& leaf) {
    leaf.add("1.2.3.4", false, value);
    leaf.add("1.2.3.4", false, value);
  });
  // OpenSSL knows name constraints and policies; nobody here enforces them on a leaf.
  expect_leaf_unreadable("name constraints, critical", ErrorKind::unsupported, [](auto& leaf) {
    leaf.add("2.5.29.30", true, {sequence, 0});
  });
  expect_leaf_unreadable("17 extensions", ErrorKind::malformed, [&](auto& leaf) {
    for (int i = 0; leaf.extensions.size() < 17; ++i) leaf.add("1.2.3." + std::to_string(i), false, value);
  });
  expect_leaf_good("16 extensions", [&](auto& leaf) {
    for (int i = 0; leaf.extensions.size() < 16; ++i) leaf.add("1.2.3." + std::to_string(i), false, value);
  });
  expect_leaf_unreadable("an identifier of 200 digits", ErrorKind::malformed, [&](auto& leaf) {
    std::string oid = "1.2";
    for (int i = 0; i < 99; ++i) oid += ".1";
    leaf.add(oid, false, value);
  });
}

TEST_F(CertificateForgery, TheKeyIsAnUncompressedPointOnP256) {
  test::for_each_vector("crypto/p256_public.txt", [this](test::Vector& vector) {
    SCOPED_TRACE(vector.text("case"));
    const Bytes der =
        leaf_with([&](auto& leaf) { leaf.public_key = test::der_ec_key(test::oid_p256, vector.hex("public")); });
    if (vector.yes("valid")) {
      EXPECT_OK(Certificate::from_der(der));
    } else {
      EXPECT_FAILS(Certificate::from_der(der), ErrorKind::malformed);
    }
  });
  expect_leaf_unreadable("P-384", ErrorKind::unsupported,
                         [this](auto& leaf) { leaf.public_key = test::der_ec_key("1.3.132.0.34", public_value_); });
  expect_leaf_unreadable("secp256k1", ErrorKind::unsupported,
                         [this](auto& leaf) { leaf.public_key = test::der_ec_key("1.3.132.0.10", public_value_); });
  const Bytes null = {0x05, 0x00};
  const auto with_type = [this](const std::string& type, ByteView parameters) {
    return der(sequence, {der(sequence, {test::der_oid(type), parameters}), der(0x03, {Bytes{0}, public_value_})});
  };
  expect_leaf_unreadable("RSA", ErrorKind::unsupported,
                         [&](auto& leaf) { leaf.public_key = with_type("1.2.840.113549.1.1.1", null); });
  expect_leaf_unreadable("EC without a curve", ErrorKind::unsupported,
                         [&](auto& leaf) { leaf.public_key = with_type("1.2.840.10045.2.1", null); });
  expect_leaf_unreadable("Ed25519", ErrorKind::unsupported,
                         [&](auto& leaf) { leaf.public_key = with_type("1.3.101.112", {}); });
  expect_leaf_unreadable("ECDH alone (id-ecDH)", ErrorKind::unsupported, [&](auto& leaf) {
    leaf.public_key = with_type("1.3.132.1.12", test::der_oid(test::oid_p256));
  });
}

/// The curve written out instead of named (RFC 5480, 2.1.1 forbids it), once with the base point that makes every point
/// the product of a key that the forger knows (CVE-2020-0601).
TEST_F(CertificateForgery, ACurveThatIsWrittenOutIsRefused) {
  const Bytes p = test::hex("00ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
  const Bytes a = test::hex("ffffffff00000001000000000000000000000000fffffffffffffffffffffffc");
  const Bytes b = test::hex("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b");
  const Bytes n = test::hex("00ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
  const Bytes g = test::hex(
      "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315e"
      "cecbb6406837bf51f5");
  for (const Bytes& base : {g, public_value_}) {
    const Bytes field = der(sequence, {test::der_oid("1.2.840.10045.1.1"), test::der_integer(p)});
    const Bytes curve = der(sequence, {der(0x04, {a}), der(0x04, {b})});
    const Bytes parameters = der(sequence, {test::der_integer(Bytes{1}), field, curve, der(0x04, {base}),
                                            test::der_integer(n), test::der_integer(Bytes{1})});
    const Bytes type = der(sequence, {test::der_oid("1.2.840.10045.2.1"), parameters});
    expect_leaf_unreadable("explicit parameters", ErrorKind::unsupported, [&](auto& leaf) {
      leaf.public_key = der(sequence, {type, der(0x03, {Bytes{0}, public_value_})});
    });
  }
}

TEST_F(CertificateForgery, RolesAreCounted) {
  const auto with_roles = [](Bytes list) {
    return
        [list](ForgedCertificate& leaf) { leaf.extension(test::oid_extended_key_usage).value = der(sequence, {list}); };
  };
  Bytes many;
  for (int i = 0; i < 16; ++i) append(many, test::der_oid("1.2.3." + std::to_string(i)));
  expect_leaf_good("16", with_roles(many));
  append(many, test::der_oid("1.2.3.16"));
  expect_leaf_unreadable("17", ErrorKind::malformed, with_roles(many));
  expect_leaf_unreadable("none", ErrorKind::malformed, with_roles({}));
  Bytes endless(200, 0x81);
  endless.push_back(1);
  expect_leaf_unreadable("an endless identifier", ErrorKind::malformed, with_roles(der(0x06, {endless})));
  expect_leaf_unreadable("an identifier that does not end", ErrorKind::malformed,
                         with_roles(Bytes{0x06, 2, 0x2a, 0x81}));
  // A role that stands for all of them stands for none of ours.
  const auto any = Certificate::from_der(leaf_with(with_roles(test::der_oid("2.5.29.37.0"))));
  ASSERT_OK(any);
  EXPECT_FALSE(any->has_role("1.3.6.1.4.1.99999.1"));
}

TEST_F(CertificateForgery, TheAlternativeKeyIsOneOfFfdhe2048) {
  test::SeededRandom random(3);
  const Bytes value = generate_dh_key_pair(DhGroup::ffdhe2048, random)->public_value;
  const Bytes prime = test::ffdhe2048_prime();
  const Bytes info = test::der_dh_key(prime, value);
  const auto with_key = [](Bytes key, bool critical = false) {
    return [key, critical](ForgedCertificate& leaf) { leaf.add(test::oid_alternative_key, critical, key); };
  };
  expect_leaf_good("as issued", with_key(info));
  expect_leaf_good("critical", with_key(info, true));
  Bytes longer = info;
  longer.push_back(0);
  expect_leaf_unreadable("a byte behind", ErrorKind::malformed, with_key(longer));
  expect_leaf_unreadable("cut short", ErrorKind::malformed, with_key(Bytes(info.begin(), info.end() - 1)));
  expect_leaf_unreadable("empty", ErrorKind::malformed, with_key({}));
  expect_leaf_unreadable("a P-256 key", ErrorKind::unsupported,
                         with_key(test::der_ec_key(test::oid_p256, public_value_)));
  expect_leaf_unreadable("twice", ErrorKind::malformed, [&](auto& leaf) {
    leaf.add(test::oid_alternative_key, false, info);
    leaf.add(test::oid_alternative_key, false, info);
  });
  // The prime stands in it, too: with another one it is another group.
  Bytes other_prime = prime;
  other_prime[100] ^= 1;
  expect_leaf_unreadable("another prime", ErrorKind::unsupported, with_key(test::der_dh_key(other_prime, value)));
  expect_leaf_unreadable("half of the prime", ErrorKind::unsupported,
                         with_key(test::der_dh_key(ByteView(prime).first(128), value)));
  test::for_each_vector("crypto/ffdhe2048_public.txt", [&](test::Vector& vector) {
    SCOPED_TRACE(vector.text("case"));
    const Bytes number = vector.hex("public");
    const bool valid = vector.yes("valid");
    if (number.size() != dh_public_size(DhGroup::ffdhe2048)) return;  // how long it is on the wire is no matter here
    EXPECT_EQ(Certificate::from_der(leaf_with(with_key(test::der_dh_key(prime, number)))).has_value(), valid);
  });
  const auto leaf = Certificate::from_der(leaf_with(with_key(info)));
  ASSERT_OK(leaf);
  EXPECT_TRUE(equal(*leaf->dh_public(DhGroup::ffdhe2048), value));
}

TEST_F(CertificateForgery, ALeafIsNothingElse) {
  const Bytes authority = {sequence, 3, 0x01, 1, 0xff};
  expect_leaf_untrusted("no basicConstraints", [](auto& leaf) { leaf.remove(test::oid_basic_constraints); });
  expect_leaf_untrusted("basicConstraints not critical",
                        [](auto& leaf) { leaf.extension(test::oid_basic_constraints).critical = false; });
  expect_leaf_untrusted("CA:TRUE", [&](auto& leaf) { leaf.extension(test::oid_basic_constraints).value = authority; });
  expect_leaf_untrusted("no keyUsage", [](auto& leaf) { leaf.remove(test::oid_key_usage); });
  expect_leaf_untrusted("keyUsage not critical",
                        [](auto& leaf) { leaf.extension(test::oid_key_usage).critical = false; });
  expect_leaf_untrusted("digitalSignature", [](auto& leaf) {
    leaf.extension(test::oid_key_usage).value = {0x03, 2, 7, 0x80};
  });
  expect_leaf_untrusted("keyAgreement and digitalSignature", [](auto& leaf) {
    leaf.extension(test::oid_key_usage).value = {0x03, 2, 3, 0x88};
  });
  expect_leaf_untrusted("keyAgreement and keyCertSign", [](auto& leaf) {
    leaf.extension(test::oid_key_usage).value = {0x03, 2, 2, 0x0c};
  });
  expect_leaf_untrusted("no extendedKeyUsage", [](auto& leaf) { leaf.remove(test::oid_extended_key_usage); });
  expect_leaf_untrusted("extendedKeyUsage not critical",
                        [](auto& leaf) { leaf.extension(test::oid_extended_key_usage).critical = false; });
  expect_leaf_untrusted("no authorityKeyIdentifier",
                        [](auto& leaf) { leaf.remove(test::oid_authority_key_identifier); });
  expect_leaf_untrusted("authorityKeyIdentifier of another key",
                        [](auto& leaf) { leaf.extension(test::oid_authority_key_identifier).value.back() ^= 1; });
  expect_leaf_good("no subjectKeyIdentifier", [](auto& leaf) { leaf.remove(test::oid_subject_key_identifier); });
  expect_leaf_untrusted("issuer of another name", [](auto& leaf) { leaf.issuer = test::der_name({"Rood"}); });
}

TEST_F(CertificateForgery, TheSignatureIsEcdsaWithSha256AndOfTheRoot) {
  const auto algorithm = [](const std::string& oid) { return der(sequence, {test::der_oid(oid)}); };
  for (const char* oid :
       {"1.2.840.10045.4.1", "1.2.840.10045.4.3.3", "1.2.840.10045.4.3.4", "1.3.101.112", "1.2.3.4"}) {
    expect_leaf_untrusted(std::string("said to be ") + oid,
                          [&](auto& leaf) { leaf.inner_algorithm = leaf.outer_algorithm = algorithm(oid); });
    expect_leaf_untrusted(std::string("inner ") + oid, [&](auto& leaf) { leaf.inner_algorithm = algorithm(oid); });
    expect_leaf_untrusted(std::string("outer ") + oid, [&](auto& leaf) { leaf.outer_algorithm = algorithm(oid); });
  }
  expect_leaf_untrusted("with a NULL parameter", [&](auto& leaf) {
    leaf.inner_algorithm = der(sequence, {test::der_oid(test::oid_ecdsa_sha256), Bytes{0x05, 0x00}});
  });
  // Right signatures of another kind: too short a hash, and longer ones that a card need not know.
  for (const auto& [digest, oid] :
       {std::pair{"SHA1", "1.2.840.10045.4.1"}, std::pair{"SHA224", "1.2.840.10045.4.3.1"},
        std::pair{"SHA384", "1.2.840.10045.4.3.3"}, std::pair{"SHA512", "1.2.840.10045.4.3.4"}}) {
    SCOPED_TRACE(digest);
    const auto leaf = Certificate::from_der(ForgedCertificate::leaf(root_, public_value_).sign(key_, digest, oid));
    const auto root = Certificate::from_der(ForgedCertificate::root(key_).sign(key_, digest, oid));
    ASSERT_OK(leaf);
    ASSERT_OK(root);
    EXPECT_FAILS(leaf->verify_issued_by(root_, now), ErrorKind::authentication_failed);
    EXPECT_FAILS(root->verify_is_root(), ErrorKind::authentication_failed);
  }
  const auto by_the_same_way =
      Certificate::from_der(ForgedCertificate::leaf(root_, public_value_).sign(key_, "SHA256", test::oid_ecdsa_sha256));
  ASSERT_OK(by_the_same_way);
  EXPECT_OK(by_the_same_way->verify_issued_by(root_, now));

  const auto by_another = Certificate::from_der(ForgedCertificate::leaf(root_, public_value_).sign(some_key(4)));
  ASSERT_OK(by_another);
  EXPECT_FAILS(by_another->verify_issued_by(root_, now), ErrorKind::authentication_failed);
}

/// Serial number and roles of one device with the key of another.
TEST_F(CertificateForgery, ASwappedKeyIsNoticed) {
  Bytes swapped = leaf_with([](auto&) {});
  const Bytes other = some_key(5).public_value().value();
  const auto at = std::search(swapped.begin(), swapped.end(), public_value_.begin(), public_value_.end());
  ASSERT_NE(at, swapped.end());
  std::copy(other.begin(), other.end(), at);
  const auto read = Certificate::from_der(swapped);
  ASSERT_OK(read);
  EXPECT_TRUE(equal(*read->dh_public(DhGroup::p256), other));
  EXPECT_FAILS(read->verify_issued_by(root_, now), ErrorKind::authentication_failed);
}

TEST_F(CertificateForgery, ARootIsNothingElse) {
  expect_root_untrusted("no basicConstraints", [](auto& root) { root.remove(test::oid_basic_constraints); });
  expect_root_untrusted("basicConstraints not critical",
                        [](auto& root) { root.extension(test::oid_basic_constraints).critical = false; });
  expect_root_untrusted("CA:FALSE", [](auto& root) {
    root.extension(test::oid_basic_constraints).value = {sequence, 0};
  });
  expect_root_untrusted("no keyUsage", [](auto& root) { root.remove(test::oid_key_usage); });
  expect_root_untrusted("keyUsage not critical",
                        [](auto& root) { root.extension(test::oid_key_usage).critical = false; });
  expect_root_untrusted("cRLSign alone", [](auto& root) {
    root.extension(test::oid_key_usage).value = {0x03, 2, 1, 0x02};
  });
  expect_root_untrusted("no subjectKeyIdentifier", [](auto& root) { root.remove(test::oid_subject_key_identifier); });
  expect_root_untrusted("issued by somebody else", [](auto& root) { root.issuer = test::der_name({"Somebody else"}); });
  expect_root_untrusted("said to be signed with SHA-1", [](auto& root) {
    root.inner_algorithm = root.outer_algorithm = der(sequence, {test::der_oid("1.2.840.10045.4.1")});
  });
}

TEST_F(CertificateForgery, ARootIsSignedByItself) {
  const auto root = Certificate::from_der(ForgedCertificate::root(key_).sign(some_key(6)));
  ASSERT_OK(root);
  EXPECT_FAILS(root->verify_is_root(), ErrorKind::authentication_failed);
}

/// A leaf under an intermediate authority: the root did not issue it, and the intermediate is no root.
TEST_F(CertificateForgery, ThereIsNothingBetweenRootAndLeaf) {
  const SigningKey middle_key = some_key(7);
  ForgedCertificate middle = ForgedCertificate::root(middle_key);
  middle.subject = test::der_name({"Middle"});
  const Bytes root_identifier =
      copy_of(ByteView(ForgedCertificate::root(key_).extension(test::oid_authority_key_identifier).value));
  middle.extension(test::oid_authority_key_identifier).value = root_identifier;
  const auto authority = Certificate::from_der(middle.sign(key_));
  ASSERT_OK(authority);
  EXPECT_FAILS(authority->verify_is_root(), ErrorKind::authentication_failed);
  EXPECT_FAILS(authority->verify_issued_by(root_, now), ErrorKind::authentication_failed);
  const auto leaf = Certificate::from_der(ForgedCertificate::leaf(*authority, public_value_).sign(middle_key));
  ASSERT_OK(leaf);
  EXPECT_FAILS(leaf->verify_issued_by(*authority, now), ErrorKind::authentication_failed);
  EXPECT_FAILS(leaf->verify_issued_by(root_, now), ErrorKind::authentication_failed);
}

}  // namespace
}  // namespace cas::crypto
