// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"

namespace cas::service {

/// Whether this build speaks to PostgreSQL (the option `postgresql`). Where it does not, `PostgresConnection::open`
/// gives ErrorKind::unsupported.
[[nodiscard]] bool postgres_is_supported();

struct PostgresAddress {
  /// "postgresql://USER@HOST:PORT/DATABASE?sslmode=verify-full", or "host=... dbname=...", as libpq reads them.
  std::string url;
  /// Where the password is, in the form of .pgpass, mode 0600; empty: where the environment says (PGPASSFILE), or in
  /// the url, where more eyes see it. It is in no error.
  std::string password_file;
};

/// No wait is longer. A name is looked up by the system, in the system's own time.
struct PostgresLimits {
  std::chrono::milliseconds connect{5'000};          ///< For each address of the host; in whole seconds, at least 2.
  std::chrono::milliseconds statement{5'000};        ///< The server gives up then.
  std::chrono::milliseconds answer{2'000};           ///< So long after that, it counts as gone.
  std::chrono::milliseconds unacknowledged{10'000};  ///< Bytes on the way (TCP_USER_TIMEOUT).
};

/// A parameter of a statement; std::monostate is NULL. Views are good for the call. A number is sent as bigint: where a
/// column is of another type, write $1::bigint.
using PostgresValue = std::variant<std::monostate, std::int64_t, std::string_view, ByteView>;

/// A prepared statement with its parameters.
struct PostgresStep {
  std::string statement;
  std::vector<PostgresValue> values;
};

/// What a statement gave back. Moves.
class PostgresRows {
 public:
  ~PostgresRows();
  PostgresRows(PostgresRows&&) noexcept;
  PostgresRows& operator=(PostgresRows&&) noexcept;

  [[nodiscard]] std::size_t size() const;
  /// Rows that it has changed, put in or taken out.
  [[nodiscard]] std::uint64_t affected() const;

  /// Columns are counted from 0. NULL is 0 and empty, as are rows and columns that are not there, and numbers that are
  /// none (smallint, integer, bigint and boolean are).
  [[nodiscard]] bool is_null(std::size_t row, std::size_t column) const;
  [[nodiscard]] std::int64_t number(std::size_t row, std::size_t column) const;
  [[nodiscard]] std::string text(std::size_t row, std::size_t column) const;
  [[nodiscard]] Bytes bytes(std::size_t row, std::size_t column) const;
  /// What libpq keeps of it is cleansed by nobody: a secret in a database is to be encrypted.
  [[nodiscard]] SecretBytes secret(std::size_t row, std::size_t column) const;

 private:
  friend class PostgresConnection;
  struct State;
  explicit PostgresRows(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

enum class PostgresIsolation { read_committed, serializable };

/// What became of a transaction.
struct PostgresCommit {
  enum class Outcome {
    committed,
    rolled_back,  ///< Nothing of it was done.
    unknown,      ///< The connection was lost before the answer: look what is there before you do it again.
  };
  Outcome outcome = Outcome::unknown;
  Error error;  ///< When it is not committed.
  /// Rolled back because of others at the same time (SQLSTATE 40001, 40P01): the same may succeed now.
  bool retry = false;
  std::vector<PostgresRows> rows;  ///< When it is committed, of each step.
};

/// A connection to a PostgreSQL server (version 12 or newer). One thread at a time. Moves.
///
/// Errors: io, of the server or the connection: then ask `lost`; refused for rows that a constraint forbids,
/// transactions that others stand in the way of, and a server that only reads; permission_denied; exhausted (disk,
/// connections); invalid_argument for values that a type does not have, and for an address that is none; internal for
/// SQL that is wrong. Sentences are the server's first lines, without its details, which quote rows.
class PostgresConnection {
 public:
  [[nodiscard]] static Result<PostgresConnection> open(PostgresAddress address, const PostgresLimits& limits = {});
  ~PostgresConnection();
  PostgresConnection(PostgresConnection&&) noexcept;
  PostgresConnection& operator=(PostgresConnection&&) noexcept;

  /// Texts of SQL that are parts of the program, as many as you like behind one another: for tables.
  [[nodiscard]] Status run(std::string_view sql);
  /// Statements are there again after `reset`.
  [[nodiscard]] Status prepare(std::string name, std::string sql);
  [[nodiscard]] Result<PostgresRows> execute(const PostgresStep& step);
  /// All of them in one round trip (pipeline mode), and what each gave back. Outside of a transaction they are one:
  /// when a step fails nothing was done, and when the connection is lost that is not known. For what must not be done
  /// twice, see `transact`.
  [[nodiscard]] Result<std::vector<PostgresRows>> execute_batch(std::span<const PostgresStep> steps);

  /// BEGIN, the steps and COMMIT in one round trip.
  [[nodiscard]] PostgresCommit transact(std::span<const PostgresStep> steps,
                                        PostgresIsolation isolation = PostgresIsolation::read_committed);

  /// What is executed while it lives is done together, or not at all: without commit() it has never been. Goes before
  /// its connection. One at a time.
  class Transaction {
   public:
    ~Transaction();
    Transaction(Transaction&&) noexcept;
    Transaction& operator=(Transaction&&) = delete;
    /// The steps, and COMMIT, in one round trip. Once.
    [[nodiscard]] PostgresCommit commit(std::span<const PostgresStep> steps = {});

   private:
    friend class PostgresConnection;
    struct State;
    explicit Transaction(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
  };
  [[nodiscard]] Result<Transaction> begin(PostgresIsolation isolation = PostgresIsolation::read_committed);

  /// Whether the connection is gone, as far as the last call has seen: `reset` may bring it back.
  [[nodiscard]] bool lost() const;
  /// Connects anew, and prepares all statements; a transaction that was open is rolled back by the server.
  [[nodiscard]] Status reset();
  /// The five letters of the last error (PostgreSQL, appendix A); empty when it was none of the server's.
  [[nodiscard]] const std::string& sqlstate() const;

 private:
  struct State;
  explicit PostgresConnection(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cas::service
