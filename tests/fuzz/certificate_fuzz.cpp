// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>

#include "crypto/certificate.hpp"
#include "crypto/rsa_certificate.hpp"

// DER comes out as it went in; what is asked of a certificate has an answer.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const cas::ByteView input(data, size);
  if (const auto certificate = cas::crypto::Certificate::from_der(input)) {
    if (!cas::equal(certificate->der(), input)) std::abort();
    if (certificate->serial_number() == 0) std::abort();
    for (const auto group : {cas::crypto::DhGroup::p256, cas::crypto::DhGroup::ffdhe2048}) {
      const auto value = certificate->dh_public(group);
      if (value && value->size() != cas::crypto::dh_public_size(group)) std::abort();
    }
    static_cast<void>(certificate->verify_is_root());
    static_cast<void>(certificate->verify_issued_by(*certificate, 1'800'000'000));
    const auto pem = certificate->to_pem();
    if (!pem) std::abort();
    const auto again = cas::crypto::Certificate::from_pem(cas::as_bytes(*pem));
    if (!again || again->der() != certificate->der()) std::abort();
  }
  static_cast<void>(cas::crypto::Certificate::from_pem(input));
  if (const auto certificate = cas::crypto::RsaCertificate::from_der(input)) {
    if (!cas::equal(certificate->der(), input)) std::abort();
    static_cast<void>(certificate->verify_is_root());
    static_cast<void>(certificate->verify_issued_by(*certificate, 1'800'000'000));
  }
  if (const auto request = cas::crypto::RsaCertificateRequest::from_pem(input)) {
    if (request->common_name().empty()) std::abort();
  }
  return 0;
}
