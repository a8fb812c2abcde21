// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"

struct sqlite3_vfs;

namespace cas::test {

/// A disk for SQLite, in memory, that loses power, or fails, at a chosen step. While it lives it is the process's default
/// VFS: whatever opens a database uses it. It keeps account of what has been synced since each file's last xSync, and
/// brings all files into the state in which they would be found after the power came back. For one connection at a time:
/// locks are always given.
///
/// A step is a write, a truncation, a sync or a deletion.
class PowerCutSqlite {
 public:
  /// What a power cut leaves of that which was not synced. A disk may do any of these, since it orders writes as it
  /// likes between two syncs.
  enum class Unsynced {
    lost,
    kept,       ///< All of it, as if synced.
    prefix,     ///< The first half of the steps; the last one of them is torn.
    scattered,  ///< Some sectors of 512 bytes of some writes, in no order.
  };

  PowerCutSqlite();
  ~PowerCutSqlite();
  PowerCutSqlite(const PowerCutSqlite&) = delete;
  PowerCutSqlite& operator=(const PowerCutSqlite&) = delete;

  /// The power goes before step `step` (counted from 0): that one and all later ones fail.
  void cut_at(std::size_t step) { cut_at_ = step; }
  /// Step `step` fails, and the disk goes on. What a failed sync should have synced is lost with the power, even if a
  /// later one succeeds: so do file systems that take a page for clean once they have failed to write it.
  void fail_at(std::size_t step) { fail_at_ = step; }
  [[nodiscard]] std::size_t steps() const { return steps_; }
  /// Syncs succeed from now on, and do nothing.
  void ignore_syncs() { ignores_syncs_ = true; }
  /// All files are gone.
  void forget() {
    names_.clear();
    synced_names_.clear();
  }
  /// What is on the disk when the power is back; steps are counted anew. `seed` decides what is scattered.
  void restore(Unsynced unsynced, std::uint32_t seed = 1);

 private:
  struct Change {
    std::size_t step = 0;
    std::size_t offset = 0;
    Bytes written;
    std::optional<std::size_t> truncated;
    bool lost = false;  ///< A sync of it failed.
  };
  struct File {
    Bytes now, synced;
    std::vector<Change> unsynced;
    std::vector<std::unique_ptr<Bytes>> shared;  ///< Memory of the write-ahead log's index.
  };
  struct Handle;
  struct Methods;
  using Names = std::map<std::string, std::shared_ptr<File>>;

  [[nodiscard]] bool step();
  [[nodiscard]] bool is_cut() const { return cut_at_ && steps_ > *cut_at_; }
  static void apply(const Change& change, Bytes& to);

  std::unique_ptr<sqlite3_vfs> vfs_;
  Names names_, synced_names_;
  std::size_t steps_ = 0;
  std::optional<std::size_t> cut_at_, fail_at_;
  bool ignores_syncs_ = false;
};

}  // namespace cas::test
