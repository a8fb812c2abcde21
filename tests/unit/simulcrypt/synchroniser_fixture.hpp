// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "crypto/constant_time.hpp"
#include "simulcrypt/synchroniser.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"

namespace cas::simulcrypt {

using std::chrono::milliseconds;

/// A stream and its ECMGs, a millisecond a step. An ECMG answers `latency` after it was asked, while it is up; its ECM says
/// whose it is and for which period.
class Synchronising : public testing::Test, public SynchroniserActions {
 protected:
  struct Sent {
    std::size_t stream;
    std::uint16_t cp;
    milliseconds at;
  };
  struct Begun {
    std::uint16_t cp;
    milliseconds at;
    SecretBytes word;
  };
  struct Ecmg {
    EcmStreamTerms terms;
    milliseconds latency{20};
    bool up = true;
    std::optional<std::pair<milliseconds, std::uint16_t>> answer;  ///< When, and for which period.
  };

  test::SeededRandom random{5};
  ControlWordGenerator words{random, 16, ControlWordGenerator::Form::plain};
  Synchroniser::Options options;
  std::optional<Synchroniser> made;
  std::vector<Ecmg> ecmgs;
  milliseconds now{0};

  std::vector<Sent> sent;
  std::vector<Begun> begun;
  std::vector<milliseconds> cleared;
  std::vector<std::pair<std::size_t, std::uint16_t>> missing;
  std::vector<WithoutEcm> consequences;
  std::vector<std::pair<std::size_t, EcmRequest>> requests;
  std::vector<Bytes> criteria;  ///< Of the requests.

  Synchronising() {
    options.period = milliseconds(1000);
    options.request_ahead = milliseconds(200);
  }

  Synchroniser& synchroniser() {
    if (!made) made.emplace(options, *this, words);
    return *made;
  }
  std::size_t add(const EcmStreamTerms& terms = {}, WithoutEcm without = WithoutEcm::hold) {
    const std::size_t number = synchroniser().add_stream(without);
    ecmgs.push_back({terms, milliseconds(20), true, {}});
    EXPECT_OK(synchroniser().stream_opened(number, terms));
    return number;
  }
  void lose(std::size_t number) {
    ecmgs[number].up = false;
    ecmgs[number].answer.reset();
    synchroniser().stream_lost(number);
  }
  void restore(std::size_t number) {
    ecmgs[number].up = true;
    EXPECT_OK(synchroniser().stream_opened(number, ecmgs[number].terms));
  }
  /// Until `end`: as the element does it, advance is called for what is due alone.
  void run(milliseconds end) {
    for (; now < end; ++now) {
      for (std::size_t number = 0; number < ecmgs.size(); ++number) {
        Ecmg& ecmg = ecmgs[number];
        if (!ecmg.up || !ecmg.answer || now < ecmg.answer->first) continue;
        const std::uint16_t cp = ecmg.answer->second;
        ecmg.answer.reset();
        EXPECT_OK(synchroniser().ecm_arrived(number, cp,
                                             {static_cast<std::uint8_t>(cp >> 8), static_cast<std::uint8_t>(cp)}));
      }
      if (now >= synchroniser().next_event()) EXPECT_OK(synchroniser().advance(now));
    }
  }

  std::vector<milliseconds> times(std::size_t stream, std::uint16_t cp) const {
    std::vector<milliseconds> all;
    for (const Sent& one : sent)
      if (one.stream == stream && one.cp == cp) all.push_back(one.at);
    return all;
  }
  milliseconds begin_of(std::uint16_t cp) const {
    const auto found = std::ranges::find(begun, cp, &Begun::cp);
    return found == begun.end() ? milliseconds(-1) : found->at;
  }
  milliseconds first(std::size_t stream, std::uint16_t cp) const {
    const auto all = times(stream, cp);
    return all.empty() ? milliseconds(-1) : all.front();
  }
  milliseconds last(std::size_t stream, std::uint16_t cp) const {
    const auto all = times(stream, cp);
    return all.empty() ? milliseconds(-1) : all.back();
  }

  void request_ecm(std::size_t stream, const EcmRequest& request) override {
    EcmRequest copy;
    copy.cp_number = request.cp_number;
    copy.duration = request.duration;
    for (const EcmRequest::Word& word : request.words) copy.words.push_back({word.cp_number, word.word.clone()});
    requests.emplace_back(stream, std::move(copy));
    criteria.push_back(copy_of(request.access_criteria));
    if (ecmgs[stream].up) ecmgs[stream].answer = {now + ecmgs[stream].latency, request.cp_number};
  }
  void begin_period(std::uint16_t cp, const SecretBytes& word) override { begun.push_back({cp, now, word.clone()}); }
  void go_clear() override { cleared.push_back(now); }
  void send_ecm(std::size_t stream, ByteView ecm) override {
    ASSERT_EQ(ecm.size(), 2U);
    sent.push_back({stream, static_cast<std::uint16_t>(ecm[0] << 8 | ecm[1]), now});
  }
  void ecm_missing(std::size_t stream, std::uint16_t cp, WithoutEcm consequence) override {
    missing.emplace_back(stream, cp);
    consequences.push_back(consequence);
  }
};

}  // namespace cas::simulcrypt
