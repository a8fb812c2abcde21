// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/postgres_state.hpp"

#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/durable_file.hpp"

namespace cas::service {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::string_view failure = "PostgreSQL: ";

ErrorKind kind_of(std::string_view sqlstate) {
  struct Kind {
    std::string_view start;
    ErrorKind kind;
  };
  static constexpr std::array kinds = {
      Kind{"08P01", ErrorKind::invalid_argument},
      Kind{"22", ErrorKind::invalid_argument},
      Kind{"23", ErrorKind::refused},
      Kind{"25", ErrorKind::refused},
      Kind{"28", ErrorKind::permission_denied},
      Kind{"3D", ErrorKind::not_found},
      Kind{"40", ErrorKind::refused},
      Kind{"42501", ErrorKind::permission_denied},
      Kind{"42", ErrorKind::internal},
      Kind{"26", ErrorKind::internal},
      Kind{"53", ErrorKind::exhausted},
  };
  const auto found = std::ranges::find_if(kinds, [&](const Kind& kind) { return sqlstate.starts_with(kind.start); });
  return found == kinds.end() ? ErrorKind::io : found->kind;
}

/// The value of an option of the address; empty when it is not there.
std::string option(const PQconninfoOption* options, const char* name) {
  for (const PQconninfoOption* at = options; at != nullptr && at->keyword != nullptr; ++at)
    if (std::strcmp(at->keyword, name) == 0 && at->val != nullptr) return at->val;
  return {};
}

void replace_all(std::string& text, const std::string& what) {
  if (what.empty()) return;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 3))
    text.replace(at, what.size(), "***");
}

using Options = std::unique_ptr<PQconninfoOption, FreePostgres>;

Options options_of(const SecretBytes& url) {
  return Options(PQconninfoParse(reinterpret_cast<const char*>(url.reveal().data()), nullptr));
}

const char* text_of(const SecretBytes& url) { return reinterpret_cast<const char*>(url.reveal().data()); }

}  // namespace

// ---------------------------------------------------------------------------------------------------------- connecting

