// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "service/http_client.hpp"
#include "smartpro/host_lists.hpp"

namespace cas::smartpro {

/// Where revocation lists come from. A source is one of
///
///   a file                  a list, as in docs/formats/smartpro-revocation.md
///   a folder                with a file `erl`, and `irl-VDID` for domains
///   http://... https://...  a list; with a '/' at its end a folder, as above
///
/// Nothing depends on a source being honest: lists are signed, and go forward only. A source can keep newer lists from
/// a host, no more. Errors: ErrorKind::invalid_argument, also for a URL with user name or password, which would stand
/// in arguments and readable properties.
[[nodiscard]] Status check_list_source(const std::string& source);

/// The file `sources` in the folder of a host's lists: a source a line, and lines that begin with '#' for people. None
/// when there is no such file.
[[nodiscard]] Result<std::vector<std::string>> read_list_sources(const std::filesystem::path& lists_folder);
/// Replaces it, mode 0600.
[[nodiscard]] Status write_list_sources(const std::filesystem::path& lists_folder,
                                        const std::vector<std::string>& sources);
inline constexpr const char* list_sources_file = "sources";

/// What came of one list of one source.
struct ListReport {
  enum class Outcome {
    newer,      ///< It is in use now.
    at_hand,    ///< It was in use already.
    older,      ///< The host has a newer one.
    not_there,  ///< The folder does not have it.
    failed,     ///< See `error`; the lists in use stay.
  };
  std::string source;  ///< Without user name and password.
  std::string list;    ///< "erl", "irl-VDID"; empty where the source is a list whose name is not known.
  Outcome outcome = Outcome::failed;
  std::uint64_t index = 0;  ///< Of the list that the source has, where it was seen.
  std::optional<Error> error;
};

/// Fetches lists. Any thread; one fetch at a time.
class ListFetcher {
 public:
  struct Options {
    /// Nothing: those of the lists' folder, read anew each time.
    std::optional<std::vector<std::string>> sources;
    /// For each list; the size is that of the list at hand, as its signed header tells.
    service::HttpLimits limits;
  };
  ListFetcher(std::shared_ptr<HostLists> lists, Options options)
      : lists_(std::move(lists)), options_(std::move(options)) {}

  [[nodiscard]] Result<std::vector<std::string>> sources() const;
  /// Takes what is newer, from every source: the external list, and those of the domains that the host has met. A
  /// source that fails does not keep others
  /// from being asked. Ends at once when `stop` is requested, with what there is by then.
  [[nodiscard]] std::vector<ListReport> fetch(std::stop_token stop);

 private:
  struct Wanted {
    std::string place;  ///< Path or URL.
    std::string list;   ///< Empty: whichever it is.
    bool of_folder = false;
  };
  [[nodiscard]] std::vector<Wanted> lists_of(const std::string& source) const;
  [[nodiscard]] ListReport fetch_one(const Wanted& wanted, const std::stop_token& stop);
  [[nodiscard]] Result<ListReport> from_file(const Wanted& wanted);
  [[nodiscard]] Result<ListReport> from_server(const Wanted& wanted, const std::stop_token& stop);

  std::shared_ptr<HostLists> lists_;
  Options options_;
  std::mutex mutex_;  // Held for the whole of a fetch.
  std::map<std::string, service::HttpValidators> validators_;
};

}  // namespace cas::smartpro
