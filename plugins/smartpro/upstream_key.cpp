// SPDX-License-Identifier: LGPL-2.1-or-later
#include "upstream_key.hpp"

#include <gst/cas/pointers.hpp>

#include <string>
#include <utility>

#include "crypto/constant_time.hpp"

namespace cas::gst {

namespace {

Result<smartpro::KeyOrigin> name_of(const GstCasContentKey& key) {
  smartpro::KeyOrigin origin;
  auto key_id = smartpro::parse_key_id(gst_cas_content_key_get_key_id(&key));
  if (!key_id) return fail_in("the key that came from upstream", std::move(key_id).error());
  origin.key_id = *key_id;
  origin.content_id = gst_cas_content_key_get_content_id(&key);
  origin.period_index = gst_cas_content_key_get_period_index(&key);
  if (auto checked = origin.check(); !checked)
    return fail(ErrorKind::invalid_argument,
                std::move(checked).error().message +
                    ", so that the header of the protected file cannot name it: give the content another id there");
  return origin;
}

Status check_size(const GstCasContentKey& key, smartpro::ContentCipher cipher) {
  const gsize size = gst_cas_content_key_get_size(&key);
  if (smartpro::is_control_word_size(cipher, size)) return {};
  return fail(ErrorKind::invalid_argument,
              "the key that came from upstream has " + std::to_string(size) + " bytes, and " +
                  smartpro::content_cipher_name(cipher) + " takes " + std::to_string(smartpro::control_word_size) +
                  ": have the key server give keys of that size, as those of ISO/IEC 23001-7 are");
}

/// The key's name, when a file can have such a key.
Result<smartpro::KeyOrigin> usable(const GstCasContentKey* key, smartpro::ContentCipher cipher) {
  if (key == nullptr) return fail(ErrorKind::malformed, "the event of a key that came from upstream has no key in it");
  CAS_TRY(check_size(*key, cipher));
  return name_of(*key);
}

}  // namespace

bool is_content_key_event(GstEvent* event) {
  return GST_EVENT_TYPE(event) == GST_EVENT_CUSTOM_DOWNSTREAM_STICKY &&
         (gst_event_has_name(event, GST_CAS_CONTENT_KEY_EVENT) ||
          gst_event_has_name(event, GST_CAS_CONTENT_KEY_AHEAD_EVENT));
}

Status UpstreamKey::take(ContentKeyPointer key, smartpro::ContentCipher cipher, bool file_begun) {
  Result<smartpro::KeyOrigin> origin = usable(key.get(), cipher);
  if (!origin) {
    forget();  // The one before is not in force either.
    return fail(std::move(origin).error());
  }
  const bool replaces = file_begun && key_;
  const Status same = replaces ? check_same(*key, *origin) : Status{};
  // An event that comes again, after a relink or a flush of somebody upstream.
  if (replaces && same) return {};
  put(std::move(key), *std::move(origin));
  return same;
}

Status UpstreamKey::check_same(const GstCasContentKey& key, const smartpro::KeyOrigin& origin) const {
  if (origin.key_id != origin_.key_id)
    return fail(ErrorKind::unsupported,
                "another key, " + smartpro::key_id_text(origin.key_id) +
                    ", came from upstream within the content, and a protected file has one key from outside, here " +
                    smartpro::key_id_text(origin_.key_id) +
                    ": set 'period=0' at kex-keysource for one key for the whole content, or end the file where the "
                    "key changes (EOS, or a flush) and begin another");
  if (!crypto::constant_time_equal(secret_of(key).reveal(), secret_of(*key_).reveal()))
    return fail(ErrorKind::unsupported, "the key " + smartpro::key_id_text(origin.key_id) +
                                            " came from upstream a second time and is another one: a key server must "
                                            "not use an id twice");
  return {};
}

void UpstreamKey::put(ContentKeyPointer key, smartpro::KeyOrigin origin) {
  const ObjectLock lock(element_);
  std::swap(key_, key);  // The one before is released after the lock is.
  origin_ = std::move(origin);
}

void UpstreamKey::forget() { put(nullptr, {}); }

Result<const SecretBytes*> UpstreamKey::control_word() const {
  if (key_) return &secret_of(*key_);
  return fail(ErrorKind::not_found,
              "no key came from upstream before the content: put kex-keysource, or another element that sends its keys "
              "in events, before this element, or set 'key-source=token'");
}

bool UpstreamKey::rotates() const {
  gboolean rotates = FALSE;
  if (key_) gst_structure_get_boolean(gst_cas_content_key_get_info(key_.get()), "rotates", &rotates);
  return rotates != FALSE;
}

void UpstreamKey::describe(GstStructure* structure) const {
  if (!key_) return;
  gst_structure_set(structure, "key-id", G_TYPE_STRING, smartpro::key_id_text(origin_.key_id).c_str(),  //
                    "content-id", G_TYPE_STRING, origin_.content_id.c_str(),                            //
                    "period-index", G_TYPE_UINT64, guint64{origin_.period_index}, nullptr);
}

}  // namespace cas::gst
