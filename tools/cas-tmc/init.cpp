// SPDX-License-Identifier: LGPL-2.1-or-later
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/durable_file.hpp"
#include "base/file_lock.hpp"
#include "commands.hpp"
#include "common/token_report.hpp"
#include "crypto/random.hpp"
#include "operations.hpp"
#include "smartpro/default_places.hpp"
#include "smartpro/soft_token.hpp"

namespace cas::tmc {

namespace {

namespace fs = std::filesystem;
using card::CardUri;
using smartpro::TokenKind;
using tools::Json;

/// There from the first step to the last, with the name of the domain in it: what is found beside it was begun by
/// `init`, and goes on.
constexpr const char* mark_name = "init-under-way";

constexpr const char* protect_line =
    "gst-launch-1.0 filesrc location=a.mp4 ! smartpro-scramble ! filesink location=a.mp4.spro";
constexpr const char* play_line = "gst-play-1.0 a.mp4.spro";

bool is_there(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  return fs::exists(status) && !(fs::is_directory(status) && fs::is_empty(path, error));
}

Result<fs::path> absolute_home() {
  CAS_TRY_ASSIGN(const fs::path home, smartpro::home_folder());
  std::error_code error;
  fs::path absolute = fs::absolute(home, error).lexically_normal();
  if (!error) fs::create_directories(absolute, error);
  if (error) return fail(ErrorKind::io, "cannot make the folder " + home.string() + ": " + error.message());
  return absolute;
}

/// One `init` at a time. The lock's file goes with it, unless there is a run to go on with.
class InitLock {
 public:
  static Result<std::unique_ptr<InitLock>> acquire(const fs::path& mark) {
    CAS_TRY_ASSIGN(FileLock lock, FileLock::acquire(mark));
    return std::unique_ptr<InitLock>(new InitLock(mark, std::move(lock)));
  }
  ~InitLock() {
    std::error_code ignored;
    if (!is_there(mark_)) fs::remove(fs::path(mark_.native() + ".lock"), ignored);
  }
  InitLock(const InitLock&) = delete;
  InitLock& operator=(const InitLock&) = delete;

