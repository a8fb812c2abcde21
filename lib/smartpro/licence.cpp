// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/licence.hpp"

#include "base/reader.hpp"
#include "base/tlv.hpp"
#include "base/writer.hpp"
#include "crypto/aes.hpp"
#include "crypto/constant_time.hpp"
#include "crypto/kdf.hpp"
#include "crypto/mac.hpp"

namespace cas::smartpro {

namespace {

constexpr TlvTag tag_version = 0x80;
constexpr TlvTag tag_vdid = 0x81;
constexpr TlvTag tag_content_id = 0x82;
constexpr TlvTag tag_licence_id = 0x83;
constexpr TlvTag tag_issuer = 0x84;
constexpr TlvTag tag_cipher = 0x85;
constexpr TlvTag tag_key_period = 0x86;
constexpr TlvTag tag_header_digest = 0x87;
constexpr TlvTag tag_transfer = 0x8a;
constexpr TlvTag tag_origins = 0x8b;
constexpr TlvTag tag_summary = 0xc8;
constexpr TlvTag tag_encrypted_part = 0x88;
constexpr TlvTag tag_mac = 0x89;

constexpr TlvTag tag_secret_control_word = 0x80;
constexpr TlvTag tag_secret_rights = 0x81;

constexpr std::size_t origin_size = sizeof(Vdid) + sizeof(SerialNumber);
constexpr std::size_t max_encrypted_size = 1024;
constexpr std::size_t mac_field_size = 2 + crypto::cmac_size;

struct LicenceKeys {
  SecretBytes encryption;
  SecretBytes mac;
};

Result<LicenceKeys> derive_keys(const SecretBytes& domain_key, const LicenceId& licence_id) {
  LicenceKeys keys;
  CAS_TRY_ASSIGN(keys.encryption, crypto::kbkdf_cmac(domain_key, "SmartPRO LECM encryption", licence_id, 32));
  CAS_TRY_ASSIGN(keys.mac, crypto::kbkdf_cmac(domain_key, "SmartPRO LECM MAC", licence_id, 32));
  return keys;
}

Status apply_key_stream(const SecretBytes& key, ByteView in, MutableByteView out) {
  static constexpr std::array<std::uint8_t, crypto::aes_block_size> first_block{};
  CAS_TRY_ASSIGN(crypto::AesCtr cipher, crypto::AesCtr::create(key, first_block));
  return cipher.apply(in, out);
}

Result<ContentCipher> cipher_from_wire(std::uint64_t value) {
  switch (value) {
    case static_cast<std::uint64_t>(ContentCipher::aes_128_gcm): return ContentCipher::aes_128_gcm;
    case static_cast<std::uint64_t>(ContentCipher::aes_128_ctr): return ContentCipher::aes_128_ctr;
    case static_cast<std::uint64_t>(ContentCipher::transport_stream): return ContentCipher::transport_stream;
    default:
      return fail(ErrorKind::unsupported,
                  "licence is for content cipher " + std::to_string(value) + ", which this version does not know");
  }
}

Status read_transfer(const TlvFields& fields, LicenceView& view) {
  if (!fields.optional(tag_transfer)) return {};
  CAS_TRY_ASSIGN(const std::uint64_t direction, fields.required_number(tag_transfer, 1));
  if (direction != static_cast<std::uint64_t>(TransferDirection::to_simple_bridge) &&
      direction != static_cast<std::uint64_t>(TransferDirection::to_master_bridge))
    return fail(ErrorKind::unsupported, "licence is for a transfer that this version does not know");
  view.transfer = static_cast<TransferDirection>(direction);
  return {};
}

Status read_origins(const TlvFields& fields, LicenceView& view) {
  if (!fields.optional(tag_origins)) return {};
  CAS_TRY_ASSIGN(const ByteView value, fields.required(tag_origins, origin_size, max_licence_origins * origin_size));
  if (value.size() % origin_size != 0) return fail(ErrorKind::malformed, "licence has half an origin");
  ByteReader reader(value);
  while (!reader.empty()) {
    LicenceOrigin origin;
    CAS_TRY_ASSIGN(const ByteView domain, reader.bytes(sizeof(Vdid)));
    origin.domain = to_array<Vdid>(domain);
    CAS_TRY_ASSIGN(origin.master_bridge, reader.u64());
    view.origins.push_back(origin);
  }
  return {};
}

void write_passage(TlvWriter& writer, const LicenceTerms& terms) {
  if (terms.transfer) writer.number(tag_transfer, static_cast<std::uint64_t>(*terms.transfer), 1);
  if (terms.origins.empty()) return;
  ByteWriter origins;
  for (const LicenceOrigin& origin : terms.origins) origins.bytes(origin.domain).u64(origin.master_bridge);
  writer.field(tag_origins, origins.view());
}

template <typename Array>
Status read_array(const TlvFields& fields, TlvTag tag, Array& into) {
  CAS_TRY_ASSIGN(const ByteView value, fields.required(tag, into.size()));
  into = to_array<Array>(value);
  return {};
}

}  // namespace

Result<LicenceView> LicenceView::parse(ByteView lecm) {
  if (lecm.size() > max_lecm_size) return fail(ErrorKind::malformed, "licence is longer than 4096 bytes");
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(lecm, "licence"));
  CAS_TRY_ASSIGN(const std::uint64_t version, fields.required_number(tag_version, 1));
  if (version != licence_version)
    return fail(ErrorKind::unsupported, "licence is of version " + std::to_string(version) + "; this version reads 1");
  CAS_TRY(
      fields.check_known({tag_version, tag_vdid, tag_content_id, tag_licence_id, tag_issuer, tag_cipher, tag_key_period,
                          tag_header_digest, tag_transfer, tag_origins, tag_encrypted_part, tag_mac}));
  LicenceView view;
  view.version = static_cast<std::uint8_t>(version);
  CAS_TRY(read_array(fields, tag_vdid, view.vdid));
  CAS_TRY(read_array(fields, tag_content_id, view.content_id));
  CAS_TRY(read_array(fields, tag_licence_id, view.licence_id));
  CAS_TRY_ASSIGN(view.issuer, fields.required_number(tag_issuer, 8));
  CAS_TRY_ASSIGN(const std::uint64_t cipher, fields.required_number(tag_cipher, 1));
  CAS_TRY_ASSIGN(view.cipher, cipher_from_wire(cipher));
  CAS_TRY_ASSIGN(const std::uint64_t period, fields.required_number(tag_key_period, 4));
  view.key_period = static_cast<std::uint32_t>(period);
  CAS_TRY(read_array(fields, tag_header_digest, view.header_digest));
  CAS_TRY(read_transfer(fields, view));
  CAS_TRY(read_origins(fields, view));
  if (const auto summary = fields.optional(tag_summary)) {
    CAS_TRY_ASSIGN(view.summary, UsageRights::parse(*summary));
  }
  CAS_TRY_ASSIGN(view.encrypted_part, fields.required(tag_encrypted_part, 1, max_encrypted_size));
  CAS_TRY_ASSIGN(view.mac, fields.required(tag_mac, crypto::cmac_size));
  // The MAC covers all before it: nothing may stand behind it.
  if (fields.all().back().tag != tag_mac) return fail(ErrorKind::malformed, "licence goes on after its MAC");
  view.authenticated_bytes = lecm.first(lecm.size() - mac_field_size);
  return view;
}

