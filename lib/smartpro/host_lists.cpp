// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/host_lists.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "base/file_lock.hpp"
#include "base/hex.hpp"
#include "base/reader.hpp"
#include "smartpro/host_credentials.hpp"

namespace cas::smartpro {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view internal_prefix = "irl-";
constexpr std::string_view key_suffix = ".pub";
constexpr const char* lock_name = "update";
constexpr std::string_view list_magic = "SPRL";
constexpr std::size_t file_start_size = 8;  // Up to the signed header.

/// A writer holds the lock for as long as one write takes: so it is worth a wait.
Result<FileLock> lock_folder(const fs::path& folder) {
  constexpr auto step = std::chrono::milliseconds(10);
  constexpr int steps = 500;
  for (int i = 1;; ++i) {
    auto lock = FileLock::acquire(folder / lock_name);
    std::error_code error;
    const bool busy = fs::is_directory(folder, error) && ::access(folder.c_str(), W_OK) == 0;
    if (lock || !busy || i == steps) return lock;
    std::this_thread::sleep_for(step);
  }
}

/// The signed header of a file.
Result<ByteView> header_in(ByteView file) {
  ByteReader reader(file);
  CAS_TRY(reader.bytes(6));
  CAS_TRY_ASSIGN(const std::uint16_t size, reader.u16());
  return reader.bytes(size);
}

std::string name_of(const std::optional<Vdid>& vdid) {
  return vdid ? "the internal revocation list of domain " + to_hex(*vdid) : std::string("the external revocation list");
}

}  // namespace

std::string internal_list_file(const Vdid& vdid) { return std::string(internal_prefix) + to_hex(vdid); }

Result<std::optional<Vdid>> domain_of_list(ByteView file) {
  ByteView signed_header = file;
  if (file.size() >= list_magic.size() && equal(file.first(list_magic.size()), as_bytes(list_magic))) {
    CAS_TRY_ASSIGN(signed_header, header_in(file));
  }
  auto header = RevocationHeader::parse(signed_header);
  if (!header) return fail_in("this is no file of a revocation list", std::move(header).error());
  if (header->kind == RevocationListKind::external) return std::nullopt;
  return header->vdid;
}

std::shared_ptr<HostLists> HostLists::in_folder(fs::path folder, const RevocationKey& root_key, FileOperations& files) {
  return std::shared_ptr<HostLists>(new HostLists(std::move(folder), root_key, files));
}

std::shared_ptr<HostLists> HostLists::in_memory(const RevocationKey& root_key) {
  return std::shared_ptr<HostLists>(new HostLists(std::nullopt, root_key, system_file_operations()));
}

fs::path HostLists::file_of(const Place& place) const {
  return *folder_ / (place.vdid ? internal_list_file(*place.vdid) : external_list_file);
}

fs::path HostLists::key_file_of(const Vdid& vdid) const {
  return *folder_ / (internal_list_file(vdid) + std::string(key_suffix));
}

std::optional<HostLists::Stamp> HostLists::stamp_of(const fs::path& file) {
  struct stat found {};
  if (::stat(file.c_str(), &found) != 0) return std::nullopt;
  return Stamp{found.st_mtim.tv_sec, found.st_mtim.tv_nsec, static_cast<std::uint64_t>(found.st_size), found.st_ino};
}

Result<std::optional<RevocationKey>> HostLists::kept_key(const Vdid& vdid) {
  if (const auto known = keys_.find(vdid); known != keys_.end()) return known->second;
  if (!folder_) return std::nullopt;
  const auto key = read_revocation_key(key_file_of(vdid));
  if (!key && key.error().kind == ErrorKind::not_found) return std::nullopt;
  if (!key) return fail(key.error());
  keys_.emplace(vdid, *key);
  return *key;
}

Result<std::optional<RevocationKey>> HostLists::key_of(const Place& place) {
  if (place.vdid) return kept_key(*place.vdid);
  return root_key_;
}

