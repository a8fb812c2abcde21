// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/http_response_head.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

#include "service/http_text.hpp"

namespace cas::service {

namespace {

// The session leaves that much room in the queue of its connection.
constexpr std::size_t max_head_size = 16 * 1024;
constexpr std::array<std::string_view, 5> own_fields = {"content-type", "content-length", "transfer-encoding",
                                                        "connection", "date"};

bool is_value(std::string_view value) {
  return std::ranges::none_of(value, [](char c) { return is_control(c) && c != '\t'; });
}

}  // namespace

Status check_response(const HttpResponse& response) {
  if (response.status < 200 || response.status > 599)
    return fail(ErrorKind::invalid_argument, std::to_string(response.status) + " is no status of an answer");
  std::size_t size = response.content_type.size();
  if (!is_value(response.content_type))
    return fail(ErrorKind::invalid_argument, "a content type has control characters");
  for (const auto& [name, value] : response.headers) {
    size += name.size() + value.size() + 4;
    if (!is_token(name)) return fail(ErrorKind::invalid_argument, "a field of an answer has a name that is none");
    if (!is_value(value))
      return fail(ErrorKind::invalid_argument, "the field " + name + " of an answer has control characters");
    const auto is_it = [&field = name](std::string_view own) { return equal_ignoring_case(field, own); };
    if (std::ranges::any_of(own_fields, is_it))
      return fail(ErrorKind::invalid_argument, "the field " + name + " of an answer is the server's own");
  }
  if (size > max_head_size) return fail(ErrorKind::invalid_argument, "the fields of an answer are too long");
  return {};
}

void write_response_head(ByteQueue& out, const HttpResponse& response, std::string_view date,
                         HttpConnectionField connection) {
  const auto write = [&out](std::string_view text) { out.append(as_bytes(text)); };
  const auto write_field = [&write](std::string_view name, std::string_view value) {
    write(name);
    write(": ");
    write(value);
    write("\r\n");
  };
  write("HTTP/1.1 ");
  write(std::to_string(response.status));
  write(" ");
  write(http_status_name(response.status));
  write("\r\n");
  write_field("Date", date);
  if (!response.content_type.empty()) write_field("Content-Type", response.content_type);
  if (has_body(response.status)) write_field("Content-Length", std::to_string(response.body_view().size()));
  if (connection == HttpConnectionField::close) write_field("Connection", "close");
  if (connection == HttpConnectionField::keep_alive) write_field("Connection", "keep-alive");
  for (const auto& [name, value] : response.headers) write_field(name, value);
  write("\r\n");
}

std::string http_date(std::int64_t unix_seconds) {
  using namespace std::chrono;
  const sys_seconds time{seconds(unix_seconds)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  static constexpr std::array weekdays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::array<char, 64> text{};
  const int size = std::snprintf(text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT",
                                 weekdays[weekday(day).c_encoding()], static_cast<unsigned>(date.day()),
                                 months[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                                 static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                                 static_cast<int>(clock.seconds().count()));
  return {text.data(), static_cast<std::size_t>(std::max(size, 0))};
}

}  // namespace cas::service
