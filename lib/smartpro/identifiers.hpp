// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"

namespace cas::smartpro {

/// Certificate serial number of a token or host: its identity (paper, 3.4).
using SerialNumber = std::uint64_t;
/// As people and programs are shown it: 16 hexadecimal digits.
[[nodiscard]] std::string serial_text(SerialNumber serial);
/// Virtual domain identifier, drawn by the progenitor.
using Vdid = std::array<std::uint8_t, 8>;
/// Names a work across copies and re-protections; by default the file id of its first protection.
using ContentId = std::array<std::uint8_t, 16>;
using FileId = std::array<std::uint8_t, 16>;
using LicenceId = std::array<std::uint8_t, 16>;
/// SHA-256 of a protected file's header: what binds a licence to one content.
using HeaderDigest = std::array<std::uint8_t, 32>;

/// Of a control word that a token draws. Those for transport streams may be shorter (is_control_word_size).
inline constexpr std::size_t control_word_size = 16;

/// Public half of a key that signs revocation lists: the root's for the external list, a progenitor's for its domain's
/// (paper, 4.1). A P-256 point, uncompressed.
using RevocationKey = std::array<std::uint8_t, 65>;

/// What a token may do, fixed at its activation (paper, 2.1 and 3.2). The values stand on the wire.
enum class TokenKind : std::uint8_t {
  blank = 0,  ///< Has a key pair and a certificate, belongs to no domain.
  progenitor = 1,
  acquisition = 2,
  renderer = 3,
  processing = 4,
  master_bridge = 5,
  simple_bridge = 6,
  head_end = 7,  ///< An acquisition token that makes licences for control words from outside as well.
};
[[nodiscard]] const char* token_kind_name(TokenKind kind);
[[nodiscard]] Result<TokenKind> parse_token_kind(std::string_view name);

/// How content is scrambled. The values stand in licences and files.
enum class ContentCipher : std::uint8_t {
  aes_128_gcm = 1,  ///< Default: any change, reorder or cut is found.
  aes_128_ctr = 2,  ///< The paper's plain mode (2.2): finds neither changes nor a cut.
  /// The stream's own scrambler, which its scrambling_descriptor names. Never of a file; the word comes from outside.
  transport_stream = 16,
};
/// "aes-128-gcm", "aes-128-ctr", "transport-stream".
[[nodiscard]] const char* content_cipher_name(ContentCipher cipher);
[[nodiscard]] Result<ContentCipher> parse_content_cipher(std::string_view name);
/// A control word has 16 bytes; for a transport stream 16, or 8 (DVB-CSA2).
[[nodiscard]] bool is_control_word_size(ContentCipher cipher, std::size_t size);

/// Which way a transfer licence goes between two domains (paper, 2.3). The values stand in licences.
enum class TransferDirection : std::uint8_t {
  to_simple_bridge = 1,  ///< Out of the source domain.
  to_master_bridge = 2,  ///< Back into the source domain: the only way out of a simple bridge.
};

/// Copies a field whose size a reader has already checked.
template <typename Array>
[[nodiscard]] Array to_array(ByteView bytes) {
  Array array{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), array.size()), array.begin());
  return array;
}

}  // namespace cas::smartpro
