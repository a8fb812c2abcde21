// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

#include "base/error.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "crypto/mac.hpp"
#include "dcas/key_schedule.hpp"

namespace cas::dcas {

// Control words on their way from SM to TP (IV.2.C, step 4): AES-128-CBC under CWEK, then HMAC-SHA1 under HMAC_KEY.
//
//   version       1 byte: 1
//   type          1 byte: 10
//   sequence      8 bytes: 1 for the first word, and one more for each
//   IV            16 bytes, random
//   cipher text   16 or 32 bytes, of:
//     service       2 bytes: programme number
//     parity        1 byte: 0 even, 1 odd
//     word size     1 byte: 8 or 16
//     word
//     zeros         to a multiple of 16 bytes
//   MAC           20 bytes: over sequence, IV and cipher text

enum class WordParity : std::uint8_t { even = 0, odd = 1 };

struct ControlWord {
  std::uint16_t service = 0;
  WordParity parity = WordParity::even;
  SecretBytes word;  ///< 8 or 16 bytes.
};

/// The SM's end; there is none before the TP has confirmed the keys. Keeps a reference to `random`. One thread at a time.
class ControlWordSender {
 public:
  [[nodiscard]] static Result<ControlWordSender> create(ControlWordKeys keys, Random& random);
  [[nodiscard]] Result<Bytes> seal(const ControlWord& word);

 private:
  ControlWordSender(SecretBytes cwek, crypto::HmacSha1 mac, Random& random)
      : cwek_(std::move(cwek)), mac_(std::move(mac)), random_(&random) {}

  SecretBytes cwek_;
  crypto::HmacSha1 mac_;
  Random* random_;
  std::uint64_t sequence_ = 0;
};

/// What became of the messages that reached a TP.
struct ControlWordCounters {
  std::uint64_t accepted = 0;
  std::uint64_t forged = 0;     ///< The MAC does not fit.
  std::uint64_t replayed = 0;   ///< Genuine, and not newer than one that came before: a copy, or out of order.
  std::uint64_t malformed = 0;  ///< Not of the form above.
  std::uint64_t too_early = 0;  ///< There were no keys yet (TransportProcessor counts it).
};

/// The TP's end: what is not genuine or not new is dropped, and counted. Words that were lost on the way are no error.
/// One thread at a time.
class ControlWordReceiver {
 public:
  [[nodiscard]] static Result<ControlWordReceiver> create(ControlWordKeys keys);
  /// ErrorKind::malformed, truncated, unsupported; authentication_failed for a forgery; refused for a replay.
  [[nodiscard]] Result<ControlWord> open(ByteView message);
  [[nodiscard]] const ControlWordCounters& counters() const { return counters_; }

 private:
  ControlWordReceiver(SecretBytes cwek, crypto::HmacSha1 mac) : cwek_(std::move(cwek)), mac_(std::move(mac)) {}

  SecretBytes cwek_;
  crypto::HmacSha1 mac_;
  std::uint64_t last_sequence_ = 0;
  ControlWordCounters counters_;
};

}  // namespace cas::dcas
