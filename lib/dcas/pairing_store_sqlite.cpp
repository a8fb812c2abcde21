// SPDX-License-Identifier: LGPL-2.1-or-later
#include <array>
#include <limits>
#include <optional>
#include <set>

#include "dcas/pairing_store.hpp"
#include "dcas/pairing_store_batch.hpp"
#include "service/store.hpp"

namespace cas::dcas {

namespace {

using service::Statement;
using service::StorageCipher;
using service::Store;

// What `ap` to `until` say is the pair's last stay in a network, and stands with the secure micro.
constexpr std::array<std::string_view, 1> versions{
    "CREATE TABLE dcas_device ("
    " id TEXT PRIMARY KEY,"
    " kind INTEGER NOT NULL CHECK (kind IN (1, 2)),"
    " state INTEGER NOT NULL DEFAULT 0 CHECK (state IN (0, 1, 16)),"
    " partner TEXT,"
    " keys BLOB,"
    " ap TEXT,"
    " request BLOB,"
    " lease INTEGER CHECK (lease > 0),"
    " since INTEGER,"
    " until INTEGER,"
    " CHECK ((state = 0) = (partner IS NULL)),"
    " CHECK ((kind = 1) = (keys IS NOT NULL)),"
    " CHECK ((kind = 1 AND state <> 0) = (lease IS NOT NULL)),"
    " CHECK ((lease IS NULL) = (until IS NULL))"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX dcas_device_by_end ON dcas_device (until) WHERE kind = 1 AND state = 1;"};
const service::StoreSchema schema{"the devices of the trusted authority", 0x43445331, versions};

class SqlitePairingStore final : public PairingStore {
 public:
  SqlitePairingStore(Store store, StorageCipher cipher) : store_(std::move(store)), cipher_(std::move(cipher)) {}

  [[nodiscard]] Status prepare() {
    CAS_TRY_ASSIGN(find_, store_.prepare("SELECT kind, state, partner, keys, ap, request, lease, since, until"
                                         " FROM dcas_device WHERE id = ?1"));
    CAS_TRY_ASSIGN(insert_, store_.prepare("INSERT INTO dcas_device (id, kind, keys) VALUES (?1, ?2, ?3)"));
    CAS_TRY_ASSIGN(insert_without_keys_, store_.prepare("INSERT INTO dcas_device (id, kind) VALUES (?1, ?2)"));
    CAS_TRY_ASSIGN(set_sm_, store_.prepare("UPDATE dcas_device SET state = ?2, partner = ?3, ap = ?4, request = ?5,"
                                           " lease = ?6, since = ?7, until = ?8 WHERE id = ?1"));
    CAS_TRY_ASSIGN(set_tp_, store_.prepare("UPDATE dcas_device SET state = ?2, partner = ?3 WHERE id = ?1"));
    CAS_TRY_ASSIGN(ended_, store_.prepare("SELECT id, partner FROM dcas_device"
                                          " WHERE kind = 1 AND state = 1 AND until <= ?1 ORDER BY until LIMIT ?2"));
    CAS_TRY_ASSIGN(count_, store_.prepare("SELECT count(*) FROM dcas_device"));
    CAS_TRY_ASSIGN(one_sided_,
                   store_.prepare("SELECT one.id FROM dcas_device AS one"
                                  " LEFT JOIN dcas_device AS other ON other.id = one.partner WHERE one.state <> 0 AND"
                                  " (other.id IS NULL OR other.partner IS NOT one.id OR other.state <> one.state"
                                  " OR other.kind = one.kind) LIMIT 1"));
    return {};
  }

  Result<std::uint64_t> add_devices(std::span<const NewDevice> devices) override {
    CAS_TRY(check_new_devices(devices));
    std::uint64_t fresh = 0;
    CAS_TRY_ASSIGN(auto transaction, store_.begin());
    for (const NewDevice& added : devices) {
      CAS_TRY_ASSIGN(const auto there, find(added.id));
      if (there) {
        CAS_TRY(check_same_device(cipher_, *there, added));
        continue;
      }
      CAS_TRY(insert(added));
      ++fresh;
    }
    CAS_TRY(transaction.commit());
    return fresh;
  }

  Result<std::vector<PairOutcome>> pair(std::span<const PairRequest> requests, UnixSeconds now) override {
    CAS_TRY(check_requests(requests));
    return change<PairOutcome>(requests, now,
                               [](PairingBatch& batch, const PairRequest& request) { return batch.pair(request); });
  }
  Result<std::vector<LeaseVerdict>> leave(std::span<const LeaseReport> reports, UnixSeconds now) override {
    return change<LeaseVerdict>(reports, now,
                                [](PairingBatch& batch, const LeaseReport& report) { return batch.leave(report); });
  }
  Result<std::vector<LeaseVerdict>> renew(std::span<const LeaseReport> reports, std::chrono::seconds lease,
                                          UnixSeconds now) override {
    CAS_TRY(check_lease(lease));
    return change<LeaseVerdict>(
        reports, now, [lease](PairingBatch& batch, const LeaseReport& report) { return batch.renew(report, lease); });
  }

  Result<std::vector<EndedLease>> expire(UnixSeconds now, std::size_t most) override {
    CAS_TRY_ASSIGN(auto transaction, store_.begin());
    constexpr auto limit = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max());
    ended_->bind(std::int64_t{now}, static_cast<std::int64_t>(std::min(most, limit)));
    std::vector<std::pair<std::string, std::string>> over;
    for (;;) {
      CAS_TRY_ASSIGN(const bool row, ended_->step());
      if (!row) break;
      over.emplace_back(ended_->text(0), ended_->text(1));
    }
    PairingBatch batch(cipher_, now);
    std::vector<EndedLease> all;
    for (const auto& [sm, tp] : over) {
      for (const std::string& id : {sm, tp}) {
        CAS_TRY_ASSIGN(auto row, find(id));
        if (row) batch.put(std::move(*row));
      }
      auto lease = batch.expire(sm, tp);
      // To pass it over would find it again for ever.
      if (!lease) return fail_one_sided(sm);
      all.push_back(std::move(*lease));
    }
    CAS_TRY(write(batch, transaction));
    return all;
  }

  Result<DeviceRecord> device(const std::string& id) override {
    CAS_TRY_ASSIGN(auto row, find(id));
    if (!row) return fail_no_device(id);
    return std::move(row->record);
  }
  Result<SecretBytes> sm_keys(const std::string& id) override {
    CAS_TRY_ASSIGN(const auto row, find(id));
    if (!row || row->record.kind != DeviceKind::secure_micro) return fail_no_device(id);
    return open_sm_keys(cipher_, *row);
  }

  Result<std::uint64_t> count() override {
    CAS_TRY_ASSIGN(const bool row, count_->bind().step());
    const std::uint64_t devices = row ? static_cast<std::uint64_t>(count_->number(0)) : 0;
    CAS_TRY(count_->run());  // to its end, so that it lets go of the store
    return devices;
  }
  Status check() override {
    CAS_TRY_ASSIGN(const auto version, store_.data_version());
    static_cast<void>(version);
    return {};
  }
  Status verify() override {
    CAS_TRY(store_.check());
    CAS_TRY_ASSIGN(const bool row, one_sided_->bind().step());
    if (!row) return {};
    const std::string id = one_sided_->text(0);
    CAS_TRY(one_sided_->run());
    return fail_one_sided(id);
  }

 private:
  /// Each of `all` in its turn, in one transaction.
  template <typename Outcome, typename Asked, typename One>
  Result<std::vector<Outcome>> change(std::span<const Asked> all, UnixSeconds now, const One& one) {
    CAS_TRY_ASSIGN(auto transaction, store_.begin());
    PairingBatch batch(cipher_, now);
    std::set<std::string_view> loaded;
    for (const Asked& asked : all)
      for (const std::string* id : {&asked.sm, &asked.tp}) {
        if (!loaded.insert(*id).second) continue;
        CAS_TRY_ASSIGN(auto row, find(*id));
        if (row) batch.put(std::move(*row));
      }
    std::vector<Outcome> outcomes;
    outcomes.reserve(all.size());
    for (const Asked& asked : all) outcomes.push_back(one(batch, asked));
    CAS_TRY(write(batch, transaction));
    return outcomes;
  }

  Status write(const PairingBatch& batch, Store::Transaction& transaction) {
    const auto changed = batch.changed();
    if (changed.empty()) return {};  // what was refused needs no disk
    for (const DeviceRecord* device : changed) {
      const auto state = static_cast<std::int64_t>(device->state);
      if (!device->lease) {
        CAS_TRY(set_tp_->bind(std::string_view(device->id), state, std::string_view(device->partner)).run());
        continue;
      }
      const Lease& lease = *device->lease;
      CAS_TRY(set_sm_
                  ->bind(std::string_view(device->id), state, std::string_view(device->partner),
                         std::string_view(lease.ap), ByteView(lease.request), static_cast<std::int64_t>(lease.number),
                         std::int64_t{lease.since}, std::int64_t{lease.until})
                  .run());
    }
    return transaction.commit();
  }

  /// Nothing when there is no such device.
  Result<std::optional<DeviceRow>> find(const std::string& id) {
    CAS_TRY_ASSIGN(const bool there, find_->bind(std::string_view(id)).step());
    if (!there) return std::optional<DeviceRow>();
    DeviceColumns columns{id,
                          find_->number(0),
                          find_->number(1),
                          find_->text(2),
                          find_->bytes(3),
                          find_->text(4),
                          find_->bytes(5),
                          find_->number(6),
                          find_->number(7),
                          find_->number(8)};
    CAS_TRY(find_->run());
    CAS_TRY_ASSIGN(auto row, row_of(std::move(columns)));
    return std::optional<DeviceRow>(std::move(row));
  }

  Status insert(const NewDevice& added) {
    const auto kind = static_cast<std::int64_t>(added.kind);
    if (added.kind != DeviceKind::secure_micro)
      return insert_without_keys_->bind(std::string_view(added.id), kind).run();
    CAS_TRY_ASSIGN(const Bytes sealed, seal_sm_keys(cipher_, added.id, added.keys));
    return insert_->bind(std::string_view(added.id), kind, ByteView(sealed)).run();
  }

  Store store_;
  StorageCipher cipher_;
  std::optional<Statement> find_, insert_, insert_without_keys_, set_sm_, set_tp_, ended_, count_,
      one_sided_;  // before their store
};

}  // namespace

Status create_sqlite_pairing_store(const std::filesystem::path& file) {
  CAS_TRY_ASSIGN(const Store store, Store::create(file, schema));
  return {};
}

Result<std::unique_ptr<PairingStore>> open_sqlite_pairing_store(const std::filesystem::path& file,
                                                                const SecretBytes& storage_key, Random& random) {
  CAS_TRY_ASSIGN(auto cipher, StorageCipher::create(storage_key, random));
  CAS_TRY_ASSIGN(auto store, Store::open(file, schema));
  auto opened = std::make_unique<SqlitePairingStore>(std::move(store), std::move(cipher));
  CAS_TRY(opened->prepare());
  return std::unique_ptr<PairingStore>(std::move(opened));
}

}  // namespace cas::dcas
