// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/tls_authority.hpp"

#include <openssl/pem.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>

#include "crypto/key_pem.hpp"
#include "crypto/openssl_error.hpp"
#include "crypto/openssl_handles.hpp"

namespace cas::crypto {

namespace {

constexpr std::size_t max_common_name = 64;  // ub-common-name of RFC 5280, A.1
constexpr std::size_t max_dns_name = 253;    // RFC 1035, 2.3.4, as text
constexpr std::size_t max_pem = 65'536;

bool is_printable(const std::string& text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

Status check_common_name(const std::string& name) {
  if (name.empty() || name.size() > max_common_name || !is_printable(name))
    return fail(ErrorKind::invalid_argument, "a certificate's name has 1 to 64 bytes and no control characters");
  return {};
}

bool is_dns_name(const std::string& name) {
  return !name.empty() && name.size() <= max_dns_name && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '*' || c == '_';
  });
}

bool set_serial_number(X509* certificate) {
  std::array<std::uint8_t, 16> drawn{};
  if (RAND_bytes(drawn.data(), static_cast<int>(drawn.size())) != 1) return false;
  drawn[0] = static_cast<std::uint8_t>((drawn[0] & 0x7f) | 0x40);  // positive, and of a fixed length
  const BignumHandle number{BN_bin2bn(drawn.data(), static_cast<int>(drawn.size()), nullptr)};
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_name(X509_NAME* name, const std::string& common_name) {
  return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(common_name.data()),
                                    static_cast<int>(common_name.size()), -1, 0) == 1;
}

bool set_validity(X509* certificate, UnixSeconds not_before, UnixSeconds not_after) {
  return ASN1_TIME_set(X509_getm_notBefore(certificate), static_cast<time_t>(not_before)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), static_cast<time_t>(not_after)) != nullptr;
}

bool add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509V3_set_ctx_nodb(&context);
  const Handle<X509_EXTENSION, X509_EXTENSION_free> extension{
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str())};
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

Result<std::string> certificate_to_pem(X509* certificate) {
  const BioHandle out{BIO_new(BIO_s_mem())};
  if (!out || PEM_write_bio_X509(out.get(), certificate) != 1)
    return fail_openssl(ErrorKind::internal, "a certificate cannot be written");
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return std::string(text, static_cast<std::size_t>(size));
}

Result<CertificateHandle> certificate_from_pem(ByteView pem) {
  if (pem.size() > max_pem) return fail(ErrorKind::malformed, "a certificate in PEM has at most 65,536 bytes");
  const BioHandle in{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
  CertificateHandle certificate{in ? PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr) : nullptr};
  if (!certificate) return fail_openssl(ErrorKind::malformed, "this is not a certificate in PEM");
  return certificate;
}

/// As OpenSSL's configuration has them: "DNS:a,IP:b".
Result<std::string> alternative_names(const TlsAuthority::Subject& subject) {
  std::string names;
  for (const std::string& name : subject.dns_names) {
    if (!is_dns_name(name))
      return fail(ErrorKind::invalid_argument, "a certificate is for host names, and '" + name + "' is none");
    names += (names.empty() ? "DNS:" : ",DNS:") + name;
  }
  for (const std::string& address : subject.addresses) {
    ASN1_OCTET_STRING* read = a2i_IPADDRESS(address.c_str());
    ASN1_OCTET_STRING_free(read);
    if (read == nullptr) {
      drop_openssl_errors();
      return fail(ErrorKind::invalid_argument, "'" + address + "' is no IP address");
    }
    names += (names.empty() ? "IP:" : ",IP:") + address;
  }
  return names;
}

}  // namespace

struct TlsAuthority::State {
  CertificateHandle certificate;
  KeyHandle key;

  [[nodiscard]] Result<CertificateHandle> sign(const Subject& subject, EVP_PKEY* key, const char* key_usage) const;
};

