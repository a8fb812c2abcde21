// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/rsa_certificate.hpp"

#include <openssl/rsa.h>

#include <algorithm>

#include "crypto/certificate_builder.hpp"
#include "crypto/certificate_chain.hpp"
#include "crypto/certificate_reading.hpp"
#include "crypto/openssl_error.hpp"
#include "crypto/openssl_rsa.hpp"

namespace cas::crypto {

struct RsaCertificate::State {
  State(CertificateFields read, RsaPublicKey public_key) : fields(std::move(read)), key(std::move(public_key)) {}
  CertificateFields fields;
  RsaPublicKey key;
};

namespace {

int algorithm_nid(const X509_ALGOR* algorithm) {
  const ASN1_OBJECT* oid = nullptr;
  if (algorithm != nullptr) X509_ALGOR_get0(&oid, nullptr, nullptr, algorithm);
  return oid != nullptr ? OBJ_obj2nid(oid) : NID_undef;
}

/// The parameters of `algorithm` as an `item`, which the caller releases; null if they are none.
void* parameters_of(const X509_ALGOR* algorithm, const ASN1_ITEM* item) {
  const void* value = nullptr;
  int type = V_ASN1_UNDEF;
  X509_ALGOR_get0(nullptr, &type, &value, algorithm);
  return type == V_ASN1_SEQUENCE ? ASN1_item_unpack(static_cast<const ASN1_STRING*>(value), item) : nullptr;
}

/// RFC 4055, 3.1: SHA-256, MGF1 with SHA-256, a salt of 32 bytes, and the trailer field that is the default.
bool is_signed_with_pss(const X509* x509) {
  const X509_ALGOR* algorithm = nullptr;
  X509_get0_signature(nullptr, &algorithm, x509);
  if (algorithm_nid(algorithm) != NID_rsassaPss) return false;
  const Handle<RSA_PSS_PARAMS, RSA_PSS_PARAMS_free> params{
      static_cast<RSA_PSS_PARAMS*>(parameters_of(algorithm, ASN1_ITEM_rptr(RSA_PSS_PARAMS)))};
  if (!params || params->maskGenAlgorithm == nullptr || params->saltLength == nullptr) return false;
  const AlgorithmHandle mask_hash{
      static_cast<X509_ALGOR*>(parameters_of(params->maskGenAlgorithm, ASN1_ITEM_rptr(X509_ALGOR)))};
  return algorithm_nid(params->hashAlgorithm) == NID_sha256 && algorithm_nid(params->maskGenAlgorithm) == NID_mgf1 &&
         algorithm_nid(mask_hash.get()) == NID_sha256 &&
         ASN1_INTEGER_get(params->saltLength) == static_cast<long>(pss_salt_size) &&
         (params->trailerField == nullptr || ASN1_INTEGER_get(params->trailerField) == 1);
}

constexpr ChainProfile rsa_profile{
    [](const X509* x509) {
      const bool good = is_signed_with_pss(x509);
      drop_openssl_errors();
      return good;
    },
    "RSASSA-PSS with SHA-256 and a salt of 32 bytes", KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT,
    "signatures and encryption alone (keyUsage digitalSignature and keyEncipherment, critical)"};

X509* x509_of(const RsaCertificate& certificate) { return static_cast<X509*>(certificate.native()); }
EVP_PKEY* native_of(const RsaPrivateKey& key) { return static_cast<EVP_PKEY*>(key.native()); }

bool start_pss(EVP_MD_CTX* context, EVP_PKEY* key) {
  EVP_PKEY_CTX* key_context = nullptr;
  return context != nullptr && EVP_DigestSignInit(context, &key_context, EVP_sha256(), nullptr, key) == 1 &&
         set_rsa_pss(key_context);
}

Result<RsaCertificate> finish(CertificateBuilder& builder, const RsaPrivateKey& key) {
  CAS_TRY_ASSIGN(const Bytes der, builder.sign(native_of(key), [](X509* x509, EVP_PKEY* signer) {
    const DigestContextHandle context{EVP_MD_CTX_new()};
    return start_pss(context.get(), signer) && X509_sign_ctx(x509, context.get()) > 0;
  }));
  return RsaCertificate::from_der(der);
}

}  // namespace

Result<RsaCertificate> RsaCertificate::from_der(ByteView der) {
  CAS_TRY_ASSIGN(CertificateFields fields, read_certificate(der, AlternativeKey::unknown));
  CAS_TRY_ASSIGN(RsaPublicKey key, RsaPublicKey::from_native(X509_get_pubkey(fields.x509.get())));
  return RsaCertificate(std::make_shared<const State>(std::move(fields), std::move(key)));
}

Result<RsaCertificate> RsaCertificate::from_pem(ByteView pem) {
  CAS_TRY_ASSIGN(const Bytes der, certificate_in_pem(pem));
  return from_der(der);
}

Result<std::string> RsaCertificate::to_pem() const { return certificate_to_pem(der()); }

const Bytes& RsaCertificate::der() const { return state_->fields.der; }
std::uint64_t RsaCertificate::serial_number() const { return state_->fields.serial_number; }
const std::string& RsaCertificate::common_name() const { return state_->fields.common_name; }
const std::vector<std::string>& RsaCertificate::roles() const { return state_->fields.roles; }
const RsaPublicKey& RsaCertificate::public_key() const { return state_->key; }
UnixSeconds RsaCertificate::not_before() const { return state_->fields.not_before; }
UnixSeconds RsaCertificate::not_after() const { return state_->fields.not_after; }
void* RsaCertificate::native() const { return state_->fields.x509.get(); }

bool RsaCertificate::has_role(std::string_view oid) const {
  return std::find(state_->fields.roles.begin(), state_->fields.roles.end(), oid) != state_->fields.roles.end();
}

Status RsaCertificate::verify_issued_by(const RsaCertificate& root, std::optional<UnixSeconds> at) const {
  CAS_TRY(verify_chain(x509_of(*this), x509_of(root), rsa_profile));
  if (!at) return {};
  CAS_TRY(check_certificate_time(root.not_before(), root.not_after(), *at, "The root certificate"));
  return check_certificate_time(not_before(), not_after(), *at, "The certificate");
}

Status RsaCertificate::verify_is_root() const { return verify_root(x509_of(*this), rsa_profile); }

Result<RsaCertificate> make_rsa_root_certificate(const RsaPrivateKey& key, const std::string& common_name,
                                                 const std::vector<std::string>& roles, std::uint64_t serial_number,
                                                 UnixSeconds not_before, UnixSeconds not_after) {
  CAS_TRY(check_issue_arguments(common_name, serial_number, not_before, not_after));
  if (!roles.empty()) CAS_TRY(check_roles(roles));
  CAS_TRY_ASSIGN(const RsaPublicKey public_key, key.public_key());
  CAS_TRY_ASSIGN(const Bytes info, public_key.to_der());
  CAS_TRY_ASSIGN(const Bytes identifier, key_identifier(info));
  CertificateBuilder builder(serial_number, not_before, not_after);
  builder.subject(common_name);
  builder.self_issued();
  builder.public_key(static_cast<EVP_PKEY*>(public_key.native()));
  builder.basic_constraints(true);
  builder.key_usage({digital_signature_bit, key_encipherment_bit, key_cert_sign_bit, crl_sign_bit});
  if (!roles.empty()) builder.roles(roles);
  builder.subject_key_identifier(identifier);
  builder.authority_key_identifier(identifier);
  return finish(builder, key);
}

Result<RsaCertificate> issue_rsa_certificate(const RsaCertificate& root, const RsaPrivateKey& key,
                                             const RsaCertificateSubject& subject) {
  CAS_TRY(root.verify_is_root());
  if (X509_check_private_key(x509_of(root), native_of(key)) != 1) {
    drop_openssl_errors();
    return fail(ErrorKind::invalid_argument, "The signing key is not the one of the root certificate");
  }
  CAS_TRY(check_issue_arguments(subject.common_name, subject.serial_number, subject.not_before, subject.not_after));
  CAS_TRY(check_roles(subject.roles));
  CAS_TRY_ASSIGN(const Bytes info, subject.key.to_der());
  CAS_TRY_ASSIGN(const Bytes identifier, key_identifier(info));
  CertificateBuilder builder(subject.serial_number, subject.not_before, subject.not_after);
  builder.subject(subject.common_name);
  builder.issuer(x509_of(root));
  builder.public_key(static_cast<EVP_PKEY*>(subject.key.native()));
  builder.basic_constraints(false);
  builder.key_usage({digital_signature_bit, key_encipherment_bit});
  builder.roles(subject.roles);
  builder.subject_key_identifier(identifier);
  builder.authority_key_identifier(key_identifier_of(x509_of(root)));
  return finish(builder, key);
}

}  // namespace cas::crypto
