// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstddef>

namespace cas::service {

/// What clients may cost a server. Sizes in bytes.
struct HttpServerLimits {
  std::size_t connections = 1024;       ///< At once; more are closed as they come.
  std::size_t target_size = 4096;       ///< 414 beyond it.
  std::size_t header_size = 16 * 1024;  ///< Request line and fields together; of what frames chunks, too. 431.
  std::size_t header_fields = 64;       ///< 431.
  std::size_t body_size = 1024 * 1024;  ///< 413.
  std::size_t requests = 1024;          ///< Whose answers are not ready yet, of all clients together; 503 beyond.
  std::chrono::milliseconds handshake{10'000};  ///< Until TLS stands.
  std::chrono::milliseconds headers{10'000};    ///< From a request's first byte to the end of its fields; 408.
  std::chrono::milliseconds body{30'000};       ///< From there to the end of its body; 408.
  std::chrono::milliseconds answer{60'000};     ///< From there until the answer is ready; 503.
  std::chrono::milliseconds stalled{30'000};    ///< While bytes wait for a client that takes none.
  std::chrono::milliseconds idle{60'000};       ///< Between requests.
  std::chrono::milliseconds stop{10'000};       ///< For all that is under way when the server is stopped.
};

}  // namespace cas::service
