// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/identifiers.hpp"

#include <utility>

#include "base/writer.hpp"

namespace cas::smartpro {

namespace {

constexpr std::pair<TokenKind, const char*> kind_names[] = {
    {TokenKind::blank, "blank"},
    {TokenKind::progenitor, "progenitor"},
    {TokenKind::acquisition, "acquisition"},
    {TokenKind::renderer, "renderer"},
    {TokenKind::processing, "processing"},
    {TokenKind::master_bridge, "master-bridge"},
    {TokenKind::simple_bridge, "simple-bridge"},
    {TokenKind::head_end, "head-end"},
};

constexpr std::pair<ContentCipher, const char*> cipher_names[] = {
    {ContentCipher::aes_128_gcm, "aes-128-gcm"},
    {ContentCipher::aes_128_ctr, "aes-128-ctr"},
    {ContentCipher::transport_stream, "transport-stream"},
};

}  // namespace

std::string serial_text(SerialNumber serial) {
  ByteWriter writer;
  writer.u64(serial);
  return to_hex(writer.view());
}

const char* token_kind_name(TokenKind kind) {
  for (const auto& [value, name] : kind_names)
    if (value == kind) return name;
  return "unknown";
}

Result<TokenKind> parse_token_kind(std::string_view name) {
  for (const auto& [value, known] : kind_names)
    if (name == known) return value;
  return fail(ErrorKind::invalid_argument, "no kind of token is called '" + std::string(name) + "'");
}

const char* content_cipher_name(ContentCipher cipher) {
  for (const auto& [value, name] : cipher_names)
    if (value == cipher) return name;
  return "unknown";
}

Result<ContentCipher> parse_content_cipher(std::string_view name) {
  for (const auto& [value, known] : cipher_names)
    if (name == known) return value;
  return fail(ErrorKind::invalid_argument, "no content cipher is called '" + std::string(name) +
                                               "': give aes-128-gcm, aes-128-ctr or transport-stream");
}

bool is_control_word_size(ContentCipher cipher, std::size_t size) {
  return size == control_word_size || (cipher == ContentCipher::transport_stream && size == 8);
}

}  // namespace cas::smartpro
