// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/daemon_log.hpp"

#include <iostream>

namespace cas::tools {

namespace {

const char* name_of(DaemonLog::Level level) {
  switch (level) {
    case DaemonLog::Level::info: return "info";
    case DaemonLog::Level::warning: return "warning";
    case DaemonLog::Level::error: break;
  }
  return "error";
}

}  // namespace

void DaemonLog::write(Level level, std::string_view event, const std::string& sentence, const Json& fields) {
  std::string line;
  if (form_.json) {
    Json json{{"time", format_utc_time(clock_->now())}, {"level", name_of(level)}, {"event", event}};
    json["message"] = sentence;
    if (fields.is_object()) json.update(fields);
    line = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  } else {
    line = program_ + ": " + sentence;
  }
  // In one piece, so that lines of several processes do not mix.
  std::cerr << line + "\n" << std::flush;
}

void DaemonLog::limited(Level level, std::string_view event, const std::string& sentence, const Json& fields) {
  const auto now = clock_->monotonic();
  if (now - second_began_ >= std::chrono::seconds(1)) {
    second_began_ = now;
    in_this_second_ = 0;
  }
  if (in_this_second_ >= lines_a_second) {
    ++left_out_;
    return;
  }
  ++in_this_second_;
  if (left_out_ != 0)
    write(Level::warning, "lines-left-out",
          std::to_string(std::exchange(left_out_, 0)) + " lines before this one were left out", {});
  write(level, event, sentence, fields);
}

void DaemonLog::info(std::string_view event, const std::string& sentence, const Json& fields) {
  if (!form_.quiet) limited(Level::info, event, sentence, fields);
}

void DaemonLog::warning(std::string_view event, const std::string& sentence, const Json& fields) {
  limited(Level::warning, event, sentence, fields);
}

void DaemonLog::error(std::string_view event, const std::string& sentence, const Json& fields) {
  write(Level::error, event, sentence, fields);
}

}  // namespace cas::tools
