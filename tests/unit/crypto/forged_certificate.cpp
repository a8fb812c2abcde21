// SPDX-License-Identifier: LGPL-2.1-or-later
#include "forged_certificate.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <algorithm>
#include <sstream>

#include "crypto/digest.hpp"
#include "support/result_matchers.hpp"

namespace cas::test {

namespace {

constexpr std::uint8_t tag_boolean = 0x01;
constexpr std::uint8_t tag_integer = 0x02;
constexpr std::uint8_t tag_bit_string = 0x03;
constexpr std::uint8_t tag_octet_string = 0x04;
constexpr std::uint8_t tag_oid = 0x06;
constexpr std::uint8_t tag_utf8_string = 0x0c;
constexpr std::uint8_t tag_utc_time = 0x17;
constexpr std::uint8_t tag_sequence = 0x30;
constexpr std::uint8_t tag_set = 0x31;

Bytes key_identifier(ByteView public_value) {
  const auto digest = crypto::sha256(public_value).value();
  return copy_of(ByteView(digest).first(20));
}

Bytes bit_string(ByteView bits, std::uint8_t unused = 0) { return der(tag_bit_string, {{&unused, 1}, bits}); }

Bytes algorithm() { return der(tag_sequence, {der_oid(oid_ecdsa_sha256)}); }

const Bytes empty_sequence = {tag_sequence, 0};

ForgedCertificate common(ByteView p256_public) {
  ForgedCertificate made;
  made.version = Bytes{0xa0, 0x03, 0x02, 0x01, 0x02};  // [0] EXPLICIT INTEGER 2, which is v3
  made.serial_number = der_integer(Bytes{0x2a});
  made.inner_algorithm = algorithm();
  made.outer_algorithm = algorithm();
  made.not_before = der_utc_time("200101000000Z");
  made.not_after = der_utc_time("300101000000Z");
  made.public_key = der_ec_key(oid_p256, p256_public);
  made.add(oid_subject_key_identifier, false, der(tag_octet_string, {key_identifier(p256_public)}));
  return made;
}

}  // namespace

Bytes der(std::uint8_t tag, std::initializer_list<ByteView> parts) {
  Bytes content;
  for (const ByteView part : parts) append(content, part);
  Bytes out = {tag};
  const std::size_t size = content.size();
  if (size >= 0x100) {
    out.insert(out.end(), {0x82, static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size)});
  } else if (size >= 0x80) {
    out.insert(out.end(), {0x81, static_cast<std::uint8_t>(size)});
  } else {
    out.push_back(static_cast<std::uint8_t>(size));
  }
  append(out, content);
  return out;
}

Bytes der_oid(const std::string& dotted) {
  std::istringstream in(dotted);
  std::vector<std::uint64_t> arcs;
  for (std::string arc; std::getline(in, arc, '.');) arcs.push_back(std::stoull(arc));
  arcs[1] += 40 * arcs[0];
  arcs.erase(arcs.begin());
  Bytes content;
  for (const std::uint64_t arc : arcs) {
    Bytes digits;
    for (std::uint64_t rest = arc; digits.empty() || rest != 0; rest >>= 7) {
      digits.insert(digits.begin(), static_cast<std::uint8_t>((rest & 0x7fU) | (digits.empty() ? 0U : 0x80U)));
    }
    append(content, digits);
  }
  return der(tag_oid, {content});
}

Bytes der_integer(ByteView big_endian) { return der(tag_integer, {big_endian}); }

Bytes der_utc_time(const std::string& text) { return der(tag_utc_time, {as_bytes(text)}); }

Bytes der_ec_key(const std::string& curve, ByteView point) {
  const Bytes type = der(tag_sequence, {der_oid("1.2.840.10045.2.1"), der_oid(curve)});
  return der(tag_sequence, {type, bit_string(point)});
}

Bytes der_dh_key(ByteView prime, ByteView value) {
  const auto positive = [](ByteView number) {  // without leading zeros, and not negative
    while (number.size() > 1 && number[0] == 0) number = number.subspan(1);
    Bytes content = copy_of(number);
    if ((content[0] & 0x80U) != 0) content.insert(content.begin(), 0);
    return der_integer(content);
  };
  const Bytes parameters = der(tag_sequence, {positive(prime), positive(Bytes{2})});
  const Bytes type = der(tag_sequence, {der_oid("1.2.840.113549.1.3.1"), parameters});
  return der(tag_sequence, {type, bit_string(positive(value))});
}

