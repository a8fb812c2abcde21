// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "service/reconnect_delay.hpp"

namespace cas::kex {

/// Which of several key servers is asked (5.3.1, 5.1.4). They stand in the order of preference. One that has failed is
/// passed over, and tried again beside those that are asked: a server that is dead costs its time-out once, and not with
/// each request. No clock of its own, no threads.
class ServerRoster {
 public:
  using Time = std::chrono::nanoseconds;
  struct Settings {
    std::chrono::milliseconds first_probe{500};  ///< After a failure; doubled each time, up to
    std::chrono::milliseconds longest_probe{10'000};
  };
  struct Change {
    enum class Kind { failed_over, recovered };
    Kind kind = Kind::failed_over;
    std::size_t from = 0, to = 0;  ///< Who was asked first, and who is from now on.
    std::string cause;             ///< Of failing over.
    bool operator==(const Change&) const = default;
  };

  /// At least one server. Keeps `random`.
  ServerRoster(std::size_t servers, const Settings& settings, Random& random);

  /// All servers: those that are well, then the others, each in order.
  [[nodiscard]] std::vector<std::size_t> order() const;
  [[nodiscard]] std::size_t first() const { return order().front(); }
  [[nodiscard]] bool is_well(std::size_t server) const { return servers_[server].well; }

  /// Say what has become of a request; what has changed by it.
  std::optional<Change> succeeded(std::size_t server);
  std::optional<Change> failed(std::size_t server, const std::string& cause, Time now);

  /// Servers to try again now, beside the one that is asked. Each is named once, until it succeeds or fails.
  [[nodiscard]] std::vector<std::size_t> take_probes(Time now);

 private:
  struct Server {
    bool well = true;
    bool probing = false;
    Time probe_at{0};
    service::ReconnectDelay delay;
  };
  std::vector<Server> servers_;
};

}  // namespace cas::kex
