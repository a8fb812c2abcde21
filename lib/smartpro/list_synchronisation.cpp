// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/list_synchronisation.hpp"

#include <algorithm>
#include <string>

#include "base/tlv.hpp"
#include "base/writer.hpp"
#include "smartpro/token_channel.hpp"
#include "smartpro/token_commands.hpp"

namespace cas::smartpro {

namespace {

/// What a token asks in one run: about itself or its peer, in two lists.
constexpr int max_questions = 8;
/// Whole numbers; a card has room for it beside all else.
constexpr std::size_t payload_part_size = 2048;

/// A token's answer to LIST STATUS. The views stay with the bytes of the answer.
struct TokenStatus {
  std::optional<ByteView> external;
  std::optional<ByteView> internal;
  std::optional<RevocationKey> domain_key;
  ListState state = ListState::sound;
};

Result<TokenStatus> parse_status(ByteView answer) {
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(answer, "the token's revocation lists"));
  CAS_TRY(fields.check_known(
      {tag::lists_external_header, tag::lists_internal_header, tag::lists_revocation_key, tag::lists_state}));
  TokenStatus status;
  status.external = fields.optional(tag::lists_external_header);
  status.internal = fields.optional(tag::lists_internal_header);
  if (fields.optional(tag::lists_revocation_key)) {
    CAS_TRY_ASSIGN(const ByteView key, fields.required(tag::lists_revocation_key, sizeof(RevocationKey)));
    status.domain_key = to_array<RevocationKey>(key);
  }
  if (status.internal.has_value() != status.domain_key.has_value())
    return fail(ErrorKind::malformed,
                "the token has the revocation list of a domain without its key, or the key alone");
  CAS_TRY_ASSIGN(const std::uint64_t state, fields.required_number(tag::lists_state, 1));
  if (state > static_cast<std::uint64_t>(ListState::revoked))
    return fail(ErrorKind::malformed, "the token's revocation lists are in no state that is known");
  status.state = static_cast<ListState>(state);
  return status;
}

std::string list_name(const std::optional<Vdid>& vdid) {
  return vdid ? "internal revocation list of domain " + to_hex(*vdid) : std::string("external revocation list");
}

tl::unexpected<Error> host_outdated(const std::optional<Vdid>& vdid, std::uint64_t of_token, std::uint64_t of_host) {
  const std::string here = of_host == 0 ? "this host has none" : "this host's has index " + std::to_string(of_host);
  return fail(ErrorKind::outdated,
              "the " + list_name(vdid) + " of the token has index " + std::to_string(of_token) + ", and " + here +
                  ": fetch it with cas-tmc lists fetch, or name a source of lists first with cas-tmc lists source add");
}

/// One of the two lists of figure 6.
struct ListPlace {
  std::optional<Vdid> vdid;
  RevocationKey key{};
};

/// Whether the token has taken a newer header. `slot` is the list that both have afterwards.
Result<bool> synchronise_one(card::Card& card, HostLists& lists, const ListPlace& place,
                             std::optional<ByteView> token_header, std::shared_ptr<const HostList>& slot) {
  const auto held = [&] { return place.vdid ? lists.internal(*place.vdid) : lists.external(); };
  std::uint64_t of_token = 0;
  if (token_header) {
    CAS_TRY_ASSIGN(const RevocationHeader claimed, RevocationHeader::parse(*token_header));
    const bool internal = claimed.kind == RevocationListKind::internal;
    if (internal != place.vdid.has_value() || (internal && claimed.vdid != *place.vdid))
      return fail(ErrorKind::malformed, "the token shows another list than the " + list_name(place.vdid));
    of_token = claimed.index;
  }
  CAS_TRY_ASSIGN(slot, held());
  const std::uint64_t of_host = slot ? slot->index() : 0;
  if (of_token == of_host) return false;
  if (of_token < of_host) {
    CAS_TRY(plain_command(card, ins::update_list, slot->list().signed_header));
    return true;
  }
  // What is newer must be a list at all, before anybody is told to look for it.
  auto header = RevocationHeader::parse_signed(*token_header, place.key);
  if (!header) return fail_in("the " + list_name(place.vdid) + " of the token", std::move(header).error());
  if (!lists_nothing(*header)) return host_outdated(place.vdid, of_token, of_host);
  CAS_TRY(lists.adopt(*token_header));
  CAS_TRY_ASSIGN(slot, held());
  return false;
}

/// The domain of a token that shows an internal list, and the key that its lists are verified by: the one that is kept,
/// or this one from now on.
Result<ListPlace> place_of(const TokenStatus& status, HostLists& lists) {
  CAS_TRY_ASSIGN(const RevocationHeader header, RevocationHeader::parse(*status.internal));
  if (header.kind != RevocationListKind::internal)
    return fail(ErrorKind::malformed, "the token shows another list than that of its domain");
  CAS_TRY_ASSIGN(const auto kept, lists.domain_key(header.vdid));
  if (!kept) {
    auto verified = RevocationHeader::parse_signed(*status.internal, *status.domain_key);
    if (!verified) return fail_in("the " + list_name(header.vdid) + " of the token", std::move(verified).error());
  }
  CAS_TRY(lists.pin_domain_key(header.vdid, *status.domain_key));
  return ListPlace{header.vdid, *status.domain_key};
}

tl::unexpected<Error> token_revoked() {
  return fail(ErrorKind::revoked,
              "the token, or its domain, has been revoked: it stands on a revocation list. Ask the domain's manager "
              "for another token.");
}

/// What it means that the number of a question is on the list.
tl::unexpected<Error> revoked_by(const ListQuestion& question) {
  const std::string list =
      question.list == RevocationListKind::external ? "the external revocation list" : "its domain's revocation list";
  switch (question.type) {
    case RevokedType::hosts:
      return fail(ErrorKind::revoked, "this host (serial number " + serial_text(question.number) +
                                          ") has been revoked: it stands on " + list +
                                          ". Make credentials for it anew with cas-tmc host.");
    case RevokedType::domains:
      return fail(ErrorKind::revoked, "the token's domain has been revoked: it stands on " + list);
    case RevokedType::tokens: break;
  }
  return fail(ErrorKind::revoked, "the token with serial number " + serial_text(question.number) +
                                      " has been revoked: it stands on " + list);
}

Result<std::optional<ListQuestion>> question_in(ByteView answer) {
  if (answer.empty() || answer.front() != tag::list_question) return std::nullopt;
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(answer, "the token's question"));
  CAS_TRY(fields.check_known({tag::list_question}));
  CAS_TRY_ASSIGN(const ByteView question, fields.required(tag::list_question));
  CAS_TRY_ASSIGN(const ListQuestion parsed, ListQuestion::parse(question));
  return parsed;
}

