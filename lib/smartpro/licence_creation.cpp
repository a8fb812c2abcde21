// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/licence_creation.hpp"

#include "base/tlv.hpp"
#include "smartpro/licence.hpp"
#include "smartpro/token_commands.hpp"

namespace cas::smartpro {

namespace {

Result<ContentCipher> read_cipher(const TlvFields& fields) {
  CAS_TRY_ASSIGN(const std::uint64_t cipher, fields.required_number(tag::create_cipher, 1));
  switch (static_cast<ContentCipher>(cipher)) {
    case ContentCipher::aes_128_gcm:
    case ContentCipher::aes_128_ctr:
    case ContentCipher::transport_stream: return static_cast<ContentCipher>(cipher);
  }
  return fail(ErrorKind::malformed, "no such content cipher");
}

Result<LicenceTerms> read_terms(const TlvFields& fields) {
  LicenceTerms terms;
  CAS_TRY_ASSIGN(const ByteView content_id, fields.required(tag::create_content_id, sizeof(ContentId)));
  terms.content_id = to_array<ContentId>(content_id);
  CAS_TRY_ASSIGN(const ByteView digest, fields.required(tag::create_header_digest, sizeof(HeaderDigest)));
  terms.header_digest = to_array<HeaderDigest>(digest);
  CAS_TRY_ASSIGN(terms.cipher, read_cipher(fields));
  CAS_TRY_ASSIGN(const std::uint64_t period, fields.required_number(tag::create_key_period, 4));
  terms.key_period = static_cast<std::uint32_t>(period);
  CAS_TRY_ASSIGN(const ByteView rights, fields.required(tag::create_rights));
  CAS_TRY_ASSIGN(terms.rights, UsageRights::parse(rights));
  return terms;
}

/// Paper, 3.3: "The token picks up a random control word." A head-end scrambles once for several systems, which all have
/// to tell the same word: a synchroniser's (ETSI TS 103 197, 5). Who chooses words could choose one twice, so that the
/// progenitor names the tokens that take them, by their kind.
Status check_outside_word(const Membership& membership, ContentCipher cipher, ByteView control_word) {
  if (membership.kind != TokenKind::head_end)
    return fail(ErrorKind::unsupported, "this kind of token takes no control words from outside");
  if (!is_control_word_size(cipher, control_word.size()))
    return fail(ErrorKind::malformed, "the control word is of a size that is not of the content cipher");
  return {};
}

}  // namespace

Result<Bytes> create_licence(const card::AppletMemory& memory, Random& random, SerialNumber issuer,
                             const Membership& membership, ByteView data) {
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(data, "licence request"));
  CAS_TRY(fields.check_known({tag::create_content_id, tag::create_header_digest, tag::create_cipher,
                              tag::create_key_period, tag::create_rights, tag::create_control_word}));
  CAS_TRY_ASSIGN(LicenceTerms terms, read_terms(fields));
  const auto from_outside = fields.optional(tag::create_control_word);
  if (from_outside) CAS_TRY(check_outside_word(membership, terms.cipher, *from_outside));
  // No scrambler of a stream asks a token for its words: they are the synchroniser's, or nobody's.
  if (!from_outside && terms.cipher == ContentCipher::transport_stream)
    return fail(ErrorKind::malformed, "the control word of a transport stream comes from outside");
  terms.vdid = membership.vdid;
  terms.issuer = issuer;
  CAS_TRY(random.fill(terms.licence_id));

  // Paper, 3.3: "The token picks up a random control word. It inserts the CW in the license and encrypts the license
  // with the domain key."
  SecretBytes control_word;
  if (from_outside) {
    control_word = SecretBytes::copy_of(*from_outside);
  } else {
    CAS_TRY_ASSIGN(control_word, random_secret(random, control_word_size));
  }
  CAS_TRY_ASSIGN(const Bytes lecm, seal_licence(memory.read(object::domain_key), terms, control_word));
  SecretTlvWriter writer;
  writer.field(tag::created_lecm, lecm);
  if (!from_outside) writer.field(tag::created_control_word, control_word.reveal());
  return copy_of(writer.take().reveal());
}

}  // namespace cas::smartpro
