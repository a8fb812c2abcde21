// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "crypto/constant_time.hpp"
#include "dcas/identity.hpp"
#include "dcas/pairing_store.hpp"
#include "dcas/pairing_store_batch.hpp"
#include "service/postgres_retry.hpp"

namespace cas::dcas {

namespace {

using service::connected;
using service::PostgresCommit;
using service::PostgresConnection;
using service::PostgresRows;
using service::PostgresStep;
using service::StorageCipher;
using service::try_until_done;

// What `ap` to `until` say is the pair's last stay in a network, and stands with the secure micro. Two servers may come at
// once to an empty database, and CREATE ... IF NOT EXISTS fails for one of them then: hence the lock.
constexpr std::string_view tables =
    "BEGIN;"
    "SELECT pg_advisory_xact_lock(4408403);"
    "CREATE TABLE IF NOT EXISTS dcas_device ("
    " id text COLLATE \"C\" PRIMARY KEY,"
    " kind smallint NOT NULL CHECK (kind IN (1, 2)),"
    " state smallint NOT NULL DEFAULT 0 CHECK (state IN (0, 1, 16)),"
    " partner text COLLATE \"C\","
    " keys bytea,"
    " ap text,"
    " request bytea,"
    " lease bigint CHECK (lease > 0),"
    " since bigint,"
    " until bigint,"
    " CHECK ((state = 0) = (partner IS NULL)),"
    " CHECK ((kind = 1) = (keys IS NOT NULL)),"
    " CHECK ((kind = 1 AND state <> 0) = (lease IS NOT NULL)),"
    " CHECK ((lease IS NULL) = (until IS NULL)));"
    "CREATE INDEX IF NOT EXISTS dcas_device_by_end ON dcas_device (until) WHERE kind = 1 AND state = 1;"
    "COMMIT;";

// Ids have no blanks.
constexpr const char* rows_of =
    "SELECT id, kind, state, partner, keys, ap, request, lease, since, until FROM dcas_device"
    " WHERE id = ANY (string_to_array($1, ' ')) ORDER BY id";

class PostgresPairingStore final : public PairingStore {
 public:
  PostgresPairingStore(PostgresConnection connection, StorageCipher cipher)
      : connection_(std::move(connection)), cipher_(std::move(cipher)) {}

  [[nodiscard]] Status prepare() {
    // Who may only read and change rows goes on with tables that are there.
    CAS_TRY(connection_.prepare("table", "SELECT count(to_regclass('dcas_device'))"));
    CAS_TRY_ASSIGN(const PostgresRows there, connection_.execute({"table", {}}));
    if (there.number(0, 0) == 0) CAS_TRY(connection_.run(tables));
    CAS_TRY(connection_.prepare("find", rows_of));
    // In one order at all servers, so that none waits for another that waits for it.
    CAS_TRY(connection_.prepare("lock", std::string(rows_of) + " FOR UPDATE"));
    CAS_TRY(connection_.prepare("insert", "INSERT INTO dcas_device (id, kind, keys) VALUES ($1, $2::bigint, $3)"));
    CAS_TRY(connection_.prepare("insert-without-keys", "INSERT INTO dcas_device (id, kind) VALUES ($1, $2::bigint)"));
    CAS_TRY(connection_.prepare("set-sm",
                                "UPDATE dcas_device SET state = $2::bigint, partner = $3, ap = $4, request = $5,"
                                " lease = $6, since = $7, until = $8 WHERE id = $1"));
    CAS_TRY(connection_.prepare("set-tp", "UPDATE dcas_device SET state = $2::bigint, partner = $3 WHERE id = $1"));
    CAS_TRY(connection_.prepare("ended",
                                "SELECT id, partner, lease FROM dcas_device"
                                " WHERE kind = 1 AND state = 1 AND until <= $1 ORDER BY until LIMIT $2"));
    CAS_TRY(connection_.prepare("count", "SELECT count(*) FROM dcas_device"));
    CAS_TRY(connection_.prepare("one-sided",
                                "SELECT one.id FROM dcas_device AS one"
                                " LEFT JOIN dcas_device AS other ON other.id = one.partner WHERE one.state <> 0 AND"
                                " (other.id IS NULL OR other.partner IS DISTINCT FROM one.id"
                                " OR other.state <> one.state OR other.kind = one.kind) LIMIT 1"));
    CAS_TRY(connection_.prepare("durable", service::wait_for_disk));
    return connection_.prepare("ping", "SELECT 1");
  }

