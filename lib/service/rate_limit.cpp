// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/rate_limit.hpp"

#include <algorithm>
#include <limits>

namespace cas::service {

namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr std::size_t most_clients = 1'000'000;
constexpr std::uint32_t most_tokens = 1'000'000'000;
constexpr std::chrono::milliseconds longest_period{std::chrono::hours(24)};

}  // namespace

Result<RateLimiter> RateLimiter::create(Clock& clock, RateLimit limit, std::size_t max_clients) {
  if (limit.count == 0 || limit.burst == 0 || limit.period.count() <= 0 || max_clients == 0)
    return fail(ErrorKind::invalid_argument, "a rate has at least one token, a time, a burst and a client");
  if (limit.period > longest_period || limit.burst > most_tokens || max_clients > most_clients)
    return fail(ErrorKind::invalid_argument,
                "a rate is told for at most 24 h, a burst is at most 1,000,000,000, and of clients there are at most "
                "1,000,000");
  const nanoseconds token = nanoseconds(limit.period) / limit.count;
  if (token.count() == 0) return fail(ErrorKind::invalid_argument, "a rate is at most 1,000,000,000 tokens a second");
  // All that is reckoned with below stays far from the end of 64 bits: 24 h times 10^9 would not.
  if (limit.burst > std::numeric_limits<std::int64_t>::max() / 8 / token.count())
    return fail(ErrorKind::invalid_argument, "a burst is too large for its rate: it would take centuries to fill");
  return RateLimiter(clock, token, limit.burst, max_clients);
}

RateLimiter::Bucket& RateLimiter::bucket_of(std::string_view client) {
  if (const auto found = clients_.find(client); found != clients_.end()) {
    buckets_.splice(buckets_.begin(), buckets_, found->second);
    return buckets_.front();
  }
  if (clients_.size() >= max_clients_) {
    clients_.erase(buckets_.back().client);
    buckets_.pop_back();
  }
  buckets_.push_front({std::string(client), clock_->monotonic()});
  clients_.emplace(buckets_.front().client, buckets_.begin());
  return buckets_.front();
}

// A bucket is told by the one moment at which it is full again: each token that is taken puts it off by the time in
// which one comes (the generic cell rate algorithm of ITU-T I.371, as a token bucket).
std::uint32_t RateLimiter::take(std::string_view client, std::uint32_t tokens) {
  const nanoseconds now = clock_->monotonic();
  Bucket& bucket = bucket_of(client);
  const nanoseconds full_at = std::max(bucket.full_at, now);
  const nanoseconds whole = token_ * std::int64_t{burst_};
  const nanoseconds wait = full_at + token_ * std::int64_t{std::min(tokens, burst_)} - now - whole;
  if (wait.count() > 0) {
    constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max();
    return static_cast<std::uint32_t>(std::min(std::chrono::ceil<seconds>(wait).count(), most));
  }
  // Nobody may owe more than can be told.
  const std::int64_t owed =
      std::min<std::int64_t>(tokens, std::numeric_limits<std::int64_t>::max() / 8 / token_.count());
  bucket.full_at = full_at + token_ * owed;
  return 0;
}

}  // namespace cas::service
