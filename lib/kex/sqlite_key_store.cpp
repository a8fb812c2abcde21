// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>
#include <optional>

#include "kex/key_store.hpp"
#include "kex/stored_key_cipher.hpp"
#include "service/store.hpp"

namespace cas::kex {

namespace {

using service::Statement;
using service::Store;

// `name` is KeyName::encode(); content_id stands beside it for people and their queries.
constexpr std::array<std::string_view, 1> versions{
    "CREATE TABLE content_key ("
    " name BLOB PRIMARY KEY,"
    " kid BLOB NOT NULL UNIQUE,"
    " iv BLOB NOT NULL,"
    " value BLOB NOT NULL,"
    " content_id TEXT NOT NULL,"
    " auxiliary BLOB NOT NULL,"
    " pushed INTEGER NOT NULL,"
    " created INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX content_key_by_content ON content_key (content_id);"};
const service::StoreSchema schema{"the keys of the key server", 0x434b4d31, versions};

class SqliteKeyStore final : public KeyStore {
 public:
  SqliteKeyStore(Store store, StoredKeyCipher cipher, Random& random)
      : store_(std::move(store)), cipher_(std::move(cipher)), random_(random) {}

  [[nodiscard]] Status prepare() {
    CAS_TRY_ASSIGN(by_name_, store_.prepare("SELECT kid, iv, value, auxiliary FROM content_key WHERE name = ?1"));
    CAS_TRY_ASSIGN(by_kid_, store_.prepare("SELECT 1 FROM content_key WHERE kid = ?1"));
    CAS_TRY_ASSIGN(insert_, store_.prepare("INSERT INTO content_key VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"
                                           " CAST(strftime('%s', 'now') AS INTEGER))"));
    CAS_TRY_ASSIGN(count_, store_.prepare("SELECT count(*) FROM content_key"));
    return {};
  }

  Result<std::vector<SettledKey>> settle(std::span<const KeyProposal> proposals) override {
    // Most are repeated requests: they need neither the lock of a writer nor the disk.
    std::vector<std::optional<SettledKey>> settled(proposals.size());
    bool complete = true;
    for (std::size_t at = 0; at < proposals.size(); ++at) {
      CAS_TRY_ASSIGN(settled[at], find(proposals[at].name));
      complete = complete && settled[at];
    }
    if (!complete) {
      CAS_TRY_ASSIGN(auto transaction, store_.begin());
      for (std::size_t at = 0; at < proposals.size(); ++at) {
        if (settled[at]) continue;
        CAS_TRY_ASSIGN(settled[at], find(proposals[at].name));  // somebody may have been quicker
        if (settled[at]) continue;
        SettledKey fresh{proposals[at].key.clone(), true};
        CAS_TRY_ASSIGN(bool taken, has(fresh.key.kid));
        while (taken) {
          CAS_TRY_ASSIGN(fresh.key.kid, Uuid::draw(random_));
          CAS_TRY_ASSIGN(taken, has(fresh.key.kid));
        }
        CAS_TRY(insert(proposals[at].name, fresh.key, false));
        settled[at] = std::move(fresh);
      }
      CAS_TRY(transaction.commit());
    }
    std::vector<SettledKey> all;
    all.reserve(settled.size());
    for (auto& one : settled) all.push_back(std::move(*one));
    return all;
  }

  Result<std::vector<SettledKey>> bring(std::span<const KeyProposal> keys) override {
    std::vector<SettledKey> all;
    all.reserve(keys.size());
    CAS_TRY_ASSIGN(auto transaction, store_.begin());
    for (const KeyProposal& brought : keys) {
      CAS_TRY_ASSIGN(auto found, find(brought.name));
      if (found && !is_same_key(found->key, brought.key)) return fail_another_key(brought.name);
      if (!found) {
        CAS_TRY_ASSIGN(const bool taken, has(brought.key.kid));
        if (taken) return fail_key_id_taken(brought.key.kid);
        CAS_TRY(insert(brought.name, brought.key, true));
        found = SettledKey{brought.key.clone(), true};
      }
      all.push_back(std::move(*found));
    }
    CAS_TRY(transaction.commit());
    return all;
  }

  Result<std::uint64_t> count() override {
    CAS_TRY_ASSIGN(const bool row, count_->bind().step());
    const std::uint64_t keys = row ? static_cast<std::uint64_t>(count_->number(0)) : 0;
    CAS_TRY(count_->run());  // to its end, so that it lets go of the store
    return keys;
  }

  Status check() override {
    CAS_TRY_ASSIGN(const auto version, store_.data_version());
    static_cast<void>(version);
    return {};
  }

 private:
  /// Nothing when the name has no key yet.
  Result<std::optional<SettledKey>> find(const KeyName& of) {
    const Bytes name = of.encode();
    CAS_TRY_ASSIGN(const bool row, by_name_->bind(ByteView(name)).step());
    if (!row) return std::optional<SettledKey>();
    SettledKey found;
    const Bytes kid = by_name_->bytes(0), iv = by_name_->bytes(1), sealed = by_name_->bytes(2),
                auxiliary = by_name_->bytes(3);
    CAS_TRY(by_name_->run());
    if (kid.size() != sizeof(Uuid::bytes) || iv.size() != sizeof(InitialisationVector))
      return fail(ErrorKind::malformed, "a stored key has an id or an initialisation vector of another size");
    std::ranges::copy(kid, found.key.kid.bytes.begin());
    std::ranges::copy(iv, found.key.iv.begin());
    CAS_TRY_ASSIGN(found.key.value, cipher_.open(name, found.key.kid, found.key.iv, sealed));
    CAS_TRY_ASSIGN(found.key.auxiliary, decode_auxiliary(auxiliary));
    return std::optional<SettledKey>(std::move(found));
  }

  /// Whether a name has that id.
  Result<bool> has(const Uuid& kid) {
    CAS_TRY_ASSIGN(const bool taken, by_kid_->bind(ByteView(kid.bytes)).step());
    if (taken) CAS_TRY(by_kid_->run());
    return taken;
  }

  /// Within a transaction.
  Status insert(const KeyName& of, const KeyMaterial& key, bool brought) {
    const Bytes name = of.encode();
    CAS_TRY_ASSIGN(const Bytes sealed, cipher_.seal(name, key));
    const Bytes auxiliary = encode_auxiliary(key.auxiliary);
    return insert_
        ->bind(ByteView(name), ByteView(key.kid.bytes), ByteView(key.iv), ByteView(sealed),
               std::string_view(of.content_id), ByteView(auxiliary), std::int64_t{brought ? 1 : 0})
        .run();
  }

  Store store_;
  StoredKeyCipher cipher_;
  Random& random_;
  std::optional<Statement> by_name_, by_kid_, insert_, count_;  // before their store
};

}  // namespace

Status create_sqlite_key_store(const std::filesystem::path& file) {
  CAS_TRY_ASSIGN(const Store store, Store::create(file, schema));
  return {};
}

Result<std::unique_ptr<KeyStore>> open_sqlite_key_store(const std::filesystem::path& file,
                                                        const SecretBytes& storage_key, Random& random) {
  CAS_TRY_ASSIGN(auto cipher, StoredKeyCipher::create(storage_key, random));
  CAS_TRY_ASSIGN(auto store, Store::open(file, schema));
  auto opened = std::make_unique<SqliteKeyStore>(std::move(store), std::move(cipher), random);
  CAS_TRY(opened->prepare());
  return std::unique_ptr<KeyStore>(std::move(opened));
}

}  // namespace cas::kex
