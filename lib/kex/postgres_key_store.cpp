// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "kex/key_store.hpp"
#include "kex/stored_key_cipher.hpp"
#include "service/postgres_retry.hpp"

namespace cas::kex {

namespace {

using service::connected;
using service::PostgresCommit;
using service::PostgresConnection;
using service::PostgresRows;
using service::PostgresStep;
using service::PostgresValue;
using service::try_until_done;

// `name` is KeyName::encode(); content_id stands beside it for people and their queries. Two servers may come at once to
// an empty database, and CREATE ... IF NOT EXISTS fails for one of them then: hence the lock.
constexpr std::string_view tables =
    "BEGIN;"
    "SELECT pg_advisory_xact_lock(4848206);"
    "CREATE TABLE IF NOT EXISTS content_key ("
    " name bytea PRIMARY KEY,"
    " kid bytea NOT NULL UNIQUE,"
    " iv bytea NOT NULL,"
    " value bytea NOT NULL,"
    " content_id text NOT NULL,"
    " auxiliary bytea NOT NULL,"
    " pushed boolean NOT NULL,"
    " created timestamptz NOT NULL DEFAULT now());"
    "CREATE INDEX IF NOT EXISTS content_key_by_content ON content_key (content_id);"
    "COMMIT;";

class PostgresKeyStore final : public KeyStore {
 public:
  PostgresKeyStore(PostgresConnection connection, StoredKeyCipher cipher, Random& random)
      : connection_(std::move(connection)), cipher_(std::move(cipher)), random_(random) {}

  [[nodiscard]] Status prepare() {
    // Who may only read and add rows goes on with tables that are there.
    CAS_TRY(connection_.prepare("table", "SELECT count(to_regclass('content_key'))"));
    CAS_TRY_ASSIGN(const PostgresRows there, connection_.execute({"table", {}}));
    if (there.number(0, 0) == 0) CAS_TRY(connection_.run(tables));
    CAS_TRY(connection_.prepare("find", "SELECT kid, iv, value, auxiliary FROM content_key WHERE name = $1"));
    CAS_TRY(connection_.prepare("insert",
                                "INSERT INTO content_key (name, kid, iv, value, content_id, auxiliary, pushed)"
                                " VALUES ($1, $2, $3, $4, $5, $6, false) ON CONFLICT DO NOTHING"));
    CAS_TRY(connection_.prepare("has", "SELECT 1 FROM content_key WHERE kid = $1"));
    CAS_TRY(connection_.prepare("bring",
                                "INSERT INTO content_key (name, kid, iv, value, content_id, auxiliary, pushed)"
                                " VALUES ($1, $2, $3, $4, $5, $6, true)"));
    CAS_TRY(connection_.prepare("count", "SELECT count(*) FROM content_key"));
    CAS_TRY(connection_.prepare("durable", service::wait_for_disk));
    return connection_.prepare("ping", "SELECT 1");
  }

  Result<std::vector<SettledKey>> settle(std::span<const KeyProposal> proposals) override {
    std::vector<Wanted> wanted;
    for (const KeyProposal& proposal : proposals)
      wanted.push_back({proposal, proposal.name.encode(), proposal.key.clone(), {}});
    CAS_TRY(try_until_done(connection_, [&] { return settle_once(wanted); }));
    return results(wanted);
  }

