// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "mpegts/pcr_clock.hpp"
#include "mpegts/slot_multiplexer.hpp"
#include "mpegts/stream_tables.hpp"
#include "mpegts/table_rewriter.hpp"
#include "simulcrypt/ca_signalling.hpp"
#include "simulcrypt/ecm_bell.hpp"
#include "simulcrypt/head_end_settings.hpp"
#include "simulcrypt/scrambling_group.hpp"

namespace cas::simulcrypt {

/// What an operator is told, by the thread that has the packets, from within the head-end's functions.
class HeadEndListener {
 public:
  virtual ~HeadEndListener() = default;
  /// The packet with this number (from 0, of those that came in) is the first one of the crypto-period. `key`: whose word
  /// it is, when it came from outside; nullptr otherwise.
  virtual void period_began(const GroupName& group, std::uint16_t cp_number, const ContentKey* key,
                            std::uint64_t packet, StreamTime time) = 0;
  virtual void went_clear(const GroupName& group, std::uint64_t packet, StreamTime time) = 0;
  virtual void ecm_missing(const GroupName& group, const std::string& system, std::uint16_t cp_number,
                           WithoutEcm consequence) = 0;
  /// A service is protected from now on; its ECMs have these PIDs.
  virtual void service_found(std::uint16_t service_id, const std::string& name,
                             const std::vector<GroupStream>& ecms) = 0;
  virtual void service_gone(std::uint16_t service_id) = 0;
  /// A sentence: what was left aside, and why. The stream goes on.
  virtual void problem(const std::string& what) = 0;
};

/// For people, at one moment.
struct HeadEndStatus {
  std::uint64_t packets = 0;
  std::optional<double> bit_rate;                  ///< Of what comes in.
  std::optional<std::uint64_t> constant_bit_rate;  ///< Of what goes out, when it is stuffed anew.
  StreamTime time{};
  mpegts::SlotCounts slots;
  std::uint64_t data_packets = 0;   ///< Of EMMs and data.
  std::uint64_t data_refused = 0;   ///< Datagrams that are not what they say, or find no room.
  std::uint64_t pid_conflicts = 0;  ///< Packets of the stream on a PID of ours, left out.
  std::uint64_t damaged_sections = 0;
  std::vector<GroupStatus> groups;
};

/// A DVB SimulCrypt head-end for one transport stream (TS 103 197, 4.2: synchroniser, multiplexer, scrambler and PSI
/// generator in one): finds the services that are to be protected, scrambles them, gets their ECMs and puts them in,
/// and says so in PMT, CAT and SDT.
///
/// Packets in, packets out, on one thread; ECMs come from EcmSupply, which has its own.
class HeadEnd final : private GroupListener {
 public:
  /// `listener` and `random` live as long as the head-end. ErrorKind as check_head_end_settings and TsScrambler::create.
  [[nodiscard]] static Result<std::unique_ptr<HeadEnd>> create(HeadEndSettings settings, HeadEndListener& listener,
                                                               Random& random);
  ~HeadEnd() override;
  HeadEnd(const HeadEnd&) = delete;
  HeadEnd& operator=(const HeadEnd&) = delete;

  /// Other settings from the next packet on. Services for which nothing changes but access criteria and whether they
  /// are scrambled go on; others begin anew. The cipher is for good: ErrorKind::invalid_argument for another. After an
  /// error nothing has changed.
  [[nodiscard]] Status apply(HeadEndSettings settings);

  /// Whole packets as they come. What goes out: `run` itself, changed in place, or a buffer that is good until the next
  /// call. Errors: cancelled, when `stop` was requested; refused, when a CA system whose absence is to end the stream has
  /// no ECM; not_found, when keys are to come from outside and a packet that is to be scrambled comes first; internal.
  [[nodiscard]] Result<ByteView> process(MutableByteView run, const std::stop_token& stop = {});
  /// The stream ends: packets that are left.
  [[nodiscard]] ByteView finish() { return slots_.finish(); }
  /// The stream goes on somewhere else: what was held is forgotten.
  void discontinuity();

