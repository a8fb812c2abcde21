// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include "mpegts/ca_descriptor.hpp"
#include "mpegts/packet.hpp"
#include "mpegts/section_assembler.hpp"
#include "mpegts/stream_tables.hpp"
#include "mpegts/ts_cipher.hpp"
#include "support/result_matchers.hpp"

namespace cas::test {

/// What a receiver makes of a stream, with the plain CA system (PlainEcmg) unless it is given another one, and what a
/// stream analyser would say of it. For tests alone.
class TestReceiver {
 public:
  struct OpenedEcm {
    std::uint16_t cp_number = 0;
    std::uint16_t first_word = 0;  ///< Crypto-period of the first of `words`.
    std::vector<SecretBytes> words;
  };
  static OpenedEcm open_plain_ecm(ByteView ecm) {
    if (ecm.size() < 9) throw std::runtime_error("an ECM of the plain CA system is longer");
    OpenedEcm opened;
    opened.cp_number = static_cast<std::uint16_t>(ecm[3] << 8 | ecm[4]);
    opened.first_word = static_cast<std::uint16_t>(ecm[5] << 8 | ecm[6]);
    ByteView words = ecm.subspan(9);
    for (unsigned word = 0; word < ecm[7]; ++word, words = words.subspan(ecm[8]))
      opened.words.push_back(SecretBytes::copy_of(words.first(ecm[8])));
    return opened;
  }
  /// The CA system's part: an ECM section to words.
  std::function<OpenedEcm(ByteView)> open_ecm = open_plain_ecm;

  struct Sent {
    std::uint64_t packet = 0;  ///< Its number in the stream.
    std::uint16_t cp_number = 0;
  };

  TestReceiver(mpegts::TsCipher cipher, std::uint16_t ca_system_id) : cipher_(cipher), ca_system_id_(ca_system_id) {}

  void push(ByteView stream) {
    ASSERT_EQ(stream.size() % mpegts::packet_size, 0U);
    for (; !stream.empty(); stream = stream.subspan(mpegts::packet_size)) {
      take(mpegts::PacketView(stream.data(), mpegts::packet_size));
      ++packets;
    }
  }

  std::uint64_t packets = 0;
  std::uint64_t continuity_errors = 0;
  std::uint64_t undecodable = 0;  ///< Scrambled with a word that no ECM has told yet.
  std::uint64_t nulls = 0;
  std::map<mpegts::Pid, std::uint64_t> clear, scrambled;  ///< Packets with a payload, by PID.
  std::map<mpegts::Pid, Bytes> payloads;                  ///< All of a PID, descrambled.
  std::map<mpegts::Pid, std::vector<Sent>> ecms;
  std::map<mpegts::Pid, std::vector<std::pair<std::uint64_t, std::uint64_t>>> pcrs;  ///< Packet number, value.
  std::set<mpegts::Pid> ecm_pids;
  mpegts::StreamTables tables;
  std::vector<std::uint64_t> changes_of_parity;  ///< Numbers of packets, all PIDs together.

  /// The largest error of the clock references of a PID against a constant bit rate, in ticks of 27 MHz, from
  /// the packet `from` on; and that bit rate.
  [[nodiscard]] std::pair<double, double> clock_error(mpegts::Pid pid, std::uint64_t from = 0) const {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> points;
    for (const auto& point : pcrs.at(pid))
      if (point.first >= from) points.push_back(point);
    if (points.size() < 3) return {1e9, 0};
    const double slope = static_cast<double>(points.back().second - points.front().second) /
                         static_cast<double>(points.back().first - points.front().first);
    double worst = 0;
    for (const auto& [packet, pcr] : points)
      worst = std::max(worst, std::abs(static_cast<double>(pcr - points.front().second) -
                                       slope * static_cast<double>(packet - points.front().first)));
    return {worst, mpegts::packet_size * 8 * static_cast<double>(mpegts::clock_hz) / slope};
  }

