// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/random.hpp"
#include "mpegts/section_packetiser.hpp"
#include "mpegts/ts_cipher.hpp"
#include "simulcrypt/ecm_supply.hpp"
#include "simulcrypt/head_end_settings.hpp"

namespace cas::simulcrypt {

/// The packets of a service, or of one of its elementary streams, that are scrambled with one control word at a time.
struct GroupName {
  std::uint16_t service_id = 0;
  std::optional<mpegts::Pid> component;  ///< Nothing: the service as a whole.
  auto operator<=>(const GroupName&) const = default;
};

/// An ECM stream of a group: one CA system's.
struct GroupStream {
  std::string system;
  std::uint16_t ca_system_id = 0;
  std::shared_ptr<EcmSupply> supply;
  std::uint16_t stream_id = 0;
  std::uint16_t ecm_id = 0;
  mpegts::Pid pid = 0;
  Bytes private_data;
  bool announces_content = false;  ///< Behind them.
};

/// For people: how a group stands.
struct GroupStatus {
  GroupName name;
  bool scrambling = false;
  std::uint16_t cp_number = 0;
  std::uint64_t scrambled = 0;  ///< Packets.
  std::uint64_t clear = 0;      ///< Packets that passed in the clear.
  std::uint64_t withheld = 0;   ///< Packets before the first period that were kept back.
  std::uint64_t periods = 0;
  std::string key_id;            ///< With keys from outside: of the period that began last; else empty.
  std::uint64_t key_period = 0;  ///< Likewise: its number.
  struct Stream {
    std::string system;
    mpegts::Pid pid = 0;
    bool open = false;
    std::uint64_t ecms = 0;     ///< That came from the ECMG.
    std::uint64_t sent = 0;     ///< Times that one went out.
    std::uint64_t missing = 0;  ///< Periods whose ECM was not there in time.
    std::uint64_t refused = 0;  ///< Requests without an answer.
  };
  std::vector<Stream> streams;
};

/// What a group tells the head-end that it belongs to, from within its functions.
class GroupListener {
 public:
  virtual ~GroupListener() = default;
  /// These packets go out now.
  virtual void send_packets(ByteView packets) = 0;
  /// `key`: whose word it is, when it came from outside.
  virtual void period_began(const GroupName& group, std::uint16_t cp_number, const ContentKey* key) = 0;
  virtual void went_clear(const GroupName& group) = 0;
  virtual void ecm_missing(const GroupName& group, const std::string& system, std::uint16_t cp_number,
                           WithoutEcm consequence) = 0;
  virtual void ecm_unusable(const GroupName& group, const std::string& system, const std::string& why) = 0;
};

/// One control word's worth of a multiplex: its synchroniser, its words, its scrambler and its ECM streams. Used by the
/// thread that has the packets.
class ScramblingGroup final : private SynchroniserActions {
 public:
  /// Opens the streams. `listener` and `random` live longer. ErrorKind as TsScrambler::create.
  [[nodiscard]] static Result<std::unique_ptr<ScramblingGroup>> create(const GroupName& name,
                                                                       const HeadEndSettings& settings,
                                                                       const ServiceSettings& service,
                                                                       std::vector<GroupStream> streams,
                                                                       GroupListener& listener, Random& random);
  /// Closes the streams.
  ~ScramblingGroup() override;
  ScramblingGroup(const ScramblingGroup&) = delete;
  ScramblingGroup& operator=(const ScramblingGroup&) = delete;

  [[nodiscard]] const GroupName& name() const { return name_; }
  [[nodiscard]] const std::vector<GroupStream>& streams() const { return streams_; }

  /// With keys from outside, whose words are of the scrambler's size: as Synchroniser has it.
  [[nodiscard]] Status announce(ContentKey key) { return synchroniser_->announce(std::move(key)); }
  void begin(ContentKey key) { synchroniser_->begin(std::move(key)); }

  /// An event of one of its streams.
  void take(std::size_t stream, EcmEvent event);
  void set_access_criteria(std::size_t stream, Bytes criteria) {
    synchroniser_->set_access_criteria(stream, std::move(criteria));
  }
  void set_scrambling(bool on) {
    wanted_ = on;
    synchroniser_->set_scrambling(on);
  }

  [[nodiscard]] Status advance(StreamTime now, bool patient) { return synchroniser_->advance(now, patient); }
  [[nodiscard]] Status advance_without_ecms(StreamTime now, bool patient) {
    return synchroniser_->advance_without_ecms(now, patient);
  }
  [[nodiscard]] StreamTime next_event() const { return synchroniser_->next_event(); }
  /// Whether a period is due and an ECM for it has not come.
  [[nodiscard]] bool is_overdue(StreamTime now) const { return synchroniser_->is_overdue(now); }
  /// Whether scrambling has begun and goes on.
  [[nodiscard]] bool scrambling() const { return synchroniser_->scrambling(); }

  /// Another PID for the ECMs of a stream.
  void move_stream(std::size_t stream, mpegts::Pid pid);

  /// What is to become of a packet of the group: it stays where it is until `flush`. False: it is to be withheld.
  [[nodiscard]] bool add(std::uint8_t* packet) {
    if (scrambling()) {
      batch_.push_back(packet);
      return true;
    }
    if (wanted_ && synchroniser_->lacks_key()) miss_key();
    if (begun_ || !withhold_ || !wanted_) {
      ++status_.clear;
      return true;
    }
    ++status_.withheld;
    return false;
  }
  /// Scrambles what was added.
  [[nodiscard]] Status flush();
  /// Leaves what was added as it is.
  void forget() { batch_.clear(); }

  [[nodiscard]] const GroupStatus& status() const { return status_; }
  /// Bits a second that its ECMs take, as far as is known.
  [[nodiscard]] std::uint64_t bit_rate() const;

 private:
  ScramblingGroup(const GroupName& name, std::vector<GroupStream> streams, GroupListener& listener,
                  mpegts::TsScrambler scrambler)
      : name_(name), streams_(std::move(streams)), listener_(listener), scrambler_(std::move(scrambler)) {}

  void request_ecm(std::size_t stream, const EcmRequest& request) override;
  void begin_period(std::uint16_t cp_number, const SecretBytes& word) override;
  void go_clear() override;
  void send_ecm(std::size_t stream, ByteView packets) override;
  void ecm_missing(std::size_t stream, std::uint16_t cp_number, WithoutEcm consequence) override;

  /// What is known of a stream since its ECMG has opened it.
  struct Form {
    explicit Form(mpegts::Pid pid) : packetiser(pid) {}
    mpegts::SectionPacketiser packetiser;
    std::uint8_t section_tspkt_flag = ecmg::sections;
    std::chrono::milliseconds repetition{100};
    std::size_t size = 0;  ///< Of the last ECM, in packets.
  };

  void miss_key();
  [[nodiscard]] static Result<Bytes> packets_of(const Form& form, Bytes ecm);

  GroupName name_;
  std::vector<GroupStream> streams_;
  std::vector<Form> forms_;
  GroupListener& listener_;
  mpegts::TsScrambler scrambler_;
  std::unique_ptr<ControlWordGenerator> words_;
  std::unique_ptr<Synchroniser> synchroniser_;
  std::vector<std::uint8_t*> batch_;
  mpegts::Parity parity_ = mpegts::Parity::even;
  bool withhold_ = false;
  bool wanted_ = true;  ///< That it is scrambled.
  bool begun_ = false;
  Status failed_;  ///< Of a function that cannot tell.
  Bytes packets_;
  GroupStatus status_;
};

}  // namespace cas::simulcrypt
