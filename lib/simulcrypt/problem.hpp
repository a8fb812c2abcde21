// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/bytes.hpp"

namespace cas::simulcrypt {

/// A time of Clock::monotonic(). Sessions read no clock: whoever drives them tells the time, which does not go back.
using Instant = std::chrono::nanoseconds;

/// What the peer did, or failed to do.
enum class Misbehaviour {
  reported_error,       ///< It sent a channel_error or stream_error.
  no_answer,            ///< It did not answer in time.
  invalid_message,      ///< A message that is not one, is too long, or says what it cannot say.
  unexpected_message,   ///< A message that has no place here: not asked for, or of a stream that is not open.
  wrong_crypto_period,  ///< An ECM for a crypto-period that was not asked for, or not any more.
  unusable_parameters,  ///< It asks for what cannot be served.
  closed,               ///< It closed the channel.
  connection_lost,      ///< The connection ended without a channel_close.
};

struct Problem {
  Misbehaviour what = Misbehaviour::invalid_message;
  std::uint16_t error_status = 0;  ///< That the peer reported, or that it was answered with; 0: none.
  std::string message;             ///< A sentence, which holds nothing secret and only printable ASCII.
};

/// Whether a datagram has the form that section_TSpkt_flag says: whole sections one after another (ISO/IEC 13818-1,
/// 2.4.4), or transport packets of 188 bytes; of binary messages (flag 2) nothing is known here. An empty datagram is
/// well-formed.
[[nodiscard]] bool is_well_formed_datagram(std::uint8_t section_tspkt_flag, ByteView datagram);

}  // namespace cas::simulcrypt
