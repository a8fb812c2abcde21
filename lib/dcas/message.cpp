// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/message.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "base/reader.hpp"
#include "base/writer.hpp"

namespace cas::dcas {

namespace {

constexpr std::uint16_t magic = 0x4443;
constexpr std::uint8_t version = 1;
constexpr std::size_t max_fields = 16;

Result<Suite> read_suite(std::uint8_t value) {
  if (value != static_cast<std::uint8_t>(Suite::paper) && value != static_cast<std::uint8_t>(Suite::extended))
    return fail(ErrorKind::unsupported, "a DCAS message of a suite that is not known here: " + std::to_string(value));
  return static_cast<Suite>(value);
}

}  // namespace

Result<Message> Message::parse(ByteView bytes, MessageType type) {
  if (bytes.size() > max_message_size)
    return fail(ErrorKind::malformed, "a DCAS message has at most 32,768 bytes, not " + std::to_string(bytes.size()));
  ByteReader reader(bytes);
  CAS_TRY_ASSIGN(const std::uint16_t start, reader.u16());
  if (start != magic) return fail(ErrorKind::malformed, "this is not a DCAS message");
  CAS_TRY_ASSIGN(const std::uint8_t its_version, reader.u8());
  if (its_version != version)
    return fail(ErrorKind::unsupported,
                "a DCAS message of version " + std::to_string(its_version) + ", and 1 is known");
  CAS_TRY_ASSIGN(const std::uint8_t its_type, reader.u8());
  if (its_type != static_cast<std::uint8_t>(type))
    return fail(ErrorKind::malformed, "a DCAS message of type " + std::to_string(its_type) + ", and " +
                                          std::to_string(static_cast<unsigned>(type)) + " is awaited");
  Message message;
  CAS_TRY_ASSIGN(const std::uint8_t suite, reader.u8());
  CAS_TRY_ASSIGN(message.suite, read_suite(suite));
  CAS_TRY_ASSIGN(const std::uint8_t reserved, reader.u8());
  if (reserved != 0) return fail(ErrorKind::malformed, "the reserved byte of a DCAS message is 0");
  CAS_TRY_ASSIGN(const std::uint16_t fields_size, reader.u16());
  CAS_TRY_ASSIGN(message.field_bytes, reader.bytes(fields_size));
  message.bytes = bytes;
  message.content = bytes.first(reader.position());
  CAS_TRY_ASSIGN(const std::uint16_t signature_size, reader.u16());
  CAS_TRY_ASSIGN(message.signature, reader.bytes(signature_size));
  CAS_TRY_ASSIGN(const std::uint16_t certificate_size, reader.u16());
  CAS_TRY_ASSIGN(message.certificate, reader.bytes(certificate_size));
  CAS_TRY(reader.expect_end("a DCAS message"));
  return message;
}

Status Message::verify(const crypto::RsaPublicKey& key) const { return key.verify(content, signature); }

Result<TlvFields> Message::fields(std::initializer_list<TlvTag> paper, std::initializer_list<TlvTag> extended) const {
  CAS_TRY_ASSIGN(TlvFields fields, TlvFields::parse(field_bytes, "DCAS message", max_fields));
  if (is_extended())
    CAS_TRY(fields.check_known(extended));
  else
    CAS_TRY(fields.check_known(paper));
  return fields;
}

Result<Bytes> write_message(MessageType type, Suite suite, ByteView fields, const crypto::RsaPrivateKey* signer,
                            ByteView certificate) {
  if (fields.size() > 0xffff || certificate.size() > 0xffff)
    return fail(ErrorKind::invalid_argument, "fields and certificate of a DCAS message have at most 65,535 bytes each");
  ByteWriter out;
  out.u16(magic).u8(version).u8(static_cast<std::uint8_t>(type)).u8(static_cast<std::uint8_t>(suite)).u8(0);
  out.u16(static_cast<std::uint16_t>(fields.size())).bytes(fields);
  Bytes signature;
  if (signer != nullptr) {
    CAS_TRY_ASSIGN(signature, signer->sign(out.view()));
  }
  out.u16(static_cast<std::uint16_t>(signature.size())).bytes(signature);
  out.u16(static_cast<std::uint16_t>(certificate.size())).bytes(certificate);
  if (out.size() > max_message_size)
    return fail(ErrorKind::invalid_argument, "a DCAS message has at most 32,768 bytes");
  return out.take();
}

Result<Bytes> encrypt_for(const crypto::RsaPublicKey& key, const SecretBytes& plain) {
  return key.encrypt(plain, crypto::OaepHash::sha256);
}

Result<SecretBytes> decrypt_with(const crypto::RsaPrivateKey& key, ByteView cipher_text, std::size_t size) {
  CAS_TRY_ASSIGN(SecretBytes plain, key.decrypt(cipher_text, crypto::OaepHash::sha256));
  if (plain.size() != size)
    return fail(ErrorKind::malformed, "what was encrypted for us has " + std::to_string(plain.size()) + " bytes, and " +
                                          std::to_string(size) + " are awaited");
  return plain;
}

}  // namespace cas::dcas