  Result<std::vector<SettledKey>> bring(std::span<const KeyProposal> keys) override {
    std::vector<Wanted> wanted;
    for (const KeyProposal& brought : keys) wanted.push_back({brought, brought.name.encode(), brought.key.clone(), {}});
    CAS_TRY(try_until_done(connection_, [&] { return bring_once(wanted); }));
    return results(wanted);
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

 private:
  struct Wanted {
    const KeyProposal& proposal;
    Bytes name;
    KeyMaterial key;  ///< What is proposed now: its id may be replaced.
    std::optional<SettledKey> settled;
  };

  static std::vector<SettledKey> results(std::vector<Wanted>& wanted) {
    std::vector<SettledKey> all;
    for (Wanted& one : wanted) all.push_back(std::move(*one.settled));
    return all;
  }

  static std::vector<Wanted*> without_key(std::vector<Wanted>& wanted) {
    std::vector<Wanted*> missing;
    for (Wanted& one : wanted)
      if (!one.settled) missing.push_back(&one);
    // In one order at all servers, so that none waits for another that waits for it.
    std::ranges::sort(missing, [](const Wanted* a, const Wanted* b) { return a->name < b->name; });
    return missing;
  }

  Result<bool> settle_once(std::vector<Wanted>& wanted) {
    CAS_TRY(connected(connection_));
    CAS_TRY(look(wanted));
    if (const auto missing = without_key(wanted); !missing.empty()) CAS_TRY(add(missing));
    return std::ranges::all_of(wanted, [](const Wanted& one) { return one.settled.has_value(); });
  }

  Result<bool> bring_once(std::vector<Wanted>& wanted) {
    CAS_TRY(connected(connection_));
    CAS_TRY(look(wanted));
    for (const Wanted& one : wanted)
      if (one.settled && !is_same_key(one.settled->key, one.key)) return fail_another_key(one.proposal.name);
    const auto missing = without_key(wanted);
    if (missing.empty()) return true;
    std::vector<PostgresStep> ids;
    for (const Wanted* one : missing) ids.push_back({"has", {ByteView(one->key.kid.bytes)}});
    CAS_TRY_ASSIGN(const auto taken, connection_.execute_batch(ids));
    for (std::size_t at = 0; at < missing.size(); ++at) {
      const auto same_id = [&](const Wanted* other) { return other->key.kid == missing[at]->key.kid; };
      if (taken[at].size() > 0 || std::count_if(missing.begin(), missing.end(), same_id) > 1)
        return fail_key_id_taken(missing[at]->key.kid);
    }
    Sealed sealed;
    std::vector<PostgresStep> steps{{"durable", {}}};
    for (const Wanted* one : missing) {
      CAS_TRY_ASSIGN(auto values, seal(*one, sealed));
      steps.push_back({"bring", std::move(values)});
    }
    const PostgresCommit done = connection_.transact(steps);
    if (done.outcome != PostgresCommit::Outcome::committed) {
      // Somebody has taken a name or an id meanwhile: what was brought may be refused now.
      const bool quicker = done.retry || connection_.sqlstate() == "23505";
      if (done.outcome == PostgresCommit::Outcome::rolled_back && quicker) return false;
      // A database that only reads refuses, too, but not these keys.
      return fail(done.error.kind == ErrorKind::refused ? ErrorKind::io : done.error.kind, done.error.message);
    }
    for (Wanted* one : missing) one->settled = SettledKey{one->key.clone(), true};
    return true;
  }

  Status look(std::vector<Wanted>& wanted) {
    std::vector<PostgresStep> steps;
    std::vector<Wanted*> asked;
    for (Wanted& one : wanted) {
      if (one.settled) continue;
      steps.push_back({"find", {ByteView(one.name)}});
      asked.push_back(&one);
    }
    if (steps.empty()) return {};
    CAS_TRY_ASSIGN(const auto found, connection_.execute_batch(steps));
    for (std::size_t at = 0; at < asked.size(); ++at)
      if (found[at].size() > 0) CAS_TRY(take(*asked[at], found[at], false));
    return {};
  }

  /// Where the values of statements are kept.
  using Sealed = std::deque<std::pair<Bytes, Bytes>>;
  Result<std::vector<PostgresValue>> seal(const Wanted& one, Sealed& keep) {
    CAS_TRY_ASSIGN(Bytes value, cipher_.seal(one.name, one.key));
    const auto& [sealed, auxiliary] = keep.emplace_back(std::move(value), encode_auxiliary(one.key.auxiliary));
    return std::vector<PostgresValue>{ByteView(one.name),
                                      ByteView(one.key.kid.bytes),
                                      ByteView(one.key.iv),
                                      ByteView(sealed),
                                      std::string_view(one.proposal.name.content_id),
                                      ByteView(auxiliary)};
  }

  Status add(const std::vector<Wanted*>& missing) {
    Sealed sealed;
    std::vector<PostgresStep> steps{{"durable", {}}};
    for (const Wanted* one : missing) {
      CAS_TRY_ASSIGN(auto values, seal(*one, sealed));
      steps.push_back({"insert", std::move(values)});
      steps.push_back({"find", {ByteView(one->name)}});
    }
    const PostgresCommit done = connection_.transact(steps);
    if (done.outcome != PostgresCommit::Outcome::committed) {
      if (done.outcome == PostgresCommit::Outcome::rolled_back && done.retry) return {};
      return fail(done.error);
    }
    for (std::size_t at = 0; at < missing.size(); ++at) {
      const bool inserted = done.rows[1 + 2 * at].affected() == 1;
      const PostgresRows& found = done.rows[2 + 2 * at];
      if (found.size() > 0) {
        CAS_TRY(take(*missing[at], found, inserted));
      } else {
        CAS_TRY_ASSIGN(missing[at]->key.kid, Uuid::draw(random_));  // Another name has it.
      }
    }
    return {};
  }

  Status take(Wanted& wanted, const PostgresRows& rows, bool fresh) {
    SettledKey found;
    found.fresh = fresh;
    const Bytes kid = rows.bytes(0, 0), iv = rows.bytes(0, 1);
    if (kid.size() != sizeof(Uuid::bytes) || iv.size() != sizeof(InitialisationVector))
      return fail(ErrorKind::malformed, "a stored key has an id or an initialisation vector of another size");
    std::ranges::copy(kid, found.key.kid.bytes.begin());
    std::ranges::copy(iv, found.key.iv.begin());
    CAS_TRY_ASSIGN(found.key.value, cipher_.open(wanted.name, found.key.kid, found.key.iv, rows.bytes(0, 2)));
    CAS_TRY_ASSIGN(found.key.auxiliary, decode_auxiliary(rows.bytes(0, 3)));
    wanted.settled = std::move(found);
    return {};
  }

  PostgresConnection connection_;
  StoredKeyCipher cipher_;
  Random& random_;
};

}  // namespace

Result<std::unique_ptr<KeyStore>> open_postgres_key_store(const service::PostgresAddress& address,
                                                          const SecretBytes& storage_key, Random& random) {
  CAS_TRY_ASSIGN(auto cipher, StoredKeyCipher::create(storage_key, random));
  CAS_TRY_ASSIGN(auto connection, PostgresConnection::open(address));
  auto opened = std::make_unique<PostgresKeyStore>(std::move(connection), std::move(cipher), random);
  CAS_TRY(opened->prepare());
  return std::unique_ptr<KeyStore>(std::move(opened));
}

}  // namespace cas::kex
