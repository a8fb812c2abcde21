// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/token_lists.hpp"

#include <algorithm>

#include "base/reader.hpp"
#include "base/writer.hpp"
#include "smartpro/absence_proof.hpp"
#include "smartpro/roles.hpp"

namespace cas::smartpro {

namespace {

std::uint16_t object_of(RevocationListKind list) {
  return list == RevocationListKind::external ? object::erl_header : object::irl_header;
}

const RevokedElements& elements_of(const RevocationHeader& header, RevokedType type) {
  switch (type) {
    case RevokedType::hosts: return header.hosts;
    case RevokedType::domains: return header.domains;
    default: return header.tokens;
  }
}

}  // namespace

Bytes ListQuestion::encode() const {
  ByteWriter writer;
  writer.u8(static_cast<std::uint8_t>(list)).u8(static_cast<std::uint8_t>(type)).u64(number);
  return writer.take();
}

Result<ListQuestion> ListQuestion::parse(ByteView bytes) {
  ByteReader reader(bytes);
  CAS_TRY_ASSIGN(const std::uint8_t list, reader.u8());
  CAS_TRY_ASSIGN(const std::uint8_t type, reader.u8());
  CAS_TRY_ASSIGN(const RevokedNumber number, reader.u64());
  CAS_TRY(reader.expect_end("a token's question"));
  if (list < 1 || list > 2 || type < 1 || type > 3)
    return fail(ErrorKind::unsupported, "a token asks for a list that this version does not know");
  return ListQuestion{static_cast<RevocationListKind>(list), static_cast<RevokedType>(type), number};
}

Result<std::optional<TokenLists::Stored>> TokenLists::load(RevocationListKind list) const {
  const SecretBytes object = memory_.read(object_of(list));
  if (object.empty()) return std::nullopt;
  ByteReader reader(object.reveal());
  Stored stored;
  CAS_TRY_ASSIGN(const std::uint8_t state, reader.u8());
  if (state > static_cast<std::uint8_t>(ListState::revoked))
    return fail(ErrorKind::internal, "the token's memory of a revocation list is damaged");
  stored.state = static_cast<ListState>(state);
  stored.signed_header = copy_of(reader.rest());
  CAS_TRY_ASSIGN(stored.header, RevocationHeader::parse(stored.signed_header));
  return stored;
}

Status TokenLists::store(RevocationListKind list, ListState state, ByteView signed_header) {
  ByteWriter writer;
  writer.u8(static_cast<std::uint8_t>(state)).bytes(signed_header);
  return memory_.write(object_of(list), writer.view());
}

Result<ListIndices> TokenLists::indices() const {
  ListIndices indices;
  CAS_TRY_ASSIGN(const auto external, load(RevocationListKind::external));
  CAS_TRY_ASSIGN(const auto internal, load(RevocationListKind::internal));
  if (external) indices.external = external->header.index;
  if (internal) indices.internal = internal->header.index;
  return indices;
}

Result<ListState> TokenLists::state() const {
  CAS_TRY_ASSIGN(const auto external, load(RevocationListKind::external));
  CAS_TRY_ASSIGN(const auto internal, load(RevocationListKind::internal));
  return std::max(external ? external->state : ListState::sound, internal ? internal->state : ListState::sound);
}

Status TokenLists::require_sound() const {
  CAS_TRY_ASSIGN(const ListState found, state());
  if (found == ListState::revoked) return fail(ErrorKind::revoked, "this token, or its domain, has been revoked");
  if (found == ListState::unchecked)
    return fail(ErrorKind::outdated, "this token has not been shown the revocation list whose header it has taken");
  return {};
}

Status TokenLists::take_header(ByteView signed_header) {
  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
  CAS_TRY_ASSIGN(const RevocationHeader claimed, RevocationHeader::parse(signed_header));
  const bool external = claimed.kind == RevocationListKind::external;
  if (!external && (membership.kind == TokenKind::blank || claimed.vdid != membership.vdid))
    return fail(ErrorKind::wrong_domain, "the revocation list is of another domain");
  const SecretBytes root_key = memory_.read(object::root_revocation_key);
  CAS_TRY_ASSIGN(const RevocationHeader header,
                 RevocationHeader::parse_signed(signed_header,
                                                external ? root_key.reveal() : ByteView(membership.revocation_key)));
  CAS_TRY_ASSIGN(const auto stored, load(header.kind));
  // Paper, 4.1: "an ever increasing index".
  if (header.index <= (stored ? stored->header.index : 0))
    return fail(ErrorKind::refused, "the revocation list is not newer than the one that this token has");
  const bool nothing_to_ask = header.tokens.count == 0 && header.domains.count == 0;
  return store(header.kind, nothing_to_ask ? ListState::sound : ListState::unchecked, signed_header);
}

Status TokenLists::take_first_internal(ByteView signed_header, const Membership& membership) {
  CAS_TRY_ASSIGN(const RevocationHeader header,
                 RevocationHeader::parse_signed(signed_header, membership.revocation_key));
  if (header.kind != RevocationListKind::internal || header.vdid != membership.vdid)
    return fail(ErrorKind::malformed, "the revocation list is of another domain");
  return store(header.kind, header.tokens.count == 0 ? ListState::sound : ListState::unchecked, signed_header);
}

Status TokenLists::join_domain() {
  CAS_TRY_ASSIGN(const auto external, load(RevocationListKind::external));
  if (!external || external->state != ListState::sound || external->header.domains.count == 0) return {};
  return store(RevocationListKind::external, ListState::unchecked, external->signed_header);
}

Result<std::vector<ListQuestion>> TokenLists::own_questions(const crypto::Certificate& own) const {
  std::vector<ListQuestion> questions;
  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
  for (const RevocationListKind list : {RevocationListKind::external, RevocationListKind::internal}) {
    CAS_TRY_ASSIGN(const auto stored, load(list));
    if (!stored || stored->state != ListState::unchecked) continue;
    if (stored->header.tokens.count > 0) questions.push_back({list, RevokedType::tokens, own.serial_number()});
    const bool member = membership.kind != TokenKind::blank;
    if (stored->header.domains.count > 0 && member)
      questions.push_back({list, RevokedType::domains, number_of(membership.vdid)});
  }
  return questions;
}

Result<std::vector<ListQuestion>> TokenLists::questions_about(const crypto::Certificate& peer) const {
  std::vector<ListQuestion> questions;
  CAS_TRY_ASSIGN(const auto external, load(RevocationListKind::external));
  CAS_TRY_ASSIGN(const auto internal, load(RevocationListKind::internal));
  const bool token = peer.has_role(role_token);
  const RevokedType type = token ? RevokedType::tokens : RevokedType::hosts;
  if (external && elements_of(external->header, type).count > 0)
    questions.push_back({RevocationListKind::external, type, peer.serial_number()});
  if (token && internal && internal->header.tokens.count > 0)
    questions.push_back({RevocationListKind::internal, RevokedType::tokens, peer.serial_number()});
  return questions;
}

Result<RevokedElements> TokenLists::elements_for(const ListQuestion& question) const {
  CAS_TRY_ASSIGN(const auto stored, load(question.list));
  if (!stored) return fail(ErrorKind::internal, "a question about a revocation list that is not there");
  return elements_of(stored->header, question.type);
}

Status TokenLists::set_state(RevocationListKind list, ListState state) {
  CAS_TRY_ASSIGN(const auto stored, load(list));
  if (!stored) return fail(ErrorKind::internal, "the state of a revocation list that is not there");
  return store(list, state, stored->signed_header);
}

std::optional<Bytes> TokenLists::header(RevocationListKind list) const {
  const auto stored = load(list);
  if (!stored || !*stored) return std::nullopt;
  return (*stored)->signed_header;
}

Status TokenLists::set_all_sound() {
  for (const RevocationListKind list : {RevocationListKind::external, RevocationListKind::internal}) {
    CAS_TRY_ASSIGN(const auto stored, load(list));
    if (stored && stored->state == ListState::unchecked) CAS_TRY(store(list, ListState::sound, stored->signed_header));
  }
  return {};
}

Status ListInquiry::show_payload(const TokenLists& lists, ByteView part, bool last) {
  if (done()) return fail(ErrorKind::refused, "no revocation list is asked for");
  if (!search_) {
    CAS_TRY_ASSIGN(search_, PayloadSearch::create(question().number));
  }
  CAS_TRY(search_->add(part));
  if (!last) return {};
  PayloadSearch search = std::move(*search_);
  search_.reset();
  CAS_TRY_ASSIGN(const RevokedElements elements, lists.elements_for(question()));
  CAS_TRY(search.finish(elements));
  ++next_;
  return {};
}

Status ListInquiry::show_proof(const TokenLists& lists, ByteView proof) {
  if (done() || search_) return fail(ErrorKind::refused, "no proof is asked for");
  CAS_TRY_ASSIGN(const RevokedElements elements, lists.elements_for(question()));
  CAS_TRY(verify_absence(elements, question().number, proof));
  ++next_;
  return {};
}

}  // namespace cas::smartpro
