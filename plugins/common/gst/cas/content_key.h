/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/**
 * GstCasContentKey:
 *
 * A key for content that comes from outside of the scrambler: a key server's, through kex-keysource, or an application's
 * own. Counted by reference, never changed; any thread may use it. The key itself has no string form and stands in no
 * structure, so that nothing that prints caps, events or values prints it; what is public stands in a #GstStructure.
 *
 * Since: 0.1
 */
typedef struct _GstCasContentKey GstCasContentKey;

#define GST_TYPE_CAS_CONTENT_KEY (gst_cas_content_key_get_type())
GType gst_cas_content_key_get_type(void);

/**
 * GST_CAS_CONTENT_KEY_INFO:
 *
 * The name of the structure with the public part of a key. Fields:
 *
 * - "key-id" (string): a UUID, in lower case with hyphens. Always there.
 * - "content-id" (string): as the key server knows the content. Always there.
 * - "period-index" (guint64): the crypto-period's number, 0 for a key that does not rotate. Always there. The parity of
 *   a control word is that of this number.
 * - "rotates" (gboolean): whether another key comes at the end of the period. Always there.
 * - "time-base" (string): "running-time" or "utc", what the next two are of
 * - "start", "end" (guint64): the period in nanoseconds, half-open; "end" is left out for one without end
 * - "track-type", "representation" (string): which part of the content has this key, when not all of it
 * - "scheme" (string): "cenc", "cens", "cbc1" or "cbcs" (ISO/IEC 23001-7), when the server names one
 * - "iv" (#GBytes): the initialisation vector that the server gives, of 16 bytes
 * - "systems" (#GstValueArray of #GstStructure): for each DRM or CA system "system-id" (string, a UUID), "pssh"
 *   (#GBytes, a whole box), "super-cas-id" (uint), "data" (#GBytes), as far as they are known
 *
 * Since: 0.1
 */
#define GST_CAS_CONTENT_KEY_INFO "content-key-info"

/* Names of the events' structures; see gst_cas_event_new_content_key(). */
#define GST_CAS_CONTENT_KEY_EVENT "gst-cas-content-key"
#define GST_CAS_CONTENT_KEY_AHEAD_EVENT "gst-cas-content-key-ahead"

/**
 * gst_cas_content_key_new:
 * @key: (array length=key_size): the key, which is copied to memory that is locked and cleansed
 * @key_size: 8 to 32 bytes
 * @info: (transfer full): the public part, a structure of the name %GST_CAS_CONTENT_KEY_INFO
 *
 * Returns: (transfer full) (nullable): the key; %NULL, with a critical warning, when a size, a field or its type is wrong
 * Since: 0.1
 */
GstCasContentKey* gst_cas_content_key_new(const guint8* key, gsize key_size, GstStructure* info);

GstCasContentKey* gst_cas_content_key_ref(GstCasContentKey* key);
void gst_cas_content_key_unref(GstCasContentKey* key);

/* In bytes. */
gsize gst_cas_content_key_get_size(const GstCasContentKey* key);

/**
 * gst_cas_content_key_copy_key:
 * @key: the key
 * @out: (array length=size): where its bytes go; the caller cleanses them
 * @size: the size of the key
 *
 * Returns: %FALSE, and nothing is written, when the key has another size
 * Since: 0.1
 */
gboolean gst_cas_content_key_copy_key(const GstCasContentKey* key, guint8* out, gsize size);

/* These live as long as the key. */
const GstStructure* gst_cas_content_key_get_info(const GstCasContentKey* key);
const gchar* gst_cas_content_key_get_key_id(const GstCasContentKey* key);
const gchar* gst_cas_content_key_get_content_id(const GstCasContentKey* key);
guint64 gst_cas_content_key_get_period_index(const GstCasContentKey* key);

/**
 * gst_cas_event_new_content_key:
 * @key: (transfer none): the key
 * @ahead: whether it is told ahead of its period
 *
 * A serialized, sticky downstream event whose structure has all fields of gst_cas_content_key_get_info(), and "key" of
 * type #GstCasContentKey. It is named %GST_CAS_CONTENT_KEY_EVENT: from the next buffer on this key is in force. With
 * @ahead it is named %GST_CAS_CONTENT_KEY_AHEAD_EVENT: the key of a period to come, for scramblers that have others told of it
 * in time, such as ECM generators.
 *
 * Returns: (transfer full): the event
 * Since: 0.1
 */
GstEvent* gst_cas_event_new_content_key(GstCasContentKey* key, gboolean ahead);

/**
 * gst_cas_event_get_content_key:
 * @event: an event of any type
 * @ahead: (out) (optional): whether the key is told ahead of its period
 *
 * Returns: (transfer full) (nullable): the key in it; %NULL when it is another event
 * Since: 0.1
 */
GstCasContentKey* gst_cas_event_get_content_key(GstEvent* event, gboolean* ahead);

G_END_DECLS
