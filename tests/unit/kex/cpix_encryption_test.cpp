// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/cpix_encryption.hpp"

#include <gtest/gtest.h>

#include "cpix_text.hpp"
#include "crypto/aes.hpp"
#include "crypto/mac.hpp"
#include "crypto/tls_authority.hpp"
#include "kex/cpix_reader.hpp"
#include "kex/cpix_writer.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"

namespace cas::kex {
namespace {

using crypto::RsaPrivateKey;
using test::value_or_throw;

class CpixEncryption : public testing::Test {
 protected:
  struct Party {
    RsaPrivateKey key;
    Bytes certificate;
  };
  static Party make_party() {
    const auto authority = value_or_throw(crypto::TlsAuthority::create("Test", 1'700'000'000, 2'000'000'000));
    auto key = value_or_throw(RsaPrivateKey::generate(2048));
    crypto::TlsAuthority::Subject subject;
    subject.common_name = "packager";
    subject.not_after = 2'000'000'000;
    const std::string pem = value_or_throw(authority.issue_for(key, subject));
    return {key, value_or_throw(crypto::certificate_pem_to_der(as_bytes(pem)))};
  }
  static const Party& packager() {
    static const Party party = make_party();
    return party;
  }
  static const Party& somebody() {
    static const Party party = make_party();
    return party;
  }

  static CpixDocument document_for(const std::vector<Bytes>& certificates) {
    CpixDocument document;
    document.content_id = "abc";
    for (const Bytes& certificate : certificates) document.recipients.push_back({.certificate = certificate});
    for (const char* kid : {"98ee5596-cd3e-420d-963a-e382420c6eff", "98ee5596-cd3e-420d-963a-e382420c6e00"}) {
      CpixContentKey key;
      key.kid = value_or_throw(Uuid::parse(kid));
      key.value = SecretBytes::copy_of(test::hex("00112233445566778899aabbccddeeff"));
      document.keys.push_back(std::move(key));
    }
    return document;
  }
  /// Encrypted, written, and read.
  std::string text_for(const std::vector<Bytes>& certificates) {
    CpixDocument document = document_for(certificates);
    value_or_throw(encrypt_keys(document, random));
    return as_text(value_or_throw(write_cpix(document)).reveal());
  }
  static Status open(const std::string& text, const RsaPrivateKey& key) {
    CpixDocument document = value_or_throw(read_cpix(as_bytes(text)));
    CAS_TRY(decrypt_keys(document, key));
    for (const CpixContentKey& each : document.keys)
      if (to_hex(each.value.reveal()) != "00112233445566778899aabbccddeeff")
        return fail(ErrorKind::internal, "another key");
    return {};
  }

