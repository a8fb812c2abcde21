// SPDX-License-Identifier: LGPL-2.1-or-later
#include "keysource_relay.hpp"

namespace cas::gst {

KeySourceRelay::KeySourceRelay(GstElement* element) { g_weak_ref_init(&element_, element); }
KeySourceRelay::~KeySourceRelay() { g_weak_ref_clear(&element_); }

void KeySourceRelay::post(GstStructure* structure) {
  auto* element = static_cast<GstElement*>(g_weak_ref_get(&element_));
  if (element == nullptr) {
    gst_structure_free(structure);
    return;
  }
  gst_element_post_message(element, gst_message_new_element(GST_OBJECT(element), structure));
  gst_object_unref(element);
}

void KeySourceRelay::failed_over(const std::string& from, const std::string& to, const std::string& cause) {
  post(gst_structure_new("kex-fail-over", "from", G_TYPE_STRING, from.c_str(), "to", G_TYPE_STRING, to.c_str(), "cause",
                         G_TYPE_STRING, cause.c_str(), nullptr));
}

void KeySourceRelay::recovered(const std::string& url) {
  post(gst_structure_new("kex-recovered", "url", G_TYPE_STRING, url.c_str(), nullptr));
}

void KeySourceRelay::negotiated(const std::string& url, const std::string& authentication, bool encrypted) {
  post(gst_structure_new("kex-negotiated", "url", G_TYPE_STRING, url.c_str(), "authentication", G_TYPE_STRING,
                         authentication.c_str(), "encrypted", G_TYPE_BOOLEAN, gboolean{encrypted}, nullptr));
}

void KeySourceRelay::disagreement(const std::string& one, const std::string& other) {
  post(gst_structure_new("kex-disagreement", "url", G_TYPE_STRING, one.c_str(), "other-url", G_TYPE_STRING,
                         other.c_str(), nullptr));
}

void KeySourceRelay::not_fetched(std::uint64_t period, const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    last_failure_ = error;
  }
  post(gst_structure_new("kex-key-failed", "period", G_TYPE_UINT64, guint64{period}, "error-kind", G_TYPE_STRING,
                         error_kind_name(error.kind), "cause", G_TYPE_STRING, error.message.c_str(), nullptr));
}

void KeySourceRelay::fetched(std::uint64_t) {
  const std::lock_guard lock(mutex_);
  ++keys_;
  changed_.notify_all();
}

bool KeySourceRelay::wait_for_key(std::uint64_t seen, std::chrono::steady_clock::time_point until,
                                  const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, stop, until, [&] { return keys_ != seen; });
}

std::uint64_t KeySourceRelay::keys() const {
  const std::lock_guard lock(mutex_);
  return keys_;
}

Error KeySourceRelay::last_failure() const {
  const std::lock_guard lock(mutex_);
  return last_failure_;
}

}  // namespace cas::gst
