// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/power_cut_sqlite.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <random>
#include <stdexcept>

namespace cas::test {

namespace {

constexpr std::size_t sector = 512;

}  // namespace

struct PowerCutSqlite::Handle {
  sqlite3_file base;  // first, as SQLite has it
  PowerCutSqlite* disk;
  std::shared_ptr<File> file;
};

/// What SQLite calls.
struct PowerCutSqlite::Methods {
  static Handle& of(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file); }
  static PowerCutSqlite& of(sqlite3_vfs* vfs) { return *static_cast<PowerCutSqlite*>(vfs->pAppData); }

  static int close(sqlite3_file* file) {
    of(file).file.~shared_ptr();
    return SQLITE_OK;
  }
  static int read(sqlite3_file* handle, void* to, int size, sqlite3_int64 offset) {
    const Bytes& from = of(handle).file->now;
    const std::size_t at = std::min(static_cast<std::size_t>(offset), from.size());
    const std::size_t there = std::min(static_cast<std::size_t>(size), from.size() - at);
    if (there > 0) std::memcpy(to, from.data() + at, there);
    std::memset(static_cast<char*>(to) + there, 0, static_cast<std::size_t>(size) - there);
    return there == static_cast<std::size_t>(size) ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
  }
  static int write(sqlite3_file* handle, const void* from, int size, sqlite3_int64 offset) {
    if (!of(handle).disk->step()) return SQLITE_IOERR_WRITE;
    const auto* bytes = static_cast<const std::uint8_t*>(from);
    Change change;
    change.step = of(handle).disk->steps_;
    change.offset = static_cast<std::size_t>(offset);
    change.written.assign(bytes, bytes + size);
    change_file(*of(handle).file, std::move(change));
    return SQLITE_OK;
  }
  static int truncate(sqlite3_file* handle, sqlite3_int64 size) {
    if (!of(handle).disk->step()) return SQLITE_IOERR_TRUNCATE;
    Change change;
    change.step = of(handle).disk->steps_;
    change.truncated = static_cast<std::size_t>(size);
    change_file(*of(handle).file, std::move(change));
    return SQLITE_OK;
  }
  static void change_file(File& file, Change change) {
    apply(change, file.now);
    file.unsynced.push_back(std::move(change));
  }
  static int sync(sqlite3_file* handle, int) {
    File& file = *of(handle).file;
    PowerCutSqlite& disk = *of(handle).disk;
    if (!disk.step()) {
      if (!disk.is_cut())
        for (Change& change : file.unsynced) change.lost = true;
      return SQLITE_IOERR_FSYNC;
    }
    if (disk.ignores_syncs_) return SQLITE_OK;
    for (const Change& change : file.unsynced)
      if (!change.lost) apply(change, file.synced);
    file.unsynced.clear();
    for (const auto& [name, there] : disk.names_)  // of a new one the folder, too
      if (there == of(handle).file) disk.synced_names_[name] = there;
    return SQLITE_OK;
  }
  static int file_size(sqlite3_file* handle, sqlite3_int64* size) {
    *size = static_cast<sqlite3_int64>(of(handle).file->now.size());
    return SQLITE_OK;
  }
  static int lock(sqlite3_file*, int) { return SQLITE_OK; }
  static int check_reserved_lock(sqlite3_file*, int* reserved) {
    *reserved = 0;
    return SQLITE_OK;
  }
  static int file_control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
  static int sector_size(sqlite3_file*) { return 4096; }
  static int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }  // as "unix" has it

  static int map_shared(sqlite3_file* handle, int region, int size, int extend, void volatile** memory) {
    auto& shared = of(handle).file->shared;
    *memory = nullptr;
    if (shared.size() <= static_cast<std::size_t>(region)) {
      if (extend == 0) return SQLITE_OK;
      while (shared.size() <= static_cast<std::size_t>(region))
        shared.push_back(std::make_unique<Bytes>(static_cast<std::size_t>(size)));
    }
    *memory = shared[static_cast<std::size_t>(region)]->data();
    return SQLITE_OK;
  }
  static int lock_shared(sqlite3_file*, int, int, int) { return SQLITE_OK; }
  static void barrier(sqlite3_file*) {}
  static int unmap_shared(sqlite3_file* handle, int remove) {
    if (remove != 0) of(handle).file->shared.clear();
    return SQLITE_OK;
  }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* to, int, int* out_flags) {
    static const sqlite3_io_methods methods{2,
                                            close,
                                            read,
                                            write,
                                            truncate,
                                            sync,
                                            file_size,
                                            lock,
                                            lock,
                                            check_reserved_lock,
                                            file_control,
                                            sector_size,
                                            characteristics,
                                            map_shared,
                                            lock_shared,
                                            barrier,
                                            unmap_shared,
                                            nullptr,
                                            nullptr};
    PowerCutSqlite& disk = of(vfs);
    std::shared_ptr<File> file;
    if (name == nullptr) {
      file = std::make_shared<File>();
    } else {
      auto& entry = disk.names_[name];
      if (!entry) entry = std::make_shared<File>();
      file = entry;
    }
    new (to) Handle{{&methods}, &disk, std::move(file)};
    if (out_flags != nullptr) *out_flags = SQLITE_OPEN_READWRITE;
    return SQLITE_OK;
  }
  static int remove(sqlite3_vfs* vfs, const char* name, int sync_folder) {
    PowerCutSqlite& disk = of(vfs);
    if (!disk.names_.contains(name)) return SQLITE_IOERR_DELETE_NOENT;
    if (!disk.step()) return SQLITE_IOERR_DELETE;
    disk.names_.erase(name);
    if (sync_folder != 0) disk.synced_names_.erase(name);
    return SQLITE_OK;
  }
  static int access(sqlite3_vfs* vfs, const char* name, int, int* answer) {
    const auto& names = of(vfs).names_;
    const auto found = names.find(name);
    *answer = found != names.end() && !found->second->now.empty() ? 1 : 0;
    return SQLITE_OK;
  }
  static int full_path(sqlite3_vfs*, const char* name, int size, char* to) {
    return sqlite3_snprintf(size, to, "%s", name) == to ? SQLITE_OK : SQLITE_CANTOPEN;
  }
};

