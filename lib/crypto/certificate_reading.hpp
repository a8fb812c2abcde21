// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "crypto/certificate_profile.hpp"

namespace cas::crypto {

/// Internal to crypto/, not installed: what certificates say, whatever kind of key they have.

/// Whether subjectAltPublicKeyInfo is an extension that the reader takes.
enum class AlternativeKey { unknown, known };

struct CertificateFields {
  CertificateHandle x509;
  Bytes der;
  std::uint64_t serial_number = 0;
  std::string common_name;
  std::vector<std::string> roles;
  ByteView alternative_key;  ///< Into x509; null if there is none.
  UnixSeconds not_before = 0;
  UnixSeconds not_after = 0;
};

/// All of Certificate::from_der but for the keys.
[[nodiscard]] Result<CertificateFields> read_certificate(ByteView der, AlternativeKey alternative);

/// The one common name of a subject, printable.
[[nodiscard]] Result<std::string> common_name_in(const X509_NAME* subject);

[[nodiscard]] tl::unexpected<Error> malformed_certificate(std::string what);

/// The first certificate of a PEM text of at most 64 KiB, in DER.
[[nodiscard]] Result<Bytes> certificate_in_pem(ByteView pem);
[[nodiscard]] Result<std::string> certificate_to_pem(ByteView der);

}  // namespace cas::crypto