Result<Bytes> seal_licence(const SecretBytes& domain_key, const LicenceTerms& terms, const SecretBytes& control_word) {
  if (!is_control_word_size(terms.cipher, control_word.size()))
    return fail(ErrorKind::invalid_argument, "a control word has 16 bytes, or 8 where it is for a transport stream");
  if (terms.origins.size() > max_licence_origins)
    return fail(ErrorKind::exhausted, "the content has come through as many domains as a licence can name");
  CAS_TRY_ASSIGN(const LicenceKeys keys, derive_keys(domain_key, terms.licence_id));
  const Bytes rights = terms.rights.encode();

  SecretTlvWriter secret_writer;
  secret_writer.field(tag_secret_control_word, control_word.reveal()).field(tag_secret_rights, rights);
  const SecretBytes secret = secret_writer.take();
  Bytes encrypted(secret.size());
  CAS_TRY(apply_key_stream(keys.encryption, secret.reveal(), encrypted));

  TlvWriter writer;
  writer.number(tag_version, licence_version, 1)
      .field(tag_vdid, terms.vdid)
      .field(tag_content_id, terms.content_id)
      .field(tag_licence_id, terms.licence_id)
      .number(tag_issuer, terms.issuer, 8)
      .number(tag_cipher, static_cast<std::uint64_t>(terms.cipher), 1)
      .number(tag_key_period, terms.key_period, 4)
      .field(tag_header_digest, terms.header_digest);
  write_passage(writer, terms);
  writer.field(tag_summary, rights).field(tag_encrypted_part, encrypted);
  CAS_TRY_ASSIGN(const crypto::Cmac mac, crypto::aes_cmac(keys.mac, {writer.view()}));
  writer.field(tag_mac, mac);
  if (writer.size() > max_lecm_size) return fail(ErrorKind::exhausted, "licence would be longer than 4096 bytes");
  return writer.take();
}

Result<UnsealedLicence> unseal_licence(const SecretBytes& domain_key, const LicenceView& view) {
  CAS_TRY_ASSIGN(const LicenceKeys keys, derive_keys(domain_key, view.licence_id));
  CAS_TRY_ASSIGN(const crypto::Cmac mac, crypto::aes_cmac(keys.mac, {view.authenticated_bytes}));
  if (!crypto::constant_time_equal(mac, view.mac))
    return fail(ErrorKind::authentication_failed, "licence was changed, or is not of this domain");

  SecretBytes secret(view.encrypted_part.size());
  CAS_TRY(apply_key_stream(keys.encryption, view.encrypted_part, secret.reveal_mutable()));
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(secret.reveal(), "licence's encrypted part"));
  CAS_TRY(fields.check_known({tag_secret_control_word, tag_secret_rights}));
  CAS_TRY_ASSIGN(const ByteView control_word, fields.required(tag_secret_control_word));
  if (!is_control_word_size(view.cipher, control_word.size()))
    return fail(ErrorKind::malformed, "licence has a control word of a size that is not of its content cipher");
  CAS_TRY_ASSIGN(const ByteView rights, fields.required(tag_secret_rights));

  UnsealedLicence unsealed;
  unsealed.terms = {view.vdid,     view.content_id, view.licence_id,    view.issuer,
                    view.cipher,   view.key_period, view.header_digest, {},
                    view.transfer, view.origins};
  CAS_TRY_ASSIGN(unsealed.terms.rights, UsageRights::parse(rights));
  unsealed.control_word = SecretBytes::copy_of(control_word);
  return unsealed;
}

}  // namespace cas::smartpro