  /// With keys from outside (KeySource::upstream): the key of a period to come, in the order of periods, as early as it
  /// is known. ErrorKind::invalid_argument for a key of a size that the cipher cannot use.
  [[nodiscard]] Status key_ahead(ContentKey key);
  /// With keys from outside: the next packet is the first of this period, whether it was announced or not; from there on
  /// packets are scrambled with its key, as soon as the policies let them. Nothing happens for the one that is in force
  /// already. ErrorKind as above.
  [[nodiscard]] Status begin_period(ContentKey key);

  /// EMMs and data as a generator has sent them, to be put in where there is room.
  void push_data(std::uint32_t client_id, std::uint16_t data_id, std::uint8_t data_type,
                 std::uint8_t section_tspkt_flag, ByteView datagram);

  [[nodiscard]] HeadEndStatus status() const;

 private:
  using Pid = mpegts::Pid;
  struct Group {
    std::unique_ptr<ScramblingGroup> group;
    std::vector<Pid> pids;
  };
  struct Service {
    ServiceSettings settings;
    std::string name;
    std::map<GroupName, Group> groups;
    ServiceSignal signal;
    bool signalled = false;  ///< `signal` has been made.
    bool told = false;       ///< The listener knows that it is protected.
    std::uint8_t version_offset = 0;
    Bytes map_in, map_out;  ///< The section that was edited last, and what became of it.
  };
  struct DataStream {
    std::uint8_t data_type = 0;
    bool pid_is_given = false;
    mpegts::SectionPacketiser packetiser;
  };
  /// What is done with a packet, by PID.
  enum class Action : std::uint8_t { pass, null, table, conflict, scramble };
  struct PidRule {
    Action action = Action::pass;
    std::uint16_t index = 0;  ///< table: in rewriters_; scramble: in order_.
  };

  HeadEnd(HeadEndSettings settings, std::size_t word_size, HeadEndListener& listener, Random& random);

  // The packets (head_end.cpp).
  [[nodiscard]] Result<bool> process_packets(MutableByteView run, const std::stop_token& stop);
  void take_packet(mpegts::MutablePacketView packet);
  void take_events();
  [[nodiscard]] bool has_events() const;
  [[nodiscard]] Status advance(StreamTime now, const std::stop_token& stop);
  [[nodiscard]] Status advance_groups(StreamTime now);
  [[nodiscard]] bool is_overdue(StreamTime now) const;
  void find_next_event();
  [[nodiscard]] Status wait_for_ecms(StreamTime now, const std::stop_token& stop);
  [[nodiscard]] bool waits_for_ecms() const {
    return settings_.wait_for_ecms > std::chrono::milliseconds(0) && !gave_up_waiting_;
  }
  [[nodiscard]] std::optional<std::uint64_t> ticks_now();
  void push_tables(mpegts::PacketView packet);
  void withhold(mpegts::MutablePacketView packet);
  void send_cat_when_due(StreamTime now);

  // GroupListener
  void send_packets(ByteView packets) override;
  void period_began(const GroupName& group, std::uint16_t cp_number, const ContentKey* key) override;
  void went_clear(const GroupName& group) override;
  void ecm_missing(const GroupName& group, const std::string& system, std::uint16_t cp_number,
                   WithoutEcm consequence) override;
  void ecm_unusable(const GroupName& group, const std::string& system, const std::string& why) override;

  // Keys from outside (head_end_keys.cpp).
  [[nodiscard]] Status make_word(ContentKey& key) const;
  void tell_keys(ScramblingGroup& group);
  void announce_content(const ContentKey& key);
  [[nodiscard]] Status change_period(StreamTime now, const std::stop_token& stop);