  Result<std::uint64_t> add_devices(std::span<const NewDevice> devices) override {
    CAS_TRY(check_new_devices(devices));
    std::uint64_t fresh = 0;
    CAS_TRY(try_until_done(connection_, [&] { return add_once(devices, fresh); }));
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
    std::vector<EndedLease> all;
    CAS_TRY(try_until_done(connection_, [&] { return expire_once(now, most, all); }));
    return all;
  }

  Result<DeviceRecord> device(const std::string& id) override {
    CAS_TRY_ASSIGN(auto row, find(id));
    return std::move(row.record);
  }
  Result<SecretBytes> sm_keys(const std::string& id) override {
    CAS_TRY_ASSIGN(const auto row, find(id));
    if (row.record.kind != DeviceKind::secure_micro) return fail_no_device(id);
    return open_sm_keys(cipher_, row);
  }

  Result<std::uint64_t> count() override {
    CAS_TRY(connected(connection_));
    CAS_TRY_ASSIGN(const PostgresRows rows, connection_.execute({"count", {}}));
    return static_cast<std::uint64_t>(rows.number(0, 0));
  }
  Status check() override {
    CAS_TRY(connected(connection_));
    const auto rows = connection_.execute({"ping", {}});
    if (!rows) return fail(rows.error());
    return {};
  }
  Status verify() override {
    CAS_TRY(connected(connection_));
    CAS_TRY_ASSIGN(const PostgresRows rows, connection_.execute({"one-sided", {}}));
    if (rows.size() == 0) return {};
    return fail_one_sided(rows.text(0, 0));
  }

 private:
  using Ids = std::set<std::string_view>;

  /// What cannot be an id is no device's, and stands in no list of ids.
  static void add_id(Ids& ids, const std::string& id) {
    if (is_identity(id)) ids.insert(id);
  }

  Result<std::vector<DeviceRow>> rows(const char* statement, const Ids& ids) {
    std::string list;
    for (const std::string_view id : ids) list.append(list.empty() ? "" : " ").append(id);
    CAS_TRY_ASSIGN(const PostgresRows found, connection_.execute({statement, {std::string_view(list)}}));
    std::vector<DeviceRow> all;
    for (std::size_t at = 0; at < found.size(); ++at) {
      CAS_TRY_ASSIGN(auto row, row_of({found.text(at, 0), found.number(at, 1), found.number(at, 2), found.text(at, 3),
                                       found.bytes(at, 4), found.text(at, 5), found.bytes(at, 6), found.number(at, 7),
                                       found.number(at, 8), found.number(at, 9)}));
      all.push_back(std::move(row));
    }
    return all;
  }

  Result<DeviceRow> find(const std::string& id) {
    CAS_TRY(connected(connection_));
    Ids ids;
    add_id(ids, id);
    CAS_TRY_ASSIGN(auto found, rows("find", ids));
    if (found.empty()) return fail_no_device(id);
    return std::move(found.front());
  }

  /// Each of `all` in its turn, in one transaction.
  template <typename Outcome, typename Asked, typename One>
  Result<std::vector<Outcome>> change(std::span<const Asked> all, UnixSeconds now, const One& one) {
    std::vector<Outcome> outcomes;
    CAS_TRY(try_until_done(connection_, [&] { return change_once(all, now, one, outcomes); }));
    return outcomes;
  }

  template <typename Outcome, typename Asked, typename One>
  Result<bool> change_once(std::span<const Asked> all, UnixSeconds now, const One& one,
                           std::vector<Outcome>& outcomes) {
    CAS_TRY(connected(connection_));
    Ids ids;
    for (const Asked& asked : all)
      for (const std::string* id : {&asked.sm, &asked.tp}) add_id(ids, *id);
    CAS_TRY_ASSIGN(auto transaction, connection_.begin());
    PairingBatch batch(cipher_, now);
    CAS_TRY_ASSIGN(const bool locked, lock(ids, batch));
    if (!locked) return false;
    outcomes.clear();
    outcomes.reserve(all.size());
    for (const Asked& asked : all) outcomes.push_back(one(batch, asked));
    return write(batch, transaction);
  }

  /// Rows that this transaction has for itself. False when others stood in the way: the same may succeed now.
  Result<bool> lock(const Ids& ids, PairingBatch& batch) {
    auto found = rows("lock", ids);
    if (!found && connection_.sqlstate() == "40P01") return false;
    if (!found) return fail(found.error());
    for (DeviceRow& row : *found) batch.put(std::move(row));
    return true;
  }

