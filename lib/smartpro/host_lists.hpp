// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/durable_file.hpp"
#include "base/error.hpp"
#include "smartpro/host_list.hpp"
#include "smartpro/identifiers.hpp"
#include "smartpro/sac.hpp"

namespace cas::smartpro {

/// What the start of a list's file says of it, by its verified header.
struct ListPreview {
  std::optional<Vdid> vdid;  ///< Nothing for the external list.
  std::uint64_t index = 0;
  std::size_t size = 0;  ///< Of the whole file, in bytes.
  bool newer = false;    ///< Than the list in use.
  bool same = false;     ///< It is the list in use.
  [[nodiscard]] std::string name() const;
};

/// The revocation lists of a host (paper, 4.1): the external one, and the internal one of each domain that it has met.
/// Share one among all sessions of
/// a process; any thread.
///
/// They live in a folder, which several processes may use at once: what another one has put there is used as soon as it
/// is there.
///
///   erl               the external list, a file as in docs/formats/smartpro-revocation.md; verified by the root's revocation key
///   irl-VDID          the internal list of a domain (VDID: 16 hexadecimal digits); verified by the key in irl-VDID.pub
///   irl-VDID.pub      a domain's revocation public key, 130 hexadecimal digits and a line end: kept when a token of the domain is first seen, or put
///                     there before (`cas-tmc lists install`). A token that names another one later is refused.
///
/// Lists go forward only: a file in the folder that is older than what is in use is left aside.
class HostLists {
 public:
  /// The lists in `folder`; none when it is not there: it is made with the first list. `files` outlives the object.
  [[nodiscard]] static std::shared_ptr<HostLists> in_folder(std::filesystem::path folder, const RevocationKey& root_key,
                                                            FileOperations& files = system_file_operations());
  /// No list at first, and gone with the object.
  [[nodiscard]] static std::shared_ptr<HostLists> in_memory(const RevocationKey& root_key);
  HostLists(const HostLists&) = delete;
  HostLists& operator=(const HostLists&) = delete;

  /// The list in use, or null when there is none. Looks whether its file has changed first.
  /// ErrorKind::authentication_failed, malformed, ... name a file that is no such list, as long as there is no good one
  /// to go on with.
  [[nodiscard]] Result<std::shared_ptr<const HostList>> external();
  [[nodiscard]] Result<std::shared_ptr<const HostList>> internal(const Vdid& vdid);
  /// The versions of both; 0 for a list that is not there, and for the internal one without a domain.
  [[nodiscard]] Result<ListIndices> indices(const std::optional<Vdid>& vdid);

  enum class Taken {
    newer,    ///< It is in use, and on the medium.
    at_hand,  ///< It is the one that is in use already: nothing was done.
  };
  /// Verifies the file of a list, keeps it and uses it. ErrorKind::refused when it is older than the one in use;
  /// not_found when it is of a domain whose
  /// revocation key is not known; authentication_failed, malformed, truncated, unsupported; io, exhausted,
  /// permission_denied from the folder, and then the list in use stays.
  [[nodiscard]] Result<Taken> take(ByteView file);
  /// Looks at the start of the file of a list: nothing when that is too short to tell. Errors as for `take`.
  [[nodiscard]] Result<std::optional<ListPreview>> preview(ByteView start);
  /// Takes a header on whose list nothing stands, and which therefore is all of it. ErrorKind::invalid_argument when
  /// something does. Where the folder cannot be written it is used all the same: the next token brings it again.
  [[nodiscard]] Status adopt(ByteView signed_header);

  /// The revocation key that is kept for a domain.
  [[nodiscard]] Result<std::optional<RevocationKey>> domain_key(const Vdid& vdid);
  /// Keeps `key` for the domain. ErrorKind::authentication_failed when another one is kept.
  [[nodiscard]] Status pin_domain_key(const Vdid& vdid, const RevocationKey& key);
  /// The domains whose keys are kept.
  [[nodiscard]] Result<std::vector<Vdid>> domains();

  /// What external lists are verified by.
  [[nodiscard]] const RevocationKey& root_key() const { return root_key_; }
  /// Grows whenever a list comes into use.
  [[nodiscard]] std::uint64_t version() const { return version_; }
  /// Nothing for lists in memory.
  [[nodiscard]] const std::optional<std::filesystem::path>& folder() const { return folder_; }

 private:
  /// What tells one content of a file from another without reading it.
  struct Stamp {
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    std::uint64_t size = 0;
    std::uint64_t inode = 0;
    bool operator==(const Stamp&) const = default;
  };
  struct Slot {
    std::shared_ptr<const HostList> list;
    std::optional<Stamp> stamp;  // Of the file as it was last looked at.
  };
  struct Place {  // Which list: nothing for the external one.
    std::optional<Vdid> vdid;
  };

  [[nodiscard]] Result<RevocationKey> needed_key(const Place& place);
  HostLists(std::optional<std::filesystem::path> folder, const RevocationKey& root_key, FileOperations& files)
      : folder_(std::move(folder)), root_key_(root_key), files_(files) {}

  [[nodiscard]] static std::optional<Stamp> stamp_of(const std::filesystem::path& file);
  [[nodiscard]] std::filesystem::path file_of(const Place& place) const;
  [[nodiscard]] std::filesystem::path key_file_of(const Vdid& vdid) const;
  // With mutex_ held:
  [[nodiscard]] Slot& slot_of(const Place& place) { return place.vdid ? internal_[*place.vdid] : external_; }
  [[nodiscard]] Status look_again(const Place& place);
  [[nodiscard]] Result<std::shared_ptr<const HostList>> current(const Place& place);
  [[nodiscard]] Result<std::optional<RevocationKey>> key_of(const Place& place);
  [[nodiscard]] Result<std::optional<RevocationKey>> kept_key(const Vdid& vdid);
  [[nodiscard]] Result<Taken> use(const Place& place, RevocationList list, bool must_be_kept);
  [[nodiscard]] Status write(const std::filesystem::path& file, ByteView bytes);

  const std::optional<std::filesystem::path> folder_;
  const RevocationKey root_key_;
  FileOperations& files_;
  std::atomic<std::uint64_t> version_{0};
  std::mutex mutex_;  // Guards what follows, and is held while files are read and written.
  Slot external_;
  std::map<Vdid, Slot> internal_;
  std::map<Vdid, RevocationKey> keys_;
};

/// The domain that a list's signed header, or the file of a list, says it is of; nothing for an external list. For a
/// first look: nothing is verified.
[[nodiscard]] Result<std::optional<Vdid>> domain_of_list(ByteView file);

inline constexpr const char* external_list_file = "erl";
/// "irl-0123456789abcdef".
[[nodiscard]] std::string internal_list_file(const Vdid& vdid);

}  // namespace cas::smartpro