Result<Bytes> show_payload(const std::vector<RevokedNumber>& numbers, const CheckListCommand& check_list) {
  constexpr std::size_t in_part = payload_part_size / revoked_number_size;
  for (std::size_t at = 0;; at += in_part) {
    const std::size_t end = std::min(at + in_part, numbers.size());
    ByteWriter part;
    for (std::size_t i = at; i < end; ++i) part.u64(numbers[i]);
    const bool last = end == numbers.size();
    auto answer = check_list(last ? check_list_last_part : check_list_part, part.view());
    if (!answer || last) return answer;
  }
}

Result<Bytes> answer_one(const ListQuestion& question, const HostList& list, ListAnswers answers,
                         const CheckListCommand& check_list) {
  if (answers == ListAnswers::proof) {
    CAS_TRY_ASSIGN(const Bytes evidence, list.evidence(question.type, question.number));
    auto answer = check_list(check_list_proof, evidence);
    if (answer || answer.error().kind != ErrorKind::invalid_argument) return answer;
  }
  return show_payload(list.numbers(question.type), check_list);
}

}  // namespace

Result<Bytes> answer_questions(Bytes answer, const SharedLists& lists, ListAnswers answers,
                               const CheckListCommand& check_list) {
  for (int asked = 0;; ++asked) {
    CAS_TRY_ASSIGN(const auto question, question_in(answer));
    if (!question) return answer;
    if (asked == max_questions)
      return fail(ErrorKind::malformed, "the token does not stop to ask for revocation lists");
    const auto& list = question->list == RevocationListKind::external ? lists.external : lists.internal;
    if (!list)
      return fail(ErrorKind::outdated,
                  "the token asks for a revocation list that it has not shown before: another program has changed its "
                  "lists. Try again.");
    auto next = answer_one(*question, *list, answers, check_list);
    if (!next && next.error().kind == ErrorKind::revoked) return revoked_by(*question);
    if (!next) return fail(std::move(next).error());
    answer = std::move(*next);
  }
}

