// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "simulcrypt/ecm_supply.hpp"

namespace cas::test {

/// A CA system that keeps nothing secret, in the place of an ECMG: its ECMs say the words. Answers at once, or when it is
/// told to, or not at all. For tests alone.
///
///   0  3  section header, table_id 80 or 81 by the parity of the crypto-period
///   3  2  crypto-period
///   5  2  crypto-period of the first word
///   7  1  number of words     8  1  size of each      9  the words
class PlainEcmg final : public simulcrypt::EcmSupply {
 public:
  simulcrypt::EcmStreamTerms terms;
  std::uint8_t section_tspkt_flag = simulcrypt::ecmg::sections;
  bool answers_at_once = true;
  bool refuses_at_once = false;
  std::function<Bytes(Bytes ecm)> dress;           ///< What is given out in the place of an ECM.
  std::vector<std::string> log;                    ///< What was asked, for people: "open 1", "close 1".
  std::map<std::uint16_t, Bytes> criteria;         ///< Of the last request, by stream.
  std::map<std::uint16_t, std::uint16_t> ecm_ids;  ///< By stream.

  void open_stream(const simulcrypt::EcmStreamWish& wish) override {
    log.push_back("open " + std::to_string(wish.stream_id));
    streams_[wish.stream_id] = {};
    ecm_ids[wish.stream_id] = wish.ecm_id;
    if (alive_) announce(wish.stream_id);
  }
  void close_stream(std::uint16_t stream_id) override {
    log.push_back("close " + std::to_string(stream_id));
    streams_.erase(stream_id);
  }
  void request(std::uint16_t stream_id, const simulcrypt::EcmRequest& request) override {
    criteria[stream_id].assign(request.access_criteria.begin(), request.access_criteria.end());
    if (!alive_) return;
    streams_.at(stream_id) = ecm_of(stream_id, request);
    if (refuses_at_once) return refuse();
    if (answers_at_once) answer();
  }
  bool has_events() const override { return !events_.empty(); }
  void take(std::vector<simulcrypt::EcmEvent>& events) override {
    for (auto& event : events_) events.push_back(std::move(event));
    events_.clear();
  }
  void on_events(std::function<void()>) override {}

  /// Answers what is outstanding.
  void answer() {
    for (auto& [id, outstanding] : streams_)
      if (outstanding) {
        events_.push_back(std::move(*outstanding));
        outstanding.reset();
      }
  }
  void refuse() {
    for (auto& [id, outstanding] : streams_)
      if (outstanding) {
        outstanding->kind = simulcrypt::EcmEvent::Kind::refused;
        events_.push_back(std::move(*outstanding));
        outstanding.reset();
      }
  }
  void die() {
    if (!std::exchange(alive_, false)) return;
    for (auto& [id, outstanding] : streams_) {
      outstanding.reset();
      simulcrypt::EcmEvent event;
      event.stream_id = id;
      events_.push_back(event);
    }
  }
  void live() {
    if (std::exchange(alive_, true)) return;
    for (const auto& [id, outstanding] : streams_) announce(id);
  }

 private:
  void announce(std::uint16_t stream_id) {
    simulcrypt::EcmEvent event;
    event.kind = simulcrypt::EcmEvent::Kind::opened;
    event.stream_id = stream_id;
    event.terms = terms;
    event.section_tspkt_flag = section_tspkt_flag;
    events_.push_back(event);
  }
  [[nodiscard]] simulcrypt::EcmEvent ecm_of(std::uint16_t stream_id, const simulcrypt::EcmRequest& request) const {
    simulcrypt::EcmEvent event;
    event.kind = simulcrypt::EcmEvent::Kind::ecm;
    event.stream_id = stream_id;
    event.cp_number = request.cp_number;
    const auto put16 = [&](std::uint16_t value) {
      event.ecm.push_back(static_cast<std::uint8_t>(value >> 8));
      event.ecm.push_back(static_cast<std::uint8_t>(value));
    };
    event.ecm = {static_cast<std::uint8_t>(0x80 | (request.cp_number & 1)), 0x70, 0};
    put16(request.cp_number);
    put16(request.words.front().cp_number);
    event.ecm.push_back(static_cast<std::uint8_t>(request.words.size()));
    event.ecm.push_back(static_cast<std::uint8_t>(request.words.front().word.size()));
    for (const auto& word : request.words) append(event.ecm, word.word.reveal());
    event.ecm[2] = static_cast<std::uint8_t>(event.ecm.size() - 3);
    if (dress) event.ecm = dress(std::move(event.ecm));
    return event;
  }

  bool alive_ = true;
  std::map<std::uint16_t, std::optional<simulcrypt::EcmEvent>> streams_;
  std::vector<simulcrypt::EcmEvent> events_;
};

}  // namespace cas::test
