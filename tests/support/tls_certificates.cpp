// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tls_certificates.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <stdexcept>

namespace cas::test {

namespace {

template <auto release>
struct Release {
  template <typename T>
  void operator()(T* object) const {
    release(object);
  }
};
using KeyPointer = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;
using CertificatePointer = std::unique_ptr<X509, Release<X509_free>>;
using ExtensionPointer = std::unique_ptr<X509_EXTENSION, Release<X509_EXTENSION_free>>;
using FilePointer = std::unique_ptr<BIO, Release<BIO_free_all>>;

void check(bool right, const char* what) {
  if (!right) throw std::runtime_error(std::string("cannot make a certificate for the test: ") + what);
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionPointer extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  check(extension && X509_add_ext(certificate, extension.get(), -1) == 1, value.c_str());
}

CertificatePointer blank(const std::string& name, EVP_PKEY* key, long from, long until) {
  static std::atomic<long> serial = 1;
  CertificatePointer certificate(X509_new());
  check(certificate != nullptr, "memory");
  X509* const x = certificate.get();
  X509_NAME* const subject = X509_get_subject_name(x);
  check(X509_set_version(x, X509_VERSION_3) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(x), serial++) == 1 &&
            X509_gmtime_adj(X509_getm_notBefore(x), from) != nullptr &&
            X509_gmtime_adj(X509_getm_notAfter(x), until) != nullptr &&
            X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                       reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0) == 1 &&
            X509_set_pubkey(x, key) == 1,
        "fields");
  return certificate;
}

FilePointer open_file(const std::string& path) {
  FilePointer file(BIO_new_file(path.c_str(), "w"));
  check(file != nullptr, path.c_str());
  return file;
}

}  // namespace

struct TlsAuthority::Keys {
  KeyPointer key;
  CertificatePointer certificate;
};

TlsAuthority::TlsAuthority(std::filesystem::path folder, const std::string& name)
    : folder_(std::move(folder)), name_(name), keys_(std::make_unique<Keys>()) {
  keys_->key.reset(EVP_EC_gen("P-256"));
  check(keys_->key != nullptr, "key");
  keys_->certificate = blank(name, keys_->key.get(), -3600, 3600);
  X509* const own = keys_->certificate.get();
  check(X509_set_issuer_name(own, X509_get_subject_name(own)) == 1, "issuer");
  add_extension(own, own, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(own, own, NID_key_usage, "critical,keyCertSign");
  add_extension(own, own, NID_subject_key_identifier, "hash");
  check(X509_sign(own, keys_->key.get(), EVP_sha256()) > 0 &&
            PEM_write_bio_X509(open_file(authority_file()).get(), own) == 1,
        "signature");
}

TlsAuthority::~TlsAuthority() = default;

void TlsAuthority::issue(const std::string& name, const Leaf& leaf) const {
  const KeyPointer key(EVP_EC_gen("P-256"));
  check(key != nullptr, "key");
  const CertificatePointer certificate = blank(name, key.get(), leaf.valid_from_s, leaf.valid_until_s);
  X509* const issuer = keys_->certificate.get();
  check(X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer)) == 1, "issuer");
  add_extension(certificate.get(), issuer, NID_basic_constraints, "critical,CA:FALSE");
  if (!leaf.alternative_name.empty())
    add_extension(certificate.get(), issuer, NID_subject_alt_name, leaf.alternative_name);
  if (!leaf.extended_usage.empty()) add_extension(certificate.get(), issuer, NID_ext_key_usage, leaf.extended_usage);
  check(X509_sign(certificate.get(), keys_->key.get(), EVP_sha256()) > 0, "signature");
  check(PEM_write_bio_X509(open_file(certificate_file(name)).get(), certificate.get()) == 1, "file");
  const bool in_clear = leaf.pass_phrase.empty();
  check(
      PEM_write_bio_PKCS8PrivateKey(open_file(key_file(name)).get(), key.get(), in_clear ? nullptr : EVP_aes_256_cbc(),
                                    in_clear ? nullptr : leaf.pass_phrase.data(),
                                    static_cast<int>(leaf.pass_phrase.size()), nullptr, nullptr) == 1,
      "key file");
}

}  // namespace cas::test
