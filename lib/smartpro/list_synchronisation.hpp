// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "card/card.hpp"
#include "crypto/certificate.hpp"
#include "smartpro/host_lists.hpp"
#include "smartpro/sac.hpp"

namespace cas::smartpro {

/// How a host answers a token that asks whether a number is on a list.
enum class ListAnswers : std::uint8_t {
  proof,    ///< A proof of absence, some hundred bytes; the payload where the token knows no proofs (6A86).
  payload,  ///< With the whole list, as the paper has it (4.1, figure 5): 8 bytes for each element.
};

/// The lists on which a host and one token are synchronised. Null: none.
struct SharedLists {
  std::optional<Vdid> vdid;  ///< Of the token's domain; its word alone, until confirm_lists.
  std::shared_ptr<const HostList> external;
  std::shared_ptr<const HostList> internal;

  [[nodiscard]] ListIndices indices() const {
    return {external ? external->index() : 0, internal ? internal->index() : 0};
  }
};

/// Brings the token's lists and the host's to the same versions (paper, figure 6). The token applet of `card` is
/// selected; channels to it are closed.
///
/// A token with an older header gets the host's, and is shown the list so that it finds out about itself. Where the
/// token's is newer, the host takes it when nothing stands on that list, and otherwise fails with ErrorKind::outdated:
/// the host "must retrieve the new RL before any further collaboration with the token". ErrorKind::revoked when the
/// token or its domain is on a list; authentication_failed when a header is not signed by the right key. After a cut at
/// any point the next run goes on from there.
[[nodiscard]] Result<SharedLists> synchronise_lists(card::Card& card, HostLists& lists, ListAnswers answers);

/// How a CHECK LIST reaches the token that asks: P1 and data; in clear, or in a channel.
using CheckListCommand = std::function<Result<Bytes>(std::uint8_t p1, ByteView data)>;

/// Answers the questions of a token until there are none (paper, figure 5). `answer` is what the token has said; the
/// result is what it says after the last
/// question. ErrorKind::revoked with a sentence on who is; outdated when it asks for a list that was not synchronised.
[[nodiscard]] Result<Bytes> answer_questions(Bytes answer, const SharedLists& lists, ListAnswers answers,
                                             const CheckListCommand& check_list);
/// CHECK LIST in clear to the applet that is selected.
[[nodiscard]] CheckListCommand check_list_in_clear(card::Card& card);

/// The end of figure 5: "Check if Token SN is in ERL or in IRL", and its domain. ErrorKind::revoked.
[[nodiscard]] Status check_not_revoked(const SharedLists& lists, const crypto::Certificate& token);

/// Compares what the token says in its secure channel (the answer to LIST STATUS there) with what it was synchronised
/// on: until then, all was said in clear.
/// ErrorKind::authentication_failed when somebody between has changed it.
[[nodiscard]] Status confirm_lists(ByteView list_status, const SharedLists& agreed, HostLists& lists);

}  // namespace cas::smartpro
