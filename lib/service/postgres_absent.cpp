// SPDX-License-Identifier: LGPL-2.1-or-later
// Where there is no libpq: no connection is ever made, so that nothing else is called.
#include "service/postgres.hpp"

namespace cas::service {

struct PostgresRows::State {};
struct PostgresConnection::State {
  std::string sqlstate;
};
struct PostgresConnection::Transaction::State {};

namespace {

Error absent() {
  return {ErrorKind::unsupported,
          "this build does not speak to PostgreSQL: install libpq-dev, and build with -Dpostgresql=enabled"};
}

PostgresCommit no_commit() { return {PostgresCommit::Outcome::rolled_back, absent(), false, {}}; }

}  // namespace

bool postgres_is_supported() { return false; }

PostgresRows::PostgresRows(std::unique_ptr<State> state) : state_(std::move(state)) {}
PostgresRows::~PostgresRows() = default;
PostgresRows::PostgresRows(PostgresRows&&) noexcept = default;
PostgresRows& PostgresRows::operator=(PostgresRows&&) noexcept = default;
std::size_t PostgresRows::size() const { return 0; }
std::uint64_t PostgresRows::affected() const { return 0; }
bool PostgresRows::is_null(std::size_t, std::size_t) const { return true; }
std::int64_t PostgresRows::number(std::size_t, std::size_t) const { return 0; }
std::string PostgresRows::text(std::size_t, std::size_t) const { return {}; }
Bytes PostgresRows::bytes(std::size_t, std::size_t) const { return {}; }
SecretBytes PostgresRows::secret(std::size_t, std::size_t) const { return {}; }

PostgresConnection::PostgresConnection(std::unique_ptr<State> state) : state_(std::move(state)) {}
PostgresConnection::~PostgresConnection() = default;
PostgresConnection::PostgresConnection(PostgresConnection&&) noexcept = default;
PostgresConnection& PostgresConnection::operator=(PostgresConnection&&) noexcept = default;
Result<PostgresConnection> PostgresConnection::open(PostgresAddress, const PostgresLimits&) { return fail(absent()); }
Status PostgresConnection::run(std::string_view) { return fail(absent()); }
Status PostgresConnection::prepare(std::string, std::string) { return fail(absent()); }
Result<PostgresRows> PostgresConnection::execute(const PostgresStep&) { return fail(absent()); }
Result<std::vector<PostgresRows>> PostgresConnection::execute_batch(std::span<const PostgresStep>) {
  return fail(absent());
}
PostgresCommit PostgresConnection::transact(std::span<const PostgresStep>, PostgresIsolation) { return no_commit(); }
bool PostgresConnection::lost() const { return true; }
Status PostgresConnection::reset() { return fail(absent()); }
const std::string& PostgresConnection::sqlstate() const { return state_->sqlstate; }

PostgresConnection::Transaction::Transaction(std::unique_ptr<State> state) : state_(std::move(state)) {}
PostgresConnection::Transaction::~Transaction() = default;
PostgresConnection::Transaction::Transaction(Transaction&&) noexcept = default;
PostgresCommit PostgresConnection::Transaction::commit(std::span<const PostgresStep>) { return no_commit(); }
Result<PostgresConnection::Transaction> PostgresConnection::begin(PostgresIsolation) { return fail(absent()); }

}  // namespace cas::service
