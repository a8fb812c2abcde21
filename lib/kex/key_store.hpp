// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "kex/key_material.hpp"
#include "kex/key_name.hpp"
#include "service/postgres.hpp"

namespace cas::kex {

/// A key that somebody wants to have for a name.
struct KeyProposal {
  KeyName name;
  KeyMaterial key;  ///< What is stored when the name has none.
};

/// What the name has now.
struct SettledKey {
  KeyMaterial key;
  bool fresh = false;  ///< It was stored by this call.
};

/// Where stored keys are (5.2.2), each under its content id. One thread at a time.
class KeyStore {
 public:
  virtual ~KeyStore() = default;
  /// Gives each name its key: the one that is stored, or else the proposal's, which is stored then. Whoever is first
  /// wins, among all servers of one database. On return all of it is on the medium. A failure is of all of them, and
  /// nothing of them has been answered: io when the database cannot be reached or its disk fails (try again), malformed,
  /// authentication_failed for rows that were changed, exhausted for a full disk.
  ///
  /// A proposed key id that another name has is replaced.
  [[nodiscard]] virtual Result<std::vector<SettledKey>> settle(std::span<const KeyProposal> proposals) = 0;
  /// Stores keys that somebody has made himself (push): these, under these ids, and all of them or none. Keys that are
  /// there already are no error. ErrorKind::refused when a name has another key (5.2.2: never two keys for one name), or
  /// a key id is another name's; otherwise as `settle`.
  [[nodiscard]] virtual Result<std::vector<SettledKey>> bring(std::span<const KeyProposal> keys) = 0;
  /// How many keys are stored.
  [[nodiscard]] virtual Result<std::uint64_t> count() = 0;
  /// Whether it can be reached now: for health. Does not wait long.
  [[nodiscard]] virtual Status check() = 0;
};

/// SQLite, in a file of this machine; several servers of this machine may share it. `create` makes the file and fails
/// when it is there. Keep a reference to `random`. Errors of service::Store.
[[nodiscard]] Status create_sqlite_key_store(const std::filesystem::path& file);
[[nodiscard]] Result<std::unique_ptr<KeyStore>> open_sqlite_key_store(const std::filesystem::path& file,
                                                                      const SecretBytes& storage_key, Random& random);

/// PostgreSQL, for several servers, which have one storage key: whoever is first wins among them all. The table is made when
/// it is not there. A connection that is lost is made again with the next call. ErrorKind::unsupported in a build
/// without it; errors of service::PostgresConnection.
[[nodiscard]] Result<std::unique_ptr<KeyStore>> open_postgres_key_store(const service::PostgresAddress& address,
                                                                        const SecretBytes& storage_key, Random& random);

/// What a name has is what was brought for it.
[[nodiscard]] bool is_same_key(const KeyMaterial& a, const KeyMaterial& b);
/// Why keys that were brought are refused.
[[nodiscard]] tl::unexpected<Error> fail_another_key(const KeyName& name);
[[nodiscard]] tl::unexpected<Error> fail_key_id_taken(const Uuid& kid);

/// Auxiliary data as it stands in a database: pairs of texts, each with its length (2) in front.
[[nodiscard]] Bytes encode_auxiliary(const std::vector<CpixAuxiliary>& auxiliary);
[[nodiscard]] Result<std::vector<CpixAuxiliary>> decode_auxiliary(ByteView bytes);

}  // namespace cas::kex