  // What is planned after tables and settings (head_end_plan.cpp).
  [[nodiscard]] Status plan();
  [[nodiscard]] const ServiceSettings* settings_for(std::uint16_t service_id) const;
  [[nodiscard]] Status plan_service(std::uint16_t service_id, const ServiceSettings& settings);
  [[nodiscard]] Result<std::vector<GroupStream>> name_streams(const ServiceSettings& settings);
  [[nodiscard]] bool has_ecm_id(const EcmSupply* supply, std::uint16_t ecm_id) const;
  [[nodiscard]] Status add_group(Service& service, const GroupName& name);
  void tell_of_service(std::uint16_t service_id, Service& service);
  void drop_group(ScramblingGroup& group);
  void drop_service(std::uint16_t service_id);
  void leave_conflicting_pids(Service& service);
  void leave_conflicting_data_pids();
  void signal_services();
  [[nodiscard]] ServiceSignal signal_of(const Service& service,
                                        std::span<const ScramblingGroup* const> scramblers) const;
  void find_referenced_pids();
  void choose_clock();
  void make_rules();
  [[nodiscard]] std::vector<ByteView> edit_section(Pid pid, ByteView section);
  [[nodiscard]] std::vector<ByteView> edit_program_map(ByteView section);
  void edit_whole_tables();
  [[nodiscard]] Result<Pid> free_pid(std::span<const GroupStream> others = {});

  HeadEndSettings settings_;
  HeadEndListener& listener_;
  Random& random_;
  std::shared_ptr<EcmBell> bell_;

  mpegts::StreamTables tables_;
  mpegts::PcrClock clock_{mpegts::null_pid};
  mpegts::SlotMultiplexer slots_;

  std::map<std::uint16_t, Service> services_;
  std::vector<ScramblingGroup*> order_;  ///< All groups of all services; rules_ count in it.
  std::map<std::string, std::uint16_t> next_stream_id_;
  std::map<std::pair<EcmSupply*, std::uint16_t>, std::pair<ScramblingGroup*, std::size_t>> routes_;
  std::map<std::pair<std::uint32_t, std::uint16_t>, DataStream> data_streams_;

  std::array<PidRule, mpegts::number_of_pids> rules_{};
  std::bitset<mpegts::number_of_pids> seen_;        ///< In the stream.
  std::bitset<mpegts::number_of_pids> referenced_;  ///< By its tables.
  std::bitset<mpegts::number_of_pids> ours_;
  std::vector<std::unique_ptr<mpegts::TableRewriter>> rewriters_;
  std::vector<Bytes> cat_sections_, sdt_sections_;  ///< As they go out.
  std::vector<CaSignal> cat_signals_;
  std::set<std::uint16_t> sdt_services_;
  std::uint8_t cat_offset_ = 0, sdt_offset_ = 0;
  std::optional<StreamTime> cat_sent_;

  // Of the run that is being processed.
  std::size_t position_ = 0;
  std::optional<std::size_t> period_position_;  ///< Where a period has begun last.
  std::vector<std::uint32_t> free_;
  std::vector<std::uint64_t> times_;
  Bytes table_packets_;
  Bytes data_packets_;
  std::vector<EcmEvent> events_;

  // With keys from outside.
  std::size_t word_size_;
  KeyPeriods keys_{0};  ///< The one in force, and those announced behind it: their words.
  std::string content_id_, scheme_;
  Bytes content_announcement_;   ///< Of these two.
  bool period_changes_ = false;  ///< With the next packet.
  bool without_ecms_ = false;

  std::uint64_t packets_ = 0;
  StreamTime now_{};
  std::optional<std::uint64_t> counted_ticks_;  ///< By packets, while there are no clock references.
  std::uint64_t clock_start_ = 0;               ///< Ticks at the first of them.
  std::uint64_t next_event_ticks_ = 0;
  bool gave_up_waiting_ = false;
  Status ended_;
  bool told_of_no_room_ = false;
  bool told_of_conflict_ = false;
  HeadEndStatus counts_;
};

}  // namespace cas::simulcrypt
