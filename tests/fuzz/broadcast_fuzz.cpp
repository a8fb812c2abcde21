// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>

#include "base/tlv.hpp"
#include "smartpro/broadcast_ecm.hpp"
#include "smartpro/licence_creation.hpp"
#include "smartpro/token_commands.hpp"
#include "tests/support/applet_memory.hpp"
#include "tests/support/seeded_random.hpp"

namespace {

using namespace cas;
using namespace cas::smartpro;

const SecretBytes& domain_key() {
  static const SecretBytes key(domain_key_size);  // the seeds' too
  return key;
}

/// What is read is what would be written, but for the reserved bits of the section's head.
void read_section(ByteView section) {
  const auto ecm = BroadcastEcm::parse(section);
  if (!ecm) return;
  const auto again = write_broadcast_ecm(ecm->place, ecm->cp_number, ecm->lecm);
  if (!again || again->size() != section.size() || !equal(ByteView(*again).subspan(2), section.subspan(2)))
    std::abort();
  const OpenRequest request = ecm->open_request({});
  if (request.key_period != ecm->cp_number || request.header_digest != *ecm->place.digest()) std::abort();
  const auto unsealed = unseal_licence(domain_key(), ecm->licence);
  if (unsealed && !is_control_word_size(ContentCipher::transport_stream, unsealed->control_word.size())) std::abort();
}

/// Criteria have one meaning, and what they ask for fits into an ECM.
void read_criteria(ByteView bytes) {
  const auto criteria = BroadcastCriteria::parse(bytes);
  if (!criteria) return;
  const auto again = BroadcastCriteria::parse(criteria->encode());
  if (!again || *again != *criteria) std::abort();
  const BroadcastPlace place{0x4adc0001, 0x0203};
  const auto request = broadcast_licence_request(place, 5, *criteria);
  LicenceTerms terms;
  terms.content_id = request->content_id;
  terms.cipher = request->cipher;
  terms.key_period = request->key_period;
  terms.header_digest = request->header_digest;
  terms.rights = request->rights;
  const auto lecm = seal_licence(domain_key(), terms, SecretBytes(16));
  if (!lecm || !write_broadcast_ecm(place, 5, *lecm)) std::abort();
}

/// Whatever a token is asked for: words from outside are a head-end token's alone, and of a size for the cipher.
void create(TokenKind kind, ByteView request) {
  test::PlainAppletMemory memory;
  if (!memory.write(object::domain_key, domain_key().reveal())) std::abort();
  test::SeededRandom random(1);
  Membership membership;
  membership.kind = kind;
  const auto answer = create_licence(memory, random, 1, membership, request);
  if (!answer) return;
  const auto fields = TlvFields::parse(request, "request");
  const auto answered = TlvFields::parse(*answer, "answer");
  const auto word = fields->optional(tag::create_control_word);
  const auto made = LicenceView::parse(answered->required(tag::created_lecm).value());
  const auto unsealed = unseal_licence(domain_key(), *made);
  if (!unsealed || answered->optional(tag::created_control_word).has_value() == word.has_value()) std::abort();
  if (word && (kind != TokenKind::head_end || !equal(unsealed->control_word.reveal(), *word))) std::abort();
  if (!word && made->cipher == ContentCipher::transport_stream) std::abort();
  if (!is_control_word_size(made->cipher, unsealed->control_word.size())) std::abort();
}

}  // namespace

// The first byte says which parser is meant.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView input(data + 1, size - 1);
  switch (data[0] % 4) {
    case 0: read_section(input); break;
    case 1: read_criteria(input); break;
    case 2: create(TokenKind::head_end, input); break;
    default: create(TokenKind::acquisition, input); break;
  }
  return 0;
}
