// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>
#include <gst/cas/content_key.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "base/error.hpp"
#include "simulcrypt/content_key.hpp"

namespace cas::gst {

/// What a key event says, for the head-end.
[[nodiscard]] simulcrypt::ContentKey content_key_of(const GstCasContentKey& key);

/// Keys on their way from events to the head-end: the line between two crypto-periods is before the first buffer that comes
/// behind the event, and what is left of the packet before it belongs before the line. The streaming thread's.
class KeyMarks {
 public:
  /// Whether the key is one of this stream. A key server may give keys for parts of a content: the first part that comes is
  /// what this stream has, and of the others the first is told: `problem`.
  [[nodiscard]] bool is_ours(const GstCasContentKey& key, std::string& problem);

  void add(std::uint64_t position, simulcrypt::ContentKey key) { marks_.emplace_back(position, std::move(key)); }
  [[nodiscard]] bool empty() const { return marks_.empty(); }
  /// How many bytes of a run of packets that starts at this position are before the next mark.
  [[nodiscard]] std::size_t bytes_before(std::uint64_t position, std::size_t size) const;
  [[nodiscard]] simulcrypt::ContentKey take();
  void clear();

 private:
  std::deque<std::pair<std::uint64_t, simulcrypt::ContentKey>> marks_;  ///< In bytes of the stream.
  std::optional<std::string> part_;
  bool told_of_part_ = false;
};

}  // namespace cas::gst
