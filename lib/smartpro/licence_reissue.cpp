// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/licence_reissue.hpp"

#include "base/tlv.hpp"
#include "smartpro/licence.hpp"
#include "smartpro/token_commands.hpp"
#include "smartpro/token_memory.hpp"

namespace cas::smartpro {

namespace {

/// How far content may go on from here is the sender's word (paper, 2.3: "The owner of the source VD manages the usage rights of the delivered content"): the
/// right to change rights does not reach it.
Status check_bridging(const UsageRights& wanted, const UsageRights& granted) {
  UsageRights bridging = granted;
  bridging.bridge = wanted.bridge;
  bridging.bridge_hops = wanted.bridge_hops;
  bridging.bridge_to = wanted.bridge_to;
  return bridging.check_within(granted);
}

Status check_rights(const UsageRights& wanted, const UsageRights& granted) {
  if (granted.change_rights) return check_bridging(wanted, granted);
  return wanted.check_within(granted);
}

}  // namespace

Result<Bytes> reissue_licence(card::AppletMemory& memory, Random& random, SerialNumber issuer, const Vdid& domain, ByteView data) {
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(data, "request to issue a licence anew"));
  CAS_TRY(fields.check_known(
      {tag::reissue_lecm, tag::reissue_header_digest, tag::reissue_cipher, tag::reissue_key_period, tag::reissue_time, tag::reissue_rights}));
  CAS_TRY_ASSIGN(const ByteView lecm, fields.required(tag::reissue_lecm));
  CAS_TRY_ASSIGN(const LicenceView view, LicenceView::parse(lecm));
  if (view.vdid != domain) return fail(ErrorKind::wrong_domain, "the licence is of another domain");
  const SecretBytes domain_key = memory.read(object::domain_key);
  auto unsealed = unseal_licence(domain_key, view);
  if (!unsealed) return fail(ErrorKind::malformed, "the licence was changed");
  LicenceTerms terms = unsealed->terms;
  if (!terms.rights.process) return fail(ErrorKind::refused, "the licence does not allow processing");
  CAS_TRY_ASSIGN(const std::uint64_t time, fields.required_number(tag::reissue_time, 8));
  CAS_TRY(terms.rights.check_time(static_cast<UnixSeconds>(time)));
  if (const auto wanted = fields.optional(tag::reissue_rights)) {
    CAS_TRY_ASSIGN(const UsageRights rights, UsageRights::parse(*wanted));
    CAS_TRY(check_rights(rights, terms.rights));
    terms.rights = rights;
  }
  CAS_TRY_ASSIGN(const ByteView digest, fields.required(tag::reissue_header_digest, sizeof(HeaderDigest)));
  terms.header_digest = to_array<HeaderDigest>(digest);
  CAS_TRY_ASSIGN(const std::uint64_t cipher, fields.required_number(tag::reissue_cipher, 1));
  CAS_TRY_ASSIGN(terms.cipher, content_cipher_from_wire(cipher));
  CAS_TRY_ASSIGN(const std::uint64_t period, fields.required_number(tag::reissue_key_period, 4));
  terms.key_period = static_cast<std::uint32_t>(period);
  terms.issuer = issuer;
  CAS_TRY(random.fill(terms.licence_id));

  CAS_TRY_ASSIGN(const SecretBytes control_word, random_secret(random, control_word_size));
  CAS_TRY_ASSIGN(const Bytes reissued, seal_licence(domain_key, terms, control_word));
  SecretTlvWriter writer;
  writer.field(tag::created_lecm, reissued).field(tag::created_control_word, control_word.reveal());
  return copy_of(writer.take().reveal());
}

}  // namespace cas::smartpro