/// Reads the file of a list when it is another one than at the last look.
Status HostLists::look_again(const Place& place) {
  if (!folder_) return {};
  const fs::path file = file_of(place);
  Slot& slot = slot_of(place);
  const auto stamp = stamp_of(file);
  if (!stamp || stamp == slot.stamp) return {};
  CAS_TRY_ASSIGN(const auto key, key_of(place));
  if (!key) return {};  // not to be told from a forgery: as good as not there
  const auto read = [&]() -> Result<RevocationList> {
    CAS_TRY_ASSIGN(const Bytes bytes, read_file(file, max_revocation_file_size));
    CAS_TRY_ASSIGN(RevocationList list, RevocationList::parse(bytes, *key));
    const bool right = place.vdid ? list.header.kind == RevocationListKind::internal && list.header.vdid == *place.vdid
                                  : list.header.kind == RevocationListKind::external;
    if (!right) return fail(ErrorKind::malformed, "this is another list than its name says");
    return list;
  };
  auto list = read();
  if (!list) {
    if (slot.list) return {};
    return fail_in(file.string() + " (remove it, and fetch the list with cas-tmc lists fetch)",
                   std::move(list).error());
  }
  slot.stamp = stamp;
  // Somebody with the right to write here has put an older copy in its place: what is in use is better.
  if (slot.list && list->header.index <= slot.list->index()) return {};
  slot.list = std::make_shared<const HostList>(std::move(*list));
  ++version_;
  return {};
}

Result<std::shared_ptr<const HostList>> HostLists::current(const Place& place) {
  CAS_TRY(look_again(place));
  return slot_of(place).list;
}

Result<std::shared_ptr<const HostList>> HostLists::external() {
  const std::lock_guard lock(mutex_);
  return current({});
}

Result<std::shared_ptr<const HostList>> HostLists::internal(const Vdid& vdid) {
  const std::lock_guard lock(mutex_);
  return current({vdid});
}

Result<ListIndices> HostLists::indices(const std::optional<Vdid>& vdid) {
  ListIndices indices;
  CAS_TRY_ASSIGN(const auto external_list, external());
  if (external_list) indices.external = external_list->index();
  if (vdid) {
    CAS_TRY_ASSIGN(const auto internal_list, internal(*vdid));
    if (internal_list) indices.internal = internal_list->index();
  }
  return indices;
}

Status HostLists::write(const fs::path& file, ByteView bytes) {
  remove_unfinished_writes(file, files_);
  return write_file_durably(file, bytes, 0644, files_);
}

Result<HostLists::Taken> HostLists::use(const Place& place, RevocationList list, bool must_be_kept) {
  std::optional<FileLock> folder_lock;
  if (folder_) {
    std::error_code error;
    fs::create_directories(*folder_, error);
    auto lock = lock_folder(*folder_);
    if (lock) folder_lock.emplace(std::move(*lock));
    if (!lock && must_be_kept) return fail(std::move(lock).error());
  }
  static_cast<void>(
      look_again(place));  // Another process may have been first; a damaged file is what this one replaces.
  Slot& slot = slot_of(place);
  if (slot.list && list.header.index == slot.list->index()) return Taken::at_hand;
  // Paper, 4.1: "an ever increasing index".
  if (slot.list && list.header.index < slot.list->index())
    return fail(ErrorKind::refused, name_of(place.vdid) + " at hand has index " + std::to_string(slot.list->index()) +
                                        ", and one of index " + std::to_string(list.header.index) +
                                        " is older: it is not taken");
  if (folder_) {
    const Status written =
        folder_lock ? write(file_of(place), list.encode()) : fail(ErrorKind::io, "the folder cannot be locked");
    if (!written && must_be_kept) return fail(written.error());
    if (written) slot.stamp = stamp_of(file_of(place));
  }
  slot.list = std::make_shared<const HostList>(std::move(list));
  ++version_;
  return Taken::newer;
}

Result<HostLists::Taken> HostLists::take(ByteView file) {
  if (file.size() > max_revocation_file_size)
    return fail(ErrorKind::exhausted, "the file is larger than any revocation list");
  CAS_TRY_ASSIGN(const std::optional<Vdid> vdid, domain_of_list(file));
  const std::lock_guard lock(mutex_);
  CAS_TRY_ASSIGN(const RevocationKey key, needed_key({vdid}));
  CAS_TRY_ASSIGN(RevocationList list, RevocationList::parse(file, key));
  return use({vdid}, std::move(list), true);
}

