// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/cas/card_session.hpp"

#include <algorithm>
#include <atomic>
#include <new>
#include <span>

#include "gst/cas/element_error.hpp"
#include "gst/cas/pointers.hpp"
#include "smartpro/default_places.hpp"
#include "smartpro/host_credentials.hpp"
#include "smartpro/list_refresher.hpp"

struct _GstCasCardSession {
  std::atomic<int> references{1};
  cas::gst::CardRequest opened;  // With nothing left empty but the pin source.
  cas::smartpro::TokenInfo info;
  std::unique_ptr<cas::smartpro::TokenSession> token;
};

GType gst_cas_suite_get_type() {
  static const GType type = [] {
    static const GEnumValue values[] = {
        {GST_CAS_SUITE_P256, "NIST P-256 with SHA-256", "p256"},
        {GST_CAS_SUITE_FFDHE2048, "RFC 7919 ffdhe2048 with SHA-256", "ffdhe2048"},
        {0, nullptr, nullptr},
    };
    return g_enum_register_static("GstCasSuite", values);
  }();
  return type;
}

GstCasCardSession* gst_cas_card_session_ref(GstCasCardSession* session) {
  session->references.fetch_add(1, std::memory_order_relaxed);
  return session;
}

void gst_cas_card_session_unref(GstCasCardSession* session) {
  if (session->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete session;
}

GType gst_cas_card_session_get_type() {
  static const GType type = g_boxed_type_register_static(
      "GstCasCardSession",
      [](gpointer session) -> gpointer { return gst_cas_card_session_ref(static_cast<GstCasCardSession*>(session)); },
      [](gpointer session) { gst_cas_card_session_unref(static_cast<GstCasCardSession*>(session)); });
  return type;
}

const gchar* gst_cas_card_session_get_card_uri(const GstCasCardSession* session) {
  return session->opened.card_uri.c_str();
}

const gchar* gst_cas_card_session_get_host_folder(const GstCasCardSession* session) {
  return session->opened.host_folder.c_str();
}

GstContext* gst_cas_context_new_card_session(GstCasCardSession* session, gboolean persistent) {
  GstContext* context = gst_context_new(GST_CAS_CARD_SESSION_CONTEXT_TYPE, persistent);
  gst_structure_set(gst_context_writable_structure(context), "session", GST_TYPE_CAS_CARD_SESSION, session, nullptr);
  return context;
}

GstCasCardSession* gst_cas_context_get_card_session(GstContext* context) {
  GstCasCardSession* session = nullptr;
  if (gst_context_has_context_type(context, GST_CAS_CARD_SESSION_CONTEXT_TYPE))
    gst_structure_get(gst_context_get_structure(context), "session", GST_TYPE_CAS_CARD_SESSION, &session, nullptr);
  return session;
}

namespace cas::gst {

namespace {

GST_DEBUG_CATEGORY_STATIC(card_session_debug);
#define GST_CAT_DEFAULT card_session_debug

void init_debug_category() {
  static const bool once = [] {
    GST_DEBUG_CATEGORY_INIT(card_session_debug, "cas-card-session", 0,
                            "sessions with smart cards, shared in a pipeline");
    return true;
  }();
  static_cast<void>(once);
}

Result<CardSessionPtr> open_session(CardRequest request) {
  CAS_TRY_ASSIGN(smartpro::HostCredentials credentials,
                 smartpro::load_host_credentials(request.host_folder, request.host_pin_source));
  if (credentials.static_key(request.suite) == nullptr)
    return fail(ErrorKind::invalid_argument, "the host's credentials in " + request.host_folder + " have no " +
                                                 crypto::dh_group_name(request.suite) +
                                                 " key: make them anew with 'cas-tmc host', or choose the other suite");
  CAS_TRY_ASSIGN(std::shared_ptr<card::Card> card, smartpro::open_token_card(request.card_uri));

  smartpro::TokenSession::Options options;
  options.suite = request.suite;
  // The lists come by themselves, in a thread: nothing is waited for here.
  CAS_TRY_ASSIGN(const smartpro::ProcessLists shared,
                 smartpro::process_lists(credentials.root_revocation_key, request.lists_source));
  options.lists = shared.lists;
  options.refresher = shared.refresher;
  auto token = std::make_unique<smartpro::TokenSession>(
      std::move(card), std::make_shared<const smartpro::HostCredentials>(std::move(credentials)), options);
  return wrap_token_session(std::move(token), std::move(request));
}

std::string names_of(AcceptedKinds kinds) {
  std::string names;
  for (const smartpro::TokenKind kind : kinds)
    names += (names.empty() ? "'" : " or '") + std::string(smartpro::token_kind_name(kind)) + "'";
  return names;
}

/// What else can be done than to name another card.
std::string remedy_of(smartpro::TokenKind found, smartpro::TokenKind needed) {
  if (found == smartpro::TokenKind::processing && needed == smartpro::TokenKind::acquisition)
    return ", or say with 'licence-from' what the content was opened from: a processing token protects no clear "
           "content";
  if (needed == smartpro::TokenKind::head_end)
    return ", or have one enrolled with 'cas-tmc enrol --kind head-end': such a token alone makes licences for keys "
           "from outside";
  return {};
}

Status check_kind(const GstCasCardSession* session, AcceptedKinds kinds) {
  if (std::find(kinds.begin(), kinds.end(), session->info.kind) != kinds.end()) return {};
  return fail(ErrorKind::invalid_argument, session->token->card_description() + " is a token of the kind '" +
                                               smartpro::token_kind_name(session->info.kind) + "', and " +
                                               names_of(kinds) +
                                               " is needed here: name another card with the property 'card'" +
                                               remedy_of(session->info.kind, *kinds.begin()));
}

bool fits(const GstCasCardSession* session, const CardRequest& request, AcceptedKinds kinds) {
  const CardRequest& opened = session->opened;
  return (request.card_uri.empty() || request.card_uri == opened.card_uri) &&
         (request.host_folder.empty() || request.host_folder == opened.host_folder) &&
         (request.lists_source.empty() || request.lists_source == opened.lists_source) &&
         request.suite == opened.suite && check_kind(session, kinds).has_value();
}

CardSessionPtr session_of(GstContext* context, const CardRequest& request, AcceptedKinds kinds) {
  if (context == nullptr) return nullptr;
  CardSessionPtr session(gst_cas_context_get_card_session(context));
  if (session && !fits(session.get(), request, kinds)) session.reset();
  return session;
}

CardSessionPtr session_of_element(GstElement* element, const CardRequest& request, AcceptedKinds kinds) {
  const ContextPtr context(gst_element_get_context(element, GST_CAS_CARD_SESSION_CONTEXT_TYPE));
  return session_of(context.get(), request, kinds);
}

struct PeerSearch {
  const CardRequest* request;
  const AcceptedKinds* kinds;
  CardSessionPtr found;
};

gboolean ask_peer(GstElement*, GstPad* pad, gpointer data) {
  auto* search = static_cast<PeerSearch*>(data);
  const QueryPtr query(gst_query_new_context(GST_CAS_CARD_SESSION_CONTEXT_TYPE));
  if (!gst_pad_peer_query(pad, query.get())) return TRUE;
  GstContext* context = nullptr;
  gst_query_parse_context(query.get(), &context);
  search->found = session_of(context, *search->request, *search->kinds);
  return search->found == nullptr;  // FALSE ends the iteration.
}

CardSessionPtr find_session(GstElement* element, const CardRequest& request, AcceptedKinds kinds) {
  if (auto session = session_of_element(element, request, kinds)) return session;
  PeerSearch search{&request, &kinds, nullptr};
  gst_element_foreach_src_pad(element, ask_peer, &search);
  if (!search.found) gst_element_foreach_sink_pad(element, ask_peer, &search);
  if (search.found) return std::move(search.found);
  gst_element_post_message(element,
                           gst_message_new_need_context(GST_OBJECT(element), GST_CAS_CARD_SESSION_CONTEXT_TYPE));
  return session_of_element(element, request, kinds);
}

Result<CardRequest> with_defaults(CardRequest request, AcceptedKinds kinds) {
  if (request.card_uri.empty()) {
    CAS_TRY_ASSIGN(request.card_uri, smartpro::default_card_uri(std::span(kinds.begin(), kinds.size())));
  }
  if (request.host_folder.empty()) {
    CAS_TRY_ASSIGN(const std::filesystem::path folder, smartpro::default_host_folder());
    request.host_folder = folder.string();
  }
  return request;
}

}  // namespace

Result<CardSessionPtr> acquire_card_session(GstElement* element, const CardRequest& request, AcceptedKinds kinds) {
  init_debug_category();
  if (auto session = find_session(element, request, kinds)) {
    GST_DEBUG_OBJECT(element, "shares the session with %s", session->token->card_description().c_str());
    return session;
  }
  CAS_TRY_ASSIGN(CardRequest complete, with_defaults(request, kinds));
  CAS_TRY_ASSIGN(CardSessionPtr session, open_session(std::move(complete)));
  CAS_TRY(check_kind(session.get(), kinds));
  GST_DEBUG_OBJECT(element, "opened a session with %s", session->token->card_description().c_str());

  GstContext* context = gst_cas_context_new_card_session(session.get(), FALSE);
  gst_element_set_context(element, context);
  gst_element_post_message(element, gst_message_new_have_context(GST_OBJECT(element), context));
  return session;
}

Result<CardSessionPtr> wrap_token_session(std::unique_ptr<smartpro::TokenSession> token, CardRequest opened) {
  CardSessionPtr session(new _GstCasCardSession);
  session->token = std::move(token);
  session->opened = std::move(opened);
  CAS_TRY_ASSIGN(session->info, session->token->info());
  return session;
}

bool answer_context_query(GstQuery* query, GstCasCardSession* session) {
  const gchar* type = nullptr;
  if (session == nullptr || !gst_query_parse_context_type(query, &type) ||
      g_strcmp0(type, GST_CAS_CARD_SESSION_CONTEXT_TYPE) != 0)
    return false;
  const ContextPtr context(gst_cas_context_new_card_session(session, FALSE));
  gst_query_set_context(query, context.get());
  return true;
}

smartpro::TokenSession& token_session(GstCasCardSession* session) { return *session->token; }

const smartpro::TokenInfo& token_info(const GstCasCardSession* session) { return session->info; }

}  // namespace cas::gst

GstCasCardSession* gst_cas_card_session_open(const gchar* card_uri, const gchar* host_folder,
                                             const gchar* host_pin_source, GstCasSuite suite, GError** error) {
  g_return_val_if_fail(card_uri != nullptr && host_folder != nullptr, nullptr);
  cas::Result<cas::gst::CardSessionPtr> session = cas::fail(cas::ErrorKind::internal, "out of memory");
  try {
    session = cas::gst::open_session({card_uri,
                                      host_folder,
                                      host_pin_source == nullptr ? "" : host_pin_source,
                                      static_cast<cas::crypto::DhGroup>(suite),
                                      {}});
  } catch (const std::bad_alloc&) {
    // `session` says so.
  }
  if (session) return session->release();
  const auto [domain, code] = cas::gst::error_code_at_start(session.error().kind);
  g_set_error_literal(error, domain, code, session.error().message.c_str());
  return nullptr;
}