 private:
  void take(mpegts::PacketView packet) {
    const mpegts::Pid pid = mpegts::pid_of(packet);
    if (pid == mpegts::null_pid) {
      ++nulls;
      return;
    }
    if (const auto pcr = mpegts::pcr_of(packet)) pcrs[pid].emplace_back(packets, *pcr);
    if (!mpegts::has_payload(packet)) return;
    const std::uint8_t counter = mpegts::continuity_counter(packet);
    const auto [last, fresh] = counters_.try_emplace(pid, counter);
    if (!fresh && counter != ((last->second + 1) & 0x0f)) ++continuity_errors;
    last->second = counter;
    const auto changes = tables.push(packet);
    if (!changes.empty()) find_ecms();
    if (ecm_pids.contains(pid)) return take_ecm(pid, packet);
    const auto control = mpegts::scrambling_control(packet);
    Bytes copy(packet.begin(), packet.end());
    if (control == mpegts::ScramblingControl::clear) {
      ++clear[pid];
    } else {
      ++scrambled[pid];
      descramble(pid, copy, control);
    }
    append(payloads[pid], mpegts::payload_of(std::span<const std::uint8_t, mpegts::packet_size>(copy)));
  }

  void find_ecms() {
    const auto before = std::exchange(component_ecm_, {});
    ecm_pids.clear();
    for (const std::uint16_t program : tables.programs()) {
      const auto* map = tables.program_map(program);
      if (map == nullptr) continue;
      std::optional<mpegts::Pid> of_all;
      for (const auto& system : mpegts::find_ca_descriptors(map->descriptors))
        if (system.ca_system_id == ca_system_id_) of_all = system.ca_pid;
      for (const auto& stream : map->streams) {
        std::optional<mpegts::Pid> own = of_all;
        for (const auto& system : mpegts::find_ca_descriptors(stream.descriptors))
          if (system.ca_system_id == ca_system_id_) own = system.ca_pid;
        if (own) {
          component_ecm_[stream.pid] = *own;
          const auto old = before.find(stream.pid);
          if (old != before.end() && old->second != *own) keep_words(old->second, *own);
          ecm_pids.insert(*own);
        }
      }
    }
  }

  /// ECMs have moved: a receiver keeps the words that it has.
  void keep_words(mpegts::Pid from, mpegts::Pid to) {
    for (const int parity : {0, 1})
      if (const auto& word = words_[from][parity]; word && !words_[to][parity])
        words_[to][parity] = SecretBytes::copy_of(word->reveal());
  }

  void take_ecm(mpegts::Pid pid, mpegts::PacketView packet) {
    auto& assembler = assemblers_.try_emplace(pid).first->second;
    assembler.push(packet);
    while (const auto section = assembler.next()) {
      OpenedEcm ecm = open_ecm(*section);
      ASSERT_EQ((*section)[0], 0x80 | (ecm.cp_number & 1));
      ecms[pid].push_back({packets, ecm.cp_number});
      auto word_cp = ecm.first_word;
      for (SecretBytes& word : ecm.words) words_[pid][word_cp++ & 1] = std::move(word);
    }
  }

  void descramble(mpegts::Pid pid, Bytes& packet, mpegts::ScramblingControl control) {
    const auto ecm = component_ecm_.find(pid);
    const int parity = control == mpegts::ScramblingControl::odd ? 1 : 0;
    if (ecm == component_ecm_.end() || !words_[ecm->second][parity]) {
      ++undecodable;
      return;
    }
    if (last_parity_.try_emplace(pid, parity).first->second != parity) {
      last_parity_[pid] = parity;
      changes_of_parity.push_back(packets);
    }
    if (!descrambler_) descrambler_ = value_or_throw(mpegts::TsDescrambler::create(cipher_, {}));
    EXPECT_OK(
        descrambler_->set_word(parity == 1 ? mpegts::Parity::odd : mpegts::Parity::even, *words_[ecm->second][parity]));
    std::uint8_t* const at = packet.data();
    EXPECT_OK(descrambler_->descramble({&at, 1}));
  }

  mpegts::TsCipher cipher_;
  std::uint16_t ca_system_id_;
  std::map<mpegts::Pid, std::uint8_t> counters_;
  std::map<mpegts::Pid, mpegts::Pid> component_ecm_;
  std::map<mpegts::Pid, mpegts::SectionAssembler> assemblers_;
  std::map<mpegts::Pid, std::map<int, std::optional<SecretBytes>>> words_;
  std::map<mpegts::Pid, int> last_parity_;
  std::optional<mpegts::TsDescrambler> descrambler_;
};

}  // namespace cas::test
