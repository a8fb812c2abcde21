// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

#include "crypto/certificate.hpp"
#include "crypto/openssl_handles.hpp"

namespace cas::crypto {

/// Internal to crypto/, not installed: what reading, issuing and verifying certificates share.

inline constexpr std::size_t max_certificate_size = 4096;
inline constexpr std::size_t max_roles = 16;
inline constexpr std::size_t max_role_size = 128;
inline constexpr std::size_t max_common_name_size = 64;  // X.520, ub-common-name
inline constexpr std::uint64_t max_serial_number = (std::uint64_t{1} << 63) - 1;

/// subjectAltPublicKeyInfo, ITU-T X.509 (2019) 9.8.2:
///   SEQUENCE { algorithm AlgorithmIdentifier, subjectAltPublicKey BIT STRING }, which is a SubjectPublicKeyInfo.
inline constexpr const char* subject_alt_public_key_info_oid = "2.5.29.72";

/// 1 to 64 bytes without control characters, which would rewrite the terminal on which the name is shown.
[[nodiscard]] bool is_printable_name(std::string_view name);

/// The dotted form of an object identifier; empty if it has more than max_role_size characters.
[[nodiscard]] std::string dotted(const ASN1_OBJECT* oid);

[[nodiscard]] inline X509* x509_of(const Certificate& certificate) { return static_cast<X509*>(certificate.native()); }

}  // namespace cas::crypto
