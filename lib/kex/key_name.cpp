// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/key_name.hpp"

#include <algorithm>
#include <limits>

#include "base/writer.hpp"

namespace cas::kex {

namespace {

enum class PeriodForm : std::uint8_t { none = 0, number = 1, time = 2 };

constexpr std::uint64_t no_end = std::numeric_limits<std::uint64_t>::max();

Status check_text(const std::string& text, std::size_t most, const char* field) {
  if (text.size() > most)
    return fail(ErrorKind::invalid_argument, std::string(field) + " has more than " + std::to_string(most) + " bytes");
  if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
    return fail(ErrorKind::invalid_argument, std::string(field) + " has control characters");
  return {};
}

}  // namespace

Status KeyName::check() const {
  if (content_id.empty()) return fail(ErrorKind::invalid_argument, "contentId is missing or empty");
  CAS_TRY(check_text(content_id, max_content_id_size, "contentId"));
  CAS_TRY(check_text(track_type, max_part_name_size, "intendedTrackType"));
  return check_text(representation, max_part_name_size, "representation");
}

Bytes KeyName::encode() const {
  ByteWriter out;
  out.bytes(as_bytes("CKN1"));
  for (const std::string* text : {&content_id, &track_type, &representation}) {
    out.u16(static_cast<std::uint16_t>(text->size()));
    out.bytes(as_bytes(*text));
  }
  if (period_index) {
    out.u8(static_cast<std::uint8_t>(PeriodForm::number));
    out.u64(*period_index);
  } else if (period_start) {
    out.u8(static_cast<std::uint8_t>(PeriodForm::time));
    out.u64(static_cast<std::uint64_t>(period_start->count()));
    out.u64(period_end ? static_cast<std::uint64_t>(period_end->count()) : no_end);
  } else {
    out.u8(static_cast<std::uint8_t>(PeriodForm::none));
  }
  return out.take();
}

std::string KeyName::text() const {
  const std::string part = part_text();
  return part.empty() ? content_id : content_id + ' ' + part;
}

std::string KeyName::part_text() const {
  std::string text;
  const auto add = [&](const std::string& word) { text += (text.empty() ? "" : " ") + word; };
  for (const std::string* part : {&track_type, &representation})
    if (!part->empty()) add(*part);
  if (period_index) {
    add("period " + std::to_string(*period_index));
  } else if (period_start) {
    add("from " + format_date_time(*period_start));
  }
  return text;
}

}  // namespace cas::kex
