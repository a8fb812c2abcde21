// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/durable_file.hpp"
#include "base/hex.hpp"
#include "commands.hpp"
#include "common/token_report.hpp"
#include "domain_folder.hpp"
#include "external_list.hpp"
#include "smartpro/host_credentials.hpp"
#include "smartpro/host_lists.hpp"

namespace cas::tmc {

namespace {

namespace fs = std::filesystem;
using tools::Json;

constexpr const char* examples = R"(
  cas-tmc publish --to /srv/www/cas              a folder that a web server shows to the hosts
  cas-tmc publish --to /media/usb --domain studio
  cas-tmc publish --to lists.studio --root /media/safe/root

Puts what hosts need into a folder: the revocation lists of the domains (irl-VDID, with the key that verifies it), the external one where the root is here
(erl), and for the hosts of master bridges mask-VDID and VDID-INDEX.bridge. Hosts name the folder, or its URL, as a source: cas-tmc lists source add.)";

struct Arguments {
  std::string folder;
  std::string domain;
  tools::CredentialsPlace root;
};

class Publication {
 public:
  explicit Publication(fs::path folder) : folder_(std::move(folder)) {}

  Status put(const std::string& name, ByteView content) {
    remove_unfinished_writes(folder_ / name);
    const auto there = read_file(folder_ / name, smartpro::max_revocation_file_size);
    const bool same = there && equal(*there, content);
    if (!same) CAS_TRY(write_file_durably(folder_ / name, content, 0644));
    text_ += tools::text_line(name, same ? "as it was" : "written");
    files_.push_back({{"file", (folder_ / name).string()}, {"written", !same}});
    return {};
  }
  /// Hosts refuse what goes backwards; but one that comes for the first time would not know.
  Status put_list(const std::string& name, const smartpro::RevocationList& list, ByteView key) {
    const auto there = read_file(folder_ / name, smartpro::max_revocation_file_size);
    const auto published = there ? smartpro::RevocationList::parse(*there, key) : fail(there.error());
    if (published && published->header.index > list.header.index)
      return older(name, published->header.index, list.header.index);
    return put(name, list.encode());
  }
  Status put_mask(const std::string& name, const smartpro::AuthorisationMask& mask, ByteView key) {
    const auto there = read_file(folder_ / name, smartpro::max_mask_file_size);
    const auto published = there ? smartpro::AuthorisationMask::parse(*there, key) : fail(there.error());
    if (published && published->header.version > mask.header.version)
      return older(name, published->header.version, mask.header.version);
    return put(name, mask.encode());
  }
  Status put_domain(const Domain& domain) {
    const std::string vdid = to_hex(domain.vdid);
    CAS_TRY_ASSIGN(const smartpro::RevocationList irl, load_irl(domain));
    CAS_TRY_ASSIGN(const smartpro::AuthorisationMask mask, load_mask(domain));
    CAS_TRY_ASSIGN(const std::vector<KnownBridge> bridges, load_bridges(domain));
    CAS_TRY(put(smartpro::internal_list_file(domain.vdid) + ".pub", as_bytes(to_hex(domain.revocation_key) + "\n")));
    CAS_TRY(put_list(smartpro::internal_list_file(domain.vdid), irl, domain.revocation_key));
    CAS_TRY(put_mask("mask-" + vdid, mask, domain.revocation_key));
    for (const KnownBridge& bridge : bridges) {
      CAS_TRY_ASSIGN(const Bytes record, read_file(bridge.file, smartpro::max_bridge_record_size));
      CAS_TRY(put(vdid + "-" + std::to_string(bridge.record.index) + ".bridge", record));
    }
    return {};
  }
  tools::Report report() const {
    Json json;
    json["folder"] = folder_.string();
    json["files"] = files_;
    return {"in " + folder_.string() + ":\n" + text_, tools::to_text(json)};
  }

 private:
  [[nodiscard]] tl::unexpected<Error> older(const std::string& name, std::uint64_t published,
                                            std::uint64_t here) const {
    return fail(ErrorKind::outdated,
                (folder_ / name).string() + " is newer (" + std::to_string(published) + ") than what is here (" +
                    std::to_string(here) +
                    "): another Token Management Center has written it, or this one works on an old copy of $CAS_HOME");
  }

  fs::path folder_;
  std::string text_;
  Json files_ = Json::array();
};

/// What is published is for everybody; what a program makes otherwise is for its user alone.
class PublicFiles {
 public:
  PublicFiles() : before_(::umask(022)) {}
  ~PublicFiles() { ::umask(before_); }
  PublicFiles(const PublicFiles&) = delete;
  PublicFiles& operator=(const PublicFiles&) = delete;

 private:
  mode_t before_;
};

Result<tools::Report> publish(const Arguments& arguments, const tools::Progress&) {
  if (!arguments.domain.empty()) CAS_TRY(load_domain(arguments.domain));  // says so when there is no such one
  CAS_TRY_ASSIGN(const fs::path root, tools::root_folder(arguments.root));
  if (!arguments.root.folder.empty()) CAS_TRY(check_is_root(root));
  CAS_TRY_ASSIGN(const auto list, load_external_list(root));
  const PublicFiles readable;
  std::error_code error;
  fs::create_directories(arguments.folder, error);
  if (error) return fail(ErrorKind::io, "cannot make the folder " + arguments.folder + ": " + error.message());
  Publication publication(arguments.folder);
  CAS_TRY_ASSIGN(const std::vector<Domain> all, load_domains());
  for (const Domain& domain : all)
    if (arguments.domain.empty() || domain.name == arguments.domain) CAS_TRY(publication.put_domain(domain));
  if (list) {
    CAS_TRY_ASSIGN(const smartpro::RevocationKey key,
                   smartpro::read_revocation_key(root / smartpro::root_revocation_public_file));
    CAS_TRY(publication.put_list(smartpro::external_list_file, *list, key));
  }
  return publication.report();
}

}  // namespace

void add_publish(tools::Program& program) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App& command = program.add_command(
      program.app(), "publish", "put lists, masks and bridge records where hosts find them", examples,
      [arguments](const tools::Progress& progress) { return publish(*arguments, progress); });
  command.add_option("--to", arguments->folder, "the folder; made where needed")->type_name("FOLDER")->required();
  command.add_option("--domain", arguments->domain, "this domain alone (default: all there are)")->type_name("NAME");
  command
      .add_option("--root", arguments->root.folder,
                  "the folder of the root, for the external list (default: $CAS_HOME/root)")
      ->type_name("FOLDER");
}

}  // namespace cas::tmc
