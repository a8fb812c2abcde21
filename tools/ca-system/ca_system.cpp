// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ca-system/ca_system.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/durable_file.hpp"
#include "ca-system/ca_schema.hpp"
#include "casdemo/identifiers.hpp"
#include "common/staged_folder.hpp"
#include "smartpro/default_places.hpp"

namespace cas::ca_system {

namespace fs = std::filesystem;

namespace {

constexpr const char* store_name = "system.db";

// Keys are in clear there: a folder that was copied with other modes must not pass unnoticed.
Status check_mode(const fs::path& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0 && errno == ENOENT)
    return fail(ErrorKind::not_found, "there is no CA system in " + path.parent_path().string() +
                                          ": cas-ecmg init makes one, and --system names its folder");
  if (::stat(path.c_str(), &found) != 0) return fail_with_errno(errno, "read", path);
  if ((found.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return fail(ErrorKind::permission_denied,
                path.string() + " holds keys, and others than its owner can reach it: chmod go= " + path.string());
  return {};
}

}  // namespace

Result<fs::path> system_folder(const std::string& named) {
  if (!named.empty()) return fs::path(named);
  CAS_TRY_ASSIGN(const fs::path home, smartpro::home_folder());
  return home / "ca";
}

Status check_name(const std::string& name) {
  const auto is_printable = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; };
  if (name.empty() || name.size() > max_name_size || !std::ranges::all_of(name, is_printable))
    return fail(ErrorKind::invalid_argument, "a name has 1 to 64 bytes, and no control characters");
  return {};
}

Result<CaSystem> CaSystem::create(const fs::path& folder, std::uint32_t super_cas_id, Random& random, Clock& clock) {
  CAS_TRY_ASSIGN(tools::StagedFolder staged, tools::StagedFolder::begin(folder));
  if (::chmod(staged.path().c_str(), S_IRWXU) != 0) return fail_with_errno(errno, "protect", staged.path());
  {
    CAS_TRY_ASSIGN(service::Store store, service::Store::create(staged.path() / store_name, schema()));
    CAS_TRY_ASSIGN(const SecretBytes system_key, random_secret(random, casdemo::addressee_key_size));
    {
      CAS_TRY_ASSIGN(service::Statement insert, store.prepare("INSERT INTO system VALUES (1, ?1, ?2, 0)"));
      CAS_TRY(insert.bind(std::int64_t{super_cas_id}, system_key).run());
    }
    CAS_TRY_ASSIGN(CaSystem system, over(std::move(store), random, clock));
    CAS_TRY(system.add_product(casdemo::default_product, "basic", default_key_period));
  }
  // The store is closed: its write-ahead log is in the file itself now, and the folder may move.
  CAS_TRY(staged.commit());
  return open(folder, random, clock);
}

Result<CaSystem> CaSystem::open(const fs::path& folder, Random& random, Clock& clock) {
  CAS_TRY(check_mode(folder / store_name));
  CAS_TRY_ASSIGN(service::Store store, service::Store::open(folder / store_name, schema()));
  return over(std::move(store), random, clock);
}

Result<CaSystem> CaSystem::over(service::Store store, Random& random, Clock& clock) {
  CAS_TRY_ASSIGN(casdemo::NonceSequence nonces, casdemo::NonceSequence::create(random));
  CaSystem system(std::move(store), std::move(nonces), random, clock);
  CAS_TRY_ASSIGN(service::Statement read, system.store_.prepare("SELECT super_cas_id FROM system"));
  CAS_TRY_ASSIGN(const bool row, read.step());
  if (!row || read.number(0) < 0 || read.number(0) > 0xffffffff)
    return fail(ErrorKind::malformed,
                "the data of the CA system has no Super_CAS_id: put the last backup in its place");
  system.super_cas_id_ = static_cast<std::uint32_t>(read.number(0));
  return system;
}

}  // namespace cas::ca_system