Result<std::optional<ListPreview>> HostLists::preview(ByteView start) {
  if (start.size() >= list_magic.size() && !equal(start.first(list_magic.size()), as_bytes(list_magic)))
    return fail(ErrorKind::malformed, "this is no file of a revocation list");
  const auto signed_header = header_in(start);
  if (!signed_header) {
    if (start.size() > file_start_size + max_revocation_header_size)
      return fail(ErrorKind::malformed, "this is no file of a revocation list");
    return std::nullopt;
  }
  ListPreview preview;
  CAS_TRY_ASSIGN(preview.vdid, domain_of_list(*signed_header));
  const std::lock_guard lock(mutex_);
  CAS_TRY_ASSIGN(const RevocationKey key, needed_key({preview.vdid}));
  CAS_TRY_ASSIGN(const RevocationHeader header, RevocationHeader::parse_signed(*signed_header, key));
  preview.index = header.index;
  const std::size_t numbers = std::size_t{header.tokens.count} + header.hosts.count + header.domains.count;
  preview.size = file_start_size + signed_header->size() + numbers * revoked_number_size;
  static_cast<void>(look_again({preview.vdid}));  // a damaged file is what this one replaces
  const auto& in_use = slot_of({preview.vdid}).list;
  preview.newer = !in_use || header.index > in_use->index();
  preview.same = in_use && header.index == in_use->index();
  return preview;
}

Result<RevocationKey> HostLists::needed_key(const Place& place) {
  CAS_TRY_ASSIGN(const auto key, key_of(place));
  if (key) return *key;
  return fail(ErrorKind::not_found, "the revocation key of domain " + to_hex(*place.vdid) +
                                        " is not known here: show a token of the domain once, or install " +
                                        internal_list_file(*place.vdid) + std::string(key_suffix) + " first");
}

std::string ListPreview::name() const { return vdid ? internal_list_file(*vdid) : std::string(external_list_file); }

Status HostLists::adopt(ByteView signed_header) {
  CAS_TRY_ASSIGN(const std::optional<Vdid> vdid, domain_of_list(signed_header));
  const std::lock_guard lock(mutex_);
  CAS_TRY_ASSIGN(const RevocationKey key, needed_key({vdid}));
  RevocationList list;
  CAS_TRY_ASSIGN(list.header, RevocationHeader::parse_signed(signed_header, key));
  if (!lists_nothing(list.header))
    return fail(ErrorKind::invalid_argument, "a header whose list has elements is not the whole list");
  list.signed_header = copy_of(signed_header);
  // What the header says of no elements must be what no elements give: the token compares just that.
  CAS_TRY_ASSIGN(list, RevocationList::parse(list.encode(), key));
  return use({vdid}, std::move(list), false).map([](Taken) {});
}

Result<std::optional<RevocationKey>> HostLists::domain_key(const Vdid& vdid) {
  const std::lock_guard lock(mutex_);
  return kept_key(vdid);
}

Status HostLists::pin_domain_key(const Vdid& vdid, const RevocationKey& key) {
  const std::lock_guard lock(mutex_);
  std::optional<FileLock> folder_lock;
  CAS_TRY_ASSIGN(auto kept, kept_key(vdid));
  if (!kept && folder_) {
    std::error_code error;
    fs::create_directories(*folder_, error);
    if (auto locked = lock_folder(*folder_)) folder_lock.emplace(std::move(*locked));
    CAS_TRY_ASSIGN(kept, kept_key(vdid));
  }
  if (kept) {
    if (*kept == key) return {};
    return fail(
        ErrorKind::authentication_failed,
        "the revocation key of domain " + to_hex(vdid) + " is another one than the one kept here" +
            (folder_ ? ": if that was wrong from the start, remove " + key_file_of(vdid).string() : std::string()));
  }
  // A folder that cannot be written (an administrator's) is no reason to stop: the key holds as long as the process
  // then.
  if (folder_lock) static_cast<void>(write(key_file_of(vdid), as_bytes(to_hex(key) + "\n")));
  keys_.emplace(vdid, key);
  return {};
}

Result<std::vector<Vdid>> HostLists::domains() {
  const std::lock_guard lock(mutex_);
  std::vector<Vdid> found;
  for (const auto& [vdid, key] : keys_) found.push_back(vdid);
  if (!folder_) return found;
  std::error_code error;
  for (fs::directory_iterator entry(*folder_, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(internal_prefix) || !name.ends_with(key_suffix)) continue;
    const std::string_view digits =
        std::string_view(name).substr(internal_prefix.size(), name.size() - internal_prefix.size() - key_suffix.size());
    const auto vdid = from_hex(digits, sizeof(Vdid));
    if (!vdid || vdid->size() != sizeof(Vdid) ||
        name != internal_list_file(to_array<Vdid>(*vdid)) + std::string(key_suffix))
      continue;
    if (!keys_.contains(to_array<Vdid>(*vdid))) found.push_back(to_array<Vdid>(*vdid));
  }
  return found;
}

}  // namespace cas::smartpro
