// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/progenitor_secrets.hpp"

#include "base/reader.hpp"
#include "base/tlv.hpp"
#include "base/writer.hpp"
#include "crypto/constant_time.hpp"
#include "smartpro/authorisation_mask.hpp"
#include "smartpro/bridge_keys.hpp"
#include "smartpro/licence.hpp"
#include "smartpro/token_lists.hpp"
#include "smartpro/token_memory.hpp"

namespace cas::smartpro {

namespace {

constexpr TlvTag tag_domain_key = 0x80;
constexpr TlvTag tag_register_key = 0x81;
constexpr TlvTag tag_revocation_private = 0x82;
constexpr TlvTag tag_mkmb = 0x83;
constexpr TlvTag tag_mksb = 0x84;
constexpr TlvTag tag_register_head = 0x85;
constexpr TlvTag tag_vdid = 0x86;
constexpr TlvTag tag_revocation_key = 0x87;
constexpr TlvTag tag_irl_header = 0x88;
constexpr TlvTag tag_mask_header = 0x89;
constexpr TlvTag tag_next_index = 0x8a;
constexpr TlvTag tag_generation = 0x8b;
constexpr TlvTag tag_previous_domain_key = 0x8c;

constexpr std::size_t register_key_size = 32;
constexpr std::size_t revocation_private_size = 32;

Result<SecretBytes> secret_field(const TlvFields& fields, TlvTag tag, std::size_t size) {
  CAS_TRY_ASSIGN(const ByteView value, fields.required(tag, size));
  return SecretBytes::copy_of(value);
}

}  // namespace

Result<std::uint64_t> load_number(const card::AppletMemory& memory, std::uint16_t object, std::uint64_t missing) {
  const SecretBytes stored = memory.read(object);
  if (stored.empty()) return missing;
  return ByteReader(stored.reveal()).u64();
}

Status store_number(card::AppletMemory& memory, std::uint16_t object, std::uint64_t value) {
  ByteWriter writer;
  writer.u64(value);
  return memory.write(object, writer.view());
}

Result<crypto::SigningKey> load_revocation_key(const card::AppletMemory& memory) {
  const SecretBytes stored = memory.read(object::revocation_private);
  if (stored.empty()) return fail(ErrorKind::refused, "this token has no revocation key");
  return crypto::SigningKey::from_private(stored);
}

Result<ProgenitorSecrets> ProgenitorSecrets::load(card::AppletMemory& memory) {
  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory));
  if (membership.kind != TokenKind::progenitor) return fail(ErrorKind::refused, "this progenitor has no domain yet");
  ProgenitorSecrets secrets;
  secrets.domain_key = memory.read(object::domain_key);
  secrets.previous_domain_key = memory.read(object::previous_domain_key);
  secrets.register_key = memory.read(object::register_key);
  secrets.revocation_private = memory.read(object::revocation_private);
  secrets.master_bridge_master_key = memory.read(object::master_bridge_master_key);
  secrets.simple_bridge_master_key = memory.read(object::simple_bridge_master_key);
  CAS_TRY_ASSIGN(const auto last, DomainRegister(memory).last());
  secrets.register_head = last.second;
  secrets.vdid = membership.vdid;
  secrets.revocation_key = membership.revocation_key;
  secrets.irl_header = TokenLists(memory).header(RevocationListKind::internal).value_or(Bytes{});
  secrets.mask_header = copy_of(memory.read(object::progenitor_mask).reveal());
  CAS_TRY_ASSIGN(const std::uint64_t next_index, load_number(memory, object::next_bridge_index, 1));
  secrets.next_bridge_index = static_cast<std::uint32_t>(next_index);
  CAS_TRY_ASSIGN(secrets.generation, load_number(memory, object::generation, 1));
  return secrets;
}

Status ProgenitorSecrets::store(card::AppletMemory& memory, SerialNumber progenitor) const {
  const Membership membership{TokenKind::progenitor, vdid, progenitor, revocation_key};
  CAS_TRY(memory.write(object::domain_key, domain_key.reveal()));
  if (!previous_domain_key.empty()) CAS_TRY(memory.write(object::previous_domain_key, previous_domain_key.reveal()));
  CAS_TRY(memory.write(object::register_key, register_key.reveal()));
  CAS_TRY(memory.write(object::revocation_private, revocation_private.reveal()));
  CAS_TRY(memory.write(object::master_bridge_master_key, master_bridge_master_key.reveal()));
  CAS_TRY(memory.write(object::simple_bridge_master_key, simple_bridge_master_key.reveal()));
  if (register_head) CAS_TRY(memory.write(object::register_head, *register_head));
  CAS_TRY(memory.write(object::progenitor_mask, mask_header));
  CAS_TRY(store_number(memory, object::next_bridge_index, next_bridge_index));
  CAS_TRY(store_number(memory, object::generation, generation));
  CAS_TRY(TokenLists(memory).take_first_internal(irl_header, membership));
  return store_membership(memory, membership);
}

