// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/unsynced_writes.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <random>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include "support/unsynced_writes_journal.hpp"

namespace cas::test {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t sector = 512;

Error system_failure(const std::string& what) {
  return {ErrorKind::io, what + ": " + std::system_category().message(errno)};
}

/// The last user of the folder, who runs the programs.
Status give_to_owner(const fs::path& file, const fs::path& folder) {
  struct stat about {};
  if (::stat(folder.c_str(), &about) != 0 || ::chown(file.c_str(), about.st_uid, about.st_gid) != 0)
    return fail(system_failure("cannot give away " + file.string()));
  return {};
}

struct Change {
  UnsyncedRecord record;
  const std::uint8_t* before = nullptr;
};

/// The changes of each file since it was synced, the oldest first, with their places among all of them.
using Changes = std::map<std::uint64_t, std::vector<std::pair<std::size_t, Change>>>;

Changes unsynced_changes(const UnsyncedJournal& journal) {
  Changes changes;
  const auto* const records = reinterpret_cast<const std::uint8_t*>(&journal + 1);
  const std::uint64_t used = journal.used;
  std::size_t place = 0;
  for (std::uint64_t at = 0; at < used; ++place) {
    Change change;
    std::memcpy(&change.record, records + at, sizeof change.record);
    change.before = records + at + sizeof change.record;
    at += sizeof change.record + padded(change.record.kept);
    if (change.record.kind == UnsyncedKind::settle)
      changes.erase(change.record.inode);
    else
      changes[change.record.inode].emplace_back(place, change);
  }
  return changes;
}

class File {
 public:
  explicit File(const fs::path& path) : file_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {}
  ~File() {
    if (file_ >= 0) ::close(file_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool put(std::uint64_t offset, const std::uint8_t* bytes, std::uint64_t size) const {
    return size == 0 || ::pwrite(file_, bytes, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size);
  }
  /// Zeros, within the file.
  bool clear(std::uint64_t from, std::uint64_t to) const {
    struct stat about {};
    if (::fstat(file_, &about) != 0) return false;
    to = std::min(to, static_cast<std::uint64_t>(about.st_size));
    const std::vector<std::uint8_t> zeros(sector);
    for (; from < to; from += sector)
      if (!put(from, zeros.data(), std::min(sector, to - from))) return false;
    return true;
  }
  bool resize(std::uint64_t size) const { return ::ftruncate(file_, static_cast<off_t>(size)) == 0; }
  /// Takes a change back as a whole.
  bool take_back(const Change& change) const {
    return put(change.record.offset, change.before, change.record.kept) && resize(change.record.old_size);
  }
  /// The same for a part of a write, in a file that keeps its size.
  bool take_back(const Change& change, std::uint64_t from, std::uint64_t to) const {
    const std::uint64_t there = change.record.offset + change.record.kept;
    const std::uint64_t middle = std::clamp(there, from, to);
    return put(from, change.before + (from - change.record.offset), middle - from) && clear(middle, to);
  }

 private:
  int file_;
};

/// Each sector as it was before, or after, any of its writes. A file's size is never taken back: what it was extended
/// by and is not there is zero.
bool scatter(const File& file, const std::vector<std::pair<std::size_t, Change>>& changes, std::mt19937& random) {
  std::unordered_map<std::uint64_t, std::size_t> writes;
  const auto for_sectors = [](const UnsyncedRecord& record, const auto& visit) {
    for (std::uint64_t at = record.offset; at < record.offset + record.size;) {
      const std::uint64_t end = std::min((at / sector + 1) * sector, record.offset + record.size);
      if (!visit(at / sector, at, end)) return false;
      at = end;
    }
    return true;
  };
  for (const auto& [place, change] : changes)
    for_sectors(change.record, [&](std::uint64_t number, std::uint64_t, std::uint64_t) {
      ++writes[number];
      return true;
    });
  for (auto& [number, count] : writes) count = random() % (count + 1);
  for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
    if (change->second.record.kind == UnsyncedKind::resize) continue;
    if (!for_sectors(change->second.record, [&](std::uint64_t number, std::uint64_t from, std::uint64_t to) {
          std::size_t& taken = writes[number];
          if (taken == 0) return true;
          --taken;
          return file.take_back(change->second, from, to);
        }))
      return false;
  }
  return true;
}

}  // namespace

Result<UnsyncedWrites> UnsyncedWrites::watch(const fs::path& preload, const fs::path& folder) {
  UnsyncedWrites made;
  made.library_ = folder / "unsynced_writes.so";
  made.journal_file_ = folder / "unsynced.journal";
  std::error_code error;
  // Its own place may be one that another user cannot look into.
  if (!fs::copy_file(preload, made.library_, fs::copy_options::overwrite_existing, error))
    return fail(ErrorKind::io, "cannot copy " + preload.string() + ": " + error.message());
  const int file = ::open(made.journal_file_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return fail(system_failure("cannot write " + made.journal_file_.string()));
  void* memory = MAP_FAILED;
  if (::ftruncate(file, static_cast<off_t>(UnsyncedJournal::file_size)) == 0)
    memory = ::mmap(nullptr, UnsyncedJournal::file_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  if (memory == MAP_FAILED) return fail(system_failure("cannot map " + made.journal_file_.string()));
  made.journal_ = new (memory) UnsyncedJournal;
  pthread_mutexattr_t kind;
  ::pthread_mutexattr_init(&kind);
  ::pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
  ::pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
  ::pthread_mutex_init(&made.journal_->lock, &kind);
  ::pthread_mutexattr_destroy(&kind);
  CAS_TRY(give_to_owner(made.library_, folder));
  CAS_TRY(give_to_owner(made.journal_file_, folder));
  return made;
}

UnsyncedWrites::UnsyncedWrites(UnsyncedWrites&& other) noexcept
    : library_(std::move(other.library_)),
      journal_file_(std::move(other.journal_file_)),
      journal_(std::exchange(other.journal_, nullptr)) {}

UnsyncedWrites::~UnsyncedWrites() {
  if (journal_ == nullptr) return;
  ::munmap(journal_, UnsyncedJournal::file_size);
  std::error_code ignored;
  fs::remove(journal_file_, ignored);
}

std::map<std::string, std::string> UnsyncedWrites::environment() const {
  const char* const sanitizer = std::getenv("ASAN_OPTIONS");
  return {{"LD_PRELOAD", library_.string()},
          {"CAS_TEST_UNSYNCED_JOURNAL", journal_file_.string()},
          {"ASAN_OPTIONS", (sanitizer == nullptr ? "" : std::string(sanitizer) + ":") + "verify_asan_link_order=0"}};
}

Result<std::size_t> UnsyncedWrites::lose(const fs::path& data, Left left, std::uint32_t seed) {
  Changes changes = unsynced_changes(*journal_);
  std::map<std::uint64_t, fs::path> paths;
  for (const auto& entry : fs::recursive_directory_iterator(data)) {
    struct stat about {};
    if (::lstat(entry.path().c_str(), &about) == 0 && S_ISREG(about.st_mode)) paths.emplace(about.st_ino, entry.path());
  }
  std::vector<std::size_t> places;
  for (const auto& [inode, of_file] : changes)
    if (paths.count(inode) != 0)
      for (const auto& [place, change] : of_file) places.push_back(place);
  std::sort(places.begin(), places.end());
  const std::size_t half = left == Left::first_half && !places.empty() ? places[places.size() / 2] : 0;

  std::mt19937 random(seed);
  for (const auto& [inode, of_file] : changes) {
    const auto path = paths.find(inode);
    if (path == paths.end()) continue;
    const File file(path->second);
    bool done = true;
    if (left == Left::scattered)
      done = scatter(file, of_file, random);
    else
      for (auto change = of_file.rbegin(); done && change != of_file.rend() && change->first >= half; ++change)
        done = file.take_back(change->second);
    if (!done) return fail(system_failure("cannot take back what was written to " + path->second.string()));
  }
  // Zeros are given back to the file system, and all is begun anew.
  journal_->used = 0;
  if (::truncate(journal_file_.c_str(), sizeof(UnsyncedJournal)) != 0 ||
      ::truncate(journal_file_.c_str(), static_cast<off_t>(UnsyncedJournal::file_size)) != 0)
    return fail(system_failure("cannot empty " + journal_file_.string()));
  return places.size();
}

std::uint64_t UnsyncedWrites::writes() const { return journal_->writes; }
std::uint64_t UnsyncedWrites::syncs() const { return journal_->syncs; }

}  // namespace cas::test
