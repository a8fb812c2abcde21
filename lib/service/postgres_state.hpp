// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to service/, not installed: what is done with libpq.

#include <libpq-fe.h>

#include <optional>
#include <utility>

#include "service/postgres.hpp"

namespace cas::service {

struct FreePostgres {
  void operator()(PGconn* connection) const { PQfinish(connection); }
  void operator()(PGresult* result) const { PQclear(result); }
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using PostgresHandle = std::unique_ptr<PGconn, FreePostgres>;
using PostgresResult = std::unique_ptr<PGresult, FreePostgres>;

struct PostgresRows::State {
  PostgresResult result;
};

/// What goes out in one round trip.
struct PostgresBatch {
  const char* before = nullptr;  ///< SQL without parameters, and without rows.
  std::span<const PostgresStep> steps;
  const char* after = nullptr;
};

struct PostgresConnection::State {
  SecretBytes url;  ///< With a zero behind it.
  std::string password_file;
  PostgresLimits limits;
  PostgresHandle handle;  ///< Null when the connection is lost.
  std::vector<std::pair<std::string, std::string>> statements;
  std::string sqlstate;
  std::uint64_t generation = 0;  ///< Of the connection: transactions go with theirs.

  Status connect();
  /// SQL without parameters.
  Status run(const char* sql);
  Status prepare(const std::string& name, const std::string& sql);
  Result<PostgresRows> execute(const PostgresStep& step);
  /// The results of the steps.
  Result<std::vector<PostgresRows>> exchange(const PostgresBatch& batch);
  PostgresCommit commit(const PostgresBatch& batch);
  void roll_back();

 private:
  struct Parameters;
  tl::unexpected<Error> lose(const std::string& why);
  Status await_result();
  /// Null: no more of this statement.
  Result<PostgresResult> next();
  /// The one result of a statement.
  Result<PostgresResult> only_result();
  static Status check_values(const PostgresStep& step);
  bool send(const PostgresStep& step);
  Status send(const PostgresBatch& batch);
  Status check(const PGresult* result);
  Status check_address() const;
  std::string connection_message() const;
};

}  // namespace cas::service