Status ProgenitorSecrets::check_renews(card::AppletMemory& memory) const {
  if (memory.read(object::dormant_backup).empty())
    return fail(ErrorKind::refused, "this token belongs to a domain already");
  CAS_TRY_ASSIGN(const ProgenitorSecrets held, load(memory));
  // Who knows the domain's revocation key is its progenitor.
  if (held.vdid != vdid || !crypto::constant_time_equal(held.revocation_private.reveal(), revocation_private.reveal()))
    return fail(ErrorKind::refused, "this token is a backup of another domain's progenitor");
  const auto records = [](const std::optional<RegisterRecord>& head) -> Result<std::uint64_t> {
    if (!head) return std::uint64_t{0};
    return ByteReader(*head).u64();
  };
  CAS_TRY_ASSIGN(const std::uint64_t known, records(held.register_head));
  CAS_TRY_ASSIGN(const std::uint64_t given, records(register_head));
  return given >= known ? Status{} : fail(ErrorKind::refused, "this token has a newer backup already");
}

SecretBytes ProgenitorSecrets::encode() const {
  SecretTlvWriter writer;
  writer.field(tag_domain_key, domain_key.reveal())
      .field(tag_register_key, register_key.reveal())
      .field(tag_revocation_private, revocation_private.reveal())
      .field(tag_mkmb, master_bridge_master_key.reveal())
      .field(tag_mksb, simple_bridge_master_key.reveal());
  if (register_head) writer.field(tag_register_head, *register_head);
  writer.field(tag_vdid, vdid)
      .field(tag_revocation_key, revocation_key)
      .field(tag_irl_header, irl_header)
      .field(tag_mask_header, mask_header)
      .number(tag_next_index, next_bridge_index, 4)
      .number(tag_generation, generation, 8);
  if (!previous_domain_key.empty()) writer.field(tag_previous_domain_key, previous_domain_key.reveal());
  return writer.take();
}

Result<ProgenitorSecrets> ProgenitorSecrets::parse(ByteView bytes) {
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(bytes, "backup of a progenitor"));
  CAS_TRY(fields.check_known({tag_domain_key, tag_register_key, tag_revocation_private, tag_mkmb, tag_mksb,
                              tag_register_head, tag_vdid, tag_revocation_key, tag_irl_header, tag_mask_header,
                              tag_next_index, tag_generation, tag_previous_domain_key}));
  ProgenitorSecrets secrets;
  CAS_TRY_ASSIGN(secrets.domain_key, secret_field(fields, tag_domain_key, domain_key_size));
  CAS_TRY_ASSIGN(secrets.register_key, secret_field(fields, tag_register_key, register_key_size));
  CAS_TRY_ASSIGN(secrets.revocation_private, secret_field(fields, tag_revocation_private, revocation_private_size));
  CAS_TRY_ASSIGN(secrets.master_bridge_master_key, secret_field(fields, tag_mkmb, bridge_master_key_size));
  CAS_TRY_ASSIGN(secrets.simple_bridge_master_key, secret_field(fields, tag_mksb, bridge_master_key_size));
  if (fields.optional(tag_register_head)) {
    CAS_TRY_ASSIGN(const ByteView head, fields.required(tag_register_head, register_record_size));
    secrets.register_head = to_array<RegisterRecord>(head);
  }
  CAS_TRY_ASSIGN(const ByteView vdid, fields.required(tag_vdid, sizeof(Vdid)));
  secrets.vdid = to_array<Vdid>(vdid);
  CAS_TRY_ASSIGN(const ByteView revocation_key, fields.required(tag_revocation_key, sizeof(RevocationKey)));
  secrets.revocation_key = to_array<RevocationKey>(revocation_key);
  CAS_TRY_ASSIGN(const ByteView irl_header, fields.required(tag_irl_header, 1, max_revocation_header_size));
  secrets.irl_header = copy_of(irl_header);
  CAS_TRY_ASSIGN(const ByteView mask_header, fields.required(tag_mask_header, 1, max_mask_header_size));
  secrets.mask_header = copy_of(mask_header);
  CAS_TRY_ASSIGN(const std::uint64_t next_index, fields.required_number(tag_next_index, 4));
  secrets.next_bridge_index = static_cast<std::uint32_t>(next_index);
  CAS_TRY_ASSIGN(secrets.generation, fields.required_number(tag_generation, 8));
  if (fields.optional(tag_previous_domain_key)) {
    CAS_TRY_ASSIGN(secrets.previous_domain_key, secret_field(fields, tag_previous_domain_key, domain_key_size));
  }
  return secrets;
}

}  // namespace cas::smartpro
