// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace cas::service {

/// Counts events since the start. Any thread, without a lock.
class Counter {
 public:
  void add(std::uint64_t count = 1) { value_.fetch_add(count, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// A value that goes up and down. Any thread, without a lock.
class Gauge {
 public:
  void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void add(std::int64_t change) { value_.fetch_add(change, std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

/// How often a value fell into which range. Any thread, without a lock.
class Histogram {
 public:
  /// `bounds` ascend: the greatest value of each range; the last range has none.
  explicit Histogram(std::vector<double> bounds);
  /// `count` values that are the same.
  void observe(double value, std::uint64_t count = 1);
  /// Of range `index`; behind the bounds comes the range without one.
  [[nodiscard]] std::uint64_t count(std::size_t index) const { return counts_[index].load(std::memory_order_relaxed); }
  [[nodiscard]] double sum() const { return sum_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::span<const double> bounds() const { return bounds_; }

 private:
  std::vector<double> bounds_;
  std::vector<std::atomic<std::uint64_t>> counts_;
  std::atomic<double> sum_{0};
};

/// Names and values that tell the series of one metric apart: {{"interface", "ecmg"}}.
using MetricLabels = std::vector<std::pair<std::string, std::string>>;

/// The metrics of a program. Made once, at the start; what is given back lives as long as the registry. Any thread.
///
/// A name and the same labels give the same series again. ErrorKind::invalid_argument for names that Prometheus does
/// not take ([a-zA-Z_:][a-zA-Z0-9_:]*; labels without colon, and not beginning with two underscores), labels that
/// stand there twice, and a name that is of another type, or has another help text, already; exhausted beyond 10,000
/// series, since labels that come from peers would grow without end.
class MetricRegistry {
 public:
  MetricRegistry();
  ~MetricRegistry();
  MetricRegistry(const MetricRegistry&) = delete;
  MetricRegistry& operator=(const MetricRegistry&) = delete;

  [[nodiscard]] Result<Counter*> counter(const std::string& name, const std::string& help, MetricLabels labels = {});
  [[nodiscard]] Result<Gauge*> gauge(const std::string& name, const std::string& help, MetricLabels labels = {});
  /// A gauge that is asked when somebody reads it, by the thread that calls `text`; `read` does not use the registry.
  /// invalid_argument also when these labels have a series already.
  [[nodiscard]] Status gauge(const std::string& name, const std::string& help, MetricLabels labels,
                             std::function<double()> read);
  /// `bounds` are 1 to 64 finite numbers that ascend, and for one name always the same. The label "le" is taken.
  [[nodiscard]] Result<Histogram*> histogram(const std::string& name, const std::string& help,
                                             std::vector<double> bounds, MetricLabels labels = {});

  /// All of them in the text format of Prometheus, version 0.0.4, ordered by name.
  [[nodiscard]] std::string text() const;
  static constexpr const char* content_type = "text/plain; version=0.0.4; charset=utf-8";

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cas::service