  test::SeededRandom random{7};
};

TEST_F(CpixEncryption, EachRecipientOpensTheKeys) {
  const std::string text = text_for({packager().certificate, somebody().certificate});
  EXPECT_EQ(text.find("PlainValue"), std::string::npos);
  EXPECT_OK(open(text, packager().key));
  EXPECT_OK(open(text, somebody().key));
}

TEST_F(CpixEncryption, ReadsTheThreePlacesOfTheMacKey) {
  const std::string text = text_for({packager().certificate});
  const auto from = text.find("<cpix:Key><pskc:EncryptedValue>"), to = text.find("</pskc:EncryptedValue></cpix:Key>");
  ASSERT_NE(from, std::string::npos) << "it is written in the last one";
  ASSERT_NE(to, std::string::npos);
  const std::string inner = text.substr(from + 31, to - from - 31);
  for (const std::string& place : {"<cpix:Key>" + inner + "</cpix:Key>", "<pskc:MACKey>" + inner + "</pskc:MACKey>"}) {
    std::string other = text;
    other.replace(from, to + 33 - from, place);
    EXPECT_OK(open(other, packager().key));
  }
}

TEST_F(CpixEncryption, IsNotForOthers) {
  const std::string text = text_for({packager().certificate});
  EXPECT_FAILS(open(text, somebody().key), ErrorKind::refused);
}

// The MAC is verified before anything is decrypted, and one value that was changed gives no key at all.
TEST_F(CpixEncryption, FindsEachBitThatWasChanged) {
  CpixDocument sealed = document_for({packager().certificate});
  ASSERT_OK(encrypt_keys(sealed, random));
  const std::size_t size = sealed.keys[1].encrypted->cipher_value.size();
  ASSERT_EQ(size, 16U + 32U);
  for (std::size_t at = 0; at < size + 64; ++at) {
    Bytes& part = at < size ? sealed.keys[1].encrypted->cipher_value : sealed.keys[1].encrypted->mac;
    std::uint8_t& byte = part[at < size ? at : at - size];
    byte ^= 0x10;
    CpixDocument document = value_or_throw(read_cpix(value_or_throw(write_cpix(sealed)).reveal()));
    EXPECT_FAILS(decrypt_keys(document, packager().key), ErrorKind::authentication_failed);
    EXPECT_TRUE(document.keys[0].value.empty());
    byte ^= 0x10;
  }
}

// Who has the keys may still have padded otherwise: then it is no key.
TEST_F(CpixEncryption, PaddingIsOfPkcs7) {
  CpixDocument sealed = document_for({packager().certificate});
  ASSERT_OK(encrypt_keys(sealed, random));
  const SecretBytes document_key =
      value_or_throw(packager().key.decrypt(sealed.recipients[0].document_key, crypto::OaepHash::sha1));
  const SecretBytes mac_key =
      value_or_throw(packager().key.decrypt(sealed.recipients[0].mac_key, crypto::OaepHash::sha1));
  const std::string key = "00112233445566778899aabbccddeeff";
  for (const auto& [padding, good] : {std::pair("10101010101010101010101010101010", true),
                                      {"10101010101010100f10101010101010", false},
                                      {"10101010101010101010101010101000", false},
                                      {"11111111111111111111111111111111", false},
                                      {"00000000000000000000000000000021", false}}) {
    Bytes value(16);
    append(value, value_or_throw(
                      crypto::aes_cbc_encrypt(document_key, std::array<std::uint8_t, 16>{}, test::hex(key + padding))));
    const auto mac = value_or_throw(crypto::hmac_sha512(mac_key, {value}));
    sealed.keys[1].encrypted = CpixEncryptedValue{value, Bytes(mac.begin(), mac.end())};
    CpixDocument document = value_or_throw(read_cpix(value_or_throw(write_cpix(sealed)).reveal()));
    const Status opened = decrypt_keys(document, packager().key);
    EXPECT_EQ(opened.has_value(), good) << padding;
    if (!good) {
      EXPECT_FAILS(opened, ErrorKind::authentication_failed);
      EXPECT_TRUE(document.keys[0].value.empty());
    }
  }
}

TEST_F(CpixEncryption, AValueNeedsItsMac) {
  const std::string text = text_for({packager().certificate});
  const auto value_mac = text.find("<pskc:ValueMAC>");
  const auto value_end = text.find("</pskc:ValueMAC>") + 16;
  EXPECT_FAILS(open(std::string(text).erase(value_mac, value_end - value_mac), packager().key),
               ErrorKind::authentication_failed);
  const auto method = text.find("<cpix:MACMethod"), method_end = text.find("</cpix:MACMethod>") + 17;
  EXPECT_FAILS(open(std::string(text).erase(method, method_end - method), packager().key), ErrorKind::refused);
}

TEST_F(CpixEncryption, OtherAlgorithmsAreRefusedByName) {
  const std::string text = text_for({packager().certificate});
  const auto refused = [&](const std::string& from, const std::string& to) {
    const auto read = read_cpix(as_bytes(with(text, from, to)));
    return !read && read.error().kind == ErrorKind::unsupported &&
           read.error().message.find("@Algorithm") != std::string::npos;
  };
  EXPECT_TRUE(refused("xmlenc#rsa-oaep-mgf1p", "xmlenc#rsa-1_5"));
  EXPECT_TRUE(refused("hmac-sha512", "hmac-md5"));
  EXPECT_FAILS(open(with(text, "xmlenc#aes256-cbc", "xmlenc#aes128-cbc"), packager().key), ErrorKind::unsupported);
}

TEST_F(CpixEncryption, ADocumentWithoutRecipientsStaysInClear) {
  CpixDocument document = document_for({});
  ASSERT_OK(encrypt_keys(document, random));
  EXPECT_FALSE(has_encrypted_keys(document));
  EXPECT_EQ(document.keys[0].value.size(), 16U);
}

TEST_F(CpixEncryption, RefusesRecipientsThatCannotBeServed) {
  CpixDocument none = document_for({Bytes{1, 2, 3}});
  EXPECT_FAILS(encrypt_keys(none, random), ErrorKind::malformed);
  CpixDocument many = document_for(std::vector<Bytes>(max_recipients + 1, packager().certificate));
  EXPECT_FAILS(encrypt_keys(many, random), ErrorKind::exhausted);
}

}  // namespace
}  // namespace cas::kex