PowerCutSqlite::PowerCutSqlite() {
  sqlite3_vfs* const system = sqlite3_vfs_find(nullptr);
  if (system == nullptr) throw std::runtime_error("SQLite has no VFS");
  vfs_ = std::make_unique<sqlite3_vfs>(*system);  // randomness, time and sleep are the system's
  vfs_->iVersion = 1;
  vfs_->szOsFile = sizeof(Handle);
  vfs_->pNext = nullptr;
  vfs_->zName = "power-cut";
  vfs_->pAppData = this;
  vfs_->xOpen = Methods::open;
  vfs_->xDelete = Methods::remove;
  vfs_->xAccess = Methods::access;
  vfs_->xFullPathname = Methods::full_path;
  if (sqlite3_vfs_register(vfs_.get(), 1) != SQLITE_OK) throw std::runtime_error("SQLite takes no VFS");
}

PowerCutSqlite::~PowerCutSqlite() { sqlite3_vfs_unregister(vfs_.get()); }

bool PowerCutSqlite::step() {
  const std::size_t number = steps_++;
  return !is_cut() && fail_at_ != number;
}

void PowerCutSqlite::apply(const Change& change, Bytes& to) {
  if (change.truncated) {
    to.resize(std::min(to.size(), *change.truncated));
    return;
  }
  to.resize(std::max(to.size(), change.offset + change.written.size()));
  std::ranges::copy(change.written, to.begin() + static_cast<std::ptrdiff_t>(change.offset));
}

void PowerCutSqlite::restore(Unsynced unsynced, std::uint32_t seed) {
  std::minstd_rand random(seed);
  std::vector<std::size_t> order;
  for (const auto& [name, file] : names_)
    for (const Change& change : file->unsynced) order.push_back(change.step);
  std::ranges::sort(order);
  const std::size_t torn = order.empty() ? 0 : order[order.size() / 2];
  const Names names = unsynced == Unsynced::lost ? synced_names_ : names_;
  names_.clear();
  for (const auto& [name, file] : names) {
    Bytes found = file->synced;
    for (const Change& change : file->unsynced) {
      if (change.lost || unsynced == Unsynced::lost) continue;
      if (unsynced == Unsynced::prefix && change.step > torn) continue;
      if (unsynced == Unsynced::kept || change.truncated || (unsynced == Unsynced::prefix && change.step < torn)) {
        if (unsynced != Unsynced::scattered || random() % 2 == 0) apply(change, found);
        continue;
      }
      for (std::size_t at = 0; at < change.written.size(); at += sector) {
        const std::size_t size = std::min(sector, change.written.size() - at);
        if (unsynced == Unsynced::prefix ? at >= change.written.size() / 2 : random() % 2 == 0) continue;
        Change part;
        part.offset = change.offset + at;
        part.written = copy_of(ByteView(change.written).subspan(at, size));
        apply(part, found);
      }
    }
    auto fresh = std::make_shared<File>();
    fresh->now = fresh->synced = std::move(found);
    names_.emplace(name, std::move(fresh));
  }
  synced_names_ = names_;
  steps_ = 0;
  cut_at_.reset();
  fail_at_.reset();
}

}  // namespace cas::test
