// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/usage_rights.hpp"

#include <algorithm>

#include "base/reader.hpp"
#include "base/tlv.hpp"
#include "base/writer.hpp"

namespace cas::smartpro {

namespace {

constexpr TlvTag tag_allowed = 0x80;
constexpr TlvTag tag_not_before = 0x81;
constexpr TlvTag tag_not_after = 0x82;
constexpr TlvTag tag_play_count = 0x83;
constexpr TlvTag tag_bridge = 0x84;
constexpr TlvTag tag_output_flags = 0x85;

constexpr unsigned allow_render = 1;
constexpr unsigned allow_process = 2;
constexpr unsigned allow_change_rights = 4;
constexpr unsigned allow_bridge = 8;
constexpr unsigned allow_known = allow_render | allow_process | allow_change_rights | allow_bridge;

constexpr std::size_t max_bridge_destinations = 32;

Status parse_bridge(ByteView value, UsageRights& rights) {
  ByteReader reader(value);
  CAS_TRY_ASSIGN(rights.bridge_hops, reader.u8());
  if (reader.remaining() > max_bridge_destinations * sizeof(Vdid))
    return fail(ErrorKind::malformed, "usage rights name more than 32 domains to bridge to");
  while (!reader.empty()) {
    CAS_TRY_ASSIGN(const ByteView vdid, reader.bytes(sizeof(Vdid)));
    rights.bridge_to.push_back(to_array<Vdid>(vdid));
  }
  return {};
}

Result<std::optional<UnixSeconds>> parse_time(const TlvFields& fields, TlvTag tag) {
  if (!fields.optional(tag)) return std::nullopt;
  CAS_TRY_ASSIGN(const std::uint64_t seconds, fields.required_number(tag, 8));
  if (seconds > INT64_MAX) return fail(ErrorKind::malformed, "usage rights have a time before 1970");
  return static_cast<UnixSeconds>(seconds);
}

void add_clause(std::string& text, const char* separator, const std::string& clause) {
  if (!text.empty()) text += separator;
  text += clause;
}

Status check_not_added(bool wanted, bool granted, const char* right) {
  if (wanted && !granted)
    return fail(ErrorKind::refused, std::string("the new rights allow ") + right + ", and those of the licence do not");
  return {};
}

/// Absent means without that limit, on both sides.
template <typename Number>
bool exceeds(const std::optional<Number>& wanted, const std::optional<Number>& granted) {
  return granted && (!wanted || *wanted > *granted);
}

}  // namespace

Bytes UsageRights::encode() const {
  TlvWriter writer;
  const unsigned allowed = (render ? allow_render : 0) | (process ? allow_process : 0) |
                           (change_rights ? allow_change_rights : 0) | (bridge ? allow_bridge : 0);
  writer.number(tag_allowed, allowed, 1);
  if (not_before) writer.number(tag_not_before, static_cast<std::uint64_t>(*not_before), 8);
  if (not_after) writer.number(tag_not_after, static_cast<std::uint64_t>(*not_after), 8);
  if (play_count) writer.number(tag_play_count, *play_count, 4);
  if (bridge) {
    ByteWriter destinations;
    destinations.u8(bridge_hops);
    for (const Vdid& vdid : bridge_to) destinations.bytes(vdid);
    writer.field(tag_bridge, destinations.view());
  }
  if (output_flags != 0) writer.number(tag_output_flags, output_flags, 4);
  return writer.take();
}

Result<UsageRights> UsageRights::parse(ByteView bytes) {
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(bytes, "usage rights"));
  CAS_TRY(
      fields.check_known({tag_allowed, tag_not_before, tag_not_after, tag_play_count, tag_bridge, tag_output_flags}));
  UsageRights rights;
  CAS_TRY_ASSIGN(const std::uint64_t allowed, fields.required_number(tag_allowed, 1));
  if ((allowed & ~static_cast<std::uint64_t>(allow_known)) != 0)
    return fail(ErrorKind::unsupported, "usage rights allow something that this version does not know");
  rights.render = (allowed & allow_render) != 0;
  rights.process = (allowed & allow_process) != 0;
  rights.change_rights = (allowed & allow_change_rights) != 0;
  rights.bridge = (allowed & allow_bridge) != 0;
  CAS_TRY_ASSIGN(rights.not_before, parse_time(fields, tag_not_before));
  CAS_TRY_ASSIGN(rights.not_after, parse_time(fields, tag_not_after));
  if (fields.optional(tag_play_count)) {
    CAS_TRY_ASSIGN(const std::uint64_t count, fields.required_number(tag_play_count, 4));
    rights.play_count = static_cast<std::uint32_t>(count);
  }
  if (const auto destinations = fields.optional(tag_bridge)) {
    if (!rights.bridge) return fail(ErrorKind::malformed, "usage rights name domains to bridge to without allowing it");
    CAS_TRY(parse_bridge(*destinations, rights));
  } else if (rights.bridge) {
    return fail(ErrorKind::malformed, "usage rights allow bridging without saying how far");
  }
  CAS_TRY_ASSIGN(const std::uint64_t flags, fields.number_or(tag_output_flags, 4, 0));
  rights.output_flags = static_cast<std::uint32_t>(flags);
  return rights;
}

