// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.hpp"

namespace cas::service {

/// A bucket of `burst` tokens that fills up at a steady rate.
struct RateLimit {
  std::uint32_t count = 0;                 ///< So many tokens...
  std::chrono::milliseconds period{1000};  ///< ...in that time.
  std::uint32_t burst = 0;                 ///< At once, after a rest.
};

/// A bucket for each client, by its name. Names are to be those that have been authenticated: the table is bounded, the
/// client that was away for longest gives way, and finds a full bucket when it comes again. One thread at a time.
class RateLimiter {
 public:
  /// ErrorKind::invalid_argument for numbers that are 0, or more than a billion tokens a second; at most a million
  /// clients.
  [[nodiscard]] static Result<RateLimiter> create(Clock& clock, RateLimit limit, std::size_t max_clients = 65'536);

  /// Takes `tokens` of the client's bucket. 0 when it had them; otherwise it takes none, and gives the seconds after
  /// which it may have them: the Retry-After of a 429 (RFC 6585, 4; RFC 9110, 10.2.3). More than the burst are taken
  /// when the bucket is full, and owed.
  [[nodiscard]] std::uint32_t take(std::string_view client, std::uint32_t tokens = 1);
  [[nodiscard]] std::size_t clients() const { return clients_.size(); }

 private:
  struct Bucket {
    std::string client;
    std::chrono::nanoseconds full_at{0};  ///< When it is full again, if nobody takes anything.
  };
  RateLimiter(Clock& clock, std::chrono::nanoseconds token, std::uint32_t burst, std::size_t max_clients)
      : clock_(&clock), token_(token), burst_(burst), max_clients_(max_clients) {}
  [[nodiscard]] Bucket& bucket_of(std::string_view client);

  Clock* clock_;
  std::chrono::nanoseconds token_;  ///< In which one comes.
  std::uint32_t burst_;
  std::size_t max_clients_;
  std::list<Bucket> buckets_;                                                  ///< That of the last call first.
  std::unordered_map<std::string_view, std::list<Bucket>::iterator> clients_;  ///< Names are the buckets'.
};

}  // namespace cas::service
