// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/licence_reissue.hpp"

#include "base/tlv.hpp"
#include "smartpro/bridge_checks.hpp"
#include "smartpro/licence.hpp"
#include "smartpro/token_commands.hpp"

namespace cas::smartpro {

namespace {

/// Paper, 2.2: "A processing device can modify the license if granted in the usage rights." How far content may go on
/// from here is the sender's word all the same (2.3: "The owner of the source VD manages the usage rights of the
/// delivered content").
Status check_rights(const UsageRights& wanted, const UsageRights& granted) {
  return granted.change_rights ? wanted.check_bridging_within(granted) : wanted.check_within(granted);
}

/// What the new licence is for: the file in which the content is protected again.
Status read_new_content(const TlvFields& fields, LicenceTerms& terms) {
  CAS_TRY_ASSIGN(const ByteView digest, fields.required(tag::reissue_header_digest, sizeof(HeaderDigest)));
  terms.header_digest = to_array<HeaderDigest>(digest);
  CAS_TRY_ASSIGN(const std::uint64_t cipher, fields.required_number(tag::reissue_cipher, 1));
  if (cipher != static_cast<std::uint64_t>(ContentCipher::aes_128_gcm) &&
      cipher != static_cast<std::uint64_t>(ContentCipher::aes_128_ctr))
    return fail(ErrorKind::malformed, "no such content cipher");
  terms.cipher = static_cast<ContentCipher>(cipher);
  CAS_TRY_ASSIGN(const std::uint64_t period, fields.required_number(tag::reissue_key_period, 4));
  terms.key_period = static_cast<std::uint32_t>(period);
  return {};
}

}  // namespace

Result<Bytes> reissue_licence(card::AppletMemory& memory, Random& random, SerialNumber issuer,
                              const Membership& membership, ByteView data) {
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(data, "request to issue a licence anew"));
  CAS_TRY(fields.check_known({tag::reissue_lecm, tag::reissue_header_digest, tag::reissue_cipher,
                              tag::reissue_key_period, tag::reissue_time, tag::reissue_rights}));
  CAS_TRY_ASSIGN(const ByteView lecm, fields.required(tag::reissue_lecm));
  CAS_TRY_ASSIGN(const std::uint64_t time, fields.required_number(tag::reissue_time, 8));
  CAS_TRY_ASSIGN(const UnsealedLicence source, open_domain_licence(memory, membership, lecm));
  const UsageRights& granted = source.terms.rights;
  if (!granted.process) return fail(ErrorKind::refused, "the licence does not allow processing");
  CAS_TRY(granted.check_time(static_cast<UnixSeconds>(time)));  // the host's word

  LicenceTerms terms = source.terms;  // content id and origins stay
  CAS_TRY(read_new_content(fields, terms));
  if (const auto wanted = fields.optional(tag::reissue_rights)) {
    CAS_TRY_ASSIGN(terms.rights, UsageRights::parse(*wanted));
    CAS_TRY(check_rights(terms.rights, granted));
  }
  terms.issuer = issuer;
  CAS_TRY(random.fill(terms.licence_id));

  // The control word of the source is for its file alone: what comes now is other content under other keys.
  CAS_TRY_ASSIGN(const SecretBytes control_word, random_secret(random, control_word_size));
  CAS_TRY_ASSIGN(const Bytes reissued, seal_licence(memory.read(object::domain_key), terms, control_word));
  SecretTlvWriter writer;
  writer.field(tag::created_lecm, reissued).field(tag::created_control_word, control_word.reveal());
  return copy_of(writer.take().reveal());
}

}  // namespace cas::smartpro
