// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "service_keys.hpp"

namespace cas::apps {

struct PlaybackOptions {
  std::string output;  ///< The payload of the one media goes to this file; empty: it is played.
  std::string ltkm_address;
  std::optional<std::uint16_t> ltkm_port;  ///< Long term key messages come as datagrams there.
  std::optional<std::chrono::milliseconds> duration;
  std::chrono::milliseconds latency{200};  ///< Of the jitter buffer.
};

/// Receives, opens and plays the media until a signal (SIGINT, SIGTERM), the duration or an error ends it. `keys` and
/// `service` are those of the same media.
[[nodiscard]] Status play(const simulcrypt::bcast::sdp::Service& service, const std::vector<std::size_t>& media,
                          ServiceKeys& keys, const PlaybackOptions& options);

}  // namespace cas::apps
