// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/metrics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "tests/support/result_matchers.hpp"

namespace cas::service {
namespace {

TEST(Metrics, AreWrittenInTheTextFormatOfPrometheus) {
  MetricRegistry registry;
  const auto ecms = registry.counter("ecmg_ecms_total", "ECMs made", {{"product", "1"}, {"channel", "a\"b\\c\nd"}});
  ASSERT_OK(ecms);
  (*ecms)->add();
  (*ecms)->add(41);
  ASSERT_OK(registry.counter("ecmg_ecms_total", "ECMs made"));
  const auto open = registry.gauge("connections", "Open\nnow \\");
  ASSERT_OK(open);
  (*open)->set(3);
  (*open)->add(-5);
  ASSERT_OK(registry.gauge("ratio", "A half", {}, [] { return 0.5; }));
  const auto latency = registry.histogram("latency_seconds", "Latency", {0.001, 0.01, 1}, {{"to", "ecmg"}});
  ASSERT_OK(latency);
  for (const double value : {0.0005, 0.001, 0.002, 0.5, 2.0}) (*latency)->observe(value);
  EXPECT_EQ(registry.text(),
            "# HELP connections Open\\nnow \\\\\n"
            "# TYPE connections gauge\n"
            "connections -2\n"
            "# HELP ecmg_ecms_total ECMs made\n"
            "# TYPE ecmg_ecms_total counter\n"
            "ecmg_ecms_total 0\n"
            "ecmg_ecms_total{channel=\"a\\\"b\\\\c\\nd\",product=\"1\"} 42\n"
            "# HELP latency_seconds Latency\n"
            "# TYPE latency_seconds histogram\n"
            "latency_seconds_bucket{to=\"ecmg\",le=\"0.001\"} 2\n"
            "latency_seconds_bucket{to=\"ecmg\",le=\"0.01\"} 3\n"
            "latency_seconds_bucket{to=\"ecmg\",le=\"1\"} 4\n"
            "latency_seconds_bucket{to=\"ecmg\",le=\"+Inf\"} 5\n"
            "latency_seconds_sum{to=\"ecmg\"} 2.5035\n"
            "latency_seconds_count{to=\"ecmg\"} 5\n"
            "# HELP ratio A half\n"
            "# TYPE ratio gauge\n"
            "ratio 0.5\n");
}

TEST(Metrics, NumbersThatAreNoneHaveTheirNames) {
  MetricRegistry registry;
  ASSERT_OK(registry.gauge("a", "", {}, [] { return std::nan(""); }));
  ASSERT_OK(registry.gauge("b", "", {}, [] { return std::numeric_limits<double>::infinity(); }));
  ASSERT_OK(registry.gauge("c", "", {}, [] { return -std::numeric_limits<double>::infinity(); }));
  const std::string text = registry.text();
  EXPECT_NE(text.find("\na NaN\n"), std::string::npos);
  EXPECT_NE(text.find("\nb +Inf\n"), std::string::npos);
  EXPECT_NE(text.find("\nc -Inf\n"), std::string::npos);
}

TEST(Metrics, TheSameNameAndLabelsAreTheSameSeries) {
  MetricRegistry registry;
  const auto one = registry.counter("a", "help", {{"x", "1"}, {"y", "2"}});
  const auto same = registry.counter("a", "help", {{"y", "2"}, {"x", "1"}});
  const auto other = registry.counter("a", "help", {{"x", "1"}});
  ASSERT_OK(one);
  ASSERT_OK(same);
  ASSERT_OK(other);
  EXPECT_EQ(*one, *same);
  EXPECT_NE(*one, *other);
  const auto histogram = registry.histogram("h", "", {1});
  ASSERT_OK(histogram);
  EXPECT_EQ(*histogram, *registry.histogram("h", "", {1}));
}

TEST(Metrics, WhatPrometheusWouldNotTakeIsRefused) {
  MetricRegistry registry;
  for (const char* name : {"", "1a", "a b", "a-b", "\xc3\xa4"})
    EXPECT_FAILS(registry.counter(name, ""), ErrorKind::invalid_argument);
  for (const char* label : {"", "1", "a:b", "__a", "a b"})
    EXPECT_FAILS(registry.counter("a", "", {{label, "x"}}), ErrorKind::invalid_argument);
  EXPECT_FAILS(registry.counter("a", "", {{"x", "1"}, {"x", "2"}}), ErrorKind::invalid_argument);
  EXPECT_OK(registry.counter("a:b", "", {{"le", "1"}}));
  EXPECT_FAILS(registry.histogram("h", "", {1}, {{"le", "1"}}), ErrorKind::invalid_argument);
  EXPECT_FAILS(registry.histogram("h", "", {}), ErrorKind::invalid_argument);
  EXPECT_FAILS(registry.histogram("h", "", {1, 1}), ErrorKind::invalid_argument);
  EXPECT_FAILS(registry.histogram("h", "", {2, 1}), ErrorKind::invalid_argument);
  EXPECT_FAILS(registry.histogram("h", "", {1, std::numeric_limits<double>::infinity()}), ErrorKind::invalid_argument);
  EXPECT_FAILS(registry.histogram("h", "", std::vector<double>(65)), ErrorKind::invalid_argument);
  EXPECT_EQ(registry.text(), "# HELP a:b \n# TYPE a:b counter\na:b{le=\"1\"} 0\n");
}

TEST(Metrics, WhatContradictsIsRefused) {
  MetricRegistry registry;
  ASSERT_OK(registry.counter("c", "help"));
  EXPECT_FAILS(registry.counter("c", "other help"), ErrorKind::invalid_argument);
  EXPECT_FAILS(registry.gauge("c", "help"), ErrorKind::invalid_argument);
  EXPECT_FAILS(registry.gauge("c", "help", {}, [] { return 1.0; }), ErrorKind::invalid_argument);
  ASSERT_OK(registry.gauge("g", "", {}, [] { return 1.0; }));
  EXPECT_FAILS(registry.gauge("g", ""), ErrorKind::invalid_argument);
  EXPECT_FAILS(registry.gauge("g", "", {}, [] { return 1.0; }), ErrorKind::invalid_argument);
  ASSERT_OK(registry.histogram("h", "", {1}));
  EXPECT_FAILS(registry.histogram("h", "", {2}), ErrorKind::invalid_argument);
}

TEST(Metrics, LabelsDoNotGrowWithoutEnd) {
  MetricRegistry registry;
  for (int i = 0; i < 10'000; ++i) ASSERT_OK(registry.counter("a", "", {{"x", std::to_string(i)}}));
  EXPECT_FAILS(registry.counter("a", "", {{"x", "one more"}}), ErrorKind::exhausted);
  EXPECT_FAILS(registry.gauge("b", ""), ErrorKind::exhausted);
  EXPECT_OK(registry.counter("a", "", {{"x", "7"}}));
}

TEST(Metrics, ValuesThatAreTheSameAreCountedTogether) {
  Histogram histogram({1, 10});
  histogram.observe(2.5, 4);
  histogram.observe(0.5, 0);
  EXPECT_EQ(histogram.count(0), 0U);
  EXPECT_EQ(histogram.count(1), 4U);
  EXPECT_EQ(histogram.sum(), 10);
}

TEST(Metrics, NothingIsLostBetweenThreads) {
  MetricRegistry registry;
  Counter* const counter = registry.counter("c", "").value();
  Gauge* const gauge = registry.gauge("g", "").value();
  Histogram* const histogram = registry.histogram("h", "", {0.5}).value();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 10'000; ++k) {
        counter->add();
        gauge->add(k % 2 == 0 ? 2 : -1);
        histogram->observe(k % 2);
      }
    });
  }
  for (int i = 0; i < 20; ++i) EXPECT_NE(registry.text().find("h_count"), std::string::npos);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter->value(), 40'000U);
  EXPECT_EQ(gauge->value(), 20'000);
  EXPECT_EQ(histogram->count(0), 20'000U);
  EXPECT_EQ(histogram->count(1), 20'000U);
  EXPECT_EQ(histogram->sum(), 20'000);
}

}  // namespace
}  // namespace cas::service
