// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "mpegts/descriptor.hpp"
#include "mpegts/packet.hpp"
#include "mpegts/program_association.hpp"
#include "mpegts/program_map.hpp"
#include "mpegts/section_packetiser.hpp"
#include "mpegts/service_description.hpp"
#include "mpegts/service_name.hpp"
#include "support/result_matchers.hpp"

namespace cas::test {

/// A transport stream of constant bit rate with PAT, SDT, and services of one video and one audio stream each, whose
/// payloads tell the number of their packet. The first service's video has the clock. For tests alone.
class TestMultiplex {
 public:
  struct Options {
    std::uint64_t bit_rate = 10'000'000;
    std::size_t services = 1;
    unsigned null_per_mille = 50;  ///< Of all packets.
    std::uint64_t first_pcr = 0;
  };
  static constexpr std::uint16_t first_service = 101;
  static mpegts::Pid map_pid(std::size_t service) { return static_cast<mpegts::Pid>(0x100 + service * 16); }
  static mpegts::Pid video_pid(std::size_t service) { return static_cast<mpegts::Pid>(map_pid(service) + 1); }
  static mpegts::Pid audio_pid(std::size_t service) { return static_cast<mpegts::Pid>(map_pid(service) + 2); }

  explicit TestMultiplex(const Options& options) : options_(options) { set_tables(0); }

  /// The next packets, at most so many.
  Bytes packets(std::size_t count) {
    Bytes out;
    out.reserve(count * mpegts::packet_size);
    while (out.size() < count * mpegts::packet_size) append_packet(out);
    return out;
  }
  Bytes seconds(double seconds) {
    return packets(
        static_cast<std::size_t>(seconds * static_cast<double>(options_.bit_rate) / 8 / mpegts::packet_size));
  }
  /// Ticks of 27 MHz at which the packet with this number starts.
  [[nodiscard]] std::uint64_t time_of(std::uint64_t packet) const {
    return static_cast<std::uint64_t>(static_cast<double>(packet) * mpegts::packet_size * 8 * mpegts::clock_hz /
                                      static_cast<double>(options_.bit_rate));
  }

  /// The tables from now on; each service has one more elementary stream on this PID, unless it is 0.
  void set_tables(std::uint8_t version, mpegts::Pid extra_pid = 0) {
    mpegts::ProgramAssociation pat;
    mpegts::ServiceDescription sdt;
    pat.version = sdt.version = version;
    maps_.clear();
    for (std::size_t service = 0; service < options_.services; ++service) {
      const auto id = static_cast<std::uint16_t>(first_service + service);
      pat.entries.push_back({id, 0b111, map_pid(service)});
      mpegts::ServiceDescription::Service described;
      described.service_id = id;
      const std::string name = "Channel " + std::to_string(service + 1);
      Bytes payload{0x01, 0x00, static_cast<std::uint8_t>(name.size())};
      payload.insert(payload.end(), name.begin(), name.end());
      EXPECT_OK(mpegts::append_descriptor(described.descriptors, mpegts::service_descriptor_tag, payload));
      sdt.services.push_back(described);
      mpegts::ProgramMap map;
      map.program_number = id;
      map.version = version;
      map.pcr_pid = video_pid(service);
      map.streams.push_back({0x1b, 0b111, video_pid(service), 0b1111, {}});
      map.streams.push_back({0x0f, 0b111, audio_pid(service), 0b1111, {}});
      if (extra_pid != 0) map.streams.push_back({0x1b, 0b111, extra_pid, 0b1111, {}});
      maps_.push_back(value_or_throw(map.encode()));
    }
    extra_pid_ = extra_pid;
    pat_ = value_or_throw(pat.encode());
    sdt_ = value_or_throw(sdt.encode());
  }

 private:
  void append_packet(Bytes& out) {
    const std::uint64_t table_distance = std::max<std::uint64_t>(options_.bit_rate / 8 / mpegts::packet_size / 10, 20);
    const std::uint64_t pcr_distance = std::max<std::uint64_t>(table_distance * 3 / 10, 5);
    if (!queue_.empty()) {
      append(out, ByteView(queue_).first(mpegts::packet_size));
      queue_.erase(queue_.begin(), queue_.begin() + mpegts::packet_size);
    } else if (next_ >= next_tables_) {
      next_tables_ = next_ + table_distance;
      queue_tables();
      return append_packet(out);
    } else if (next_ >= next_pcr_) {
      next_pcr_ = next_ + pcr_distance;
      for (std::size_t service = 0; service < options_.services; ++service) {
        append(queue_, content(video_pid(service), next_ + service, true));
      }
      return append_packet(out);
    } else if (next_ * options_.null_per_mille % 1000 < options_.null_per_mille) {
      std::array<std::uint8_t, mpegts::packet_size> null;
      mpegts::make_null_packet(null);
      append(out, null);
    } else {
      const std::size_t service = next_ % options_.services;
      const bool audio = next_ / options_.services % 8 == 7;
      const bool extra = extra_pid_ != 0 && next_ / options_.services % 8 == 6;
      append(out, content(extra ? extra_pid_ : audio ? audio_pid(service) : video_pid(service), next_, false));
    }
    ++next_;
  }

  void queue_tables() {
    const auto packetise = [&](mpegts::Pid pid, const Bytes& section) {
      EXPECT_OK(tables_.try_emplace(pid, pid).first->second.packetise(section, queue_));
    };
    for (const Bytes& section : pat_) packetise(mpegts::pat_pid, section);
    for (const Bytes& section : sdt_) packetise(mpegts::sdt_pid, section);
    for (std::size_t service = 0; service < maps_.size(); ++service) packetise(map_pid(service), maps_[service]);
  }

  Bytes content(mpegts::Pid pid, std::uint64_t number, bool with_pcr) {
    Bytes packet(mpegts::packet_size);
    std::uint8_t& counter = counters_[pid];
    packet[0] = mpegts::sync_byte;
    packet[1] = static_cast<std::uint8_t>(pid >> 8);
    packet[2] = static_cast<std::uint8_t>(pid);
    packet[3] = static_cast<std::uint8_t>(0x10 | counter);
    counter = (counter + 1) & 0x0f;
    std::size_t at = mpegts::packet_header_size;
    if (with_pcr) {
      packet[3] |= 0x20;
      packet[4] = 7;
      packet[5] = 0x10;
      EXPECT_TRUE(
          mpegts::set_pcr(std::span<std::uint8_t, mpegts::packet_size>(packet), options_.first_pcr + time_of(number)));
      at += 8;
    }
    // Different in each packet, and known to who compares.
    std::uint64_t state = number * 0x9e3779b97f4a7c15ULL + pid;
    for (; at < packet.size(); ++at) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      packet[at] = static_cast<std::uint8_t>(state >> 56);
    }
    return packet;
  }

  Options options_;
  std::vector<Bytes> maps_, pat_, sdt_;
  mpegts::Pid extra_pid_ = 0;
  std::map<mpegts::Pid, mpegts::SectionPacketiser> tables_;
  std::map<mpegts::Pid, std::uint8_t> counters_;
  Bytes queue_;
  std::uint64_t next_ = 0, next_tables_ = 0, next_pcr_ = 0;
};

}  // namespace cas::test