/// libpq's sentences about an address quote it, and a password that was not written as it should be looks like a host.
Status PostgresConnection::State::check_address() const {
  const Options options = options_of(url);
  if (!options || url.size() <= 1)
    return fail(
        ErrorKind::invalid_argument,
        "the address of the database is none: write postgresql://USER@HOST/DATABASE, and the password into a file");
  if (option(options.get(), "host").find('@') != std::string::npos)
    return fail(
        ErrorKind::invalid_argument,
        "the host of the database has an '@' in it: percent-encode it in the password, or write that into a file");
  if (password_file.empty()) return {};
  struct stat about {};
  if (::stat(password_file.c_str(), &about) != 0) return fail_with_errno(errno, "examine", password_file);
  // libpq overlooks such a file, and says so on standard error.
  if (!S_ISREG(about.st_mode) || (about.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return fail(ErrorKind::permission_denied,
                password_file + " is to be a regular file that nobody else may read: chmod 600 it");
  return {};
}

std::string PostgresConnection::State::connection_message() const {
  std::string message = PQerrorMessage(handle.get());
  const Options options = options_of(url);
  for (const char* secret : {"password", "sslpassword"}) replace_all(message, option(options.get(), secret));
  while (!message.empty() && message.back() == '\n') message.pop_back();
  std::ranges::replace(message, '\n', ' ');
  return message;
}

Status PostgresConnection::State::connect() {
  handle.reset();
  sqlstate.clear();
  ++generation;
  CAS_TRY(check_address());
  const auto seconds = std::max<std::int64_t>(2, std::chrono::ceil<std::chrono::seconds>(limits.connect).count());
  const std::string connect_timeout = std::to_string(seconds);
  const std::string user_timeout = std::to_string(limits.unacknowledged.count());
  // What stands later goes before; "dbname" alone may be a whole address.
  std::vector<const char*> names = {"dbname",          "connect_timeout",     "tcp_user_timeout", "keepalives",
                                    "keepalives_idle", "keepalives_interval", "keepalives_count", "client_encoding"};
  std::vector<const char*> values = {text_of(url), connect_timeout.c_str(), user_timeout.c_str(), "1", "10", "5", "3",
                                     "UTF8"};
  if (!password_file.empty()) {
    names.push_back("passfile");
    values.push_back(password_file.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  handle.reset(PQconnectdbParams(names.data(), values.data(), 1));
  if (!handle) throw std::bad_alloc();
  if (PQstatus(handle.get()) != CONNECTION_OK) {
    const std::string message = connection_message();
    const bool password = PQconnectionNeedsPassword(handle.get()) != 0 || PQconnectionUsedPassword(handle.get()) != 0;
    handle.reset();
    return fail(password ? ErrorKind::permission_denied : ErrorKind::io, std::string(failure) + message);
  }
  PQsetErrorVerbosity(handle.get(), PQERRORS_TERSE);  // details quote rows
  PQsetNoticeProcessor(
      handle.get(), [](void*, const char*) {}, nullptr);
  if (PQsetnonblocking(handle.get(), 1) != 0) return lose("the connection cannot be used without waiting");
  const std::string limit = std::to_string(std::max<std::int64_t>(1, limits.statement.count()));
  CAS_TRY(run(("SET statement_timeout = " + limit + "; SET lock_timeout = " + limit +
               "; SET idle_in_transaction_session_timeout = '60s'")
                  .c_str()));
  for (const auto& [name, sql] : statements) CAS_TRY(prepare(name, sql));
  return {};
}

tl::unexpected<Error> PostgresConnection::State::lose(const std::string& why) {
  handle.reset();
  return fail(ErrorKind::io, std::string(failure) + "the connection is lost: " + why);
}

// ------------------------------------------------------------------------------------------------------------- waiting

/// Sends what is to be sent, and reads until a result can be taken without waiting.
Status PostgresConnection::State::await_result() {
  const auto end = steady_clock::now() + limits.statement + limits.answer;
  for (;;) {
    const int unsent = PQflush(handle.get());
    if (unsent < 0) return lose(connection_message());
    if (PQisBusy(handle.get()) == 0) return {};
    const auto left = std::chrono::ceil<milliseconds>(end - steady_clock::now()).count();
    if (left <= 0) return lose("the server does not answer in time");
    const short events = static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN);
    pollfd waiting{PQsocket(handle.get()), events, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if (ready < 0 && errno != EINTR) return lose("waiting for the server failed");
    if (ready > 0 && (waiting.revents & ~POLLOUT) != 0 && PQconsumeInput(handle.get()) == 0)
      return lose(connection_message());
  }
}

Result<PostgresResult> PostgresConnection::State::next() {
  CAS_TRY(await_result());
  PostgresResult result(PQgetResult(handle.get()));
  // The server may say why it ends, and end before anybody looks at it.
  const char* const state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
  if (state != nullptr && sqlstate.empty()) sqlstate = state;
  if (PQstatus(handle.get()) != CONNECTION_OK) return lose(connection_message());
  return result;
}

Result<PostgresResult> PostgresConnection::State::only_result() {
  PostgresResult only;
  for (;;) {
    CAS_TRY_ASSIGN(PostgresResult result, next());
    if (!result) return only;
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
      return lose("COPY is not done here");
    const bool failed = only && PQresultStatus(only.get()) == PGRES_FATAL_ERROR;
    if (!failed) only = std::move(result);
  }
}

Status PostgresConnection::State::check(const PGresult* result) {
  switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY: return {};
    default: break;
  }
  const char* const state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* const message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  sqlstate = state != nullptr ? state : "";
  std::string sentence = std::string(failure) + (message != nullptr ? message : "an answer that cannot be");
  if (!sqlstate.empty()) sentence += " (" + sqlstate + ")";
  return fail(state != nullptr ? kind_of(sqlstate) : ErrorKind::internal, std::move(sentence));
}

// ------------------------------------------------------------------------------------------------------------- sending

/// Values as libpq takes them: all binary, numbers as bigint (big-endian).
struct PostgresConnection::State::Parameters {
  std::vector<std::array<char, 8>> numbers;
  std::vector<const char*> values;
  std::vector<int> sizes;
  std::vector<int> formats;

  explicit Parameters(const std::vector<PostgresValue>& from) {
    numbers.reserve(from.size());
    for (const PostgresValue& value : from) std::visit([this](const auto& it) { add(it); }, value);
    formats.assign(from.size(), 1);
  }
  void add(std::monostate) { add(nullptr, 0); }
  void add(std::int64_t number) {
    auto& bytes = numbers.emplace_back();
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<char>(static_cast<std::uint64_t>(number) >> (8 * (bytes.size() - 1 - i)));
    add(bytes.data(), bytes.size());
  }
  // An empty value is not NULL.
  void add(std::string_view text) { add(text.empty() ? "" : text.data(), text.size()); }
  void add(ByteView bytes) { add(bytes.empty() ? "" : reinterpret_cast<const char*>(bytes.data()), bytes.size()); }
  void add(const char* value, std::size_t size) {
    values.push_back(value);
    sizes.push_back(static_cast<int>(size));
  }
};

Status PostgresConnection::State::check_values(const PostgresStep& step) {
  constexpr std::size_t most_values = 65'535, largest = 1U << 30;  // the protocol's, and the server's
  const auto is_too_large = [](const PostgresValue& value) {
    if (const auto* const text = std::get_if<std::string_view>(&value)) return text->size() >= largest;
    if (const auto* const bytes = std::get_if<ByteView>(&value)) return bytes->size() >= largest;
    return false;
  };
  if (step.values.size() <= most_values && std::ranges::none_of(step.values, is_too_large)) return {};
  return fail(ErrorKind::invalid_argument, "a statement for PostgreSQL has too many values, or one of 1 GiB or more");
}

bool PostgresConnection::State::send(const PostgresStep& step) {
  const Parameters parameters(step.values);
  return PQsendQueryPrepared(handle.get(), step.statement.c_str(), static_cast<int>(step.values.size()),
                             parameters.values.data(), parameters.sizes.data(), parameters.formats.data(), 1) != 0;
}

Status PostgresConnection::State::run(const char* sql) {
  sqlstate.clear();
  if (!handle) return lose("connect anew");
  if (PQsendQuery(handle.get(), sql) == 0) return lose(connection_message());
  CAS_TRY_ASSIGN(const PostgresResult result, only_result());
  return check(result.get());
}

Status PostgresConnection::State::prepare(const std::string& name, const std::string& sql) {
  sqlstate.clear();
  if (!handle) return lose("connect anew");
  if (PQsendPrepare(handle.get(), name.c_str(), sql.c_str(), 0, nullptr) == 0) return lose(connection_message());
  CAS_TRY_ASSIGN(const PostgresResult result, only_result());
  return check(result.get());
}

Result<PostgresRows> PostgresConnection::State::execute(const PostgresStep& step) {
  sqlstate.clear();
  if (!handle) return lose("connect anew");
  CAS_TRY(check_values(step));
  if (!send(step)) return lose(connection_message());
  CAS_TRY_ASSIGN(PostgresResult result, only_result());
  CAS_TRY(check(result.get()));
  return PostgresRows(std::unique_ptr<PostgresRows::State>(new PostgresRows::State{std::move(result)}));
}

Status PostgresConnection::State::send(const PostgresBatch& batch) {
  const auto send_text = [this](const char* sql) {
    return sql == nullptr || PQsendQueryParams(handle.get(), sql, 0, nullptr, nullptr, nullptr, nullptr, 0) != 0;
  };
  for (const PostgresStep& step : batch.steps) CAS_TRY(check_values(step));
  const bool sent = PQenterPipelineMode(handle.get()) != 0 && send_text(batch.before) &&
                    std::ranges::all_of(batch.steps, [this](const PostgresStep& step) { return send(step); }) &&
                    send_text(batch.after) && PQpipelineSync(handle.get()) != 0;
  return sent ? Status() : lose(connection_message());
}

Result<std::vector<PostgresRows>> PostgresConnection::State::exchange(const PostgresBatch& batch) {
  sqlstate.clear();
  if (!handle) return lose("connect anew");
  CAS_TRY(send(batch));
  std::vector<PostgresRows> rows;
  Status outcome;
  const std::size_t before = batch.before != nullptr ? 1 : 0;
  const std::size_t statements_sent = before + batch.steps.size() + (batch.after != nullptr ? 1 : 0);
  for (std::size_t i = 0; i < statements_sent; ++i) {
    CAS_TRY_ASSIGN(PostgresResult result, only_result());
    // Behind the first failure all others are skipped.
    if (outcome) outcome = check(result.get());
    if (outcome && i == statements_sent - 1 && batch.after != nullptr &&
        std::string_view(PQcmdStatus(result.get())) != batch.after)
      outcome = fail(ErrorKind::refused, std::string(failure) + "the transaction had failed before");
    if (i >= before && rows.size() < batch.steps.size())
      rows.push_back(PostgresRows(std::unique_ptr<PostgresRows::State>(new PostgresRows::State{std::move(result)})));
  }
  CAS_TRY_ASSIGN(const PostgresResult end, next());
  if (PQresultStatus(end.get()) != PGRES_PIPELINE_SYNC || PQexitPipelineMode(handle.get()) == 0)
    return lose("the server's answers are not in order");
  if (!outcome) return fail(std::move(outcome).error());
  return rows;
}

PostgresCommit PostgresConnection::State::commit(const PostgresBatch& batch) {
  using Outcome = PostgresCommit::Outcome;
  const bool was_lost = handle == nullptr;
  auto rows = exchange(batch);
  if (rows) return {Outcome::committed, {}, false, std::move(*rows)};
  const bool retry = sqlstate == "40001" || sqlstate == "40P01";
  // Who was never asked has done nothing; who has gone away may have.
  if (!handle && !was_lost) return {Outcome::unknown, std::move(rows).error(), false, {}};
  const std::string told = sqlstate;
  if (handle) roll_back();
  sqlstate = told;
  return {Outcome::rolled_back, std::move(rows).error(), retry, {}};
}

void PostgresConnection::State::roll_back() {
  if (PQtransactionStatus(handle.get()) != PQTRANS_IDLE && !run("ROLLBACK") && handle) handle.reset();
}

}  // namespace cas::service
