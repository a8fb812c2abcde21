// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/clock.hpp"
#include "base/error.hpp"
#include "crypto/certificate_profile.hpp"

namespace cas::crypto {

/// Internal to crypto/, not installed: a leaf and the root above it, whatever kind of key they have.

/// In what certificates of one kind differ from those of another.
struct ChainProfile {
  /// The inner and the outer identifier are the same: X509_verify checks it (RFC 5280, 4.1.1.2).
  bool (*is_signed_well)(const X509*);
  const char* signature;     ///< What is_signed_well asks for.
  std::uint32_t leaf_usage;  ///< keyUsage of a leaf: this and no more.
  const char* usage;         ///< That in words.
};

/// Whether `root` has issued `leaf`, without regard to time. ErrorKind::authentication_failed.
[[nodiscard]] Status verify_chain(X509* leaf, X509* root, const ChainProfile& profile);
/// Whether this is a self-signed CA certificate that may issue.
[[nodiscard]] Status verify_root(X509* root, const ChainProfile& profile);
/// RFC 5280, 4.1.2.5: valid from notBefore through notAfter, both included. OpenSSL leaves out the last second.
[[nodiscard]] Status check_certificate_time(UnixSeconds not_before, UnixSeconds not_after, UnixSeconds at,
                                            const char* what);

}  // namespace cas::crypto