CheckListCommand check_list_in_clear(card::Card& card) {
  return [&card](std::uint8_t p1, ByteView data) { return plain_command(card, ins::check_list, data, p1); };
}

Result<SharedLists> synchronise_lists(card::Card& card, HostLists& lists, ListAnswers answers) {
  CAS_TRY_ASSIGN(const Bytes answer, plain_command(card, ins::list_status, {}));
  CAS_TRY_ASSIGN(const TokenStatus status, parse_status(answer));
  SharedLists shared;
  CAS_TRY_ASSIGN(bool updated,
                 synchronise_one(card, lists, {std::nullopt, lists.root_key()}, status.external, shared.external));
  if (status.internal) {
    CAS_TRY_ASSIGN(const ListPlace place, place_of(status, lists));
    shared.vdid = place.vdid;
    CAS_TRY_ASSIGN(const bool internal_updated, synchronise_one(card, lists, place, status.internal, shared.internal));
    updated = updated || internal_updated;
  }
  if (!updated && status.state == ListState::sound) return shared;
  if (!updated && status.state == ListState::revoked) return token_revoked();
  // The self check. A token that was cut off in the middle of one asks again.
  auto question = plain_command(card, ins::check_list, {}, check_list_start);
  if (question) question = answer_questions(std::move(*question), shared, answers, check_list_in_clear(card));
  if (question) return shared;
  if (question.error().kind == ErrorKind::revoked) return token_revoked();
  return fail(std::move(question).error());
}

Status check_not_revoked(const SharedLists& lists, const crypto::Certificate& token) {
  const SerialNumber serial = token.serial_number();
  if (lists.external && lists.external->lists(RevokedType::tokens, serial))
    return revoked_by({RevocationListKind::external, RevokedType::tokens, serial});
  if (lists.internal && lists.internal->lists(RevokedType::tokens, serial))
    return revoked_by({RevocationListKind::internal, RevokedType::tokens, serial});
  if (lists.external && lists.vdid && lists.external->lists(RevokedType::domains, number_of(*lists.vdid)))
    return revoked_by({RevocationListKind::external, RevokedType::domains, number_of(*lists.vdid)});
  return {};
}

Status confirm_lists(ByteView list_status, const SharedLists& agreed, HostLists& lists) {
  CAS_TRY_ASSIGN(const TokenStatus status, parse_status(list_status));
  const auto changed = [] {
    return fail(ErrorKind::authentication_failed,
                "the token says otherwise of its domain or its revocation lists in its secure channel than in clear: "
                "somebody between this host and the token changes what they say");
  };
  if (status.internal.has_value() != agreed.vdid.has_value()) return changed();
  ListIndices indices;
  if (status.external) {
    CAS_TRY_ASSIGN(const RevocationHeader header, RevocationHeader::parse(*status.external));
    indices.external = header.index;
  }
  if (status.internal) {
    CAS_TRY_ASSIGN(const RevocationHeader header, RevocationHeader::parse(*status.internal));
    if (header.vdid != *agreed.vdid) return changed();
    indices.internal = header.index;
    CAS_TRY(lists.pin_domain_key(*agreed.vdid, *status.domain_key));
  }
  return indices == agreed.indices() ? Status{} : changed();
}

}  // namespace cas::smartpro
