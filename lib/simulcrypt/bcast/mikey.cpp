// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/mikey.hpp"

#include <algorithm>

#include "base/reader.hpp"

namespace cas::simulcrypt::bcast::mikey {

namespace {

constexpr std::uint8_t version = 1;
constexpr std::uint8_t cs_map_srtp = 0;
constexpr std::uint8_t cs_map_empty = 1;           // RFC 4563, table 3
constexpr std::size_t srtp_map_entry = 9;          // policy number, SSRC, ROC (RFC 3830, 6.1.1)
constexpr std::uint8_t timestamp_counter = 2;      // RFC 3830, table 6.6
constexpr std::uint8_t encryption_aes_cm_128 = 1;  // RFC 3830, table 6.2.a
constexpr std::uint8_t mac_hmac_sha1_160 = 1;      // RFC 3830, table 6.2.b

tl::unexpected<Error> unsupported(const char* what, unsigned value) {
  return fail(ErrorKind::unsupported, std::string("The MIKEY message has ") + what + " " + std::to_string(value));
}

// RFC 3830, 6.1. Gives the type of the next payload.
Result<std::uint8_t> read_header(ByteReader& reader, Message& message) {
  CAS_TRY_ASSIGN(const std::uint8_t its_version, reader.u8());
  if (its_version != version) return unsupported("version", its_version);
  CAS_TRY_ASSIGN(message.data_type, reader.u8());
  if (message.data_type != 0) return unsupported("data type", message.data_type);
  CAS_TRY_ASSIGN(const std::uint8_t next, reader.u8());
  CAS_TRY_ASSIGN(const unsigned verification_and_prf, reader.u8());
  if ((verification_and_prf & 0x7f) != 0) return unsupported("PRF", verification_and_prf & 0x7f);
  CAS_TRY_ASSIGN(message.csb_id, reader.u32());
  CAS_TRY_ASSIGN(const std::size_t sessions, reader.u8());
  CAS_TRY_ASSIGN(const std::uint8_t map_type, reader.u8());
  if (map_type > cs_map_empty) return unsupported("CS ID map type", map_type);
  if (map_type == cs_map_empty && sessions != 0) {
    return fail(ErrorKind::malformed, "The MIKEY message has an empty map with crypto sessions in it");
  }
  CAS_TRY(reader.bytes(map_type == cs_map_srtp ? sessions * srtp_map_entry : 0).map([](ByteView) {}));
  return next;
}

struct Seen {
  bool timestamp = false;
  std::size_t identities = 0;
};

Status read_timestamp(ByteReader& reader, Message& message, Seen& seen) {
  if (std::exchange(seen.timestamp, true)) return fail(ErrorKind::malformed, "The MIKEY message has two timestamps");
  CAS_TRY_ASSIGN(const std::uint8_t type, reader.u8());
  if (type != timestamp_counter) return unsupported("a timestamp of type", type);
  CAS_TRY_ASSIGN(message.counter, reader.u32());
  return {};
}

Status read_identity(ByteReader& reader, Message& message, Seen& seen) {
  if (++seen.identities > 2) return fail(ErrorKind::malformed, "The MIKEY message has more than two identities");
  CAS_TRY_ASSIGN(const std::uint8_t type, reader.u8());
  if (type > 2) return unsupported("an identity of type", type);  // NAI, URI, octets
  CAS_TRY_ASSIGN(const std::size_t size, reader.u16());
  if (size == 0 || size > max_identity_size) {
    return fail(ErrorKind::malformed, "An identity of a MIKEY message has 1 to 255 bytes");
  }
  CAS_TRY_ASSIGN((seen.identities == 1 ? message.initiator : message.responder), reader.bytes(size));
  return {};
}

Status read_random(ByteReader& reader, Message& message) {
  if (!message.rand.empty()) return fail(ErrorKind::malformed, "The MIKEY message has two RANDs");
  CAS_TRY_ASSIGN(const std::size_t size, reader.u8());
  if (size < rand_size) return fail(ErrorKind::malformed, "A RAND of a MIKEY message has at least 16 bytes");
  CAS_TRY_ASSIGN(message.rand, reader.bytes(size));
  return {};
}

Status read_extension(ByteReader& reader, Message& message) {
  Extension extension;
  CAS_TRY_ASSIGN(extension.type, reader.u8());
  CAS_TRY_ASSIGN(const std::size_t size, reader.u16());
  CAS_TRY_ASSIGN(extension.data, reader.bytes(size));
  if (message.extension(extension.type)) return fail(ErrorKind::malformed, "A MIKEY message has an extension twice");
  message.extensions.push_back(extension);
  return {};
}

// RFC 3830, 6.2; it is the last payload of a pre-shared key message.
Status read_kemac(ByteReader& reader, std::uint8_t next, ByteView bytes, Message& message) {
  if (next != last_payload) return fail(ErrorKind::malformed, "KEMAC is not the last payload of the MIKEY message");
  CAS_TRY_ASSIGN(const std::uint8_t encryption, reader.u8());
  if (encryption != encryption_aes_cm_128) return unsupported("an encryption algorithm", encryption);
  CAS_TRY_ASSIGN(const std::size_t size, reader.u16());
  CAS_TRY_ASSIGN(message.encrypted, reader.bytes(size));
  CAS_TRY_ASSIGN(const std::uint8_t mac_algorithm, reader.u8());
  if (mac_algorithm != mac_hmac_sha1_160) return unsupported("a MAC algorithm", mac_algorithm);
  message.authenticated = bytes.first(reader.position());
  CAS_TRY_ASSIGN(message.mac, reader.bytes(mac_size));
  return reader.expect_end("The MIKEY message");
}

}  // namespace

std::optional<ByteView> Message::extension(std::uint8_t type) const {
  const auto found = std::ranges::find(extensions, type, &Extension::type);
  if (found == extensions.end()) return std::nullopt;
  return found->data;
}

Result<Message> Message::parse(ByteView bytes) {
  if (bytes.size() > max_message_size) {
    return fail(ErrorKind::malformed, "The MIKEY message has more than 4,096 bytes");
  }
  ByteReader reader(bytes);
  Message message;
  Seen seen;
  CAS_TRY_ASSIGN(std::uint8_t type, read_header(reader, message));
  for (std::size_t count = 0; type != last_payload; ++count) {
    if (count == max_payloads) return fail(ErrorKind::malformed, "The MIKEY message has more than 16 payloads");
    CAS_TRY_ASSIGN(const std::uint8_t next, reader.u8());
    switch (type) {
      case timestamp: CAS_TRY(read_timestamp(reader, message, seen)); break;
      case identity: CAS_TRY(read_identity(reader, message, seen)); break;
      case random: CAS_TRY(read_random(reader, message)); break;
      case general_extension: CAS_TRY(read_extension(reader, message)); break;
      case kemac: CAS_TRY(read_kemac(reader, next, bytes, message)); break;
      default: return unsupported("a payload of type", type);
    }
    type = next;
  }
  if (!seen.timestamp || message.mac.empty()) {
    return fail(ErrorKind::malformed, "The MIKEY message has no timestamp, or no KEMAC");
  }
  if (seen.identities == 1) return fail(ErrorKind::malformed, "The MIKEY message has one identity alone");
  return message;
}

}  // namespace cas::simulcrypt::bcast::mikey