Status UsageRights::check_within(const UsageRights& granted) const {
  CAS_TRY(check_not_added(render, granted.render, "rendering"));
  CAS_TRY(check_not_added(process, granted.process, "processing"));
  CAS_TRY(check_not_added(change_rights, granted.change_rights, "changes of rights"));
  if (granted.not_before && (!not_before || *not_before < *granted.not_before))
    return fail(ErrorKind::refused, "the new rights begin earlier than those of the licence");
  if (exceeds(not_after, granted.not_after))
    return fail(ErrorKind::refused, "the new rights end later than those of the licence");
  if (exceeds(play_count, granted.play_count))
    return fail(ErrorKind::refused, "the new rights allow more plays than those of the licence");
  if ((granted.output_flags & ~output_flags) != 0)
    return fail(ErrorKind::refused, "the new rights lift a condition of output of the licence");
  return check_bridging_within(granted);
}

Status UsageRights::check_bridging_within(const UsageRights& granted) const {
  if (!bridge) return {};
  CAS_TRY(check_not_added(bridge, granted.bridge, "bridging"));
  if (bridge_hops > granted.bridge_hops)
    return fail(ErrorKind::refused, "the new rights allow more hops than those of the licence");
  if (granted.bridge_to.empty()) return {};
  const auto is_granted = [&granted](const Vdid& vdid) {
    return std::ranges::find(granted.bridge_to, vdid) != granted.bridge_to.end();
  };
  if (bridge_to.empty() || !std::ranges::all_of(bridge_to, is_granted))
    return fail(ErrorKind::refused, "the new rights allow bridging to a domain to which those of the licence do not");
  return {};
}

Status UsageRights::check_time(UnixSeconds time) const {
  if ((not_before && time < *not_before) || (not_after && time >= *not_after))
    return fail(ErrorKind::expired, "the licence is not valid at this time");
  return {};
}

std::string UsageRights::describe() const {
  std::string text;
  if (render) add_clause(text, ", ", "render");
  if (process) add_clause(text, ", ", "process");
  if (change_rights) add_clause(text, ", ", "change rights");
  if (bridge) {
    std::string clause = "bridge over " + std::to_string(bridge_hops) + (bridge_hops == 1 ? " hop" : " hops");
    for (const Vdid& vdid : bridge_to) clause += " to " + to_hex(vdid);
    add_clause(text, ", ", clause);
  }
  if (text.empty()) text = "nothing";
  if (not_before) add_clause(text, "; ", "from " + format_utc_time(*not_before));
  if (not_after) add_clause(text, "; ", "until " + format_utc_time(*not_after));
  if (play_count) add_clause(text, "; ", std::to_string(*play_count) + (*play_count == 1 ? " play" : " plays"));
  if ((output_flags & output_no_analogue) != 0) add_clause(text, "; ", "no analogue output");
  if ((output_flags & output_hdcp_required) != 0) add_clause(text, "; ", "HDCP required");
  if ((output_flags & output_watermark_required) != 0) add_clause(text, "; ", "watermark required");
  if ((output_flags & output_no_recording) != 0) add_clause(text, "; ", "no recording");
  return text;
}

}  // namespace cas::smartpro
