// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "simulcrypt/bcast/bcast_receiver.hpp"
#include "simulcrypt/bcast/sdp.hpp"
#include "simulcrypt/bcast/srtp_protection.hpp"

namespace cas::apps {

/// What became of a media's packets.
struct PacketCounts {
  std::uint64_t opened = 0;
  std::uint64_t without_key = 0;  ///< Before their TEK came, or before their ROC was known.
  std::uint64_t refused = 0;      ///< Forged, seen before, or no packets.
};

/// Keys and packets of the media that are received. Any thread.
class ServiceKeys {
 public:
  /// ErrorKind::unsupported: a media that is protected in another way than by SRTP.
  [[nodiscard]] static Result<std::unique_ptr<ServiceKeys>> create(simulcrypt::bcast::BcastReceiver receiver,
                                                                   const simulcrypt::bcast::sdp::Service& service,
                                                                   const std::vector<std::size_t>& media);

  /// Key streams of the other profile are not for this receiver.
  [[nodiscard]] simulcrypt::bcast::Profile profile() const { return receiver_.profile(); }
  void take_ltkm(ByteView message);
  /// One that somebody has given, who wants to know when it is of no use.
  void take_given_ltkm(const std::string& name, ByteView message);
  void take_stkm(std::uint16_t stream, ByteView message);
  /// Opens a packet of media `index` (of those that were given) in place. Gives its new size; nothing: it is to be
  /// dropped.
  [[nodiscard]] std::optional<std::size_t> unprotect(std::size_t index, MutableByteView packet);
  [[nodiscard]] PacketCounts counts(std::size_t index);

 private:
  struct Media {
    std::vector<std::uint16_t> key_streams;
    simulcrypt::bcast::SrtpUnprotection srtp;
    PacketCounts counts;
  };
  explicit ServiceKeys(simulcrypt::bcast::BcastReceiver receiver) : receiver_(std::move(receiver)) {}
  void say(const std::string& line);
  void tell(const char* what, const Error& error);

  std::mutex mutex_;
  simulcrypt::bcast::BcastReceiver receiver_;
  std::vector<Media> media_;
  std::string last_line_;
};

}  // namespace cas::apps
