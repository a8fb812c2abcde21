// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <stop_token>
#include <string>

#include "kex/key_source.hpp"

namespace cas::gst {

/// Takes what a key source tells, on its thread, to the bus of an element and to its streaming thread. Outlives the
/// element where the source still calls it.
///
/// Element messages, with their fields:
///
///   kex-fail-over      from, to, cause (string): another key server is asked from now on
///   kex-recovered      url (string): a preferred key server is well again, and asked from now on
///   kex-negotiated     url, authentication (string: mutual-TLS, Digest, Bearer, none), encrypted (gboolean)
///   kex-disagreement   url, other-url (string): two key servers have different keys for one period
///   kex-key-failed     period (guint64), error-kind, cause (string): no server gave the key; it is tried again
class KeySourceRelay final : public kex::KeySourceListener {
 public:
  explicit KeySourceRelay(GstElement* element);
  ~KeySourceRelay() override;
  KeySourceRelay(const KeySourceRelay&) = delete;
  KeySourceRelay& operator=(const KeySourceRelay&) = delete;

  void failed_over(const std::string& from, const std::string& to, const std::string& cause) override;
  void recovered(const std::string& url) override;
  void negotiated(const std::string& url, const std::string& authentication, bool encrypted) override;
  void disagreement(const std::string& one, const std::string& other) override;
  void not_fetched(std::uint64_t period, const Error& error) override;
  void fetched(std::uint64_t period) override;

  /// Waits until a key has come since `seen` (KeySource::generation is read before looking), `until`, or a stop. True
  /// for a key.
  bool wait_for_key(std::uint64_t seen, std::chrono::steady_clock::time_point until, const std::stop_token& stop);
  /// Counts keys that have come.
  [[nodiscard]] std::uint64_t keys() const;
  /// The sentence of the last failure, for an error that is posted.
  [[nodiscard]] Error last_failure() const;

 private:
  void post(GstStructure* structure);
  GWeakRef element_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::uint64_t keys_ = 0;
  Error last_failure_{ErrorKind::io, "no key server has answered yet"};
};

}  // namespace cas::gst
