// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/head_end.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "simulcrypt/emmg_messages.hpp"

namespace cas::simulcrypt {

namespace {

using mpegts::MutablePacketView;
using mpegts::PacketView;
using std::chrono::milliseconds;

constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();
/// EN 300 468 asks for tables of PSI at least every 500 ms (TR 101 211, 4.1.7 too).
constexpr milliseconds cat_repetition{400};
constexpr std::size_t max_data_streams = 256;
/// Packets after which it is seen whether ECMs have come: a run may be seconds long.
constexpr std::size_t packets_between_events = 64;

/// The first tick at which a time has come.
std::uint64_t ticks_of(StreamTime time) {
  if (time == StreamTime::max()) return never;
  if (time <= StreamTime(0)) return 0;
  const auto ns = static_cast<std::uint64_t>(time.count());
  constexpr std::uint64_t ns_per_s = 1'000'000'000;
  const std::uint64_t part = ns % ns_per_s * mpegts::clock_hz;
  return ns / ns_per_s * mpegts::clock_hz + (part + ns_per_s - 1) / ns_per_s;
}

}  // namespace

HeadEnd::HeadEnd(HeadEndSettings settings, std::size_t word_size, HeadEndListener& listener, Random& random)
    : settings_(std::move(settings)),
      listener_(listener),
      random_(random),
      bell_(std::make_shared<EcmBell>()),
      slots_({.bit_rate = settings_.bit_rate}),
      word_size_(word_size) {
  rules_[mpegts::null_pid].action = Action::null;
}

HeadEnd::~HeadEnd() {
  for (const CaSystem& system : settings_.systems) system.supply->on_events({});
}

Result<std::unique_ptr<HeadEnd>> HeadEnd::create(HeadEndSettings settings, HeadEndListener& listener, Random& random) {
  CAS_TRY(check_head_end_settings(settings));
  CAS_TRY_ASSIGN(const auto scrambler, mpegts::TsScrambler::create(settings.cipher, settings.cipher_options));
  auto head_end = std::unique_ptr<HeadEnd>(new HeadEnd(std::move(settings), scrambler.word_size(), listener, random));
  for (const CaSystem& system : head_end->settings_.systems)
    system.supply->on_events([bell = head_end->bell_] { bell->ring(); });
  return head_end;
}

// ----------------------------------------------------------------------------------------------------------- The packets

/// Ticks of 27 MHz since the stream began; they do not go back when clock references come after all.
std::optional<std::uint64_t> HeadEnd::ticks_now() {
  if (const auto ticks = clock_.ticks()) {
    if (counted_ticks_) clock_start_ = *std::exchange(counted_ticks_, std::nullopt);
    return clock_start_ + *ticks;
  }
  if (!settings_.clock_bit_rate) return counted_ticks_;
  const double bits = static_cast<double>(packets_ + position_) * mpegts::packet_size * 8;
  const auto ticks = static_cast<std::uint64_t>(bits * static_cast<double>(mpegts::clock_hz) /
                                                static_cast<double>(*settings_.clock_bit_rate));
  counted_ticks_ = std::max(ticks, counted_ticks_.value_or(0));
  return counted_ticks_;
}

Result<ByteView> HeadEnd::process(MutableByteView run, const std::stop_token& stop) {
  const auto timed = process_packets(run, stop);
  if (!timed) {
    // The run is not given out, and is its owner's again: nothing of it stays here.
    for (ScramblingGroup* group : order_) group->forget();
    discontinuity();
    return fail(timed.error());
  }
  // A short EMM takes a whole packet all the same.
  constexpr std::uint64_t packets_for_short_emms = 2;
  std::uint64_t reserved = settings_.data_bit_rate * packets_for_short_emms;
  for (const ScramblingGroup* group : order_) reserved += group->bit_rate();
  slots_.reserve(reserved);
  auto bit_rate = clock_.bit_rate();
  if (!bit_rate && settings_.clock_bit_rate) bit_rate = static_cast<double>(*settings_.clock_bit_rate);
  return slots_.multiplex(run, free_,
                          *timed ? std::span<const std::uint64_t>(times_) : std::span<const std::uint64_t>(), bit_rate);
}

/// Gives whether the time of each packet is known.
Result<bool> HeadEnd::process_packets(MutableByteView run, const std::stop_token& stop) {
  const std::size_t count = run.size() / mpegts::packet_size;
  free_.clear();
  times_.resize(count);
  bool timed = true;
  position_ = 0;
  period_position_.reset();
  // Within a run only where the rate was known before it: else ECMs could not be put in without harm to clock
  // references.
  const bool rate_known = clock_.bit_rate().has_value();
  std::size_t next_look = 0;
  for (; position_ < count; ++position_) {
    if (position_ == next_look && has_events()) take_events();
    if (position_ == next_look && rate_known) next_look += packets_between_events;
    const MutablePacketView packet(run.data() + position_ * mpegts::packet_size, mpegts::packet_size);
    const Pid pid = mpegts::pid_of(packet);
    seen_.set(pid);
    push_tables(packet);
    clock_.push(packet);
    if (const auto ticks = ticks_now()) {
      times_[position_] = clock_.ticks() ? clock_start_ + *clock_.exact_ticks() : *ticks;
      // While the rate is not known, nobody could say by how much a clock reference has moved.
      const bool may_move = clock_.bit_rate() || !mpegts::pcr_of(packet);
      if (*ticks >= next_event_ticks_) {
        const StreamTime now = mpegts::duration_of_ticks(*ticks);
        if (may_move) {
          CAS_TRY(advance(now, stop));
        } else if (period_changes_) {
          CAS_TRY(change_period(now, stop));
        }
      }
    } else {
      timed = false;
    }
    if (rules_[pid].action != Action::pass) take_packet(packet);
  }
  for (ScramblingGroup* group : order_) CAS_TRY(group->flush());
  packets_ += count;
  position_ = 0;
  if (!ended_) return fail(ended_.error());
  return timed;
}

/// A packet that does not merely pass.
void HeadEnd::take_packet(MutablePacketView packet) {
  const Pid pid = mpegts::pid_of(packet);
  const PidRule rule = rules_[pid];
  if (rule.action == Action::scramble) {
    if (!order_[rule.index]->add(packet.data())) withhold(packet);
    return;
  }
  if (rule.action == Action::table) {
    table_packets_.clear();
    if (!rewriters_[rule.index]->push(packet, table_packets_)) return;
    if (!table_packets_.empty()) send_packets(table_packets_);
    mpegts::make_null_packet(packet);
  } else if (rule.action == Action::conflict) {
    ++counts_.pid_conflicts;
    if (!std::exchange(told_of_conflict_, true))
      listener_.problem("the stream has packets on PID " + std::to_string(pid) +
                        ", which ECMs or EMMs have: they are left out; give the ECMs another PID");
    mpegts::make_null_packet(packet);
  }
  free_.push_back(static_cast<std::uint32_t>(position_));
}

/// Leaves nothing of a packet but its clock reference.
void HeadEnd::withhold(MutablePacketView packet) {
  if (mpegts::pcr_of(packet)) {
    const std::size_t behind = mpegts::packet_header_size + 1 + packet[4];
    std::ranges::fill(packet.subspan(behind), std::uint8_t{0xff});
    packet[4] = mpegts::max_payload_size - 1;
    packet[3] = static_cast<std::uint8_t>(packet[3] & ~0x10U);
    return;
  }
  mpegts::make_null_packet(packet);
  free_.push_back(static_cast<std::uint32_t>(position_));
}

void HeadEnd::push_tables(PacketView packet) {
  bool changed = false;
  for (const mpegts::TableChange& change : tables_.push(packet)) {
    if (change.kind == mpegts::TableChange::Kind::refused) {
      listener_.problem(change.why);
    } else {
      changed = true;
    }
  }
  if (!changed) return;
  if (const Status planned = plan(); !planned) listener_.problem(planned.error().message);
}

void HeadEnd::discontinuity() { slots_.reset(); }

// -------------------------------------------------------------------------------------------------------- Time and ECMs

bool HeadEnd::has_events() const {
  return std::ranges::any_of(settings_.systems, [](const CaSystem& system) { return system.supply->has_events(); });
}

void HeadEnd::take_events() {
  for (const CaSystem& system : settings_.systems) {
    events_.clear();
    system.supply->take(events_);
    for (EcmEvent& event : events_) {
      const auto route = routes_.find({system.supply.get(), event.stream_id});
      if (route == routes_.end()) continue;  // Of a stream that has been closed since.
      route->second.first->take(route->second.second, std::move(event));
      gave_up_waiting_ = false;
    }
  }
  next_event_ticks_ = 0;
}

Status HeadEnd::advance_groups(StreamTime now) {
  for (ScramblingGroup* group : order_) {
    if (without_ecms_) {
      if (group->scrambling()) CAS_TRY(group->advance_without_ecms(now, waits_for_ecms()));
    } else if (now >= group->next_event()) {
      CAS_TRY(group->advance(now, waits_for_ecms()));
    }
  }
  return {};
}

bool HeadEnd::is_overdue(StreamTime now) const {
  return std::ranges::any_of(order_, [&](const ScramblingGroup* group) {
    return (group->scrambling() || !without_ecms_) && group->is_overdue(now);
  });
}

Status HeadEnd::advance(StreamTime now, const std::stop_token& stop) {
  now_ = now;
  period_changes_ = false;
  CAS_TRY(advance_groups(now));
  if (waits_for_ecms() && is_overdue(now)) CAS_TRY(wait_for_ecms(now, stop));
  send_cat_when_due(now);
  find_next_event();
  return {};
}

Status HeadEnd::wait_for_ecms(StreamTime now, const std::stop_token& stop) {
  const auto until = std::chrono::steady_clock::now() + settings_.wait_for_ecms;
  while (is_overdue(now)) {
    // An ECMG that refuses one request after the other always has something to say.
    const bool heard =
        has_events() ? std::chrono::steady_clock::now() < until && !stop.stop_requested() : bell_->wait(until, stop);
    if (!heard) {
      if (stop.stop_requested()) return fail(ErrorKind::cancelled, "the stream was stopped while it waited for ECMs");
      gave_up_waiting_ = true;
      listener_.problem("no ECM came in " + std::to_string(settings_.wait_for_ecms.count()) +
                        " ms for which the stream has waited: it goes on without, until one comes");
      // From now on it is as the policies say.
      for (ScramblingGroup* group : order_) CAS_TRY(group->advance(now, false));
      return {};
    }
    take_events();
    CAS_TRY(advance_groups(now));
  }
  return {};
}

void HeadEnd::find_next_event() {
  StreamTime next = StreamTime::max();
  for (const ScramblingGroup* group : order_) next = std::min(next, group->next_event());
  if (!cat_sections_.empty() && cat_sent_) next = std::min(next, *cat_sent_ + cat_repetition);
  next_event_ticks_ = ticks_of(next);
}

/// Where the stream has no CAT of its own, or seldom.
void HeadEnd::send_cat_when_due(StreamTime now) {
  if (cat_sections_.empty() || (cat_sent_ && now < *cat_sent_ + cat_repetition)) return;
  const PidRule rule = rules_[mpegts::cat_pid];
  if (rule.action != Action::table) return;
  table_packets_.clear();
  for (const Bytes& section : cat_sections_) rewriters_[rule.index]->send(section, table_packets_);
  send_packets(table_packets_);
  cat_sent_ = now;
}

void HeadEnd::send_packets(ByteView packets) {
  // An ECM may have a word that takes the place of one which packets before this period still need.
  slots_.insert(position_, packets,
                period_position_ == position_ ? mpegts::SlotMultiplexer::Order::in_turn
                                              : mpegts::SlotMultiplexer::Order::at_once);
}

void HeadEnd::period_began(const GroupName& group, std::uint16_t cp_number, const ContentKey* key) {
  period_position_ = position_;
  listener_.period_began(group, cp_number, key, packets_ + position_, now_);
}

void HeadEnd::went_clear(const GroupName& group) { listener_.went_clear(group, packets_ + position_, now_); }

void HeadEnd::ecm_missing(const GroupName& group, const std::string& system, std::uint16_t cp_number,
                          WithoutEcm consequence) {
  listener_.ecm_missing(group, system, cp_number, consequence);
  if (consequence != WithoutEcm::stop) return;
  ended_ = fail(ErrorKind::refused, "the CA system '" + system + "' has no ECM for service " +
                                        std::to_string(group.service_id) +
                                        ", and the stream is to end then: see to its ECMG");
}

void HeadEnd::ecm_unusable(const GroupName& group, const std::string& system, const std::string& why) {
  listener_.problem("service " + std::to_string(group.service_id) + ", CA system '" + system + "': " + why);
}

// ------------------------------------------------------------------------------------------------------- EMMs and data

void HeadEnd::push_data(std::uint32_t client_id, std::uint16_t data_id, std::uint8_t data_type,
                        std::uint8_t section_tspkt_flag, ByteView datagram) {
  if (datagram.empty()) return;
  const auto refuse = [&](const std::string& why) {
    ++counts_.data_refused;
    if (!std::exchange(told_of_no_room_, true)) listener_.problem(why);
  };
  auto found = data_streams_.find({client_id, data_id});
  if (found == data_streams_.end()) {
    if (data_streams_.size() >= max_data_streams)
      return refuse("EMMs and data of more than 256 streams came: the others are left out");
    const auto given = std::ranges::find_if(settings_.data_pids, [&](const DataPid& candidate) {
      return candidate.client_id == client_id && candidate.data_id == data_id;
    });
    const bool is_given = given != settings_.data_pids.end();
    Pid pid = is_given ? given->pid : Pid{0};
    if (!is_given) {
      const auto free = free_pid();
      if (!free) return refuse(free.error().message);
      pid = *free;
    }
    ours_.set(pid);
    found = data_streams_
                .emplace(std::pair(client_id, data_id), DataStream{data_type, is_given, mpegts::SectionPacketiser(pid)})
                .first;
    edit_whole_tables();
    make_rules();
    next_event_ticks_ = 0;
  }
  data_packets_.clear();
  Status made;
  if (section_tspkt_flag == emmg::transport_packets) {
    append(data_packets_, datagram);
    made = found->second.packetiser.stamp(data_packets_);
  } else {
    made = found->second.packetiser.packetise_datagram(datagram, data_packets_);
  }
  if (!made) return refuse("EMMs or data that cannot be sent: " + made.error().message);
  if (!slots_.offer(data_packets_))
    return refuse(
        "the stream has no room for the EMMs and data that come: give it a higher bit rate, or them a lower one");
  counts_.data_packets += data_packets_.size() / mpegts::packet_size;
}

HeadEndStatus HeadEnd::status() const {
  HeadEndStatus status = counts_;
  status.packets = packets_;
  status.bit_rate = clock_.bit_rate();
  status.constant_bit_rate = slots_.constant_bit_rate();
  status.time = now_;
  status.slots = slots_.counts();
  status.damaged_sections += tables_.damaged_sections();
  for (const ScramblingGroup* group : order_) status.groups.push_back(group->status());
  return status;
}

}  // namespace cas::simulcrypt
