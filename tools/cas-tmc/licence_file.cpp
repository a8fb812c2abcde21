// SPDX-License-Identifier: LGPL-2.1-or-later
#include "licence_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/durable_file.hpp"
#include "base/reader.hpp"
#include "base/writer.hpp"
#include "smartpro/protected_file.hpp"

namespace cas::tmc {

namespace {

namespace fs = std::filesystem;

/// As many slots as are replaced at once: a file with more key periods than that is not one that people make.
constexpr std::size_t max_slots_size = 256U << 20;

/// FILE.licences: this, the digest of the file's header (32), and for each slot offset (8) || slot.
constexpr std::array<std::uint8_t, 4> journal_magic{'S', 'P', 'L', 'J'};

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
  OpenFile(OpenFile&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)), size_(other.size_) {}
  OpenFile& operator=(OpenFile&&) = delete;

  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// Fewer bytes only at the end of the file.
  [[nodiscard]] Result<Bytes> read(std::uint64_t offset, std::size_t size) const {
    Bytes bytes(offset < size_ ? std::min<std::uint64_t>(size, size_ - offset) : 0);
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t count =
          ::pread(descriptor_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
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

/// What a file is, as far as its licences go.
struct LicensedFile {
  smartpro::ReadHeader header;
  smartpro::FileLayout layout;
};

Result<LicensedFile> read_start(const OpenFile& file) {
  CAS_TRY_ASSIGN(const Bytes first, file.read(0, smartpro::preamble_size));
  CAS_TRY_ASSIGN(const smartpro::Preamble preamble, smartpro::Preamble::parse(first));
  CAS_TRY_ASSIGN(const Bytes start, file.read(0, smartpro::preamble_size + preamble.header_size));
  CAS_TRY_ASSIGN(smartpro::ReadHeader header, smartpro::ReadHeader::parse(start));
  const smartpro::FileLayout layout(header.header, header.body_offset);
  return LicensedFile{std::move(header), layout};
}

struct NewSlots {
  Bytes journal;
  std::size_t count = 0;
};

Result<NewSlots> make_slots(const OpenFile& file, const LicensedFile& licensed,
                            const std::function<Result<Bytes>(ByteView lecm)>& reissue) {
  const smartpro::FileLayout& layout = licensed.layout;
  const std::uint64_t periods = licensed.header.header.period_segments == 0 ? 1 : std::uint64_t{UINT32_MAX} + 1;
  NewSlots slots;
  ByteWriter journal;
  journal.bytes(journal_magic).bytes(licensed.header.digest);
  for (std::uint64_t period = 0; period < periods; ++period) {
    const std::uint64_t offset = layout.slot_offset(static_cast<std::uint32_t>(period));
    // A file whose writer was killed ends anywhere, also in a slot; a slot without a segment behind it is of no use to
    // anybody.
    if (period > 0 && (offset >= file.size() || file.size() - offset < layout.slot_size())) break;
    CAS_TRY_ASSIGN(const Bytes slot, file.read(offset, layout.slot_size()));
    CAS_TRY_ASSIGN(const ByteView lecm, smartpro::parse_licence_slot(slot));
    CAS_TRY_ASSIGN(const Bytes reissued, reissue(lecm));
    if (equal(reissued, lecm)) continue;
    CAS_TRY_ASSIGN(const Bytes encoded, smartpro::encode_licence_slot(reissued, layout.slot_size()));
    journal.u64(offset).bytes(encoded);
    ++slots.count;
    if (journal.view().size() > max_slots_size)
      return fail(ErrorKind::exhausted, "the file has more licences than are replaced at once");
  }
  slots.journal = journal.take();
  return slots;
}

/// All of the journal is looked at before a byte is written.
Status write_slots(OpenFile& file, const LicensedFile& licensed, ByteView journal) {
  CAS_TRY_ASSIGN(const std::vector<JournalSlot> slots,
                 parse_licence_journal(journal, licensed.header, licensed.layout, file.size()));
  for (const JournalSlot& slot : slots) CAS_TRY(file.write(slot.offset, slot.content));
  return file.sync();
}

}  // namespace

Result<std::vector<JournalSlot>> parse_licence_journal(ByteView journal, const smartpro::ReadHeader& header,
                                                       const smartpro::FileLayout& layout, std::uint64_t file_size) {
  ByteReader reader(journal);
  CAS_TRY_ASSIGN(const ByteView magic, reader.bytes(journal_magic.size()));
  if (!equal(magic, journal_magic)) return fail(ErrorKind::malformed, "these are no licences that wait for a file");
  CAS_TRY_ASSIGN(const ByteView digest, reader.bytes(header.digest.size()));
  if (!equal(digest, header.digest))
    return fail(ErrorKind::malformed, "these licences are of another file than the one that is here now");
  const bool one_slot = header.header.period_segments == 0;
  const std::uint64_t stride = one_slot ? 0 : layout.slot_offset(1) - layout.slot_offset(0);
  std::vector<JournalSlot> slots;
  while (!reader.empty()) {
    JournalSlot slot;
    CAS_TRY_ASSIGN(slot.offset, reader.u64());
    CAS_TRY_ASSIGN(slot.content, reader.bytes(layout.slot_size()));
    const bool in_file =
        slot.offset >= header.body_offset && slot.offset <= file_size && file_size - slot.offset >= slot.content.size();
    const bool is_slot = in_file && (slot.offset == header.body_offset ||
                                     (!one_slot && (slot.offset - header.body_offset) % stride == 0));
    if (!is_slot) return fail(ErrorKind::malformed, "the file has no licence where one is to be written");
    CAS_TRY(smartpro::parse_licence_slot(slot.content));
    slots.push_back(slot);
  }
  return slots;
}

Result<std::size_t> replace_licences(const fs::path& path, const std::function<Result<Bytes>(ByteView lecm)>& reissue) {
  const fs::path beside = path.native() + ".licences";
  CAS_TRY_ASSIGN(OpenFile file, OpenFile::open(path));
  CAS_TRY_ASSIGN(const LicensedFile licensed, read_start(file));
  if (const auto left = read_file(beside, max_slots_size + 2 * smartpro::max_licence_slot_size); left) {
    if (Status written = write_slots(file, licensed, *left); !written)
      return fail(written.error().kind, beside.string() +
                                            " was left by a command that was stopped, and does not fit: " +
                                            written.error().message + ". Remove it when you know why it is there.");
    CAS_TRY(system_file_operations().remove(beside));
  } else if (left.error().kind != ErrorKind::not_found) {
    return fail(left.error());
  }
  remove_unfinished_writes(beside);
  CAS_TRY_ASSIGN(const NewSlots slots, make_slots(file, licensed, reissue));
  if (slots.count == 0) return std::size_t{0};
  CAS_TRY(write_file_durably(beside, slots.journal));
  CAS_TRY(write_slots(file, licensed, slots.journal));
  CAS_TRY(system_file_operations().remove(beside));
  return slots.count;
}

}  // namespace cas::tmc
