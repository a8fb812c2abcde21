// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>

namespace cas::test {

/// What a program under unsynced_writes_preload.cpp has written and not synced: the journal's file, which all processes
/// of the program and the test have mapped. Records stand behind this header.
struct UnsyncedJournal {
  static constexpr std::uint64_t magic_number = 0x6a6e726c6e737963;
  /// Of the file, which takes disk for what is written alone.
  static constexpr std::uint64_t file_size = std::uint64_t{4} << 30;

  std::uint64_t magic = magic_number;
  pthread_mutex_t lock;  ///< Shared by processes, and given back by one that is killed.
  /// Of the records; those behind it are not finished. Set last, so that a killed process leaves whole records.
  std::atomic<std::uint64_t> used{0};
  std::atomic<std::uint64_t> writes{0};
  std::atomic<std::uint64_t> syncs{0};
};

enum class UnsyncedKind : std::uint32_t {
  write = 1,   ///< A part of a file has been written; the record has what was there before.
  resize = 2,  ///< A file has been cut or extended; with what was behind its new end.
  settle = 3,  ///< The file is on the disk as it is: synced, or gone.
};

/// Then `kept` bytes that were at `offset`, and zeros up to the next multiple of 8.
struct UnsyncedRecord {
  UnsyncedKind kind = UnsyncedKind::write;
  std::uint32_t kept = 0;
  std::uint64_t inode = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;      ///< Of what has been written.
  std::uint64_t old_size = 0;  ///< Of the file, before.
};

constexpr std::uint64_t padded(std::uint64_t size) { return (size + 7) / 8 * 8; }

}  // namespace cas::test
