// SPDX-License-Identifier: LGPL-2.1-or-later
#include "inserter_keys.hpp"

#include <algorithm>
#include <limits>

#include "mpegts/packet.hpp"

namespace cas::gst {

namespace {

std::optional<std::chrono::nanoseconds> time_in(const GstStructure* info, const char* field) {
  guint64 time = 0;
  if (!gst_structure_get_uint64(info, field, &time) || time > std::numeric_limits<std::int64_t>::max()) return {};
  return std::chrono::nanoseconds(time);
}

std::string text_in(const GstStructure* info, const char* field) {
  const gchar* const text = gst_structure_get_string(info, field);
  return text == nullptr ? std::string() : std::string(text);
}

}  // namespace

simulcrypt::ContentKey content_key_of(const GstCasContentKey& key) {
  const GstStructure* const info = gst_cas_content_key_get_info(&key);
  simulcrypt::ContentKey made;
  made.period = gst_cas_content_key_get_period_index(&key);
  made.key = secret_of(key).clone();
  made.key_id = gst_cas_content_key_get_key_id(&key);
  made.content_id = gst_cas_content_key_get_content_id(&key);
  made.scheme = text_in(info, "scheme");
  made.period_start = time_in(info, "start");
  made.period_end = time_in(info, "end");
  made.is_utc = text_in(info, "time-base") == "utc";
  return made;
}

bool KeyMarks::is_ours(const GstCasContentKey& key, std::string& problem) {
  const GstStructure* const info = gst_cas_content_key_get_info(&key);
  const std::string part = text_in(info, "track-type") + "/" + text_in(info, "representation");
  if (!part_) part_ = part;
  if (part == *part_) return true;
  if (!std::exchange(told_of_part_, true))
    problem = "keys came for other parts of the content too ('" + part + "', after '" + *part_ +
              "'), and a transport stream has one for all: they are left aside; ask the key server for one key";
  return false;
}

std::size_t KeyMarks::bytes_before(std::uint64_t position, std::size_t size) const {
  if (marks_.empty()) return size;
  const std::uint64_t mark = marks_.front().first;
  if (mark <= position) return 0;
  const std::uint64_t packets = (mark - position + mpegts::packet_size - 1) / mpegts::packet_size;
  return static_cast<std::size_t>(std::min<std::uint64_t>(packets * mpegts::packet_size, size));
}

simulcrypt::ContentKey KeyMarks::take() {
  simulcrypt::ContentKey key = std::move(marks_.front().second);
  marks_.pop_front();
  return key;
}

void KeyMarks::clear() {
  marks_.clear();
  part_.reset();
  told_of_part_ = false;
}

}  // namespace cas::gst
