// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <map>
#include <optional>

#include "base/durable_file.hpp"

namespace cas::test {

/// A disk that loses power, or fails, at a chosen step. It works on real files of one folder, keeps account of what has
/// been synced, and brings the folder into the state in which it would be found after the power came back.
///
/// A step is one operation of FileOperations. A write is two: its first half and the rest.
class FaultyDisk final : public FileOperations {
 public:
  /// What a power cut leaves of that which was not synced. Real file systems do any of these.
  enum class Unsynced {
    lost,          ///< Neither data nor names.
    kept,          ///< All of it, as if synced.
    names_only,    ///< Names are new, data is not: the file is there, and empty.
    half_of_data,  ///< Names are new, and the first half of the data is there.
  };

  explicit FaultyDisk(std::filesystem::path folder);

  /// The power goes before step `step` (counted from 0): that one and all later ones fail.
  void cut_at(std::size_t step) { cut_at_ = step; }
  /// Step `step` fails with ErrorKind::io, and the disk goes on.
  void fail_at(std::size_t step) { fail_at_ = step; }
  /// How many steps there have been.
  [[nodiscard]] std::size_t steps() const { return steps_; }
  [[nodiscard]] bool was_cut() const { return cut_at_ && steps_ > *cut_at_; }
  /// What is on the disk when the power is back.
  void restore(Unsynced unsynced);

  Result<int> create(const std::filesystem::path& path, mode_t mode) override;
  Status write(int file, ByteView bytes) override;
  Status sync(int file) override;
  Status close(int file) override;
  Status rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Status sync_folder(const std::filesystem::path& folder) override;
  Status remove(const std::filesystem::path& path) override;

 private:
  struct Inode {
    Bytes written;
    Bytes synced;
    mode_t mode = 0600;
  };
  using Names = std::map<std::filesystem::path, std::shared_ptr<Inode>>;

  [[nodiscard]] Status step();

  std::filesystem::path folder_;
  Names names_;          ///< As programs see them.
  Names durable_names_;  ///< As the medium has them.
  std::map<int, std::shared_ptr<Inode>> open_;
  std::size_t steps_ = 0;
  std::optional<std::size_t> cut_at_;
  std::optional<std::size_t> fail_at_;
};

}  // namespace cas::test
