// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/cas/card_session.h>
#include <gst/gst.h>

#include <initializer_list>
#include <memory>
#include <string>

#include "base/error.hpp"
#include "crypto/key_agreement.hpp"
#include "smartpro/token_session.hpp"

/// The C++ side of GstCasCardSession: what elements use.
namespace cas::gst {

struct UnrefCardSession {
  void operator()(GstCasCardSession* session) const { gst_cas_card_session_unref(session); }
};
using CardSessionPtr = std::unique_ptr<GstCasCardSession, UnrefCardSession>;

/// Which card an element asks for, as its properties say. Empty: the default of this machine.
struct CardRequest {
  std::string card_uri;
  std::string host_folder;
  std::string host_pin_source;
  crypto::DhGroup suite = crypto::DhGroup::p256;
  std::string lists_source;  ///< Where revocation lists come from.

  bool operator==(const CardRequest&) const = default;
};

/// What the kinds of token are that an element can work with; the first one of which this machine has a default card
/// names it.
using AcceptedKinds = std::initializer_list<smartpro::TokenKind>;

/// Finds the session that the pipeline already has, if it is with the card that is asked for (URI, host and suite are
/// unset or the same, and the token is of an accepted kind); otherwise opens one and tells the pipeline. To be called
/// without locks: it queries the neighbours and posts messages. Exchanges no more than SELECT and a public command with
/// the card. A token of another kind is ErrorKind::invalid_argument.
[[nodiscard]] Result<CardSessionPtr> acquire_card_session(GstElement* element, const CardRequest& request,
                                                          AcceptedKinds kinds);

/// A session that an application has made itself, over a card that it reaches in its own way, for a context. `opened`
/// says what elements compare their properties with. Asks the token what it is.
[[nodiscard]] Result<CardSessionPtr> wrap_token_session(std::unique_ptr<smartpro::TokenSession> token,
                                                        CardRequest opened);

/// Answers a context query for the card session. False when it asks for something else, or `session` is nothing.
bool answer_context_query(GstQuery* query, GstCasCardSession* session);

[[nodiscard]] smartpro::TokenSession& token_session(GstCasCardSession* session);
[[nodiscard]] const smartpro::TokenInfo& token_info(const GstCasCardSession* session);

}  // namespace cas::gst
