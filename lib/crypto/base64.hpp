// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"

namespace cas::crypto {

/// Base64 (RFC 4648, 4) with padding, on one line.
[[nodiscard]] std::string to_base64(ByteView bytes);
/// The same for a secret: characters, without a terminating zero.
[[nodiscard]] SecretBytes to_base64_secret(const SecretBytes& secret);

/// Reads what to_base64 writes; white space (blank, tab, CR, LF) anywhere is skipped, as XML's xs:base64Binary has it.
/// ErrorKind::malformed for other characters, wrong padding and bits that are not 0 behind the last byte (RFC 4648,
/// 3.5); exhausted for more than `max_size` bytes. Errors never have the text, which may be a key.
[[nodiscard]] Result<Bytes> from_base64(std::string_view text, std::size_t max_size);
[[nodiscard]] Result<SecretBytes> from_base64_secret(std::string_view text, std::size_t max_size);

}  // namespace cas::crypto
