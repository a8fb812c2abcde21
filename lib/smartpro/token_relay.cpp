// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/token_relay.hpp"

#include "card/apdu.hpp"
#include "smartpro/token_commands.hpp"

namespace cas::smartpro {

namespace {

CheckListCommand check_list_in_channel(TokenChannel& channel) {
  return [&channel](std::uint8_t p1, ByteView data) -> Result<Bytes> {
    CAS_TRY_ASSIGN(const SecretBytes answer, channel.command(ins::check_list, data, p1));
    return copy_of(answer.reveal());
  };
}

}  // namespace

Result<SharedLists> prepare_token(card::Card& token, HostLists& lists, ListAnswers answers) {
  CAS_TRY(card::select_applet(token, token_applet_aid));
  return synchronise_lists(token, lists, answers);
}

Status bring_together(TokenChannel& progenitor, std::uint8_t authenticate, ByteView message1,
                      const PreparedToken& token, ListAnswers answers) {
  CAS_TRY_ASSIGN(Bytes of_token, plain_command(token.card, ins::sac_initiate, message1));
  CAS_TRY_ASSIGN(const Bytes message2,
                 answer_questions(std::move(of_token), token.lists, answers, check_list_in_clear(token.card)));
  CAS_TRY_ASSIGN(const SecretBytes of_progenitor, progenitor.command(authenticate, message2));
  CAS_TRY_ASSIGN(const Bytes message3, answer_questions(copy_of(of_progenitor.reveal()), progenitor.shared_lists(),
                                                        answers, check_list_in_channel(progenitor)));
  return plain_command(token.card, ins::sac_authenticate, message3).map([](const Bytes&) {});
}

Result<Bytes> carry(card::Card& token, ByteView command) {
  CAS_TRY_ASSIGN(const card::CommandApdu parsed, card::CommandApdu::parse(command));
  CAS_TRY_ASSIGN(const card::ResponseApdu response, token.transmit(parsed));
  return response.encode();
}

}  // namespace cas::smartpro
