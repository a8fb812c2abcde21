// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <mutex>
#include <string>

namespace cas::test {

/// Everything that GStreamer logs while the object lives.
class LogKeeper {
 public:
  LogKeeper() : level_(gst_debug_get_default_threshold()) {
    // In brackets: not GStreamer's macros of these names, which compare a function with a pointer to void.
    (gst_debug_add_log_function)(note, this, nullptr);
    gst_debug_set_active(TRUE);
    gst_debug_set_default_threshold(GST_LEVEL_TRACE);
    (gst_debug_remove_log_function)(gst_debug_log_default);
  }
  ~LogKeeper() {
    gst_debug_set_default_threshold(level_);
    gst_debug_remove_log_function_by_data(this);
    (gst_debug_add_log_function)(gst_debug_log_default, nullptr, nullptr);
  }
  LogKeeper(const LogKeeper&) = delete;
  LogKeeper& operator=(const LogKeeper&) = delete;

  [[nodiscard]] std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  static void note(GstDebugCategory*, GstDebugLevel, const gchar*, const gchar*, gint, GObject*,
                   GstDebugMessage* message, gpointer self) {
    // Objects in a message are printed by functions that log themselves.
    static thread_local bool inside = false;
    if (inside) return;
    inside = true;
    const std::string line = gst_debug_message_get(message);
    inside = false;
    auto* keeper = static_cast<LogKeeper*>(self);
    const std::lock_guard lock(keeper->mutex_);
    keeper->text_ += line + '\n';
  }

  GstDebugLevel level_;
  mutable std::mutex mutex_;
  std::string text_;
};

}  // namespace cas::test