 private:
  InitLock(fs::path mark, FileLock lock) : mark_(std::move(mark)), lock_(std::move(lock)) {}
  fs::path mark_;
  FileLock lock_;
};

/// Sets the mark in an empty place, or finds that of a run that was stopped.
Status begin_or_resume(const fs::path& home, const std::string& domain, const tools::Progress& progress) {
  const fs::path mark = home / mark_name;
  const auto left = read_file(mark, 256);
  if (left) {
    if (as_text(*left) != domain + "\n")
      return fail(ErrorKind::refused,
                  "cas-tmc init was stopped here before it was done, with another name for the domain: run it again "
                  "with that one, which is in " +
                      mark.string());
    progress.step("going on where cas-tmc init was stopped");
    return {};
  }
  if (left.error().kind != ErrorKind::not_found) return fail(left.error());
  for (const char* part : {"root", "host", "domains", "cards", "default-cards"})
    if (is_there(home / part))
      return fail(ErrorKind::refused, (home / part).string() +
                                          " is there already, and init only fills an empty place: see what there is "
                                          "with cas-tmc list, go on with the "
                                          "single commands (cas-tmc --help), or set CAS_HOME to another folder");
  return write_file_durably(mark, as_bytes(domain + "\n"));
}

Status end(const fs::path& home) {
  CAS_TRY(system_file_operations().remove(home / mark_name));
  return system_file_operations().sync_folder(home);
}

Result<smartpro::RootAuthority> have_root(const fs::path& folder) {
  if (is_there(folder)) return smartpro::RootAuthority::load(folder, {}, system_clock(), crypto::system_random());
  return make_root(folder, "SmartPRO root", {});
}

Result<Host> have_host(const fs::path& folder, smartpro::RootAuthority& root) {
  if (!is_there(folder)) {
    CAS_TRY(make_host(folder, root, "host of cas-tmc init", {.acquisition = true, .renderer = true, .management = true},
                      {}));
  }
  return tools::load_host({folder.string(), {}});
}

CardUri card_at(const fs::path& home, const char* name) {
  const std::string path = (home / "cards" / (std::string(name) + ".card")).string();
  return {CardUri::Kind::soft, {}, path, "file:" + path + ".pin"};
}

Status have_card(const CardUri& uri, smartpro::RootAuthority& root, const char* name) {
  if (is_there(uri.path)) return {};
  return smartpro::create_soft_token(uri, root, name, std::string_view(name) == "progenitor", crypto::system_random())
      .map([](auto&&) {});
}

struct Member {
  std::string uri;
  smartpro::TokenInfo info;
};

Result<Member> have_member(const fs::path& home, TokenKind kind, const Domain& domain, smartpro::RootAuthority& root,
                           const Host& host, const tools::Progress& progress) {
  const char* name = token_kind_name(kind);
  const CardUri uri = card_at(home, name);
  CAS_TRY(have_card(uri, root, name));
  CAS_TRY_ASSIGN(EnrolledToken enrolled, enrol_token(domain, card_at(home, "progenitor"), uri, kind, host, progress));
  CAS_TRY(smartpro::set_default_card_uri(kind, card::format_card_uri(uri)));
  return Member{card::format_card_uri(uri), std::move(enrolled.info)};
}

tools::Report report_of(const fs::path& home, const Domain& domain, const std::vector<Member>& members) {
  tools::Report report;
  report.text = "set up in " + home.string() + ":\n";
  report.text += tools::text_line(
      "root", (home / "root").string() + "  (its key certifies all else: keep a copy, and keep it to yourself)");
  report.text += tools::text_line("host", (home / "host").string() + "  (acquisition, renderer, management)");
  report.text += tools::text_line("domain", domain.name + ", VDID " + to_hex(domain.vdid));
  report.text += tools::text_line("progenitor", domain.progenitor_uri);
  Json cards = Json::array();
  for (const Member& member : members) {
    report.text += tools::text_line(token_kind_name(member.info.kind), member.uri);
    cards.push_back({{"uri", member.uri}, {"token", tools::token_json(member.info)}});
  }
  report.text += std::string("\nnow protect a file, and play it:\n  ") + protect_line + "\n  " + play_line + "\n";
  Json json;
  json["home"] = home.string();
  json["root"] = (home / "root").string();
  json["host"] = (home / "host").string();
  json["domain"] = domain_json(domain);
  json["cards"] = std::move(cards);
  json["next"] = {protect_line, play_line};
  report.json = tools::to_text(json);
  return report;
}

}  // namespace

Result<tools::Report> init(const InitArguments& arguments, const tools::Progress& progress) {
  CAS_TRY(domain_folder(arguments.name));
  CAS_TRY_ASSIGN(const fs::path home, absolute_home());
  CAS_TRY_ASSIGN(const std::unique_ptr<InitLock> lock, InitLock::acquire(home / mark_name));
  remove_unfinished_writes(home / mark_name);
  CAS_TRY(begin_or_resume(home, arguments.name, progress));

  progress.step("root and host ...");
  CAS_TRY_ASSIGN(smartpro::RootAuthority root, have_root(home / "root"));
  CAS_TRY_ASSIGN(const Host host, have_host(home / "host", root));
  progress.step("the progenitor, a soft card ...");
  CAS_TRY(have_card(card_at(home, "progenitor"), root, "progenitor"));
  CAS_TRY_ASSIGN(const FoundedDomain founded,
                 found_domain(arguments.name, card_at(home, "progenitor"), host, progress));
  std::vector<Member> members;
  for (const TokenKind kind : {TokenKind::acquisition, TokenKind::renderer}) {
    progress.step(std::string("the ") + token_kind_name(kind) + " token, a soft card ...");
    CAS_TRY_ASSIGN(Member member, have_member(home, kind, founded.domain, root, host, progress));
    members.push_back(std::move(member));
  }
  CAS_TRY(end(home));
  return report_of(home, founded.domain, members);
}

}  // namespace cas::tmc
