// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

#include "base/error.hpp"
#include "base/random.hpp"
#include "crypto/rsa.hpp"
#include "kex/cpix_document.hpp"

namespace cas::kex {

/// Encrypted delivery (CPIX, 6.1.4): a document key of 256 bits goes under RSA-OAEP to each recipient; under it go the
/// content keys, as IV || AES-256-CBC with PKCS #7 padding; and each is authenticated by HMAC-SHA-512 under a MAC key
/// that goes the same way.
inline constexpr std::string_view aes_256_cbc_uri = "http://www.w3.org/2001/04/xmlenc#aes256-cbc";
inline constexpr std::string_view rsa_oaep_uri = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
inline constexpr std::string_view hmac_sha512_uri = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha512";

/// At most so many recipients are served: each costs an RSA operation.
inline constexpr std::size_t max_recipients = 16;

/// Puts the document's keys under a new document key for all its recipients; `value` of each is emptied. A document
/// without recipients is left as it is. ErrorKind::unsupported and malformed for a certificate that cannot be used,
/// with its place; exhausted for too many recipients.
[[nodiscard]] Status encrypt_keys(CpixDocument& document, Random& random);

/// Opens the keys that are encrypted, as the recipient with this key: `value` of each is filled. Each MAC is verified
/// before its value is decrypted. ErrorKind::refused when the document is not for this key, or a value has no MAC;
/// authentication_failed when a MAC is not right or a value does not decrypt; unsupported for another algorithm.
/// On failure no key has a value that was encrypted.
[[nodiscard]] Status decrypt_keys(CpixDocument& document, const crypto::RsaPrivateKey& key);

/// Whether any key is encrypted.
[[nodiscard]] bool has_encrypted_keys(const CpixDocument& document);

}  // namespace cas::kex