Result<TlsAuthority> TlsAuthority::create(const std::string& common_name, UnixSeconds not_before,
                                          UnixSeconds not_after) {
  CAS_TRY(check_common_name(common_name));
  auto state = std::make_shared<State>();
  state->key.reset(EVP_EC_gen("P-256"));
  state->certificate.reset(X509_new());
  X509* const root = state->certificate.get();
  if (!state->key || root == nullptr || X509_set_version(root, X509_VERSION_3) != 1 || !set_serial_number(root) ||
      !set_validity(root, not_before, not_after) || !set_name(X509_get_subject_name(root), common_name) ||
      X509_set_issuer_name(root, X509_get_subject_name(root)) != 1 || X509_set_pubkey(root, state->key.get()) != 1 ||
      !add_extension(root, root, NID_subject_key_identifier, "hash") ||
      !add_extension(root, root, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !add_extension(root, root, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      X509_sign(root, state->key.get(), EVP_sha256()) == 0)
    return fail_openssl(ErrorKind::internal, "no authority could be made");
  return TlsAuthority(std::move(state));
}

Result<TlsAuthority> TlsAuthority::load(ByteView certificate_pem, const SecretBytes& key_pem,
                                        const SecretBytes& pass_phrase) {
  auto state = std::make_shared<State>();
  CAS_TRY_ASSIGN(state->certificate, certificate_from_pem(certificate_pem));
  CAS_TRY_ASSIGN(state->key, private_key_from_pem(key_pem, pass_phrase));
  if (X509_check_private_key(state->certificate.get(), state->key.get()) != 1) {
    drop_openssl_errors();
    return fail(ErrorKind::invalid_argument, "certificate and key of the authority do not belong together");
  }
  return TlsAuthority(std::move(state));
}

Result<std::string> TlsAuthority::certificate_pem() const { return certificate_to_pem(state_->certificate.get()); }
Result<SecretBytes> TlsAuthority::key_pem() const { return private_key_to_pem(state_->key.get(), {}); }

Result<CertificateHandle> TlsAuthority::State::sign(const Subject& subject, EVP_PKEY* subject_key,
                                                    const char* key_usage) const {
  CAS_TRY(check_common_name(subject.common_name));
  CAS_TRY_ASSIGN(const std::string names, alternative_names(subject));
  std::string usage;
  if (subject.server) usage = "serverAuth";
  if (subject.client) usage += usage.empty() ? "clientAuth" : ",clientAuth";
  CertificateHandle leaf{X509_new()};
  X509* const issuer = certificate.get();
  if (!leaf || X509_set_version(leaf.get(), X509_VERSION_3) != 1 || !set_serial_number(leaf.get()) ||
      !set_validity(leaf.get(), subject.not_before, subject.not_after) ||
      !set_name(X509_get_subject_name(leaf.get()), subject.common_name) ||
      X509_set_issuer_name(leaf.get(), X509_get_subject_name(issuer)) != 1 ||
      X509_set_pubkey(leaf.get(), subject_key) != 1 ||
      !add_extension(leaf.get(), issuer, NID_subject_key_identifier, "hash") ||
      !add_extension(leaf.get(), issuer, NID_authority_key_identifier, "keyid:always") ||
      !add_extension(leaf.get(), issuer, NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(leaf.get(), issuer, NID_key_usage, key_usage) ||
      (!usage.empty() && !add_extension(leaf.get(), issuer, NID_ext_key_usage, usage)) ||
      (!names.empty() && !add_extension(leaf.get(), issuer, NID_subject_alt_name, names)) ||
      X509_sign(leaf.get(), key.get(), EVP_sha256()) == 0)
    return fail_openssl(ErrorKind::internal, "no certificate could be made");
  return leaf;
}

Result<TlsAuthority::Issued> TlsAuthority::issue(const Subject& subject) const {
  const KeyHandle key{EVP_EC_gen("P-256")};
  if (!key) return fail_openssl(ErrorKind::internal, "no key could be made");
  CAS_TRY_ASSIGN(const CertificateHandle leaf, state_->sign(subject, key.get(), "critical,digitalSignature"));
  Issued issued;
  CAS_TRY_ASSIGN(issued.certificate_pem, certificate_to_pem(leaf.get()));
  CAS_TRY_ASSIGN(issued.key_pem, private_key_to_pem(key.get(), {}));
  return issued;
}

Result<std::string> TlsAuthority::issue_for(const RsaPrivateKey& key, const Subject& subject) const {
  CAS_TRY_ASSIGN(const CertificateHandle leaf,
                 state_->sign(subject, static_cast<EVP_PKEY*>(key.native()), "critical,keyEncipherment"));
  return certificate_to_pem(leaf.get());
}

Result<Bytes> certificate_pem_to_der(ByteView pem) {
  CAS_TRY_ASSIGN(const CertificateHandle certificate, certificate_from_pem(pem));
  std::uint8_t* der = nullptr;
  const int size = i2d_X509(certificate.get(), &der);
  if (size < 0) return fail_openssl(ErrorKind::internal, "a certificate cannot be written");
  Bytes bytes(der, der + size);
  OPENSSL_free(der);
  return bytes;
}

}  // namespace cas::crypto
