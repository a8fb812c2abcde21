// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/tlv.hpp"
#include "crypto/digest.hpp"
#include "crypto/rsa.hpp"
#include "dcas/suite.hpp"

namespace cas::dcas {

// The form of all messages of figure 4 (docs/formats/dcas-messages.md). Big-endian.
//
//   content:
//     magic        2 bytes: 44 43, "DC"
//     version      1 byte: 1
//     type         1 byte
//     suite        1 byte: 1 the paper's, 2 extended
//     reserved     1 byte: 0
//     fields size  2 bytes
//     fields       TLV (base/tlv.hpp), by the type
//   signature size 2 bytes: 0 when the message is not signed
//   signature      RSASSA-PSS over the content
//   certificate size  2 bytes: 0 when the message has none
//   certificate    X.509, DER

/// The values stand in messages.
enum class MessageType : std::uint8_t {
  tp_cert_req = 1,         ///< SM to TP
  tp_cert_rsp = 2,         ///< TP to SM
  key_request_sm = 3,      ///< SM to AP
  key_request_ap = 4,      ///< AP to TA
  key_response_ta = 5,     ///< TA to AP
  key_response_ap = 6,     ///< AP to SM
  cwek_gen_info = 7,       ///< SM to TP
  cwek_gen_info_cnfm = 8,  ///< TP to SM
  challenge = 9,           ///< AP to SM, TA to AP: extended suite alone
};

inline constexpr std::size_t max_message_size = 32'768;
inline constexpr std::size_t message_header_size = 8;

inline constexpr std::size_t nonce_size = 16;
/// Drawn for one request or one session, and never again.
using Nonce = std::array<std::uint8_t, nonce_size>;

/// The parts of a message; views into it.
struct Message {
  Suite suite = Suite::paper;
  ByteView bytes;        ///< All of it.
  ByteView content;      ///< What the signature covers.
  ByteView field_bytes;  ///< Looked at when the signature was.
  ByteView signature;
  ByteView certificate;

  /// A whole message of this type, and nothing behind it. ErrorKind::malformed, truncated; unsupported for versions and
  /// suites that are not known.
  [[nodiscard]] static Result<Message> parse(ByteView bytes, MessageType type);
  /// ErrorKind::authentication_failed when it is not signed with this key.
  [[nodiscard]] Status verify(const crypto::RsaPublicKey& key) const;
  /// The fields; no other critical ones than `paper`, and in the extended suite `extended`.
  [[nodiscard]] Result<TlvFields> fields(std::initializer_list<TlvTag> paper,
                                         std::initializer_list<TlvTag> extended) const;
  [[nodiscard]] bool is_extended() const { return suite == Suite::extended; }
};

/// The message; not signed when `signer` is null. `certificate` is empty or DER.
[[nodiscard]] Result<Bytes> write_message(MessageType type, Suite suite, ByteView fields,
                                          const crypto::RsaPrivateKey* signer, ByteView certificate);

/// What RSA makes with keys of 2,048 to 8,192 bits has these sizes.
inline constexpr std::size_t min_rsa_size = 256, max_rsa_size = 1024;

/// A field of a fixed size.
template <std::size_t size>
[[nodiscard]] Result<std::array<std::uint8_t, size>> required_array(const TlvFields& fields, TlvTag tag) {
  CAS_TRY_ASSIGN(const ByteView value, fields.required(tag, size));
  std::array<std::uint8_t, size> array{};
  std::ranges::copy(value, array.begin());
  return array;
}

/// RSAES-OAEP as E(k, m) has it here, and its reverse for a plain text of `size` bytes.
[[nodiscard]] Result<Bytes> encrypt_for(const crypto::RsaPublicKey& key, const SecretBytes& plain);
[[nodiscard]] Result<SecretBytes> decrypt_with(const crypto::RsaPrivateKey& key, ByteView cipher_text,
                                               std::size_t size);

}  // namespace cas::dcas
