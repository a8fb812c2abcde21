// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

#include "base/tlv.hpp"
#include "crypto/signature.hpp"

namespace cas::smartpro {

// A TLV container whose last field, 86, is a signature (ECDSA P-256 with SHA-256, DER) over a label, which says what it
// is, and all bytes before that field.

inline constexpr TlvTag tag_fields_signature = 0x86;

/// The container: `fields` with its signature behind it.
[[nodiscard]] Result<Bytes> sign_fields(TlvWriter fields, std::string_view label, const crypto::SigningKey& key);

/// Splits a container into its parts; all views go into `bytes`.
struct SignedFields {
  TlvFields fields;
  ByteView signature;
  ByteView signed_bytes;

  /// At most `max_size` bytes. ErrorKind::malformed or truncated; `what` names the container in errors.
  [[nodiscard]] static Result<SignedFields> parse(ByteView bytes, std::size_t max_size, const char* what);
  /// ErrorKind::authentication_failed when the signature is not right. `public_key` is a P-256 point of 65 bytes.
  [[nodiscard]] Status verify(std::string_view label, ByteView public_key) const;
};

}  // namespace cas::smartpro
