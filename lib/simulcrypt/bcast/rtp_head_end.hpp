// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "simulcrypt/bcast/rtp_protector.hpp"
#include "simulcrypt/ecm_bell.hpp"
#include "simulcrypt/ecm_supply.hpp"
#include "simulcrypt/head_end_settings.hpp"

namespace cas::simulcrypt::bcast {

/// One RTP session that is protected, and who makes its key messages.
struct RtpHeadEndSettings {
  SrtpOptions srtp;
  std::vector<CaSystem> systems;
  /// `systems` of it, in their order, each with its ecm_id: the stkmstream of its key messages. What a service has of
  /// components and PIDs means nothing here.
  ServiceSettings service;
  BeforeFirstPeriod before_first_period = BeforeFirstPeriod::clear;
  std::chrono::milliseconds wait_for_ecms{};  ///< As HeadEndSettings has it.
};

/// What an operator is told, and what is to be sent, from within the head-end's functions.
class RtpHeadEndListener {
 public:
  virtual ~RtpHeadEndListener() = default;
  /// A short term key message goes out now: `system` counts in the service's systems.
  virtual void send_stkm(std::size_t system, ByteView message) = 0;
  virtual void period_began(std::uint16_t cp_number, std::uint64_t packet, StreamTime time) = 0;
  virtual void went_clear(std::uint64_t packet, StreamTime time) = 0;
  virtual void stkm_missing(const std::string& system, std::uint16_t cp_number, WithoutEcm consequence) = 0;
  virtual void problem(const std::string& what) = 0;
};

struct RtpHeadEndCounts {
  std::uint64_t packets = 0;
  std::uint64_t is_protected = 0;
  std::uint64_t clear = 0;
  std::uint64_t withheld = 0;
  std::uint64_t refused = 0;  ///< No RTP packets, or of too many sources: left out.
  std::uint64_t stkms = 0;    ///< Sent.
  std::uint64_t periods = 0;
};

/// A head-end for one RTP session (OMA BCAST Service and Content Protection, 14.1): TEKs that change with the
/// crypto-period, key messages from ECMGs in good time, SRTP. Packets come on one thread; supplies have their own.
class RtpHeadEnd final : private SynchroniserActions {
 public:
  /// Opens the streams. `listener` and `random` live longer. ErrorKind::invalid_argument: as check_head_end_settings, and
  /// for a system without ecm_id; unsupported: there is no SRTP in this build.
  [[nodiscard]] static Result<std::unique_ptr<RtpHeadEnd>> create(RtpHeadEndSettings settings,
                                                                  RtpHeadEndListener& listener, Random& random);
  ~RtpHeadEnd() override;
  RtpHeadEnd(const RtpHeadEnd&) = delete;
  RtpHeadEnd& operator=(const RtpHeadEnd&) = delete;

  void set_access_criteria(std::size_t system, Bytes criteria);
  void set_scrambling(bool on) {
    settings_.service.scramble = on;
    synchroniser_->set_scrambling(on);
  }

  /// What a buffer needs behind its packet.
  [[nodiscard]] std::size_t trailer_size() const { return protector_.trailer_size(); }
  /// The packet in the first `size` bytes of `buffer`, which is of time `now`: its size when it is protected, or passes
  /// as it is; 0 when it is not to go out. Errors: cancelled, when `stop` was requested; refused, when a CA system whose
  /// absence is to end the stream has no key message; internal.
  [[nodiscard]] Result<std::size_t> protect(MutableByteView buffer, std::size_t size, StreamTime now,
                                            const std::stop_token& stop = {});

  [[nodiscard]] const RtpHeadEndCounts& counts() const { return counts_; }

 private:
  RtpHeadEnd(RtpHeadEndSettings settings, RtpProtector protector, RtpHeadEndListener& listener, Random& random);
  [[nodiscard]] bool has_events() const;
  void take_events();
  void take(std::size_t stream, EcmEvent event);
  [[nodiscard]] Status advance(StreamTime now, const std::stop_token& stop);
  [[nodiscard]] bool waits_for_ecms() const {
    return settings_.wait_for_ecms > std::chrono::milliseconds(0) && !gave_up_waiting_;
  }

  void request_ecm(std::size_t stream, const EcmRequest& request) override;
  void begin_period(std::uint16_t cp_number, const SecretBytes& word) override;
  void go_clear() override;
  void send_ecm(std::size_t stream, ByteView ecm) override;
  void ecm_missing(std::size_t stream, std::uint16_t cp_number, WithoutEcm consequence) override;

  RtpHeadEndSettings settings_;
  RtpProtector protector_;
  RtpHeadEndListener& listener_;
  ControlWordGenerator words_;
  std::unique_ptr<Synchroniser> synchroniser_;
  std::vector<std::shared_ptr<EcmSupply>> supplies_;  ///< By stream; a stream's id is its number and one.
  std::shared_ptr<EcmBell> bell_ = std::make_shared<EcmBell>();
  std::vector<EcmEvent> events_;
  StreamTime now_{};
  bool begun_ = false;
  bool gave_up_waiting_ = false;
  Status failed_;
  RtpHeadEndCounts counts_;
};

}  // namespace cas::simulcrypt::bcast
