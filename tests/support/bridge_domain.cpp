// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/support/bridge_domain.hpp"

#include "base/tlv.hpp"
#include "smartpro/master_bridge.hpp"
#include "smartpro/revocation_header.hpp"
#include "smartpro/token_commands.hpp"

namespace cas::test {

using namespace smartpro;

BridgeDomain::BridgeDomain(std::uint8_t name, std::uint64_t seed)
    : random(seed * 256 + name),
      domain_key(value_or_throw(random_secret(random, domain_key_size))),
      mkmb(value_or_throw(random_secret(random, bridge_master_key_size))),
      mksb(value_or_throw(random_secret(random, bridge_master_key_size))),
      revocation_key(value_or_throw(crypto::SigningKey::generate(random))) {
  vdid.fill(name);
  progenitor = 0x9000U + name;
  revocation_public = to_array<RevocationKey>(value_or_throw(revocation_key.public_value()));
  mask_header = value_or_throw(MaskHeader::first(vdid));
}

SecretBytes BridgeDomain::master_bridge_keys(SerialNumber token) const {
  Bytes keys = copy_of(mksb.reveal());
  append(keys, value_or_throw(master_bridge_key(mkmb, token)).reveal());
  return SecretBytes::copy_of(keys);
}

void BridgeDomain::activate(card::AppletMemory& memory, TokenKind kind, SerialNumber token) {
  const Membership membership{kind, vdid, progenitor, revocation_public};
  value_or_throw(memory.write(object::domain_key, domain_key.reveal()));
  value_or_throw(store_membership(memory, membership));
  if (kind == TokenKind::master_bridge)
    value_or_throw(
        MasterBridge::store_keys(memory, membership, master_bridge_keys(token).reveal(), mask().signed_header));
}

SecretBytes BridgeDomain::activation(TokenKind kind, SerialNumber token) {
  const RevocationHeader irl = value_or_throw(RevocationHeader::empty_internal(vdid, 1));
  SecretTlvWriter writer;
  writer.field(tag::activate_domain_key, domain_key.reveal())
      .field(tag::activate_vdid, vdid)
      .number(tag::activate_kind, static_cast<std::uint64_t>(kind), 1)
      .field(tag::activate_revocation_key, revocation_public)
      .field(tag::activate_irl_header, value_or_throw(irl.encode_signed(revocation_key)));
  if (kind == TokenKind::master_bridge)
    writer.field(tag::activate_bridge_keys, master_bridge_keys(token).reveal())
        .field(tag::activate_mask_header, mask().signed_header);
  return writer.take();
}

BridgeRecord BridgeDomain::register_bridge(SerialNumber simple_bridge, const Vdid& destination) {
  const BridgeRecord record{vdid, simple_bridge, mask_header.bits, destination};
  set_bit(record.index, true);
  return record;
}

Bytes BridgeDomain::registration(const BridgeRecord& record) const {
  return TlvWriter()
      .field(tag::register_source, vdid)
      .field(tag::register_mkmb, mkmb.reveal())
      .field(tag::register_dksb, value_or_throw(simple_bridge_key(mksb, record.simple_bridge, record.index)).reveal())
      .number(tag::register_index, record.index, 4)
      .field(tag::register_destination, record.destination)
      .take();
}

void BridgeDomain::set_bit(std::uint32_t index, bool value) {
  const Bytes after = value_or_throw(mask().bits_with(index, value));
  MaskUpdate update = value_or_throw(MaskUpdate::create(mask_header, index, value));
  value_or_throw(update.add(mask_bits));
  mask_header = value_or_throw(update.finish());
  mask_bits = after;
}

AuthorisationMask BridgeDomain::mask() const {
  return {mask_header, value_or_throw(mask_header.encode_signed(revocation_key)), mask_bits};
}

Bytes BridgeDomain::licence(const UsageRights& rights, std::vector<LicenceOrigin> origins) const {
  LicenceTerms terms;
  terms.vdid = vdid;
  terms.content_id.fill(0x11);
  terms.licence_id.fill(0x33);
  terms.issuer = 0x1234;
  terms.key_period = 3;
  terms.header_digest = bridged_digest();
  terms.rights = rights;
  terms.origins = std::move(origins);
  return value_or_throw(seal_licence(domain_key, terms, bridged_control_word()));
}

UnsealedLicence BridgeDomain::open(ByteView lecm) const {
  return value_or_throw(unseal_licence(domain_key, value_or_throw(LicenceView::parse(lecm))));
}

HeaderDigest bridged_digest() {
  HeaderDigest digest;
  digest.fill(0x22);
  return digest;
}

SecretBytes bridged_control_word() { return SecretBytes::copy_of(Bytes(control_word_size, 0xaa)); }

namespace {

HostCredentials progenitor_credentials(TestSystem& system) {
  crypto::DhKeyPair p256 = value_or_throw(crypto::generate_dh_key_pair(crypto::DhGroup::p256, system.random));
  crypto::DhKeyPair ffdhe2048 = value_or_throw(crypto::generate_dh_key_pair(crypto::DhGroup::ffdhe2048, system.random));
  crypto::Certificate certificate =
      value_or_throw(system.root().issue_token("A progenitor", {p256.public_value, ffdhe2048.public_value}, true));
  return {system.root().certificate(), std::move(certificate), std::move(p256), std::move(ffdhe2048),
          system.root().revocation_key()};
}

}  // namespace

ProgenitorPeer::ProgenitorPeer(TestSystem& system) : system_(system), credentials_(progenitor_credentials(system)) {}

Result<SecretBytes> ProgenitorPeer::command(card::Card& card, std::uint8_t instruction, ByteView data) {
  CAS_TRY(card.connect());
  CAS_TRY_ASSIGN(TokenChannel channel, TokenChannel::establish(card, credentials_, system_.channel_options()));
  return channel.command(instruction, data);
}

}  // namespace cas::test
