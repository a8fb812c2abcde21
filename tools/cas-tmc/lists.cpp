// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/durable_file.hpp"
#include "base/hex.hpp"
#include "commands.hpp"
#include "common/json_text.hpp"
#include "smartpro/default_places.hpp"
#include "smartpro/list_fetcher.hpp"

namespace cas::tmc {

namespace {

namespace fs = std::filesystem;
using smartpro::HostList;
using smartpro::HostLists;
using smartpro::ListReport;
using tools::Json;
using Outcome = ListReport::Outcome;

constexpr std::string_view key_suffix = ".pub";

Result<std::shared_ptr<HostLists>> open_lists(const tools::CredentialsPlace& place) {
  CAS_TRY_ASSIGN(const auto host, tools::load_host(place));
  CAS_TRY_ASSIGN(fs::path folder, smartpro::default_lists_folder());
  return HostLists::in_folder(std::move(folder), host->root_revocation_key);
}

std::string counts_text(const HostList& list) {
  const auto& header = list.list().header;
  std::string text = "index " + std::to_string(header.index) + ": " + std::to_string(header.tokens.count) + " tokens";
  if (header.kind == smartpro::RevocationListKind::external)
    text += ", " + std::to_string(header.hosts.count) + " hosts, " + std::to_string(header.domains.count) + " domains";
  return text;
}

Json list_json(const std::string& name, const HostList* list) {
  Json json;
  json["list"] = name;
  json["index"] = list != nullptr ? list->index() : 0;
  if (list == nullptr) return json;
  const auto& header = list->list().header;
  json["tokens"] = header.tokens.count;
  if (header.kind != smartpro::RevocationListKind::external) return json;
  json["hosts"] = header.hosts.count;
  json["domains"] = header.domains.count;
  return json;
}

const char* outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::newer: return "newer";
    case Outcome::at_hand: return "at-hand";
    case Outcome::older: return "older";
    case Outcome::not_there: return "not-there";
    case Outcome::failed: break;
  }
  return "failed";
}

std::string outcome_text(const ListReport& report) {
  const std::string what = (report.list.empty() ? std::string("a list") : report.list) + " of " + report.source;
  const std::string index = report.index != 0 ? " (index " + std::to_string(report.index) + ")" : std::string();
  switch (report.outcome) {
    case Outcome::newer: return "took " + what + index;
    case Outcome::at_hand: return what + index + " is the one at hand";
    case Outcome::older: return what + index + " is older than the one at hand: left";
    case Outcome::not_there: return what + " is not there";
    case Outcome::failed: break;
  }
  return what + " failed: " + report.error->message;
}

Json report_json(const ListReport& report) {
  Json json;
  json["source"] = report.source;
  json["list"] = report.list;
  json["outcome"] = outcome_name(report.outcome);
  json["index"] = report.index;
  if (report.error) json["error"] = {{"kind", error_kind_name(report.error->kind)}, {"message", report.error->message}};
  return json;
}

/// irl-VDID.pub: the key that a domain's lists are verified by.
Result<std::string> install_key(HostLists& lists, const fs::path& file) {
  const std::string name = file.filename().string();
  const std::string stem = name.substr(0, name.size() - key_suffix.size());
  const auto vdid = stem.starts_with("irl-") ? from_hex(std::string_view(stem).substr(4), sizeof(smartpro::Vdid))
                                             : fail(ErrorKind::malformed, "");
  if (!vdid || vdid->size() != sizeof(smartpro::Vdid))
    return fail(
        ErrorKind::invalid_argument,
        file.string() + " is not called irl-VDID.pub, with the 16 hexadecimal digits of the domain it is the key of");
  CAS_TRY_ASSIGN(const smartpro::RevocationKey key, smartpro::read_revocation_key(file));
  CAS_TRY(lists.pin_domain_key(smartpro::to_array<smartpro::Vdid>(*vdid), key));
  return name;
}

tools::Report sources_report(const std::vector<std::string>& sources) {
  std::string text;
  Json json;
  json["sources"] = Json::array();
  for (const std::string& source : sources) {
    text += source + "\n";
    json["sources"].push_back(source);
  }
  if (sources.empty()) text = "no source yet: name one with cas-tmc lists source add\n";
  return tools::Report{text, tools::to_text(json)};
}

}  // namespace

Result<tools::Report> lists_status(const ListsArguments& arguments, const tools::Progress&) {
  CAS_TRY_ASSIGN(const auto lists, open_lists(arguments.host));
  CAS_TRY_ASSIGN(const auto external, lists->external());
  CAS_TRY_ASSIGN(const auto domains, lists->domains());
  std::string text = std::string("external list: ") + (external ? counts_text(*external) : std::string("none")) + "\n";
  Json json;
  json["folder"] = lists->folder()->string();
  json["lists"] = Json::array({list_json(smartpro::external_list_file, external.get())});
  for (const smartpro::Vdid& vdid : domains) {
    CAS_TRY_ASSIGN(const auto internal, lists->internal(vdid));
    text += "domain " + to_hex(vdid) + ": " + (internal ? counts_text(*internal) : std::string("none")) + "\n";
    json["lists"].push_back(list_json(smartpro::internal_list_file(vdid), internal.get()));
  }
  return tools::Report{text, tools::to_text(json)};
}

