// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "simulcrypt/bcast/srtp_protection.hpp"
#include "simulcrypt/synchroniser.hpp"

namespace cas::simulcrypt::bcast {

/// The scrambler of an IP service whose crypto-periods a Synchroniser draws: RTP packets in, SRTP packets out.
///
/// It is driven as the scrambler of a transport stream is. Whoever holds the Synchroniser gives it a
/// ControlWordGenerator with words of RtpProtector::word_size(), plain; adds a stream for each ECMG, whose client has
/// `binary_messages`; and calls advance(stream time) before each packet that is due by next_event(). Stream time comes
/// from RtpStreamTime, or from the buffers' presentation times. SynchroniserActions then come here and to the network:
///
///   begin_period  RtpProtector::begin_period
///   go_clear      RtpProtector::go_clear
///   send_ecm      a UDP datagram with the short term key message, to the address of its stkmstream in the SDP
///
/// Packets of one RTP session come to one protector, with all its SSRCs. One thread at a time.
class RtpProtector {
 public:
  /// The size of the control words, which are TEKs (tek.hpp).
  [[nodiscard]] static constexpr std::size_t word_size(SrtpSuite suite) {
    return tek_size(TrafficProtection::srtp, suite);
  }

  /// It is clear at first. Errors: as SrtpProtection::create.
  [[nodiscard]] static Result<RtpProtector> create(const SrtpOptions& options);

  /// Packets from now on are protected with `word`; their MKI is `cp_number`. When a period is on again after clear, or
  /// a synchroniser repeats itself, the same number and word change nothing. ErrorKind::invalid_argument: a word of
  /// another size, or another one for a period that is still known.
  [[nodiscard]] Status begin_period(std::uint16_t cp_number, const SecretBytes& word);
  /// Packets from now on pass as they are.
  void go_clear() { protecting_ = false; }
  [[nodiscard]] bool protecting() const { return protecting_; }

  /// What a buffer needs behind its packet.
  [[nodiscard]] std::size_t trailer_size() const { return srtp_trailer_size(suite_); }
  /// Protects the packet in the first `size` bytes of `buffer`, in place, or leaves it as it is while clear.
  [[nodiscard]] SrtpResult protect(MutableByteView buffer, std::size_t size);

 private:
  RtpProtector(SrtpSuite suite, SrtpProtection protection) : suite_(suite), protection_(std::move(protection)) {}
  SrtpSuite suite_;
  SrtpProtection protection_;
  bool protecting_ = false;
  std::optional<Tek> tek_;
};

/// Stream time from RTP time stamps, which turn over every 2^32 ticks and may go back with the order of coding. Never
/// goes back.
class RtpStreamTime {
 public:
  /// `clock_rate` as the SDP's rtpmap gives it, in Hz; not 0.
  explicit RtpStreamTime(std::uint32_t clock_rate) : clock_rate_(clock_rate) {}
  /// 0 for the first time stamp.
  [[nodiscard]] StreamTime at(std::uint32_t timestamp);

 private:
  std::uint32_t clock_rate_;
  std::optional<std::uint32_t> last_;
  std::uint64_t ticks_ = 0;  // of last_, since the first
};

}  // namespace cas::simulcrypt::bcast
