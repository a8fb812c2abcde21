// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/certificate.hpp"

#include <algorithm>

#include "crypto/certificate_reading.hpp"
#include "crypto/openssl_keys.hpp"

namespace cas::crypto {

struct Certificate::State {
  CertificateFields fields;
  Bytes p256_public;
  Bytes ffdhe2048_public;
};

namespace {

/// RFC 5480: id-ecPublicKey with the named curve; an uncompressed point.
Result<Bytes> read_p256(X509* x509) {
  const unsigned char* point = nullptr;
  int size = 0;
  ASN1_OBJECT* type = nullptr;
  X509_ALGOR* algorithm = nullptr;
  if (X509_PUBKEY_get0_param(&type, &point, &size, &algorithm, X509_get_X509_PUBKEY(x509)) != 1) {
    return malformed_certificate("it has no public key");
  }
  int parameter_type = V_ASN1_UNDEF;
  const void* parameter = nullptr;
  X509_ALGOR_get0(nullptr, &parameter_type, &parameter, algorithm);
  if (OBJ_obj2nid(type) != NID_X9_62_id_ecPublicKey || parameter_type != V_ASN1_OBJECT ||
      OBJ_obj2nid(static_cast<const ASN1_OBJECT*>(parameter)) != NID_X9_62_prime256v1) {
    return fail(ErrorKind::unsupported, "The public key of the certificate is not one on the named curve P-256");
  }
  Bytes value = copy_of({point, static_cast<std::size_t>(size)});
  if (!validate_dh_public(DhGroup::p256, value))
    return malformed_certificate("its public key is not an uncompressed point on P-256");
  return value;
}

Result<Bytes> read_ffdhe2048(ByteView info) {
  const std::uint8_t* cursor = info.data();
  const KeyHandle key{d2i_PUBKEY(nullptr, &cursor, static_cast<long>(info.size()))};
  if (!key || cursor != info.data() + info.size())
    return malformed_certificate("its alternative public key cannot be read");
  auto value = public_value_of(DhGroup::ffdhe2048, key.get());
  if (!value)
    return fail(ErrorKind::unsupported, "The alternative public key of the certificate is not one of ffdhe2048");
  if (!validate_dh_public(DhGroup::ffdhe2048, *value))
    return malformed_certificate("its alternative public key is not an element of ffdhe2048");
  return value;
}

}  // namespace

Result<Certificate> Certificate::from_der(ByteView der) {
  auto state = std::make_shared<State>();
  CAS_TRY_ASSIGN(state->fields, read_certificate(der, AlternativeKey::known));
  CAS_TRY_ASSIGN(state->p256_public, read_p256(state->fields.x509.get()));
  if (state->fields.alternative_key.data() != nullptr) {
    CAS_TRY_ASSIGN(state->ffdhe2048_public, read_ffdhe2048(state->fields.alternative_key));
  }
  return Certificate(std::move(state));
}

Result<Certificate> Certificate::from_pem(ByteView pem) {
  CAS_TRY_ASSIGN(const Bytes der, certificate_in_pem(pem));
  return from_der(der);
}

Result<std::string> Certificate::to_pem() const { return certificate_to_pem(der()); }

const Bytes& Certificate::der() const { return state_->fields.der; }

std::uint64_t Certificate::serial_number() const { return state_->fields.serial_number; }
const std::string& Certificate::common_name() const { return state_->fields.common_name; }
const std::vector<std::string>& Certificate::roles() const { return state_->fields.roles; }
UnixSeconds Certificate::not_before() const { return state_->fields.not_before; }
UnixSeconds Certificate::not_after() const { return state_->fields.not_after; }
void* Certificate::native() const { return state_->fields.x509.get(); }

bool Certificate::has_role(std::string_view oid) const {
  return std::find(state_->fields.roles.begin(), state_->fields.roles.end(), oid) != state_->fields.roles.end();
}

std::optional<ByteView> Certificate::dh_public(DhGroup group) const {
  const Bytes& value = group == DhGroup::p256 ? state_->p256_public : state_->ffdhe2048_public;
  if (value.empty()) return std::nullopt;
  return ByteView(value);
}

}  // namespace cas::crypto
