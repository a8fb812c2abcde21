// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "card/applet.hpp"
#include "crypto/certificate.hpp"
#include "smartpro/payload_search.hpp"
#include "smartpro/revocation_header.hpp"
#include "smartpro/sac.hpp"
#include "smartpro/token_memory.hpp"

namespace cas::smartpro {

/// What a token has found out about itself under a list; the values stand on the wire and in memory.
enum class ListState : std::uint8_t {
  sound = 0,      ///< It is not on the list, or has none.
  unchecked = 1,  ///< It has taken the header and has not been shown the list: it does nothing else before.
  revoked = 2,    ///< It, or its domain, is on the list: it works again only under a newer one.
};

/// The types of elements; the values stand on the wire.
enum class RevokedType : std::uint8_t { tokens = 1, hosts = 2, domains = 3 };

/// What a token asks a host: whether this number is on the list. The host shows it the list, or a proof. On the wire:
/// list (1), type (1), number (8).
struct ListQuestion {
  RevocationListKind list = RevocationListKind::external;
  RevokedType type = RevokedType::tokens;
  RevokedNumber number = 0;

  bool operator==(const ListQuestion&) const = default;
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static Result<ListQuestion> parse(ByteView bytes);
};

/// The revocation lists as a token has them: headers, and what it has found out about itself under each (paper, 4.1).
/// Looks into memory anew at each call. An object is state (1) || signed header, written whole: there is no moment
/// between two writes at which a token has a newer header and the state of an older one.
class TokenLists {
 public:
  explicit TokenLists(card::AppletMemory& memory) : memory_(memory) {}

  [[nodiscard]] Result<ListIndices> indices() const;
  /// The worse one of both lists.
  [[nodiscard]] Result<ListState> state() const;
  /// ErrorKind::revoked, or outdated when a list has not been checked yet.
  [[nodiscard]] Status require_sound() const;

  /// Takes a newer header. ErrorKind::authentication_failed for a wrong signature, refused when the index is not above
  /// the one at hand (no roll-back), wrong_domain, malformed.
  [[nodiscard]] Status take_header(ByteView signed_header);
  /// Gives the token of a new member its domain's list; the progenitor's revocation key is in `membership`.
  [[nodiscard]] Status take_first_internal(ByteView signed_header, const Membership& membership);

  /// The token joins a domain, for which it has not looked in the external list: a blank token had none to look for.
  [[nodiscard]] Status join_domain();

  /// What a host has to answer before the token works: first for the external list. Nothing when both are sound. A type
  /// of which nothing is revoked needs no question.
  [[nodiscard]] Result<std::vector<ListQuestion>> own_questions(const crypto::Certificate& own) const;
  /// What a host has to answer before the token talks to that peer (figure 5).
  [[nodiscard]] Result<std::vector<ListQuestion>> questions_about(const crypto::Certificate& peer) const;
  /// What a list's header says of the elements that the question is about.
  [[nodiscard]] Result<RevokedElements> elements_for(const ListQuestion& question) const;

  /// The signed header; nothing when the token has none of that list.
  [[nodiscard]] std::optional<Bytes> header(RevocationListKind list) const;

  [[nodiscard]] Status set_state(RevocationListKind list, ListState state);
  /// All own questions have been answered.
  [[nodiscard]] Status set_all_sound();

 private:
  struct Stored {
    ListState state = ListState::sound;
    RevocationHeader header;
    Bytes signed_header;
  };
  [[nodiscard]] Result<std::optional<Stored>> load(RevocationListKind list) const;
  [[nodiscard]] Status store(RevocationListKind list, ListState state, ByteView signed_header);

  card::AppletMemory& memory_;
};

/// Questions under way, and the one list that passes by. One thread at a time.
class ListInquiry {
 public:
  enum class Purpose { own, peer };
  ListInquiry(Purpose purpose, std::vector<ListQuestion> questions)
      : purpose_(purpose), questions_(std::move(questions)) {}

  [[nodiscard]] Purpose purpose() const { return purpose_; }
  [[nodiscard]] bool done() const { return next_ == questions_.size(); }
  /// The one that waits for its answer; not when done().
  [[nodiscard]] const ListQuestion& question() const { return questions_[next_]; }

  /// The next part of the list, and whether it is the last one. Afterwards the question is answered, or not yet. Errors
  /// as PayloadSearch.
  [[nodiscard]] Status show_payload(const TokenLists& lists, ByteView part, bool last);
  /// Errors as verify_absence.
  [[nodiscard]] Status show_proof(const TokenLists& lists, ByteView proof);

 private:
  Purpose purpose_;
  std::vector<ListQuestion> questions_;
  std::size_t next_ = 0;
  std::optional<PayloadSearch> search_;
};

}  // namespace cas::smartpro
