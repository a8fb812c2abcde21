// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <map>
#include <string>

#include "synchroniser_fixture.hpp"

namespace cas::simulcrypt {

/// A stream whose keys come from outside. What receivers hold is followed: the words that each ECM has told them, by parity,
/// in the order of their numbers.
class SynchronisingWithKeys : public Synchronising {
 protected:
  std::vector<std::map<int, Bytes>> held;  ///< By stream: what its receivers have.
  std::map<std::pair<std::size_t, std::uint16_t>, std::vector<EcmRequest::Word>> answered;
  std::size_t lost_words = 0;  ///< Times that an ECM took a word that was in use from them.

  SynchronisingWithKeys() { made.emplace(options, *this); }
  void begin_with(const Synchroniser::Options& given) {
    options = given;
    made.emplace(options, *this);
  }

  static ContentKey key(std::uint64_t period, std::uint8_t kind = 0) {
    ContentKey made_key;
    made_key.period = period;
    made_key.key = SecretBytes(16);
    for (std::size_t byte = 0; byte < 8; ++byte)
      made_key.key.reveal_mutable()[byte] = static_cast<std::uint8_t>(period >> 8 * byte);
    made_key.key.reveal_mutable()[15] = kind;
    made_key.key_id = "00000000-0000-0000-0000-0000000000" + std::string(period % 2 == 0 ? "0a" : "0b");
    made_key.content_id = "channel";
    return made_key;
  }
  /// Of a grid of seconds that begins when the number is 0.
  static ContentKey timed(std::uint64_t period) {
    ContentKey made_key = key(period);
    made_key.period_start = std::chrono::seconds(period);
    made_key.period_end = std::chrono::seconds(period + 1);
    return made_key;
  }
  static Bytes word(std::uint64_t period, std::uint8_t kind = 0) { return copy_of(key(period, kind).key.reveal()); }
  /// Each second the next period, from now on, `ahead` of them announced; `before` the line is drawn, something.
  void run_periods(std::uint64_t first, std::uint64_t count, std::uint64_t ahead,
                   const std::function<void(std::uint64_t)>& before = nullptr) {
    for (std::uint64_t period = first; period < first + count; ++period) {
      if (before) before(period);
      synchroniser().begin(timed(period));
      for (std::uint64_t next = period + 1; next <= period + ahead; ++next)
        EXPECT_OK(synchroniser().announce(timed(next)));
      run(now + milliseconds(1000));
    }
  }

  void request_ecm(std::size_t stream, const EcmRequest& request) override {
    Synchronising::request_ecm(stream, request);
    std::vector<EcmRequest::Word>& words_of = answered[{stream, request.cp_number}];
    words_of.clear();
    for (const EcmRequest::Word& each : request.words) words_of.push_back({each.cp_number, each.word.clone()});
  }
  void send_ecm(std::size_t stream, ByteView ecm) override {
    Synchronising::send_ecm(stream, ecm);
    held.resize(std::max(held.size(), stream + 1));
    const auto cp = static_cast<std::uint16_t>(ecm[0] << 8 | ecm[1]);
    const bool had = has_word(stream);
    for (const EcmRequest::Word& each : answered.at({stream, cp}))
      held[stream][each.cp_number & 1] = copy_of(each.word.reveal());
    if (had && !has_word(stream)) ++lost_words;
  }
  /// Whether its receivers can open what is scrambled now.
  bool has_word(std::size_t stream) const {
    if (!made->scrambling() || begun.empty() || stream >= held.size()) return false;
    const auto found = held[stream].find(begun.back().cp & 1);
    return found != held[stream].end() && std::ranges::equal(found->second, begun.back().word.reveal());
  }
};

}  // namespace cas::simulcrypt
