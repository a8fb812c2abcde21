// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "common/json_text.hpp"

namespace cas::tools {

/// What a daemon tells its operator, a line an event, on stderr: "PROGRAM: SENTENCE", or with --json
/// {"time", "level", "event", "message", ...}. All but errors are limited in number, since peers can cause them: a log
/// must not fill the disk because somebody means it to. One thread at a time.
class DaemonLog {
 public:
  enum class Level { info, warning, error };
  struct Form {
    bool json = false;
    bool quiet = false;  ///< Warnings and errors only.
  };
  static constexpr int lines_a_second = 100;

  /// Keeps `clock`.
  DaemonLog(std::string program, Form form, Clock& clock) : program_(std::move(program)), form_(form), clock_(&clock) {}

  /// `event` is a word for scripts, `fields` an object of more for them. Beyond so many a second, lines are left out; how
  /// many, is told with the next one.
  void info(std::string_view event, const std::string& sentence, const Json& fields = {});
  void warning(std::string_view event, const std::string& sentence, const Json& fields = {});
  void error(std::string_view event, const std::string& sentence, const Json& fields = {});

 private:
  void limited(Level level, std::string_view event, const std::string& sentence, const Json& fields);
  void write(Level level, std::string_view event, const std::string& sentence, const Json& fields);

  std::string program_;
  Form form_;
  Clock* clock_;
  std::chrono::nanoseconds second_began_{-1'000'000'000};
  int in_this_second_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace cas::tools
