// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/faulty_disk.hpp"

#include <fstream>
#include <stdexcept>

namespace cas::test {

namespace fs = std::filesystem;

namespace {

// The lock file is no content: nothing depends on it after a power cut.
bool is_content(const fs::directory_entry& entry) {
  return entry.is_regular_file() && entry.path().extension() != ".lock";
}

}  // namespace

FaultyDisk::FaultyDisk(fs::path folder) : folder_(std::move(folder)) {
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (!is_content(entry)) continue;
    auto content = read_file(entry.path(), 1 << 20);
    if (!content) throw std::runtime_error(content.error().message);
    auto inode = std::make_shared<Inode>();
    inode->written = inode->synced = std::move(*content);
    names_[entry.path()] = inode;
  }
  durable_names_ = names_;
}

Status FaultyDisk::step() {
  const std::size_t now = steps_++;
  if (cut_at_ && now >= *cut_at_) return fail(ErrorKind::io, "the power is off");
  if (fail_at_ && now == *fail_at_) return fail(ErrorKind::io, "the disk fails");
  return {};
}

Result<int> FaultyDisk::create(const fs::path& path, mode_t mode) {
  CAS_TRY(step());
  CAS_TRY_ASSIGN(const int file, system_file_operations().create(path, mode));
  auto inode = std::make_shared<Inode>();
  inode->mode = mode;
  names_[path] = inode;
  open_[file] = inode;
  return file;
}

Status FaultyDisk::write(int file, ByteView bytes) {
  for (const ByteView half : {bytes.first(bytes.size() / 2), bytes.subspan(bytes.size() / 2)}) {
    CAS_TRY(step());
    CAS_TRY(system_file_operations().write(file, half));
    append(open_.at(file)->written, half);
  }
  return {};
}

Status FaultyDisk::sync(int file) {
  CAS_TRY(step());
  open_.at(file)->synced = open_.at(file)->written;
  return {};
}

Status FaultyDisk::close(int file) {
  const Status stepped = step();
  open_.erase(file);
  const Status closed = system_file_operations().close(file);
  return stepped ? closed : stepped;
}

Status FaultyDisk::rename(const fs::path& from, const fs::path& to) {
  CAS_TRY(step());
  CAS_TRY(system_file_operations().rename(from, to));
  names_[to] = names_.at(from);
  names_.erase(from);
  return {};
}

Status FaultyDisk::sync_folder(const fs::path& folder) {
  CAS_TRY(step());
  if (fs::canonical(folder) != fs::canonical(folder_)) return fail(ErrorKind::internal, "the disk has another folder");
  durable_names_ = names_;
  return {};
}

Status FaultyDisk::remove(const fs::path& path) {
  CAS_TRY(step());
  CAS_TRY(system_file_operations().remove(path));
  names_.erase(path);
  return {};
}

void FaultyDisk::restore(Unsynced unsynced) {
  for (const auto& entry : fs::directory_iterator(folder_))
    if (is_content(entry)) fs::remove(entry.path());
  for (const auto& [path, inode] : unsynced == Unsynced::lost ? durable_names_ : names_) {
    Bytes content = unsynced == Unsynced::kept ? inode->written : inode->synced;
    if (unsynced == Unsynced::half_of_data && content != inode->written)
      content.assign(inode->written.begin(),
                     inode->written.begin() + static_cast<std::ptrdiff_t>(inode->written.size() / 2));
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
    file.close();
    fs::permissions(path, static_cast<fs::perms>(inode->mode));
  }
  *this = FaultyDisk(folder_);
}

}  // namespace cas::test
