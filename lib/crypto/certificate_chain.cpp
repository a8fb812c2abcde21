// SPDX-License-Identifier: LGPL-2.1-or-later
#include <openssl/x509_vfy.h>

#include "crypto/certificate_chain.hpp"
#include "crypto/openssl_error.hpp"

namespace cas::crypto {

namespace {

using StoreHandle = Handle<X509_STORE, X509_STORE_free>;
using StoreContextHandle = Handle<X509_STORE_CTX, X509_STORE_CTX_free>;

tl::unexpected<Error> not_trusted(std::string what) {
  drop_openssl_errors();
  return fail(ErrorKind::authentication_failed, std::move(what));
}

bool has_critical(const X509* x509, int nid) {
  const int index = X509_get_ext_by_NID(x509, nid, -1);
  return index >= 0 && X509_EXTENSION_get_critical(X509_get_ext(x509, index)) != 0;
}

/// All that makes a certificate a root of ours, but for its signature.
Status check_root_profile(X509* root, const ChainProfile& profile) {
  const std::uint32_t flags = X509_get_extension_flags(root);
  if ((flags & EXFLAG_CA) == 0 || !has_critical(root, NID_basic_constraints)) {
    return not_trusted(
        "The root certificate is not one of a certification authority (basicConstraints CA:TRUE, critical)");
  }
  if (!has_critical(root, NID_key_usage) || (X509_get_key_usage(root) & KU_KEY_CERT_SIGN) == 0) {
    return not_trusted("The root certificate may not sign certificates (keyUsage keyCertSign, critical)");
  }
  if ((flags & EXFLAG_SS) == 0) return not_trusted("The root certificate is not self-signed");
  if (X509_get0_subject_key_id(root) == nullptr) return not_trusted("The root certificate has no subjectKeyIdentifier");
  if (!profile.is_signed_well(root))
    return not_trusted(std::string("The root certificate is not signed with ") + profile.signature);
  return {};
}

/// What the subject's comment lists; X509_verify_cert enforces none of it for a use that it does not know.
Status check_leaf_profile(X509* leaf, X509* root, const ChainProfile& profile) {
  if (!profile.is_signed_well(leaf))
    return not_trusted(std::string("The certificate is not signed with ") + profile.signature);
  if (!has_critical(leaf, NID_basic_constraints) || (X509_get_extension_flags(leaf) & EXFLAG_CA) != 0) {
    return not_trusted("The certificate is not one of a single device (basicConstraints CA:FALSE, critical)");
  }
  if (!has_critical(leaf, NID_key_usage) || X509_get_key_usage(leaf) != profile.leaf_usage) {
    return not_trusted(std::string("The certificate is not for ") + profile.usage);
  }
  if (!has_critical(leaf, NID_ext_key_usage)) {
    return not_trusted("The certificate names no role (extendedKeyUsage, critical)");
  }
  const ASN1_OCTET_STRING* issuer_key = X509_get0_authority_key_id(leaf);
  if (issuer_key == nullptr || ASN1_OCTET_STRING_cmp(issuer_key, X509_get0_subject_key_id(root)) != 0) {
    return not_trusted("The certificate does not name the key of this root (authorityKeyIdentifier)");
  }
  return {};
}

}  // namespace

Status check_certificate_time(UnixSeconds not_before, UnixSeconds not_after, UnixSeconds at, const char* what) {
  if (at >= not_before && at <= not_after) return {};
  return fail(ErrorKind::expired, std::string(what) + " is valid from " + format_utc_time(not_before) + " to " +
                                      format_utc_time(not_after) + ", and it is " + format_utc_time(at) +
                                      ": check the clock, or have it issued anew");
}

Status verify_chain(X509* leaf_x509, X509* root_x509, const ChainProfile& profile) {
  CAS_TRY(check_root_profile(root_x509, profile));

  const StoreHandle store{X509_STORE_new()};
  const StoreContextHandle context{X509_STORE_CTX_new()};
  if (!store || !context || X509_STORE_add_cert(store.get(), root_x509) != 1 ||
      X509_STORE_CTX_init(context.get(), store.get(), leaf_x509, nullptr) != 1) {
    return fail_openssl(ErrorKind::internal, "The verification of a certificate cannot be started");
  }
  X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(context.get());
  // Critical extensions: from_der has refused those that nobody enforces, and subjectAltPublicKeyInfo is ours to know.
  // Time: see check_certificate_time.
  X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT | X509_V_FLAG_IGNORE_CRITICAL | X509_V_FLAG_NO_CHECK_TIME);
  X509_VERIFY_PARAM_set_depth(param, 0);  // nothing between the leaf and the root
  if (X509_verify_cert(context.get()) != 1) {
    const int reason = X509_STORE_CTX_get_error(context.get());
    return not_trusted(std::string("The certificate was not issued by this root (OpenSSL: ") +
                       X509_verify_cert_error_string(reason) + ")");
  }
  return check_leaf_profile(leaf_x509, root_x509, profile);
}

Status verify_root(X509* x509, const ChainProfile& profile) {
  CAS_TRY(check_root_profile(x509, profile));
  if (X509_verify(x509, X509_get0_pubkey(x509)) != 1)
    return not_trusted("The signature of the root certificate does not fit");
  return {};
}

}  // namespace cas::crypto
