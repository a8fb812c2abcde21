// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/slot_multiplexer.hpp"

#include <algorithm>
#include <cmath>

namespace cas::mpegts {

namespace {

constexpr std::uint64_t packet_bits = packet_size * 8;
constexpr std::uint64_t ticks_times_rate = packet_bits * clock_hz;  // of a packet
constexpr std::uint64_t least_headroom = 16'000;                    // bit/s
// A clock that leaps further ahead than this many packets is not followed by stuffing: something has been lost.
constexpr std::size_t longest_stuffing = 32 * 1024;

MutablePacketView packet_at(MutableByteView run, std::size_t position) {
  return MutablePacketView(run.data() + position * packet_size, packet_size);
}

void copy(MutablePacketView to, std::span<const std::uint8_t, packet_size> from) {
  std::ranges::copy(from, to.begin());
}

}  // namespace

void SlotMultiplexer::Slots::advance() {
  time += ticks_times_rate / bit_rate;
  remainder += ticks_times_rate % bit_rate;
  if (remainder >= bit_rate) {
    remainder -= bit_rate;
    ++time;
  }
}
std::uint64_t SlotMultiplexer::Slots::after() const { return time + ticks_times_rate / bit_rate; }

void SlotMultiplexer::insert(std::size_t position, ByteView packets, Order order) {
  for (; packets.size() >= packet_size; packets = packets.subspan(packet_size)) {
    Insertion& added = insertions_.emplace_back();
    added.position = position;
    added.order = order;
    std::ranges::copy(packets.first(packet_size), added.packet.begin());
  }
}

bool SlotMultiplexer::offer(ByteView packets) {
  if (waiting_.size() + packets.size() / packet_size > max_waiting) return false;
  for (; packets.size() >= packet_size; packets = packets.subspan(packet_size))
    std::ranges::copy(packets.first(packet_size), waiting_.push().begin());
  counts_.waiting = waiting_.size();
  return true;
}

ByteView SlotMultiplexer::multiplex(MutableByteView run, std::span<const std::uint32_t> free,
                                    std::span<const std::uint64_t> times, std::optional<double> bit_rate) {
  out_.clear();
  next_insertion_ = 0;
  if (!times.empty()) last_time_ = times.back();
  if (bit_rate)
    ticks_per_packet_ = static_cast<std::uint64_t>(std::llround(static_cast<double>(ticks_times_rate) / *bit_rate));
  ByteView result = run;
  const bool may_start = !slots_ && options_.bit_rate && bit_rate && !times.empty();
  if (may_start) start_slots(times.front(), *bit_rate);
  if (slots_) {
    stuff(run, 0, free, times, bit_rate);
    result = out_;
  } else if (const auto switched = multiplex_in_place(run, free, times, bit_rate)) {
    append(out_, ByteView(run.first(*switched * packet_size)));
    start_slots(times[*switched], *bit_rate);
    stuff(run, *switched, free, times, bit_rate);
    result = out_;
  }
  insertions_.clear();
  counts_.waiting = waiting_.size();
  return result;
}

// -------------------------------------------------------------------------------------------------------- In its place

bool SlotMultiplexer::lacks_room(std::uint64_t now) const {
  if (!options_.may_stuff) return false;
  // The times of packets go back a little where the clock was thought to be faster than it was.
  const auto longer_than = [now](std::optional<std::uint64_t> since, std::uint64_t limit) {
    return since && now > *since && now - *since > limit;
  };
  return longer_than(stuck_since_, no_room_for_offers_after) || longer_than(crowded_since_, no_room_after);
}

/// Gives the position from which on the stream is to be stuffed anew; nothing: all is in its place.
std::optional<std::size_t> SlotMultiplexer::multiplex_in_place(MutableByteView run, std::span<const std::uint32_t> free,
                                                               std::span<const std::uint64_t> times,
                                                               std::optional<double> bit_rate) {
  const std::size_t packets = run.size() / packet_size;
  const std::uint64_t later_before = counts_.inserted_later;
  if (bit_rate && !times.empty() && lacks_room(times.front())) return 0;
  const auto insertion_position = [&] {
    return next_insertion_ < insertions_.size() ? std::min(insertions_[next_insertion_].position, packets) : packets;
  };
  std::size_t next_free = 0;
  std::size_t position = 0;
  for (;;) {
    if (urgent_.empty() && delayed_.empty()) {  // On to where there is something to do.
      while (next_free < free.size() && free[next_free] < position) ++next_free;
      const std::size_t room = !waiting_.empty() && next_free < free.size() ? free[next_free] : packets;
      position = std::max(position, std::min(insertion_position(), room));
    }
    if (position >= packets) break;
    while (next_free < free.size() && free[next_free] < position) ++next_free;
    const std::uint64_t now = times.empty() ? 0 : times[position];
    if (bit_rate && !times.empty() && lacks_room(now)) return position;
    take_insertions(position);
    place(packet_at(run, position), next_free < free.size() && free[next_free] == position, now);
    if (delayed_.empty() && urgent_.empty()) {
      crowded_since_.reset();
    } else if (!crowded_since_) {
      crowded_since_ = now;
    }
    ++position;
  }
  for (; next_insertion_ < insertions_.size(); ++next_insertion_) urgent_.push() = insertions_[next_insertion_].packet;
  if (waiting_.empty() || counts_.inserted_later != later_before || times.empty()) {
    stuck_since_.reset();
  } else if (!stuck_since_) {
    stuck_since_ = times.front();
  }
  return std::nullopt;
}

/// Those whose position has come.
void SlotMultiplexer::take_insertions(std::size_t position) {
  for (; next_insertion_ < insertions_.size() && insertions_[next_insertion_].position <= position; ++next_insertion_) {
    const Insertion& insertion = insertions_[next_insertion_];
    if (insertion.order == Order::at_once) {
      urgent_.push() = insertion.packet;
    } else {
      delayed_.push() = {std::nullopt, insertion.packet};
    }
  }
}

/// Decides what goes out in the slot of one packet.
void SlotMultiplexer::place(MutablePacketView slot, bool is_free, std::uint64_t now) {
  const bool busy = !urgent_.empty() || !delayed_.empty();
  if (busy && !is_free) {
    Delayed& moved = delayed_.push();
    moved.time = now;
    std::ranges::copy(slot, moved.packet.begin());
  }
  if (is_free && (busy || !waiting_.empty())) ++counts_.nulls_used;
  if (!urgent_.empty()) {
    copy(slot, urgent_.front());
    urgent_.pop();
    ++counts_.inserted;
  } else if (!delayed_.empty()) {
    copy(slot, delayed_.front().packet);
    if (const auto stood = delayed_.front().time) {
      static_cast<void>(restamp_pcr(slot, static_cast<std::int64_t>(now - *stood)));
    } else {
      ++counts_.inserted;
    }
    delayed_.pop();
  } else if (is_free && !waiting_.empty()) {
    copy(slot, waiting_.front());
    waiting_.pop();
    ++counts_.inserted_later;
  }
  counts_.longest_delay = std::max(counts_.longest_delay, delayed_.size());
}

// ---------------------------------------------------------------------------------------------- At a constant bit rate

void SlotMultiplexer::start_slots(std::uint64_t now, double bit_rate) {
  // What packets put in on time need, a quarter more, and enough for what has been delayed to be caught up with.
  const double needed = bit_rate + static_cast<double>(reserved_) * 1.25 + static_cast<double>(least_headroom);
  Slots slots;
  slots.bit_rate = options_.bit_rate.value_or(static_cast<std::uint64_t>(std::ceil(needed / 1000.0)) * 1000);
  slots.bit_rate = std::max<std::uint64_t>(slots.bit_rate, packet_bits);
  slots.time = now;
  slots_ = slots;
  crowded_since_.reset();
}

void SlotMultiplexer::emit(PacketView packet) {
  append(out_, packet);
  slots_->advance();
}

/// A packet of the stream, which stood at `time`.
void SlotMultiplexer::emit_moved(PacketView packet, std::uint64_t time) {
  append(out_, packet);
  const MutablePacketView written(out_.data() + out_.size() - packet_size, packet_size);
  static_cast<void>(restamp_pcr(written, static_cast<std::int64_t>(slots_->time - time)));
  slots_->advance();
}

/// Fills the slots before `time`, in which nothing of the stream stands.
void SlotMultiplexer::fill_up_to(std::uint64_t time) {
  if (time > slots_->time && (time - slots_->time) / (ticks_times_rate / slots_->bit_rate + 1) > longest_stuffing) {
    ++counts_.gaps;
    slots_->time = time;
    return;
  }
  while (slots_->after() <= time) {
    if (!waiting_.empty()) {
      emit(waiting_.front());
      waiting_.pop();
      ++counts_.inserted_later;
      continue;
    }
    Packet null;
    make_null_packet(null);
    emit(null);
    ++counts_.stuffed;
  }
}

void SlotMultiplexer::emit_insertions(std::size_t position) {
  for (; next_insertion_ < insertions_.size() && insertions_[next_insertion_].position <= position; ++next_insertion_) {
    emit(insertions_[next_insertion_].packet);
    ++counts_.inserted;
  }
}

void SlotMultiplexer::stuff(MutableByteView run, std::size_t from, std::span<const std::uint32_t> free,
                            std::span<const std::uint64_t> times, std::optional<double> bit_rate) {
  for (; !urgent_.empty(); urgent_.pop(), ++counts_.inserted) emit(urgent_.front());
  for (; !delayed_.empty(); delayed_.pop()) {
    if (const auto stood = delayed_.front().time) {
      emit_moved(delayed_.front().packet, *stood);
    } else {
      emit(delayed_.front().packet);
      ++counts_.inserted;
    }
  }
  const std::size_t packets = run.size() / packet_size;
  std::size_t next_free = 0;
  while (next_free < free.size() && free[next_free] < from) ++next_free;
  for (std::size_t position = from; position < packets; ++position) {
    const std::uint64_t now = times[position];
    // A clock that was set back does not make what is sent wait for it.
    fill_up_to(now);
    emit_insertions(position);
    if (next_free < free.size() && free[next_free] == position) {
      ++next_free;
      ++counts_.nulls_used;
    } else {
      emit_moved(packet_at(run, position), now);
    }
    if (slots_->time <= now + latest) continue;
    ++counts_.overloads;
    const std::uint64_t late = slots_->time;
    if (!options_.bit_rate && bit_rate) {
      start_slots(late, *bit_rate);  // There is more to put in than there was.
    }
    slots_->time = now + latest;
  }
  emit_insertions(packets);
}

ByteView SlotMultiplexer::finish() {
  out_.clear();
  std::uint64_t time = last_time_ + ticks_per_packet_;
  for (; !urgent_.empty(); urgent_.pop(), time += ticks_per_packet_) append(out_, urgent_.front());
  for (; !delayed_.empty(); delayed_.pop(), time += ticks_per_packet_) {
    Delayed& moved = delayed_.front();
    if (moved.time) static_cast<void>(restamp_pcr(moved.packet, static_cast<std::int64_t>(time - *moved.time)));
    append(out_, moved.packet);
  }
  for (; !waiting_.empty(); waiting_.pop()) append(out_, waiting_.front());
  counts_.waiting = 0;
  return out_;
}

void SlotMultiplexer::reset() {
  insertions_.clear();
  urgent_.clear();
  delayed_.clear();
  waiting_.clear();
  crowded_since_.reset();
  stuck_since_.reset();
  slots_.reset();
  counts_.waiting = 0;
}

}  // namespace cas::mpegts
