// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "mpegts/packet.hpp"
#include "mpegts/packet_queue.hpp"

namespace cas::mpegts {

/// What a SlotMultiplexer did. The numbers only rise, but for the last two.
struct SlotCounts {
  std::uint64_t inserted = 0;        ///< Packets put in on time.
  std::uint64_t inserted_later = 0;  ///< Packets put in where there was room.
  std::uint64_t nulls_used = 0;      ///< Null packets of the stream whose place was taken, or that were left out.
  std::uint64_t stuffed = 0;         ///< Null packets put in to keep the bit rate.
  std::uint64_t overloads = 0;       ///< Times that the stream had more than the bit rate lets through.
  std::uint64_t gaps = 0;            ///< Leaps of the clock that were not stuffed.
  std::size_t longest_delay = 0;     ///< The most packets of the stream that waited at once.
  std::size_t waiting = 0;           ///< Packets that wait for room now.
};

/// Puts packets of our own into a multiplex as it passes, each on time, and loses none of its packets.
///
/// At first a packet that is put in takes the slot of the one that stands there; that one and those behind it move on
/// by a slot each, up to the next null packet, which is left out. So the bit rate stays as it is, and most of the
/// stream stays where it lies in memory. Where there are no null packets to end that (no_room_after), or where a bit
/// rate was given, the stream is stuffed anew: it comes out at a constant and higher bit rate, with null packets in
/// between. Either way the program clock references of packets that moved are corrected by as much as they moved
/// (ISO/IEC 13818-1, 2.4.2.2).
///
/// Times are those of a PcrClock, in ticks of 27 MHz. Takes memory only while its queues grow.
class SlotMultiplexer {
 public:
  /// Without a null packet for so long in spite of packets that wait, the stream has none to spare.
  static constexpr std::uint64_t no_room_after = clock_hz / 5;
  /// The same for packets that may wait.
  static constexpr std::uint64_t no_room_for_offers_after = 2 * clock_hz;
  /// With a bit rate that is too low, packets are at most so late; then it is exceeded.
  static constexpr std::uint64_t latest = clock_hz / 2;
  /// Packets that wait for room, at most.
  static constexpr std::size_t max_waiting = 16 * 1024;

  struct Options {
    std::optional<std::uint64_t> bit_rate;  ///< Bits a second of what comes out, constant.
    /// Whether to stuff anew, of one's own accord, when there is no room.
    bool may_stuff = true;
  };
  explicit SlotMultiplexer(const Options& options) : options_(options) {}

  enum class Order {
    at_once,  ///< Packets of the stream that have been moved back stay behind.
    in_turn,  ///< Behind all packets of the stream that stood before it.
  };
  /// Before the packet at `position` of the run that `multiplex` is called for next; positions do not go back.
  void insert(std::size_t position, ByteView packets, Order order = Order::at_once);
  /// Where there is room. False, and nothing was taken: too many wait already.
  [[nodiscard]] bool offer(ByteView packets);
  /// Bits a second that are put in on time, about: when the stream is stuffed anew, there is room for them and a quarter
  /// more.
  void reserve(std::uint64_t bits_per_second) { reserved_ = bits_per_second; }

  /// The packets that come out for a run of whole packets. `free`: positions, ascending, of those that are not needed;
  /// they are null packets. `times`: of each packet, when the stream's clock has begun; else empty. `bit_rate`: of the
  /// stream, when it is known. Gives `run` itself, changed in place, or a buffer that is good until the next call.
  [[nodiscard]] ByteView multiplex(MutableByteView run, std::span<const std::uint32_t> free,
                                   std::span<const std::uint64_t> times, std::optional<double> bit_rate);
  /// Nothing more comes: what has been delayed. Packets that wait for room are given too.
  [[nodiscard]] ByteView finish();
  /// Forgets all packets: another stream begins.
  void reset();

  /// The constant bit rate at which the stream comes out; nothing: its own.
  [[nodiscard]] std::optional<std::uint64_t> constant_bit_rate() const {
    return slots_ ? std::optional(slots_->bit_rate) : std::nullopt;
  }
  [[nodiscard]] const SlotCounts& counts() const { return counts_; }

 private:
  using Packet = std::array<std::uint8_t, packet_size>;
  struct Insertion {
    std::size_t position = 0;
    Order order = Order::at_once;
    Packet packet;
  };
  struct Delayed {
    std::optional<std::uint64_t> time;  ///< Nothing: it is one of ours.
    Packet packet;
  };
  /// When the next packet goes out, at a constant bit rate.
  struct Slots {
    std::uint64_t bit_rate = 0;
    std::uint64_t time = 0;
    std::uint64_t remainder = 0;
    void advance();
    [[nodiscard]] std::uint64_t after() const;
  };

  [[nodiscard]] std::optional<std::size_t> multiplex_in_place(MutableByteView run, std::span<const std::uint32_t> free,
                                                              std::span<const std::uint64_t> times,
                                                              std::optional<double> bit_rate);
  void take_insertions(std::size_t position);
  void place(MutablePacketView slot, bool is_free, std::uint64_t now);
  [[nodiscard]] bool lacks_room(std::uint64_t now) const;
  void start_slots(std::uint64_t now, double bit_rate);
  void stuff(MutableByteView run, std::size_t from, std::span<const std::uint32_t> free,
             std::span<const std::uint64_t> times, std::optional<double> bit_rate);
  void fill_up_to(std::uint64_t time);
  void emit_insertions(std::size_t position);
  void emit(PacketView packet);
  void emit_moved(PacketView packet, std::uint64_t time);

  Options options_;
  std::uint64_t reserved_ = 0;
  std::vector<Insertion> insertions_;
  std::size_t next_insertion_ = 0;
  PacketQueue<Packet> urgent_;                  ///< Of insertions whose position has come.
  PacketQueue<Delayed> delayed_;                ///< Of the stream.
  PacketQueue<Packet> waiting_;                 ///< For room.
  std::optional<std::uint64_t> crowded_since_;  ///< There are packets that have been moved.
  std::optional<std::uint64_t> stuck_since_;    ///< None of those that wait has found room.
  std::optional<Slots> slots_;
  std::uint64_t last_time_ = 0;         ///< Of the packet that came last.
  std::uint64_t ticks_per_packet_ = 0;  ///< Of the stream, when its bit rate is known.
  Bytes out_;
  SlotCounts counts_;
};

}  // namespace cas::mpegts
