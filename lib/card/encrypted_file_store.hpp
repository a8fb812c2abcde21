// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/durable_file.hpp"
#include "base/file_lock.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "card/card_store.hpp"
#include "card/store_format.hpp"
#include "crypto/kdf.hpp"

namespace cas::card {

struct StoreOptions {
  /// What one guess of the pass phrase costs, for a new store: 16 MiB and some 50 ms by default.
  crypto::ScryptCost cost{1U << 14, 8, 1};
  Random* random = nullptr;         ///< Salt and nonces; nothing: the system's.
  FileOperations* files = nullptr;  ///< Nothing: the system's. Outlives the store.
};

/// A card's memory in one file, encrypted under a pass phrase (scrypt, AES-256-GCM) and replaced atomically at each
/// commit. The file has mode 0600. One process holds it at a time, by PATH.lock; the lock goes with the object.
///
/// Nothing here tells that a whole file was replaced by an older copy of itself: only the chip of a real card can.
class EncryptedFileStore final : public CardStore {
 public:
  /// A new store that holds these applets, empty. ErrorKind::invalid_argument if the file is there already.
  [[nodiscard]] static Result<std::unique_ptr<EncryptedFileStore>> create(const std::filesystem::path& path,
                                                                          const SecretBytes& pass_phrase,
                                                                          const std::vector<std::string>& applets,
                                                                          const StoreOptions& options = {});
  /// ErrorKind::not_found: no such file; io: in use by another process; permission_denied: the pass phrase is wrong or
  /// the file was changed, which cannot be told apart; malformed or unsupported: no store of a known version.
  [[nodiscard]] static Result<std::unique_ptr<EncryptedFileStore>> open(const std::filesystem::path& path,
                                                                        const SecretBytes& pass_phrase,
                                                                        const StoreOptions& options = {});

  [[nodiscard]] Result<CardImage> load() override;
  [[nodiscard]] Status commit(const CardImage& image) override;

  /// Whether this is the pass phrase that the store was opened with; permission_denied if not. Costs what opening does.
  /// Any thread, whatever else the store is at.
  [[nodiscard]] Status check_pass_phrase(const SecretBytes& pass_phrase) const;

 private:
  EncryptedFileStore(std::filesystem::path path, FileLock lock, const StoreOptions& options);
  [[nodiscard]] Error denied() const;

  std::filesystem::path path_;
  FileLock lock_;
  Random& random_;
  FileOperations& files_;
  StoreHeader header_;  ///< After opening, only the generation changes.
  SecretBytes key_;
};

/// The applets that a store says it holds. Needs no pass phrase, so it has only the file's word for it.
[[nodiscard]] Result<std::vector<std::string>> applets_in_store(const std::filesystem::path& path);

}  // namespace cas::card
