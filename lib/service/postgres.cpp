// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/postgres.hpp"

#include <charconv>
#include <cstring>

#include "service/postgres_state.hpp"

namespace cas::service {

bool postgres_is_supported() { return true; }

// ---------------------------------------------------------------------------------------------------------------- rows

namespace {

ByteView cell(const PGresult* result, std::size_t row, std::size_t column) {
  if (row >= static_cast<std::size_t>(PQntuples(result)) || column >= static_cast<std::size_t>(PQnfields(result)))
    return {};
  const int r = static_cast<int>(row), c = static_cast<int>(column);
  if (PQgetisnull(result, r, c) != 0) return {};
  return {reinterpret_cast<const std::uint8_t*>(PQgetvalue(result, r, c)),
          static_cast<std::size_t>(PQgetlength(result, r, c))};
}

}  // namespace

PostgresRows::PostgresRows(std::unique_ptr<State> state) : state_(std::move(state)) {}
PostgresRows::~PostgresRows() = default;
PostgresRows::PostgresRows(PostgresRows&&) noexcept = default;
PostgresRows& PostgresRows::operator=(PostgresRows&&) noexcept = default;

std::size_t PostgresRows::size() const { return static_cast<std::size_t>(PQntuples(state_->result.get())); }

std::uint64_t PostgresRows::affected() const {
  const char* const text = PQcmdTuples(state_->result.get());
  std::uint64_t count = 0;
  std::from_chars(text, text + std::strlen(text), count);
  return count;
}

bool PostgresRows::is_null(std::size_t row, std::size_t column) const {
  return cell(state_->result.get(), row, column).data() == nullptr;
}

std::int64_t PostgresRows::number(std::size_t row, std::size_t column) const {
  const ByteView bytes = cell(state_->result.get(), row, column);
  if (bytes.size() != 1 && bytes.size() != 2 && bytes.size() != 4 && bytes.size() != 8) return 0;
  // Big-endian, two's complement.
  std::uint64_t value = bytes.size() > 1 && (bytes[0] & 0x80) != 0 ? ~std::uint64_t{0} : 0;
  for (const std::uint8_t byte : bytes) value = value << 8 | byte;
  return static_cast<std::int64_t>(value);
}

std::string PostgresRows::text(std::size_t row, std::size_t column) const {
  return as_text(cell(state_->result.get(), row, column));
}

Bytes PostgresRows::bytes(std::size_t row, std::size_t column) const {
  return copy_of(cell(state_->result.get(), row, column));
}

SecretBytes PostgresRows::secret(std::size_t row, std::size_t column) const {
  return SecretBytes::copy_of(cell(state_->result.get(), row, column));
}

// --------------------------------------------------------------------------------------------------------- connections

PostgresConnection::PostgresConnection(std::unique_ptr<State> state) : state_(std::move(state)) {}
PostgresConnection::~PostgresConnection() = default;
PostgresConnection::PostgresConnection(PostgresConnection&&) noexcept = default;
PostgresConnection& PostgresConnection::operator=(PostgresConnection&&) noexcept = default;

Result<PostgresConnection> PostgresConnection::open(PostgresAddress address, const PostgresLimits& limits) {
  auto state = std::make_unique<State>();
  state->url = SecretBytes(address.url.size() + 1);
  std::copy(address.url.begin(), address.url.end(), state->url.reveal_mutable().begin());
  cleanse({reinterpret_cast<std::uint8_t*>(address.url.data()), address.url.size()});
  state->password_file = std::move(address.password_file);
  state->limits = limits;
  CAS_TRY(state->connect());
  return PostgresConnection(std::move(state));
}

Status PostgresConnection::run(std::string_view sql) { return state_->run(std::string(sql).c_str()); }

Status PostgresConnection::prepare(std::string name, std::string sql) {
  CAS_TRY(state_->prepare(name, sql));
  state_->statements.emplace_back(std::move(name), std::move(sql));
  return {};
}

Result<PostgresRows> PostgresConnection::execute(const PostgresStep& step) { return state_->execute(step); }

Result<std::vector<PostgresRows>> PostgresConnection::execute_batch(std::span<const PostgresStep> steps) {
  return state_->exchange({nullptr, steps, nullptr});
}

bool PostgresConnection::lost() const { return state_->handle == nullptr; }

Status PostgresConnection::reset() {
  Status connected = state_->connect();
  if (!connected) state_->handle.reset();
  return connected;
}

const std::string& PostgresConnection::sqlstate() const { return state_->sqlstate; }

// -------------------------------------------------------------------------------------------------------- transactions

namespace {

const char* begin_of(PostgresIsolation isolation) {
  return isolation == PostgresIsolation::serializable ? "BEGIN ISOLATION LEVEL SERIALIZABLE"
                                                      : "BEGIN ISOLATION LEVEL READ COMMITTED";
}

}  // namespace

struct PostgresConnection::Transaction::State {
  PostgresConnection::State* connection;
  std::uint64_t generation;
  [[nodiscard]] bool is_open() const { return connection->handle && connection->generation == generation; }
};

PostgresConnection::Transaction::Transaction(std::unique_ptr<State> state) : state_(std::move(state)) {}
PostgresConnection::Transaction::Transaction(Transaction&&) noexcept = default;

PostgresConnection::Transaction::~Transaction() {
  if (state_ && state_->is_open()) state_->connection->roll_back();
}

PostgresCommit PostgresConnection::Transaction::commit(std::span<const PostgresStep> steps) {
  if (!state_ || !state_->is_open()) {
    // What was lost before COMMIT went out was rolled back by the server.
    return {PostgresCommit::Outcome::rolled_back,
            {ErrorKind::io, "PostgreSQL: the connection was lost in the middle of a transaction"},
            false,
            {}};
  }
  return std::exchange(state_, nullptr)->connection->commit({nullptr, steps, "COMMIT"});
}

PostgresCommit PostgresConnection::transact(std::span<const PostgresStep> steps, PostgresIsolation isolation) {
  return state_->commit({begin_of(isolation), steps, "COMMIT"});
}

Result<PostgresConnection::Transaction> PostgresConnection::begin(PostgresIsolation isolation) {
  CAS_TRY(state_->run(begin_of(isolation)));
  return Transaction(std::unique_ptr<Transaction::State>(new Transaction::State{state_.get(), state_->generation}));
}

}  // namespace cas::service
