// SPDX-License-Identifier: LGPL-2.1-or-later
#include "licence_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/durable_file.hpp"
#include "base/file_lock.hpp"
#include "base/reader.hpp"
#include "base/writer.hpp"
#include "smartpro/protected_file.hpp"

namespace cas::tmc {

namespace {

namespace fs = std::filesystem;

/// As many slots as are replaced at once: a file with more key periods than that is not one that people make.
constexpr std::size_t max_slots_size = 256U << 20;

/// A protected file, to be read anywhere and written in its slots.
class OpenFile {
 public:
  static Result<OpenFile> open(const fs::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (descriptor < 0) return fail_with_errno(errno, "open", path);
    OpenFile file(descriptor, path);
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) return fail_with_errno(errno, "look at", path);
    file.size_ = static_cast<std::uint64_t>(status.st_size);
    return file;
  }
  ~OpenFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  OpenFile(OpenFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)), size_(other.size_) {}
  OpenFile& operator=(OpenFile&&) = delete;

  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// Fewer bytes only at the end of the file.
  [[nodiscard]] Result<Bytes> read(std::uint64_t offset, std::size_t size) const {
    Bytes bytes(offset < size_ ? std::min<std::uint64_t>(size, size_ - offset) : 0);
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t count = ::pread(descriptor_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return fail_with_errno(count == 0 ? EIO : errno, "read", path_);
      done += static_cast<std::size_t>(count);
    }
    return bytes;
  }
  [[nodiscard]] Status write(std::uint64_t offset, ByteView bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return fail_with_errno(errno, "write", path_);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    }
    return {};
  }
  [[nodiscard]] Status sync() { return ::fsync(descriptor_) == 0 ? Status{} : fail_with_errno(errno, "sync", path_); }

 private:
  OpenFile(int descriptor, fs::path path) : descriptor_(descriptor), path_(std::move(path)) {}
  int descriptor_;
  fs::path path_;
  std::uint64_t size_ = 0;
};

/// What is to be written where: offset (8) || size (4) || bytes, one after the other.
struct NewSlots {
  Bytes journal;
  std::size_t count = 0;
};

Result<NewSlots> make_slots(const OpenFile& file, const std::function<Result<Bytes>(ByteView lecm)>& reissue) {
  CAS_TRY_ASSIGN(const Bytes first, file.read(0, smartpro::preamble_size));
  CAS_TRY_ASSIGN(const smartpro::Preamble preamble, smartpro::Preamble::parse(first));
  CAS_TRY_ASSIGN(const Bytes start, file.read(0, smartpro::preamble_size + preamble.header_size));
  CAS_TRY_ASSIGN(const smartpro::ReadHeader header, smartpro::ReadHeader::parse(start));
  const smartpro::FileLayout layout(header.header, header.body_offset);
  const std::uint64_t periods = header.header.period_segments == 0 ? 1 : UINT64_MAX;
  NewSlots slots;
  ByteWriter journal;
  for (std::uint64_t period = 0; period < periods; ++period) {
    const std::uint64_t offset = layout.slot_offset(static_cast<std::uint32_t>(period));
    if (period > 0 && offset >= file.size()) break;
    CAS_TRY_ASSIGN(const Bytes slot, file.read(offset, layout.slot_size()));
    CAS_TRY_ASSIGN(const ByteView lecm, smartpro::parse_licence_slot(slot));
    CAS_TRY_ASSIGN(const Bytes reissued, reissue(lecm));
    if (equal(reissued, lecm)) continue;
    CAS_TRY_ASSIGN(const Bytes encoded, smartpro::encode_licence_slot(reissued, layout.slot_size()));
    journal.u64(offset).u32(static_cast<std::uint32_t>(encoded.size())).bytes(encoded);
    ++slots.count;
    if (journal.view().size() > max_slots_size) return fail(ErrorKind::exhausted, "the file has more licences than are replaced at once");
  }
  slots.journal = journal.take();
  return slots;
}

Status write_slots(OpenFile& file, ByteView journal) {
  ByteReader reader(journal);
  while (!reader.empty()) {
    CAS_TRY_ASSIGN(const std::uint64_t offset, reader.u64());
    CAS_TRY_ASSIGN(const std::uint32_t size, reader.u32());
    CAS_TRY_ASSIGN(const ByteView slot, reader.bytes(size));
    if (offset > file.size() || size > file.size() - offset) return fail(ErrorKind::malformed, "the licences beside the file are not for this file");
    CAS_TRY(file.write(offset, slot));
  }
  return file.sync();
}

}  // namespace

Result<std::size_t> replace_licences(const fs::path& path, const std::function<Result<Bytes>(ByteView lecm)>& reissue) {
  const fs::path beside = path.native() + ".licences";
  CAS_TRY_ASSIGN(OpenFile file, OpenFile::open(path));
  if (const auto left = read_file(beside, max_slots_size + (1U << 20)); left) {
    CAS_TRY(write_slots(file, *left));
    CAS_TRY(system_file_operations().remove(beside));
  } else if (left.error().kind != ErrorKind::not_found) {
    return fail(left.error());
  }
  remove_unfinished_writes(beside);
  CAS_TRY_ASSIGN(const NewSlots slots, make_slots(file, reissue));
  if (slots.count == 0) return std::size_t{0};
  CAS_TRY(write_file_durably(beside, slots.journal));
  CAS_TRY(write_slots(file, slots.journal));
  CAS_TRY(system_file_operations().remove(beside));
  return slots.count;
}

}  // namespace cas::tmc
