// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

/// What the benchmark programs share. A figure is one line, "bench NAME FIELD VALUE UNIT", and nothing else goes to
/// standard output.
///
/// Ratios are what can be compared between machines: the candidates of a Comparison run in turns in the same process on
/// the same buffers, so that a machine that slows down slows all of them, and each one's figure is the median of nine.
namespace cas::bench {

inline constexpr int rounds = 9;

/// Prints one figure. Names and units are words without spaces.
inline void print_figure(const std::string& name, const std::string& field, double value, const std::string& unit) {
  std::printf("bench %s %s %.6g %s\n", name.c_str(), field.c_str(), value, unit.c_str());
  std::fflush(stdout);
}

/// The middle one; of an even number, the lower of the two in the middle.
[[nodiscard]] inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// How long `run` takes when it is called `times` times.
[[nodiscard]] inline double seconds_of(const std::function<void()>& run, std::size_t times) {
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < times; ++i) run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Candidates that do the same piece of work, measured in turns.
class Comparison {
 public:
  /// `work` is what one call of a candidate does, in units of `unit` without the "/s": 1 for calls, bytes / 1e6 for
  /// "MB".
  Comparison(std::string name, double work, std::string unit)
      : name_(std::move(name)), work_(work), unit_(std::move(unit)) {}

  /// A candidate; `run` does the work once and ends the program when it fails. The first one is what ratios are
  /// against.
  Comparison& add(std::string field, std::function<void()> run) {
    candidates_.push_back({std::move(field), std::move(run), 1, {}});
    return *this;
  }

  /// A candidate that takes its own time, because not all that a call does is the work (starting an element, say):
  /// `run` gives the seconds that the work took.
  Comparison& add_timed(std::string field, std::function<double()> run) {
    Candidate candidate{std::move(field), {}, 1, {}};
    candidate.timed = std::move(run);
    candidates_.push_back(std::move(candidate));
    return *this;
  }

  /// Warms up and measures; prints nothing.
  void run() {
    for (Candidate& candidate : candidates_) {
      if (candidate.timed)
        candidate.timed();
      else
        candidate.times = calibrate(candidate.run);
    }
    for (int round = 0; round < rounds; ++round)
      for (Candidate& candidate : candidates_) {
        const double seconds = candidate.timed ? candidate.timed() : seconds_of(candidate.run, candidate.times);
        candidate.rates.push_back(work_ * static_cast<double>(candidate.times) / seconds);
      }
  }

  /// Warms up, measures, and prints a rate for each candidate and its ratio to the first one.
  void measure() {
    run();
    for (const Candidate& candidate : candidates_)
      print_figure(name_, candidate.field, median(candidate.rates), unit_ + "/s");
    for (std::size_t i = 1; i < candidates_.size(); ++i)
      print_figure(name_, candidates_[i].field + "_vs_" + candidates_[0].field, ratio(i, 0), "ratio");
  }

  /// The median of the ratios within each round, which a drift from round to round leaves alone. After `run`.
  [[nodiscard]] double ratio(std::size_t candidate, std::size_t against) const {
    std::vector<double> ratios;
    for (std::size_t round = 0; round < candidates_[candidate].rates.size(); ++round)
      ratios.push_back(candidates_[candidate].rates[round] / candidates_[against].rates[round]);
    return median(std::move(ratios));
  }
  /// The median rate of a candidate, in units a second. After `run`.
  [[nodiscard]] double rate(std::size_t candidate) const { return median(candidates_[candidate].rates); }

 private:
  struct Candidate {
    std::string field;
    std::function<void()> run;
    std::size_t times;
    std::vector<double> rates;
    std::function<double()> timed;
  };

  /// Calls that make one sample long enough to measure; also the warm-up.
  static std::size_t calibrate(const std::function<void()>& run) {
    constexpr double sample_seconds = 0.05;
    std::size_t times = 1;
    while (true) {
      const double seconds = seconds_of(run, times);
      if (seconds >= sample_seconds) return times;
      // At most tenfold: the first calls are slower than the rest.
      const double wanted = static_cast<double>(times) * sample_seconds / std::max(seconds, 1e-9);
      times = std::clamp(static_cast<std::size_t>(wanted) + 1, times + 1, times * 10);
    }
  }

  std::string name_;
  double work_;
  std::string unit_;
  std::vector<Candidate> candidates_;
};

}  // namespace cas::bench