Bytes ffdhe2048_prime() {
  return hex(
      "ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1d8b9c583ce2d3695a9e13641146433fbcc939dce249b3ef97d2f"
      "e363630c75d8f681b202aec4617ad3df1ed5d5fd65612433f51f5f066ed0856365553ded1af3b557135e7f57c935984f0c70"
      "e0e68b77e2a689daf3efe8721df158a136ade73530acca4f483a797abc0ab182b324fb61d108a94bb2c8e3fbb96adab760d7"
      "f4681d4f42a3de394df4ae56ede76372bb190b07a7c8ee0a6d709e02fce1cdf7e2ecc03404cd28342f619172fe9ce98583ff"
      "8e4f1232eef28183c3fe3b1b4c6fad733bb5fcbc2ec22005c58ef1837d1683b2c6f34a26c1b2effa886b423861285c97ffff"
      "ffffffffffff");
}

Bytes der_name(std::initializer_list<std::string> common_names) {
  Bytes rdns;
  for (const std::string& name : common_names) {
    append(rdns, der(tag_set, {der(tag_sequence, {der_oid("2.5.4.3"), der(tag_utf8_string, {as_bytes(name)})})}));
  }
  return der(tag_sequence, {rdns});
}

Bytes der_extension(const std::string& oid, bool critical, ByteView value) {
  const Bytes yes = der(tag_boolean, {Bytes{0xff}});
  return der(tag_sequence, {der_oid(oid), critical ? ByteView(yes) : ByteView(), der(tag_octet_string, {value})});
}

ForgedCertificate ForgedCertificate::leaf(const crypto::Certificate& root, ByteView p256_public) {
  ForgedCertificate made = common(p256_public);
  made.issuer = der_name({root.common_name()});
  made.subject = der_name({"Leaf"});
  made.add(oid_basic_constraints, true, empty_sequence);
  made.add(oid_key_usage, true, bit_string(Bytes{0x08}, 3));  // keyAgreement is bit 4
  made.add(oid_extended_key_usage, true, der(tag_sequence, {der_oid("1.3.6.1.4.1.99999.1")}));
  const Bytes issuer_key = key_identifier(*root.dh_public(crypto::DhGroup::p256));
  made.add(oid_authority_key_identifier, false, der(tag_sequence, {der(0x80, {issuer_key})}));
  return made;
}

ForgedCertificate ForgedCertificate::root(const crypto::SigningKey& key) {
  const Bytes public_value = key.public_value().value();
  ForgedCertificate made = common(public_value);
  made.issuer = der_name({"Root"});
  made.subject = made.issuer;
  made.add(oid_basic_constraints, true, Bytes{tag_sequence, 6, tag_boolean, 1, 0xff, tag_integer, 1, 0});
  made.add(oid_key_usage, true, bit_string(Bytes{0x06}, 1));  // keyCertSign is bit 5, cRLSign bit 6
  made.add(oid_authority_key_identifier, false, der(tag_sequence, {der(0x80, {key_identifier(public_value)})}));
  return made;
}

ForgedCertificate::Extension& ForgedCertificate::extension(const std::string& oid) {
  const auto found =
      std::find_if(extensions.begin(), extensions.end(), [&oid](const Extension& one) { return one.oid == oid; });
  EXPECT_NE(found, extensions.end()) << oid;
  return *found;
}

void ForgedCertificate::remove(const std::string& oid) {
  EXPECT_EQ(std::erase_if(extensions, [&oid](const Extension& one) { return one.oid == oid; }), 1U) << oid;
}

Bytes ForgedCertificate::to_be_signed() const {
  Bytes list;
  for (const Extension& one : extensions) append(list, der_extension(one.oid, one.critical, one.value));
  const Bytes wrapped = extensions.empty() ? Bytes() : der(0xa3, {der(tag_sequence, {list})});
  return der(tag_sequence, {version, serial_number, inner_algorithm, issuer, der(tag_sequence, {not_before, not_after}),
                            subject, public_key, unique_identifiers, wrapped});
}

Bytes ForgedCertificate::sign(const crypto::SigningKey& key) const {
  const Bytes content = to_be_signed();
  return der(tag_sequence, {content, outer_algorithm, bit_string(key.sign(content).value())});
}

Bytes ForgedCertificate::sign(const crypto::SigningKey& key, const char* digest, const std::string& algorithm_oid) {
  inner_algorithm = outer_algorithm = der(tag_sequence, {der_oid(algorithm_oid)});
  const Bytes content = to_be_signed();
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  Bytes signature(80);
  std::size_t size = signature.size();
  EXPECT_EQ(
      EVP_DigestSignInit_ex(context, nullptr, digest, nullptr, nullptr, static_cast<EVP_PKEY*>(key.native()), nullptr),
      1);
  EXPECT_EQ(EVP_DigestSign(context, signature.data(), &size, content.data(), content.size()), 1);
  EVP_MD_CTX_free(context);
  signature.resize(size);
  return der(tag_sequence, {content, outer_algorithm, bit_string(signature)});
}

}  // namespace cas::test
