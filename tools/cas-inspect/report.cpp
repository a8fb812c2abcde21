// SPDX-License-Identifier: LGPL-2.1-or-later
#include "report.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

namespace cas::inspect {

namespace {

using Json = nlohmann::ordered_json;
using smartpro::LicenceView;

/// Serial numbers of certificates as `openssl x509 -serial` and the other programs write them, to a fixed width.
std::string serial_text(smartpro::SerialNumber serial) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(serial));
  return text;
}

std::string count_of(std::uint64_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

void line(std::ostream& out, const char* name, const std::string& value) {
  constexpr std::size_t column = 18;
  const std::string label = std::string("  ") + name;
  out << label << std::string(label.size() < column ? column - label.size() : 1, ' ') << value << '\n';
}

std::string key_periods_text(const Inspection& inspection) {
  const auto& header = inspection.start.header;
  if (header.period_segments == 0) return "1, one control word for the whole file";
  const std::uint64_t content = std::uint64_t{header.period_segments} * header.segment_size;
  return (inspection.key_periods ? std::to_string(*inspection.key_periods) : std::string("not known")) +
         ", a new control word every " + count_of(header.period_segments, "segment") + " (" + std::to_string(content) +
         " bytes of content)";
}

std::string content_size_text(const Inspection& inspection) {
  const auto& stated = inspection.start.header.plain_size;
  if (stated) return std::to_string(*stated) + " bytes, as the header states";
  if (!inspection.extent) return "not known: the header does not state it, and a pipe has no size";
  if (inspection.extent->cut) return "at most " + std::to_string(inspection.extent->plain_size) + " bytes are left";
  return std::to_string(inspection.extent->plain_size) + " bytes, by the size of the file";
}

void key_origin_text(std::ostream& out, const std::optional<smartpro::KeyOrigin>& origin) {
  if (!origin) return;
  line(out, "key id", smartpro::key_id_text(origin->key_id));
  line(out, "key's content", origin->content_id.empty() ? "not named" : origin->content_id);
  line(out, "key's period", std::to_string(origin->period_index));
}

/// Which way a transfer package goes, and through which hands.
void passage_text(std::ostream& out, const InspectedLicence& licence) {
  const LicenceView& terms = *licence.terms;
  const bool back = terms.transfer == smartpro::TransferDirection::to_master_bridge;
  if (terms.transfer) line(out, "on its way", back ? "back to that domain" : "out of that domain");
  for (const smartpro::LicenceOrigin& origin : terms.origins)
    line(out, "came through",
         "domain " + to_hex(origin.domain) + ", sent by master bridge " + serial_text(origin.master_bridge));
  for (const smartpro::Cdi& cdi : licence.destinations)
    line(out, back ? "returned by" : "destination",
         "domain " + to_hex(cdi.destination) + ", simple bridge " + serial_text(cdi.simple_bridge) + " with index " +
             std::to_string(cdi.index));
}

void licence_text(std::ostream& out, const InspectedLicence& licence) {
  out << (licence.destinations.empty() ? "licence" : "transfer package") << " of key period " << licence.period << ", "
      << count_of(licence.size, "byte") << " (as it says itself; only a token can verify it)\n";
  if (!licence.terms) {
    line(out, "terms", "cannot be read");
    return;
  }
  const LicenceView& terms = *licence.terms;
  line(out, "domain (VDID)", to_hex(terms.vdid));
  line(out, "licence id", to_hex(terms.licence_id));
  line(out, "issued by token", serial_text(terms.issuer));
  passage_text(out, licence);
  line(out, "rights", terms.summary ? terms.summary->describe() : "not given in clear");
}

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json rights_json(const smartpro::UsageRights& rights) {
  Json json;
  json["text"] = rights.describe();
  json["render"] = rights.render;
  json["process"] = rights.process;
  json["change_rights"] = rights.change_rights;
  json["bridge"] = rights.bridge;
  json["not_before"] = rights.not_before ? Json(format_utc_time(*rights.not_before)) : Json(nullptr);
  json["not_after"] = rights.not_after ? Json(format_utc_time(*rights.not_after)) : Json(nullptr);
  json["play_count"] = or_null(rights.play_count);
  if (rights.bridge) {
    json["bridge_hops"] = rights.bridge_hops;
    json["bridge_to"] = Json::array();
    for (const smartpro::Vdid& vdid : rights.bridge_to) json["bridge_to"].push_back(to_hex(vdid));
  }
  json["output_flags"] = rights.output_flags;
  return json;
}

Json key_origin_json(const std::optional<smartpro::KeyOrigin>& origin) {
  if (!origin) return nullptr;
  return {{"key_id", smartpro::key_id_text(origin->key_id)},
          {"content_id", origin->content_id},
          {"period_index", origin->period_index}};
}

Json transfer_json(smartpro::TransferDirection direction, const InspectedLicence& licence) {
  Json json;
  json["direction"] =
      direction == smartpro::TransferDirection::to_simple_bridge ? "to-simple-bridge" : "to-master-bridge";
  json["destinations"] = Json::array();
  for (const smartpro::Cdi& cdi : licence.destinations)
    json["destinations"].push_back(
        {{"vdid", to_hex(cdi.destination)}, {"simple_bridge", serial_text(cdi.simple_bridge)}, {"index", cdi.index}});
  return json;
}

Json licence_json(const InspectedLicence& licence) {
  Json json;
  json["key_period"] = licence.period;
  json["slot_offset"] = licence.offset;
  json["size"] = licence.size;
  json["readable"] = licence.terms.has_value();
  if (!licence.terms) return json;
  const LicenceView& terms = *licence.terms;
  json["version"] = terms.version;
  json["vdid"] = to_hex(terms.vdid);
  json["content_id"] = to_hex(terms.content_id);
  json["licence_id"] = to_hex(terms.licence_id);
  json["issuer"] = serial_text(terms.issuer);
  json["cipher"] = content_cipher_name(terms.cipher);
  json["header_digest"] = to_hex(terms.header_digest);
  json["rights"] = terms.summary ? rights_json(*terms.summary) : Json(nullptr);
  json["origins"] = Json::array();
  for (const smartpro::LicenceOrigin& origin : terms.origins)
    json["origins"].push_back({{"vdid", to_hex(origin.domain)}, {"master_bridge", serial_text(origin.master_bridge)}});
  json["transfer"] = terms.transfer ? transfer_json(*terms.transfer, licence) : Json(nullptr);
  return json;
}

/// A path need not be UTF-8, and JSON has to be.
std::string dump(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

}  // namespace

std::string text_report(const std::string& path, const Inspection& inspection) {
  const auto& start = inspection.start;
  std::ostringstream out;
  out << (path == "-" ? "standard input" : path) << ": SmartPRO protected file, format version "
      << smartpro::protected_file_version << '\n';
  line(out, "file id", to_hex(start.header.file_id));
  line(out, "content id", to_hex(start.header.content_id));
  line(out, "media type", start.header.media_type.empty() ? "not stated" : start.header.media_type);
  line(out, "content size", content_size_text(inspection));
  line(out, "cipher", content_cipher_name(start.header.cipher));
  line(out, "segment size", std::to_string(start.header.segment_size) + " bytes");
  line(out, "key periods", key_periods_text(inspection));
  key_origin_text(out, start.header.key_origin);
  line(out, "licence slots",
       std::to_string(start.header.licence_slot_size) + " bytes each, the first at byte " +
           std::to_string(start.body_offset));
  line(out, "header digest", to_hex(start.digest));
  for (const InspectedLicence& licence : inspection.licences) licence_text(out, licence);
  if (inspection.licences_left_out != 0)
    out << "and " << count_of(inspection.licences_left_out, "more licence") << '\n';
  for (const std::string& problem : inspection.problems) out << "problem: " << problem << '\n';
  if (inspection.problems_left_out != 0)
    out << "problem: and " << count_of(inspection.problems_left_out, "more") << '\n';
  return std::move(out).str();
}

std::string json_report(const std::string& path, const Inspection& inspection) {
  const auto& start = inspection.start;
  Json json;
  json["path"] = path;
  json["sound"] = inspection.is_sound();
  json["format_version"] = smartpro::protected_file_version;
  json["file_size"] = or_null(inspection.file_size);
  json["file_id"] = to_hex(start.header.file_id);
  json["content_id"] = to_hex(start.header.content_id);
  json["media_type"] = start.header.media_type.empty() ? Json(nullptr) : Json(start.header.media_type);
  json["stated_content_size"] = or_null(start.header.plain_size);
  json["content_size"] = inspection.extent ? Json(inspection.extent->plain_size) : Json(nullptr);
  json["cipher"] = content_cipher_name(start.header.cipher);
  json["segment_size"] = start.header.segment_size;
  json["segments"] = inspection.extent ? Json(inspection.extent->segments) : Json(nullptr);
  json["period_segments"] = start.header.period_segments;
  json["key_periods"] = or_null(inspection.key_periods);
  json["key_origin"] = key_origin_json(start.header.key_origin);
  json["licence_slot_size"] = start.header.licence_slot_size;
  json["first_licence_slot_offset"] = start.body_offset;
  json["header_digest"] = to_hex(start.digest);
  json["licence_slots_checked"] = inspection.slots_checked;
  json["licences"] = Json::array();
  for (const InspectedLicence& licence : inspection.licences) json["licences"].push_back(licence_json(licence));
  json["licences_left_out"] = inspection.licences_left_out;
  json["problems"] = inspection.problems;
  json["problems_left_out"] = inspection.problems_left_out;
  return dump(json);
}

std::string json_report(const std::string& path, const Error& error) {
  Json json;
  json["path"] = path;
  json["sound"] = false;
  json["error"] = {{"kind", error_kind_name(error.kind)}, {"message", error.message}};
  return dump(json);
}

}  // namespace cas::inspect