Result<tools::Report> lists_fetch(const ListsArguments& arguments, const tools::Progress& progress) {
  CAS_TRY_ASSIGN(const auto lists, open_lists(arguments.host));
  smartpro::ListFetcher::Options options;
  if (!arguments.sources.empty()) options.sources = arguments.sources;
  for (const std::string& source : arguments.sources) CAS_TRY(smartpro::check_list_source(source));
  smartpro::ListFetcher fetcher(lists, std::move(options));
  CAS_TRY_ASSIGN(const auto sources, fetcher.sources());
  if (sources.empty())
    return fail(ErrorKind::not_found,
                "no source of revocation lists is named: name one with cas-tmc lists source add, or for this time with "
                "--source");
  progress.step("asking " + std::to_string(sources.size()) + (sources.size() == 1 ? " source ..." : " sources ..."));
  const std::vector<ListReport> reports = fetcher.fetch({});
  std::string text;
  Json json;
  json["reports"] = Json::array();
  for (const ListReport& report : reports) {
    text += outcome_text(report) + "\n";
    json["reports"].push_back(report_json(report));
  }
  const auto failed = [](const ListReport& report) { return report.outcome == Outcome::failed; };
  // One source that works is enough: what the others have is told.
  if (std::ranges::all_of(reports, failed))
    return fail(reports.empty() ? Error{ErrorKind::io, "no source could be asked"} : *reports.front().error);
  return tools::Report{text, tools::to_text(json)};
}

Result<tools::Report> lists_install(const ListsArguments& arguments, const tools::Progress&) {
  CAS_TRY_ASSIGN(const auto lists, open_lists(arguments.host));
  std::string text;
  Json json;
  json["installed"] = Json::array();
  // Keys first: they may be those of the lists beside them.
  for (const bool keys : {true, false})
    for (const std::string& file : arguments.files) {
      if (file.ends_with(key_suffix) != keys) continue;
      std::string what;
      if (keys) {
        CAS_TRY_ASSIGN(what, install_key(*lists, file));
        text += what + " is kept\n";
      } else {
        CAS_TRY_ASSIGN(const Bytes content, read_file(file, smartpro::max_revocation_file_size));
        auto taken = lists->take(content);
        if (!taken) return fail_in(file, std::move(taken).error());
        what = file;
        text += file + (*taken == HostLists::Taken::newer ? " is in use\n" : " was in use already\n");
      }
      json["installed"].push_back(what);
    }
  return tools::Report{text, tools::to_text(json)};
}

Result<tools::Report> lists_source_add(const ListsArguments& arguments, const tools::Progress&) {
  CAS_TRY_ASSIGN(const fs::path folder, smartpro::default_lists_folder());
  CAS_TRY_ASSIGN(auto sources, smartpro::read_list_sources(folder));
  for (const std::string& source : arguments.sources) {
    CAS_TRY(smartpro::check_list_source(source));
    // A path holds wherever a program is started.
    const bool url = source.find("://") != std::string::npos;
    const std::string kept = url ? source : fs::absolute(source).lexically_normal().string();
    if (std::ranges::find(sources, kept) == sources.end()) sources.push_back(kept);
  }
  CAS_TRY(smartpro::write_list_sources(folder, sources));
  return sources_report(sources);
}

Result<tools::Report> lists_source_remove(const ListsArguments& arguments, const tools::Progress&) {
  CAS_TRY_ASSIGN(const fs::path folder, smartpro::default_lists_folder());
  CAS_TRY_ASSIGN(auto sources, smartpro::read_list_sources(folder));
  for (const std::string& source : arguments.sources) {
    const std::string as_path = fs::absolute(source).lexically_normal().string();
    const auto found =
        std::ranges::find_if(sources, [&](const std::string& kept) { return kept == source || kept == as_path; });
    if (found == sources.end())
      return fail(ErrorKind::not_found,
                  source + " is no source of lists: cas-tmc lists source list tells those there are");
    sources.erase(found);
  }
  CAS_TRY(smartpro::write_list_sources(folder, sources));
  return sources_report(sources);
}

Result<tools::Report> lists_source_list(const tools::Progress&) {
  CAS_TRY_ASSIGN(const fs::path folder, smartpro::default_lists_folder());
  CAS_TRY_ASSIGN(const auto sources, smartpro::read_list_sources(folder));
  return sources_report(sources);
}

}  // namespace cas::tmc
