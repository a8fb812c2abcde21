// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/base64.hpp"

#include <algorithm>

#include "crypto/constant_time.hpp"
#include "crypto/openssl_handles.hpp"

namespace cas::crypto {

namespace {

// EVP_EncodeBlock counts in int, and writes a terminating zero.
constexpr std::size_t max_text = std::size_t{1} << 30;

constexpr std::size_t encoded_size(std::size_t size) { return (size + 2) / 3 * 4; }

/// `out` has room for the text and a zero.
void encode(ByteView bytes, std::uint8_t* out) { EVP_EncodeBlock(out, bytes.data(), static_cast<int>(bytes.size())); }

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

Result<SecretBytes> without_spaces(std::string_view text, std::size_t max_size) {
  const auto size = text.size() - static_cast<std::size_t>(std::ranges::count_if(text, is_space));
  if (size > std::min(encoded_size(max_size), max_text))
    return fail(ErrorKind::exhausted, "base64 text of more than " + std::to_string(max_size) + " bytes");
  SecretBytes dense(size);
  std::ranges::copy_if(text, reinterpret_cast<char*>(dense.reveal_mutable().data()),
                       [](char c) { return !is_space(c); });
  return dense;
}

}  // namespace

std::string to_base64(ByteView bytes) {
  std::string text(encoded_size(bytes.size()) + 1, '\0');
  encode(bytes, reinterpret_cast<std::uint8_t*>(text.data()));
  text.pop_back();
  return text;
}

SecretBytes to_base64_secret(const SecretBytes& secret) {
  SecretBytes text(encoded_size(secret.size()) + 1);
  encode(secret.reveal(), text.reveal_mutable().data());
  return SecretBytes::copy_of(text.reveal().first(text.size() - 1));
}

Result<SecretBytes> from_base64_secret(std::string_view text, std::size_t max_size) {
  CAS_TRY_ASSIGN(const SecretBytes dense, without_spaces(text, max_size));
  const ByteView digits = dense.reveal();
  if (digits.empty()) return SecretBytes();
  const auto wrong = [] { return fail(ErrorKind::malformed, "this is not base64 (RFC 4648, 4)"); };
  if (digits.size() % 4 != 0) return wrong();
  SecretBytes decoded(digits.size() / 4 * 3);
  if (EVP_DecodeBlock(decoded.reveal_mutable().data(), digits.data(), static_cast<int>(digits.size())) < 0)
    return wrong();
  std::size_t padding = 0;
  while (padding < 2 && digits[digits.size() - 1 - padding] == '=') ++padding;
  SecretBytes bytes = SecretBytes::copy_of(decoded.reveal().first(decoded.size() - padding));
  // OpenSSL takes padding in the middle, and any bits behind the last byte.
  if (!constant_time_equal(to_base64_secret(bytes).reveal(), digits)) return wrong();
  if (bytes.size() > max_size)
    return fail(ErrorKind::exhausted, "base64 text of more than " + std::to_string(max_size) + " bytes");
  return bytes;
}

Result<Bytes> from_base64(std::string_view text, std::size_t max_size) {
  CAS_TRY_ASSIGN(const SecretBytes bytes, from_base64_secret(text, max_size));
  return copy_of(bytes.reveal());
}

}  // namespace cas::crypto
