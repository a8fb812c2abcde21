// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/cas/content_key.h>
#include <gst/gst.h>
#include <gst/cas/content_key.hpp>

#include "base/error.hpp"
#include "smartpro/identifiers.hpp"
#include "smartpro/key_origin.hpp"

namespace cas::gst {

/// Whether an event brings a key, now or ahead of its period (content_key.h), whole or not.
[[nodiscard]] bool is_content_key_event(GstEvent* event);

/// The key that a key source upstream has sent, for the files that smartpro-scramble writes under it: one file, one key.
/// It stays in force until another one takes its place, over flushes and from stream to stream, since its event is
/// sticky and GStreamer does not send it anew.
///
/// Belongs to the streaming thread, but for describe().
class UpstreamKey {
 public:
  explicit UpstreamKey(GstElement* element) : element_(element) {}

  /// What an event brings; nothing: it brought none. `file_begun`: content has come that is under the key at hand.
  /// ErrorKind::malformed, invalid_argument: no key, not of the cipher's size, or with a name that a file cannot hold, and
  /// none is in force; unsupported: it is another one than the file has, and is in force once the file is given up. Takes
  /// the object lock.
  [[nodiscard]] Status take(ContentKeyPointer key, smartpro::ContentCipher cipher, bool file_begun);
  /// After streaming. Takes the object lock.
  void forget();

  /// ErrorKind::not_found: none has come.
  [[nodiscard]] Result<const SecretBytes*> control_word() const;
  [[nodiscard]] const smartpro::KeyOrigin& origin() const { return origin_; }
  /// Whether the key source says that another key comes after this one.
  [[nodiscard]] bool rotates() const;

  /// Writes "key-id", "content-id" and "period-index" into a structure, when there is a key. Any thread, under the
  /// object lock.
  void describe(GstStructure* structure) const;

 private:
  [[nodiscard]] Status check_same(const GstCasContentKey& key, const smartpro::KeyOrigin& origin) const;
  void put(ContentKeyPointer key, smartpro::KeyOrigin origin);

  GstElement* const element_;
  // Written under the object lock.
  ContentKeyPointer key_;
  smartpro::KeyOrigin origin_;
};

}  // namespace cas::gst
