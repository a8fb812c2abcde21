// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to service/, not installed.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/random.hpp"

namespace cas::service {

/// The nonces of HTTP Digest (RFC 7616, 3.3 and 5.4). A nonce that is given out costs no memory: it holds its own time
/// and number, and an HMAC over both and the realm under a key that is drawn at each start. Of those whose answers were
/// right the counts are remembered until they expire, so that none is taken twice; as for packets (RFC 4303, 3.4.3),
/// the last 64 may come in any order, since a client may have several connections.
///
/// That memory is bounded. When it is full, the oldest nonce gives way, and with it expire all that are as old and not
/// remembered: whoever holds one is told so (stale=true), and asks again with a new one. So nothing is let in twice,
/// nobody is kept out, and many clients at once cost each of them a round trip at most now and then.
class HttpNonces {
 public:
  struct Nonce {
    std::uint64_t issued_ms = 0;  ///< Since the start.
    std::uint64_t serial = 0;
  };
  enum class Take { taken, stale, used };

  [[nodiscard]] static Result<HttpNonces> create(Random& random, Clock& clock, std::string realm,
                                                 std::chrono::seconds life, std::size_t capacity);

  /// 64 hexadecimal digits in lower case.
  [[nodiscard]] Result<std::string> make();
  /// Nothing for one that is not ours.
  [[nodiscard]] Result<std::optional<Nonce>> recognise(std::string_view text) const;
  /// To be asked when the answer is right: whether it is the first with this count.
  [[nodiscard]] Take take(const Nonce& nonce, std::uint32_t count);
  [[nodiscard]] std::size_t remembered() const { return used_.size(); }

 private:
  struct Counts {
    std::uint64_t issued_ms = 0;
    std::uint32_t highest = 0;
    std::uint64_t before = 0;  ///< Bit n: the count highest - n was there.
  };
  HttpNonces(Clock& clock, std::string realm, std::chrono::seconds life, std::size_t capacity, SecretBytes key)
      : clock_(&clock),
        start_(clock.monotonic()),
        realm_(std::move(realm)),
        life_(life),
        capacity_(capacity),
        key_(std::move(key)) {}
  [[nodiscard]] std::uint64_t now_ms() const;
  [[nodiscard]] bool is_expired(std::uint64_t issued_ms) const;
  [[nodiscard]] Result<Bytes> authenticated(const Nonce& nonce) const;
  void forget_expired();

  Clock* clock_;
  std::chrono::nanoseconds start_;
  std::string realm_;
  std::chrono::seconds life_;
  std::size_t capacity_;
  SecretBytes key_;
  std::uint64_t next_serial_ = 1;
  std::map<std::uint64_t, Counts> used_;  ///< By serial, the oldest first.
};

}  // namespace cas::service
