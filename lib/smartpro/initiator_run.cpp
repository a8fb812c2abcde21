// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/initiator_run.hpp"

#include <utility>

#include "base/tlv.hpp"
#include "smartpro/token_commands.hpp"

namespace cas::smartpro {

Result<InitiatorRun> InitiatorRun::start(const SacParty& party, crypto::DhGroup suite, Random& random) {
  InitiatorRun run;
  run.lists_ = party.lists;
  CAS_TRY_ASSIGN(run.sac_, SacInitiator::start(party, suite, random));
  return run;
}

Result<Bytes> InitiatorRun::authenticate(card::AppletMemory& memory, ByteView message2) {
  CAS_TRY_ASSIGN(message3_, sac_->authenticate(message2));
  // Between two tokens the internal lists are of different domains, or not there yet.
  if (sac_->peer_lists().external != lists_.external)
    return fail(ErrorKind::outdated, "the peer has another external revocation list");
  CAS_TRY_ASSIGN(std::vector<ListQuestion> questions, TokenLists(memory).questions_about(sac_->peer()));
  inquiry_.emplace(ListInquiry::Purpose::peer, std::move(questions));
  return go_on_asking();
}

Result<Bytes> InitiatorRun::check_list(card::AppletMemory& memory, std::uint8_t p1, ByteView data) {
  if (!inquiry_) return fail(ErrorKind::refused, "no revocation list is asked for");
  const TokenLists lists(memory);
  const Status shown = p1 == check_list_proof ? inquiry_->show_proof(lists, data)
                                              : inquiry_->show_payload(lists, data, p1 == check_list_last_part);
  if (!shown) {
    inquiry_.reset();
    return fail(shown.error());
  }
  return p1 == check_list_part ? Bytes{} : go_on_asking();
}

Result<Bytes> InitiatorRun::go_on_asking() {
  if (!inquiry_->done()) return TlvWriter().field(tag::list_question, inquiry_->question().encode()).take();
  inquiry_.reset();
  established_ = true;
  return std::exchange(message3_, {});
}

Result<SacResult> InitiatorRun::finish() {
  if (!established_) return fail(ErrorKind::refused, "the peer has not been looked for in the revocation lists yet");
  return sac_->finish();
}

}  // namespace cas::smartpro
