// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/list_fetcher.hpp"

#include <algorithm>

#include "base/durable_file.hpp"

namespace cas::smartpro {

namespace {

namespace fs = std::filesystem;
using Outcome = ListReport::Outcome;

constexpr std::size_t max_sources_file_size = 64U << 10;
constexpr std::size_t max_source_size = 2048;

bool is_url(const std::string& source) { return source.starts_with("http://") || source.starts_with("https://"); }

bool is_folder(const std::string& source) {
  std::error_code error;
  return is_url(source) ? source.ends_with('/') : fs::is_directory(source, error);
}

/// How a list that has been looked at compares with the one in use.
Outcome compare(const ListPreview& preview) {
  if (preview.newer) return Outcome::newer;
  return preview.same ? Outcome::at_hand : Outcome::older;
}

Status check_name(const ListPreview& preview, const std::string& list) {
  const std::string found = preview.vdid ? internal_list_file(*preview.vdid) : external_list_file;
  if (list.empty() || list == found) return {};
  return fail(ErrorKind::malformed, "this is the list " + found + ", and not " + list);
}

}  // namespace

Status check_list_source(const std::string& source) {
  if (source.empty() || source.size() > max_source_size || source.find_first_of("\r\n") != std::string::npos ||
      source.front() == '#')
    return fail(ErrorKind::invalid_argument,
                "a source of lists is a file, a folder, or a URL of http: or https:, in one line");
  if (!is_url(source) && source.find("://") != std::string::npos)
    return fail(ErrorKind::invalid_argument, service::url_for_people(source) + " is no URL of http: or https:");
  // It would stand in arguments of programs and in a property that anybody reads.
  if (is_url(source) && service::url_for_people(source) != source)
    return fail(
        ErrorKind::invalid_argument,
        service::url_for_people(source) +
            ": a source of lists is named without user name and password. Lists are signed and no secret: let " +
            "the server show them to everybody");
  return {};
}

Result<std::vector<std::string>> read_list_sources(const fs::path& lists_folder) {
  auto content = read_file(lists_folder / list_sources_file, max_sources_file_size);
  if (!content && content.error().kind == ErrorKind::not_found) return std::vector<std::string>{};
  if (!content) return fail(std::move(content).error());
  std::vector<std::string> sources;
  const std::string text = as_text(*content);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.pop_back();
    at = end + 1;
    if (line.empty() || line.front() == '#') continue;
    if (auto fine = check_list_source(line); !fine)
      return fail_in((lists_folder / list_sources_file).string(), std::move(fine).error());
    sources.push_back(std::move(line));
  }
  return sources;
}

Status write_list_sources(const fs::path& lists_folder, const std::vector<std::string>& sources) {
  std::string text;
  for (const std::string& source : sources) {
    CAS_TRY(check_list_source(source));
    text += source + "\n";
  }
  std::error_code error;
  fs::create_directories(lists_folder, error);
  if (error) return fail(ErrorKind::io, "cannot make the folder " + lists_folder.string() + ": " + error.message());
  return write_file_durably(lists_folder / list_sources_file, as_bytes(text));
}

Result<std::vector<std::string>> ListFetcher::sources() const {
  if (options_.sources) return *options_.sources;
  if (!lists_->folder()) return std::vector<std::string>{};
  return read_list_sources(*lists_->folder());
}

std::vector<ListFetcher::Wanted> ListFetcher::lists_of(const std::string& source) const {
  if (!is_folder(source)) return {{source, {}, false}};
  const auto in_folder = [&](const std::string& list) {
    return Wanted{is_url(source) ? source + list : (fs::path(source) / list).string(), list, true};
  };
  std::vector<Wanted> wanted{in_folder(external_list_file)};
  if (const auto domains = lists_->domains())
    for (const Vdid& vdid : *domains) wanted.push_back(in_folder(internal_list_file(vdid)));
  return wanted;
}

std::vector<ListReport> ListFetcher::fetch(std::stop_token stop) {
  const std::lock_guard lock(mutex_);
  std::vector<ListReport> reports;
  const auto all = sources();
  if (!all) {
    ListReport report;
    report.source = (*lists_->folder() / list_sources_file).string();
    report.error = all.error();
    return {report};
  }
  for (const std::string& source : *all)
    for (const Wanted& wanted : lists_of(source)) {
      if (stop.stop_requested()) return reports;
      reports.push_back(fetch_one(wanted, stop));
    }
  return reports;
}

ListReport ListFetcher::fetch_one(const Wanted& wanted, const std::stop_token& stop) {
  auto report = is_url(wanted.place) ? from_server(wanted, stop) : from_file(wanted);
  if (report) return *report;
  ListReport failed;
  failed.source = service::url_for_people(wanted.place);
  failed.list = wanted.list;
  if (wanted.of_folder && report.error().kind == ErrorKind::not_found)
    failed.outcome = Outcome::not_there;
  else
    failed.error = std::move(report).error();
  return failed;
}

Result<ListReport> ListFetcher::from_file(const Wanted& wanted) {
  CAS_TRY_ASSIGN(const Bytes file, read_file(wanted.place, max_revocation_file_size));
  CAS_TRY_ASSIGN(const auto preview, lists_->preview(file));
  if (!preview) return fail(ErrorKind::truncated, wanted.place + " is cut off");
  CAS_TRY(check_name(*preview, wanted.list));
  ListReport report{wanted.place, preview->name(), compare(*preview), preview->index, {}};
  if (report.outcome == Outcome::newer) {
    auto taken = lists_->take(file);
    if (!taken) return fail_in(wanted.place, std::move(taken).error());
  }
  return report;
}

Result<ListReport> ListFetcher::from_server(const Wanted& wanted, const std::stop_token& stop) {
  std::optional<ListPreview> preview;
  service::HttpGet request;
  request.url = wanted.place;
  request.limits = options_.limits;
  request.limits.body_size = max_revocation_file_size;
  if (const auto known = validators_.find(wanted.place); known != validators_.end()) request.known = known->second;
  // The start of a list says who signed it, how long it is, and whether it is worth the rest.
  request.look = [&](ByteView so_far) -> Status {
    if (!preview) {
      CAS_TRY_ASSIGN(preview, lists_->preview(so_far));
      if (!preview) return {};
      CAS_TRY(check_name(*preview, wanted.list));
      if (!preview->newer) return fail(ErrorKind::cancelled, "the list is not newer");
    }
    if (so_far.size() > preview->size) return fail(ErrorKind::malformed, "the list goes on behind its end");
    return {};
  };
  const std::string shown = service::url_for_people(wanted.place);
  auto answer = service::http_get(request, stop);
  if (preview && !preview->newer) return ListReport{shown, preview->name(), compare(*preview), preview->index, {}};
  if (!answer && answer.error().kind == ErrorKind::not_found) return fail(std::move(answer).error());
  if (!answer) return fail_in(shown, std::move(answer).error());
  if (answer->not_modified) return ListReport{shown, wanted.list, Outcome::at_hand, 0, {}};
  if (!preview) return fail(ErrorKind::truncated, shown + ": the list is cut off");
  auto taken = lists_->take(answer->body);
  if (!taken) return fail_in(shown, std::move(taken).error());
  validators_[wanted.place] = answer->validators;
  return ListReport{shown, preview->name(), Outcome::newer, preview->index, {}};
}

}  // namespace cas::smartpro