  Result<bool> write(const PairingBatch& batch, PostgresConnection::Transaction& transaction) {
    const auto changed = batch.changed();
    if (changed.empty()) return true;  // what was refused needs no disk
    std::vector<PostgresStep> steps{{"durable", {}}};
    for (const DeviceRecord* device : changed) {
      const auto state = static_cast<std::int64_t>(device->state);
      const std::string_view id = device->id, partner = device->partner;
      if (!device->lease) {
        steps.push_back({"set-tp", {id, state, partner}});
        continue;
      }
      const Lease& lease = *device->lease;
      steps.push_back(
          {"set-sm",
           {id, state, partner, std::string_view(lease.ap), ByteView(lease.request),
            static_cast<std::int64_t>(lease.number), std::int64_t{lease.since}, std::int64_t{lease.until}}});
    }
    return settle(transaction.commit(steps));
  }

  /// Whether it is committed, or is to be tried again.
  static Result<bool> settle(const PostgresCommit& done) {
    if (done.outcome == PostgresCommit::Outcome::committed) return true;
    if (done.outcome == PostgresCommit::Outcome::rolled_back && done.retry) return false;
    // A database that only reads refuses, too, but no pair of devices.
    return fail(done.error.kind == ErrorKind::refused ? ErrorKind::io : done.error.kind, done.error.message);
  }

  Result<bool> expire_once(UnixSeconds now, std::size_t most, std::vector<EndedLease>& all) {
    CAS_TRY(connected(connection_));
    constexpr auto limit = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max());
    CAS_TRY_ASSIGN(
        const PostgresRows over,
        connection_.execute({"ended", {std::int64_t{now}, static_cast<std::int64_t>(std::min(most, limit))}}));
    std::vector<std::pair<std::string, std::string>> pairs;
    Ids ids;
    for (std::size_t at = 0; at < over.size(); ++at) pairs.emplace_back(over.text(at, 0), over.text(at, 1));
    for (const auto& [sm, tp] : pairs) {
      add_id(ids, sm);
      add_id(ids, tp);
    }
    CAS_TRY_ASSIGN(auto transaction, connection_.begin());
    PairingBatch batch(cipher_, now);
    CAS_TRY_ASSIGN(const bool locked, lock(ids, batch));
    if (!locked) return false;
    all.clear();
    // What another server has ended or renewed meanwhile is its own to report.
    for (const auto& [sm, tp] : pairs)
      if (auto ended = batch.expire(sm, tp)) all.push_back(std::move(*ended));
    return write(batch, transaction);
  }

  Result<bool> add_once(std::span<const NewDevice> devices, std::uint64_t& fresh) {
    CAS_TRY(connected(connection_));
    Ids ids;
    std::map<std::string_view, const NewDevice*> first;
    for (const NewDevice& added : devices) {
      ids.insert(added.id);
      const auto [same, is_first] = first.try_emplace(added.id, &added);
      const bool is_same = same->second->kind == added.kind &&
                           crypto::constant_time_equal(same->second->keys.reveal(), added.keys.reveal());
      if (!is_first && !is_same)
        return fail(ErrorKind::refused, "the id " + added.id + " is given to two devices: draw a new one");
    }
    CAS_TRY_ASSIGN(const auto there, rows("find", ids));
    for (const DeviceRow& row : there) {
      CAS_TRY(check_same_device(cipher_, row, *first.at(row.record.id)));
      first.erase(row.record.id);
    }
    fresh = first.size();
    if (first.empty()) return true;
    std::vector<PostgresStep> steps{{"durable", {}}};
    std::deque<Bytes> sealed;  // where the values of statements are kept
    for (const auto& [id, added] : first) {
      const auto kind = static_cast<std::int64_t>(added->kind);
      if (added->kind == DeviceKind::secure_micro) {
        CAS_TRY_ASSIGN(Bytes keys, seal_sm_keys(cipher_, added->id, added->keys));
        steps.push_back({"insert", {id, kind, ByteView(sealed.emplace_back(std::move(keys)))}});
      } else {
        steps.push_back({"insert-without-keys", {id, kind}});
      }
    }
    const PostgresCommit done = connection_.transact(steps);
    // Somebody has taken an id meanwhile: what was added may be refused now.
    if (done.outcome == PostgresCommit::Outcome::rolled_back && connection_.sqlstate() == "23505") return false;
    return settle(done);
  }

  PostgresConnection connection_;
  StorageCipher cipher_;
};

}  // namespace

Result<std::unique_ptr<PairingStore>> open_postgres_pairing_store(const service::PostgresAddress& address,
                                                                  const SecretBytes& storage_key, Random& random) {
  CAS_TRY_ASSIGN(auto cipher, StorageCipher::create(storage_key, random));
  CAS_TRY_ASSIGN(auto connection, PostgresConnection::open(address));
  auto opened = std::make_unique<PostgresPairingStore>(std::move(connection), std::move(cipher));
  CAS_TRY(opened->prepare());
  return std::unique_ptr<PairingStore>(std::move(opened));
}

}  // namespace cas::dcas
