// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <deque>
#include <map>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "dcas/message.hpp"

namespace cas::dcas {

// Challenge, AP to SM and TA to AP, not signed; extended suite alone. Who asks for a key takes it into the request that it
// signs, so that a request which was recorded is good for nothing.
//   80 challenge        16 bytes

[[nodiscard]] Result<Bytes> write_challenge(const Nonce& challenge);
[[nodiscard]] Result<Nonce> parse_challenge(ByteView message);

/// The challenges that are out: each is good for one request, and for a short time. When there are too many, the oldest
/// is dropped, so that who asks for many keeps nobody from asking. Keeps references to both. One thread at a time.
class ChallengeBook {
 public:
  static constexpr std::chrono::seconds lifetime{30};
  static constexpr std::size_t max_outstanding = 65'536;

  ChallengeBook(Random& random, Clock& clock) : random_(&random), clock_(&clock) {}
  /// A new one, as a message.
  [[nodiscard]] Result<Bytes> issue();
  /// ErrorKind::refused for one that is not out: never issued, too old, or used.
  [[nodiscard]] Status redeem(const Nonce& challenge);

 private:
  struct Issued {
    Nonce challenge{};
    std::chrono::nanoseconds until{};
  };
  void forget_old();

  Random* random_;
  Clock* clock_;
  std::deque<Issued> in_order_;
  std::map<Nonce, std::chrono::nanoseconds> outstanding_;
};

}  // namespace cas::dcas
