// SPDX-License-Identifier: LGPL-2.1-or-later
#include "rights_structure.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/hex.hpp"

namespace cas::gst {

namespace {

using smartpro::UsageRights;

constexpr std::pair<const char*, bool UsageRights::*> permissions[] = {
    {"render", &UsageRights::render},
    {"process", &UsageRights::process},
    {"change-rights", &UsageRights::change_rights},
    {"bridge", &UsageRights::bridge},
};
constexpr std::pair<const char*, std::optional<UnixSeconds> UsageRights::*> times[] = {
    {"not-before", &UsageRights::not_before},
    {"not-after", &UsageRights::not_after},
};
constexpr std::pair<const char*, std::uint32_t> flag_names[] = {
    {"no-analogue", smartpro::output_no_analogue},
    {"hdcp-required", smartpro::output_hdcp_required},
    {"watermark-required", smartpro::output_watermark_required},
    {"no-recording", smartpro::output_no_recording},
};

tl::unexpected<Error> bad_field(const char* field, const std::string& what) {
  return fail(ErrorKind::invalid_argument, "usage rights: the field '" + std::string(field) + "' " + what);
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('+'), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

Result<std::string_view> text_of(const char* field, const GValue* value) {
  if (!G_VALUE_HOLDS_STRING(value) || g_value_get_string(value) == nullptr)
    return bad_field(field, "has to be a string: write it as " + std::string(field) + "=(string)\"...\"");
  return std::string_view(g_value_get_string(value));
}

Result<std::uint32_t> number_of(const char* field, const GValue* value, std::uint32_t most) {
  gint64 number = -1;
  if (G_VALUE_HOLDS_INT(value))
    number = g_value_get_int(value);
  else if (G_VALUE_HOLDS_UINT(value))
    number = g_value_get_uint(value);
  if (number < 1 || number > most)
    return bad_field(field, "has to be a whole number from 1 to " + std::to_string(most));
  return static_cast<std::uint32_t>(number);
}

Result<std::vector<smartpro::Vdid>> domains_of(const char* field, std::string_view text) {
  std::vector<smartpro::Vdid> domains;
  for (const std::string_view part : split(text)) {
    const auto bytes = from_hex(part, smartpro::Vdid{}.size());
    if (!bytes || bytes->size() != smartpro::Vdid{}.size())
      return bad_field(field, "has to be identifiers of domains (16 hexadecimal digits each) with '+' between them");
    domains.push_back(smartpro::to_array<smartpro::Vdid>(*bytes));
  }
  return domains;
}

Result<std::uint32_t> flags_of(const char* field, std::string_view text) {
  std::uint32_t flags = 0;
  for (const std::string_view part : split(text)) {
    std::uint32_t found = 0;
    for (const auto& [name, flag] : flag_names)
      if (part == name) found = flag;
    if (found == 0) return bad_field(field, "has the unknown flag '" + std::string(part) + "'");
    flags |= found;
  }
  return flags;
}

std::string flags_text(std::uint32_t flags) {
  std::string text;
  for (const auto& [name, flag] : flag_names)
    if ((flags & flag) != 0) text += (text.empty() ? "" : "+") + std::string(name);
  return text;
}

std::string domains_text(const std::vector<smartpro::Vdid>& domains) {
  std::string text;
  for (const smartpro::Vdid& domain : domains) text += (text.empty() ? "" : "+") + to_hex(domain);
  return text;
}

Status parse_field(UsageRights& rights, const char* field, const GValue* value) {
  const std::string_view name = field;
  for (const auto& [known, member] : permissions) {
    if (name != known) continue;
    if (!G_VALUE_HOLDS_BOOLEAN(value)) return bad_field(field, "has to be true or false");
    rights.*member = g_value_get_boolean(value) != FALSE;
    return {};
  }
  for (const auto& [known, member] : times) {
    if (name != known) continue;
    CAS_TRY_ASSIGN(const std::string_view text, text_of(field, value));
    const auto time = parse_utc_time(text);
    if (!time) return bad_field(field, "has to be a time such as 2027-01-31T00:00:00Z: " + time.error().message);
    rights.*member = *time;
    return {};
  }
  if (name == "play-count") {
    CAS_TRY_ASSIGN(rights.play_count, number_of(field, value, G_MAXINT32));
  } else if (name == "bridge-hops") {
    CAS_TRY_ASSIGN(const std::uint32_t hops, number_of(field, value, 255));
    rights.bridge_hops = static_cast<std::uint8_t>(hops);
  } else if (name == "bridge-to") {
    CAS_TRY_ASSIGN(const std::string_view text, text_of(field, value));
    CAS_TRY_ASSIGN(rights.bridge_to, domains_of(field, text));
  } else if (name == "output-flags") {
    CAS_TRY_ASSIGN(const std::string_view text, text_of(field, value));
    CAS_TRY_ASSIGN(rights.output_flags, flags_of(field, text));
  } else {
    return bad_field(field, "is not known; see the page of smartpro-scramble for those that are");
  }
  return {};
}

}  // namespace

Result<UsageRights> parse_rights(const GstStructure* structure) { return change_rights(structure, {}); }

Result<UsageRights> change_rights(const GstStructure* structure, UsageRights rights) {
  if (structure == nullptr) return rights;
  for (gint i = 0; i < gst_structure_n_fields(structure); ++i) {
    const gchar* field = gst_structure_nth_field_name(structure, static_cast<guint>(i));
    CAS_TRY(parse_field(rights, field, gst_structure_get_value(structure, field)));
  }
  // What the library holds to be no rights (too many domains, a window that ends before it starts) is refused here, not
  // at the card.
  const auto encoded = UsageRights::parse(rights.encode());
  if (!encoded) return fail(ErrorKind::invalid_argument, "usage rights: " + encoded.error().message);
  return rights;
}

StructurePtr rights_structure(const char* name, const UsageRights& rights, std::optional<std::uint32_t> plays_left) {
  StructurePtr structure(gst_structure_new(name, "description", G_TYPE_STRING, rights.describe().c_str(), nullptr));
  for (const auto& [field, member] : permissions)
    gst_structure_set(structure.get(), field, G_TYPE_BOOLEAN, rights.*member ? TRUE : FALSE, nullptr);
  for (const auto& [field, member] : times)
    if (const auto& time = rights.*member)
      gst_structure_set(structure.get(), field, G_TYPE_STRING, format_utc_time(*time).c_str(), nullptr);
  if (rights.play_count) gst_structure_set(structure.get(), "play-count", G_TYPE_UINT, *rights.play_count, nullptr);
  if (plays_left) gst_structure_set(structure.get(), "plays-left", G_TYPE_UINT, *plays_left, nullptr);
  if (rights.bridge) gst_structure_set(structure.get(), "bridge-hops", G_TYPE_UINT, guint{rights.bridge_hops}, nullptr);
  if (!rights.bridge_to.empty())
    gst_structure_set(structure.get(), "bridge-to", G_TYPE_STRING, domains_text(rights.bridge_to).c_str(), nullptr);
  gst_structure_set(structure.get(), "output-flags", G_TYPE_STRING, flags_text(rights.output_flags).c_str(), nullptr);
  return structure;
}

}  // namespace cas::gst
