// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/certificate.hpp"
#include "crypto/certificate_chain.hpp"

namespace cas::crypto {

namespace {

constexpr ChainProfile p256_profile{
    [](const X509* x509) { return X509_get_signature_nid(x509) == NID_ecdsa_with_SHA256; }, "ecdsa-with-SHA256",
    KU_KEY_AGREEMENT, "key agreement alone (keyUsage keyAgreement, critical)"};

}  // namespace

Status Certificate::verify_issued_by(const Certificate& root, std::optional<UnixSeconds> at) const {
  CAS_TRY(verify_chain(x509_of(*this), x509_of(root), p256_profile));
  if (!at) return {};
  CAS_TRY(check_certificate_time(root.not_before(), root.not_after(), *at, "The root certificate"));
  return check_certificate_time(not_before(), not_after(), *at, "The certificate");
}

Status Certificate::verify_is_root() const { return verify_root(x509_of(*this), p256_profile); }

}  // namespace cas::crypto
