/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/**
 * GST_CAS_CARD_SESSION_CONTEXT_TYPE:
 *
 * The type of the #GstContext in which the elements of a pipeline share one session with a card. Elements look for it as
 * GL and VA elements do: a context query downstream and upstream, then a need-context message; who opens a session tells so
 * with a have-context message. The context has one field, "session", of type #GstCasCardSession.
 *
 * Since: 0.1
 */
#define GST_CAS_CARD_SESSION_CONTEXT_TYPE "gst.cas.card-session"

/**
 * GstCasSuite:
 * @GST_CAS_SUITE_P256: NIST P-256 with SHA-256: what cards accelerate.
 * @GST_CAS_SUITE_FFDHE2048: RFC 7919 ffdhe2048 with SHA-256: classic Diffie-Hellman.
 *
 * How the secure authenticated channel to a card agrees on its keys.
 *
 * Since: 0.1
 */
typedef enum {
  GST_CAS_SUITE_P256 = 1,
  GST_CAS_SUITE_FFDHE2048 = 2,
} GstCasSuite;

#define GST_TYPE_CAS_SUITE (gst_cas_suite_get_type())
GType gst_cas_suite_get_type(void);

/**
 * GstCasCardSession:
 *
 * A host's session with one smart card, counted by reference. Opaque; any thread may use it. An application makes one with
 * gst_cas_card_session_open() to share a card between pipelines, since a card (a soft card above all) has one user at a time.
 *
 * Since: 0.1
 */
typedef struct _GstCasCardSession GstCasCardSession;

#define GST_TYPE_CAS_CARD_SESSION (gst_cas_card_session_get_type())
GType gst_cas_card_session_get_type(void);

/**
 * gst_cas_card_session_open:
 * @card_uri: which card: "pcsc:...", "soft:..."
 * @host_folder: (type filename): the host's credentials, as `cas-tmc host` writes them
 * @host_pin_source: (nullable): where the pass phrase of the host's key is: "file:PATH", "env:NAME"
 * @suite: key agreement of the channel
 * @error: (out) (optional): what is missing, in the domains #GstResourceError and #GstLibraryError
 *
 * Reads the credentials, connects to the card, and asks it what it is. No channel is opened yet.
 *
 * Returns: (transfer full) (nullable): the session
 * Since: 0.1
 */
GstCasCardSession *gst_cas_card_session_open(const gchar *card_uri, const gchar *host_folder,
                                             const gchar *host_pin_source, GstCasSuite suite, GError **error);

GstCasCardSession *gst_cas_card_session_ref(GstCasCardSession *session);
void gst_cas_card_session_unref(GstCasCardSession *session);

/* Both live as long as the session. */
const gchar *gst_cas_card_session_get_card_uri(const GstCasCardSession *session);
const gchar *gst_cas_card_session_get_host_folder(const GstCasCardSession *session);

/**
 * gst_cas_context_new_card_session:
 * @session: (transfer none): the session to share
 * @persistent: whether elements keep the context when they go to NULL
 *
 * Returns: (transfer full): a context for gst_element_set_context()
 * Since: 0.1
 */
GstContext *gst_cas_context_new_card_session(GstCasCardSession *session, gboolean persistent);

/**
 * gst_cas_context_get_card_session:
 * @context: a context of any type
 *
 * Returns: (transfer full) (nullable): the session in it; %NULL when there is none
 * Since: 0.1
 */
GstCasCardSession *gst_cas_context_get_card_session(GstContext *context);

G_END_DECLS
