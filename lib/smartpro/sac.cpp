// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/sac.hpp"

#include <cstring>
#include <string_view>
#include <utility>

#include "base/tlv.hpp"
#include "base/writer.hpp"
#include "crypto/constant_time.hpp"
#include "crypto/kdf.hpp"

namespace cas::smartpro {

namespace {

using crypto::Certificate;
using crypto::DhGroup;
using crypto::DhKeyPair;
using crypto::Sha256Digest;

constexpr TlvTag tag_version = 0x80;
constexpr TlvTag tag_suite = 0x81;
constexpr TlvTag tag_certificate = 0x82;
constexpr TlvTag tag_public_value = 0x83;
constexpr TlvTag tag_erl_index = 0x84;
constexpr TlvTag tag_irl_index = 0x85;
constexpr TlvTag tag_hash = 0x86;

constexpr std::string_view initiator_label = "SmartPRO SAC initiator";
constexpr std::string_view responder_label = "SmartPRO SAC responder";
constexpr std::string_view session_keys_label = "SmartPRO SAC session keys";
constexpr std::size_t session_key_size = 16;

Result<TlvFields> parse_message(ByteView message, const char* what) {
  if (message.size() > max_sac_message_size) return fail(ErrorKind::malformed, std::string(what) + " is too long");
  return TlvFields::parse(message, what);
}

Status check_version(const TlvFields& fields) {
  CAS_TRY_ASSIGN(const std::uint64_t version, fields.required_number(tag_version, 1));
  if (version != sac_version)
    return fail(ErrorKind::unsupported,
                "secure channel is of version " + std::to_string(version) + "; this version speaks 1");
  return {};
}

/// What both messages with a certificate carry.
struct PeerPart {
  Certificate certificate;
  ByteView public_value;
  ListIndices lists;
};

Result<PeerPart> read_peer(const TlvFields& fields, DhGroup suite, const SacParty& own) {
  CAS_TRY_ASSIGN(const ByteView der, fields.required(tag_certificate));
  CAS_TRY_ASSIGN(Certificate certificate, Certificate::from_der(der));
  CAS_TRY(certificate.verify_issued_by(*own.root, own.now));
  // Our own messages sent back to us (reflection) would otherwise authenticate us to ourselves.
  if (certificate.serial_number() == own.certificate->serial_number())
    return fail(ErrorKind::authentication_failed, "the peer of the secure channel shows our own certificate");
  if (!certificate.dh_public(suite))
    return fail(ErrorKind::unsupported,
                std::string("the peer's certificate has no key for suite ") + dh_group_name(suite));
  CAS_TRY_ASSIGN(const ByteView public_value, fields.required(tag_public_value, dh_public_size(suite)));
  ListIndices lists;
  CAS_TRY_ASSIGN(lists.external, fields.required_number(tag_erl_index, 8));
  CAS_TRY_ASSIGN(lists.internal, fields.required_number(tag_irl_index, 8));
  return PeerPart{std::move(certificate), public_value, lists};
}

/// The two shared secrets of figure 4.
struct SharedSecrets {
  SecretBytes ephemeral;  // g^xy
  SecretBytes permanent;  // Kperm
};

Result<SharedSecrets> agree(const SacParty& own, const DhKeyPair& ephemeral, DhGroup suite, const PeerPart& peer) {
  SharedSecrets shared;
  CAS_TRY_ASSIGN(shared.ephemeral, crypto::derive_dh_shared(ephemeral, peer.public_value));
  CAS_TRY_ASSIGN(shared.permanent,
                 crypto::derive_dh_shared(*own.static_key(suite), *peer.certificate.dh_public(suite)));
  return shared;
}

Result<Sha256Digest> party_hash(const SharedSecrets& shared, ByteView public_value, SerialNumber serial,
                                std::string_view label, const Sha256Digest& transcript) {
  ByteWriter serial_bytes;
  serial_bytes.u64(serial);
  return crypto::sha256({shared.ephemeral.reveal(), public_value, shared.permanent.reveal(), serial_bytes.view(),
                         as_bytes(label), transcript});
}

Result<card::SecureMessagingKeys> session_keys(const SharedSecrets& shared, const Sha256Digest& transcript) {
  SecretBytes input(shared.ephemeral.size() + shared.permanent.size());
  std::memcpy(input.reveal_mutable().data(), shared.ephemeral.reveal().data(), shared.ephemeral.size());
  std::memcpy(input.reveal_mutable().data() + shared.ephemeral.size(), shared.permanent.reveal().data(),
              shared.permanent.size());
  CAS_TRY_ASSIGN(const SecretBytes all,
                 crypto::hkdf_sha256(input.reveal(), transcript, as_bytes(session_keys_label), 4 * session_key_size));
  const auto part = [&all](std::size_t index) {
    return SecretBytes::copy_of(all.reveal().subspan(index * session_key_size, session_key_size));
  };
  return card::SecureMessagingKeys{part(0), part(1), part(2), part(3)};
}

Result<DhKeyPair> start_ephemeral(const SacParty& party, DhGroup suite, Random& random) {
  if (party.static_key(suite) == nullptr)
    return fail(ErrorKind::unsupported, std::string("this side has no static key for suite ") + dh_group_name(suite));
  return crypto::generate_dh_key_pair(suite, random);
}

void write_party(TlvWriter& writer, const SacParty& party, const DhKeyPair& ephemeral) {
  writer.field(tag_certificate, party.certificate->der())
      .field(tag_public_value, ephemeral.public_value)
      .number(tag_erl_index, party.lists.external, 8)
      .number(tag_irl_index, party.lists.internal, 8);
}

Result<ByteView> read_hash_message(ByteView message3) {
  CAS_TRY_ASSIGN(const TlvFields fields, parse_message(message3, "secure channel message 3"));
  CAS_TRY(fields.check_known({tag_hash}));
  return fields.required(tag_hash, crypto::sha256_size);
}

}  // namespace

Result<DhGroup> sac_suite_from_wire(std::uint64_t value) {
  switch (value) {
    case static_cast<std::uint64_t>(DhGroup::p256): return DhGroup::p256;
    case static_cast<std::uint64_t>(DhGroup::ffdhe2048): return DhGroup::ffdhe2048;
    default:
      return fail(ErrorKind::unsupported,
                  "secure channel asks for suite " + std::to_string(value) + ", which is not known");
  }
}

Result<SacInitiator> SacInitiator::start(const SacParty& party, DhGroup suite, Random& random) {
  SacInitiator initiator;
  initiator.party_ = party;
  CAS_TRY_ASSIGN(initiator.ephemeral_, start_ephemeral(party, suite, random));
  TlvWriter writer;
  writer.number(tag_version, sac_version, 1).number(tag_suite, static_cast<std::uint64_t>(suite), 1);
  write_party(writer, party, initiator.ephemeral_);
  initiator.message1_ = writer.take();
  return initiator;
}

Result<Bytes> SacInitiator::authenticate(ByteView message2) {
  if (ephemeral_.private_value.empty())
    return fail(ErrorKind::invalid_argument, "this secure channel was started and ended already");
  const DhKeyPair ephemeral = std::exchange(ephemeral_, {});  // spent, whatever comes
  const DhGroup suite = ephemeral.group;
  CAS_TRY_ASSIGN(const TlvFields fields, parse_message(message2, "secure channel message 2"));
  CAS_TRY(check_version(fields));
  CAS_TRY(fields.check_known({tag_version, tag_certificate, tag_public_value, tag_erl_index, tag_irl_index, tag_hash}));
  CAS_TRY_ASSIGN(const ByteView hash, fields.required(tag_hash, crypto::sha256_size));
  if (fields.all().back().tag != tag_hash)
    return fail(ErrorKind::malformed, "secure channel message 2 goes on after its hash");
  CAS_TRY_ASSIGN(PeerPart peer, read_peer(fields, suite, party_));
  CAS_TRY_ASSIGN(const SharedSecrets shared, agree(party_, ephemeral, suite, peer));

  const ByteView before_hash = message2.first(message2.size() - (2 + crypto::sha256_size));
  CAS_TRY_ASSIGN(const Sha256Digest transcript, crypto::sha256({message1_, before_hash}));
  CAS_TRY_ASSIGN(const Sha256Digest expected,
                 party_hash(shared, peer.public_value, peer.certificate.serial_number(), responder_label, transcript));
  if (!crypto::constant_time_equal(expected, hash))
    return fail(ErrorKind::authentication_failed, "the peer does not hold the key of the certificate that it shows");

  CAS_TRY_ASSIGN(
      const Sha256Digest own_hash,
      party_hash(shared, ephemeral.public_value, party_.certificate->serial_number(), initiator_label, transcript));
  CAS_TRY_ASSIGN(card::SecureMessagingKeys keys, session_keys(shared, transcript));
  result_ = SacResult{std::move(keys), std::move(peer.certificate), peer.lists};
  return TlvWriter().field(tag_hash, own_hash).take();
}

Result<SacResult> SacInitiator::finish() {
  if (!result_) return fail(ErrorKind::invalid_argument, "the peer of this secure channel has not been authenticated");
  SacResult result = std::move(*result_);
  result_.reset();
  return result;
}

Result<SacResponder> SacResponder::answer(const SacParty& party, ByteView message1, Random& random) {
  CAS_TRY_ASSIGN(const TlvFields fields, parse_message(message1, "secure channel message 1"));
  CAS_TRY(check_version(fields));
  CAS_TRY(
      fields.check_known({tag_version, tag_suite, tag_certificate, tag_public_value, tag_erl_index, tag_irl_index}));
  CAS_TRY_ASSIGN(const std::uint64_t suite_number, fields.required_number(tag_suite, 1));
  CAS_TRY_ASSIGN(const DhGroup suite, sac_suite_from_wire(suite_number));
  CAS_TRY_ASSIGN(PeerPart peer, read_peer(fields, suite, party));
  CAS_TRY_ASSIGN(const DhKeyPair ephemeral, start_ephemeral(party, suite, random));
  CAS_TRY_ASSIGN(const SharedSecrets shared, agree(party, ephemeral, suite, peer));

  TlvWriter writer;
  writer.number(tag_version, sac_version, 1);
  write_party(writer, party, ephemeral);
  CAS_TRY_ASSIGN(const Sha256Digest transcript, crypto::sha256({message1, writer.view()}));
  CAS_TRY_ASSIGN(
      const Sha256Digest own_hash,
      party_hash(shared, ephemeral.public_value, party.certificate->serial_number(), responder_label, transcript));
  writer.field(tag_hash, own_hash);

  SacResponder responder;
  responder.message2_ = writer.take();
  CAS_TRY_ASSIGN(responder.expected_hash_,
                 party_hash(shared, peer.public_value, peer.certificate.serial_number(), initiator_label, transcript));
  CAS_TRY_ASSIGN(card::SecureMessagingKeys keys, session_keys(shared, transcript));
  responder.result_ = SacResult{std::move(keys), std::move(peer.certificate), peer.lists};
  return responder;
}

Result<SacResult> SacResponder::finish(ByteView message3) {
  if (!result_) return fail(ErrorKind::invalid_argument, "this secure channel was started and ended already");
  SacResult result = std::move(*result_);
  result_.reset();  // one try
  CAS_TRY_ASSIGN(const ByteView hash, read_hash_message(message3));
  if (!crypto::constant_time_equal(expected_hash_, hash))
    return fail(ErrorKind::authentication_failed,
                "the initiator does not hold the key of the certificate that it shows");
  return result;
}

}  // namespace cas::smartpro
