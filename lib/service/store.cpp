// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/store.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/durable_file.hpp"

namespace cas::service {

struct Store::State {
  State() = default;
  ~State() { sqlite3_close(handle); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  [[nodiscard]] tl::unexpected<Error> failed(int code) const;
  [[nodiscard]] Status execute(const char* sql) const;
  [[nodiscard]] Result<std::int64_t> number_of(const char* sql) const;
  [[nodiscard]] Status configure() const;
  [[nodiscard]] Status bring_up_to_date(const StoreSchema& schema, bool is_new) const;

  sqlite3* handle = nullptr;
  std::string file;
  std::string name;
};

struct Statement::State {
  State() = default;
  ~State() { sqlite3_finalize(handle); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  sqlite3_stmt* handle = nullptr;
  const Store::State* store = nullptr;
};

// ------------------------------------------------------------------------------------------------------------- errors

tl::unexpected<Error> Store::State::failed(int code) const {
  const std::string what = name + " in " + file;
  switch (code & 0xff) {  // the primary result code
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return fail(ErrorKind::io, what + " is held by another process: try again when it has ended");
    case SQLITE_NOTADB:
      return fail(ErrorKind::malformed, file + " does not hold " + name + ": another file, or a damaged one");
    case SQLITE_CORRUPT: return fail(ErrorKind::malformed, what + " is damaged: put the last backup in its place");
    case SQLITE_FULL: return fail(ErrorKind::exhausted, what + " cannot grow: the disk is full");
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH: return fail(ErrorKind::permission_denied, what + " cannot be written by this user");
    case SQLITE_CANTOPEN:
      return fail(::access(file.c_str(), F_OK) == 0 ? ErrorKind::permission_denied : ErrorKind::not_found,
                  what + " cannot be opened: " + std::generic_category().message(sqlite3_system_errno(handle)));
    case SQLITE_CONSTRAINT: return fail(ErrorKind::refused, what + " does not take it: " + sqlite3_errmsg(handle));
    case SQLITE_IOERR:
      return fail(ErrorKind::io, what + ": " + std::generic_category().message(sqlite3_system_errno(handle)));
    default: return fail(ErrorKind::internal, what + ": " + sqlite3_errstr(code));
  }
}

// ---------------------------------------------------------------------------------------------------------- statements

Statement::Statement(std::unique_ptr<State> state) : state_(std::move(state)) {}
Statement::~Statement() = default;
Statement::Statement(Statement&& other) noexcept = default;
Statement& Statement::operator=(Statement&& other) noexcept = default;

void Statement::reset() {
  sqlite3_reset(state_->handle);
  sqlite3_clear_bindings(state_->handle);
}

// A bind fails for want of memory, or for an index that the SQL has not: step() of a statement without its values would
// do something else, so both end the program.
namespace {
void must(int code) {
  if (code != SQLITE_OK) throw std::bad_alloc();
}
}  // namespace

void Statement::put(int index, std::int64_t value) { must(sqlite3_bind_int64(state_->handle, index, value)); }

void Statement::put(int index, ByteView value) {
  must(value.empty() ? sqlite3_bind_zeroblob(state_->handle, index, 0)
                     : sqlite3_bind_blob64(state_->handle, index, value.data(), value.size(), SQLITE_TRANSIENT));
}

void Statement::put(int index, std::string_view value) {
  must(sqlite3_bind_text64(state_->handle, index, value.data() != nullptr ? value.data() : "", value.size(),
                           SQLITE_TRANSIENT, SQLITE_UTF8));
}

void Statement::put(int index, const std::optional<std::int64_t>& value) {
  must(value ? sqlite3_bind_int64(state_->handle, index, *value) : sqlite3_bind_null(state_->handle, index));
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(state_->handle);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(state_->handle);  // lets go of the store
    return false;
  }
  auto failure = state_->store->failed(code);
  sqlite3_reset(state_->handle);
  return failure;
}

Status Statement::run() {
  for (;;) {
    CAS_TRY_ASSIGN(const bool row, step());
    if (!row) return {};
  }
}

std::int64_t Statement::number(int column) const { return sqlite3_column_int64(state_->handle, column); }
bool Statement::is_null(int column) const { return sqlite3_column_type(state_->handle, column) == SQLITE_NULL; }

namespace {
ByteView column_view(sqlite3_stmt* statement, int column) {
  const void* data = sqlite3_column_blob(statement, column);
  const int size = sqlite3_column_bytes(statement, column);
  return {static_cast<const std::uint8_t*>(data), data == nullptr ? 0 : static_cast<std::size_t>(size)};
}
}  // namespace

std::string Statement::text(int column) const { return as_text(column_view(state_->handle, column)); }
Bytes Statement::bytes(int column) const { return copy_of(column_view(state_->handle, column)); }
SecretBytes Statement::secret(int column) const { return SecretBytes::copy_of(column_view(state_->handle, column)); }

// -------------------------------------------------------------------------------------------------------------- opening

Status Store::State::execute(const char* sql) const {
  const int code = sqlite3_exec(handle, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failed(code);
  return {};
}

Result<std::int64_t> Store::State::number_of(const char* sql) const {
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v2(handle, sql, -1, &statement, nullptr);
  if (code != SQLITE_OK) return failed(code);
  code = sqlite3_step(statement);
  const std::int64_t number = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
  sqlite3_finalize(statement);
  if (code != SQLITE_ROW && code != SQLITE_DONE) return failed(code);
  return number;
}

// The file may have been changed by somebody who means harm: SQLite's own advice for such ("Defense Against The Dark
// Arts") is to check cells, and to trust no function that a schema calls.
Status Store::State::configure() const {
  sqlite3_busy_timeout(handle, static_cast<int>(busy_limit.count()));
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, 16 * 1024 * 1024);
  CAS_TRY(execute("PRAGMA cell_size_check = ON"));
  CAS_TRY(execute("PRAGMA foreign_keys = ON"));
  CAS_TRY(execute("PRAGMA secure_delete = ON"));
  CAS_TRY(execute("PRAGMA journal_mode = WAL"));
  // With a write-ahead log, FULL synchronises it at each commit: nothing that was committed is lost with the power.
  return execute("PRAGMA synchronous = FULL");
}

Status Store::State::bring_up_to_date(const StoreSchema& schema, bool is_new) const {
  const auto newest = static_cast<std::int64_t>(schema.versions.size());
  const std::int64_t own_id = schema.application_id;
  CAS_TRY(execute("BEGIN IMMEDIATE"));
  const auto upgrade = [&]() -> Status {
    CAS_TRY_ASSIGN(const std::int64_t id, number_of("PRAGMA application_id"));
    CAS_TRY_ASSIGN(const std::int64_t version, number_of("PRAGMA user_version"));
    if (!is_new && (id != own_id || version < 1)) return failed(SQLITE_NOTADB);
    if (version > newest)
      return fail(ErrorKind::unsupported, name + " in " + file + " is of version " + std::to_string(version) +
                                              ", and this program knows " + std::to_string(newest) +
                                              ": use the program that wrote it");
    if (version == newest) return {};
    for (auto each = static_cast<std::size_t>(version); each < schema.versions.size(); ++each)
      CAS_TRY(execute(std::string(schema.versions[each]).c_str()));
    CAS_TRY(execute(("PRAGMA application_id = " + std::to_string(own_id)).c_str()));
    return execute(("PRAGMA user_version = " + std::to_string(newest)).c_str());
  };
  if (Status upgraded = upgrade(); !upgraded) {
    sqlite3_exec(handle, "ROLLBACK", nullptr, nullptr, nullptr);
    return upgraded;
  }
  return execute("COMMIT");
}

Result<Store> Store::create(const std::filesystem::path& file, const StoreSchema& schema) {
  // By ourselves: SQLite would follow a link, and open what is there. It gives its journals the mode of the file.
  const int made = ::open(file.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (made < 0 && errno == EEXIST) return fail(ErrorKind::refused, file.string() + " is there already");
  if (made < 0) return fail_with_errno(errno, "make", file);
  ::close(made);
  auto state = std::make_unique<State>();
  state->file = file.string();
  state->name = schema.name;
  const int code = sqlite3_open_v2(file.c_str(), &state->handle, SQLITE_OPEN_READWRITE, nullptr);
  if (code != SQLITE_OK) return state->failed(code);
  CAS_TRY(state->configure());
  CAS_TRY(state->bring_up_to_date(schema, true));
  CAS_TRY(system_file_operations().sync_folder(file.has_parent_path() ? file.parent_path() : "."));
  return Store(std::move(state));
}

Result<Store> Store::open(const std::filesystem::path& file, const StoreSchema& schema) {
  auto state = std::make_unique<State>();
  state->file = file.string();
  state->name = schema.name;
  const int code = sqlite3_open_v2(file.c_str(), &state->handle, SQLITE_OPEN_READWRITE, nullptr);
  if (code != SQLITE_OK) return state->failed(code);
  // Before the file is changed in any way, the journal's mode among it.
  sqlite3_busy_timeout(state->handle, static_cast<int>(busy_limit.count()));
  CAS_TRY_ASSIGN(const std::int64_t id, state->number_of("PRAGMA application_id"));
  if (id != std::int64_t{schema.application_id}) return state->failed(SQLITE_NOTADB);
  CAS_TRY(state->configure());
  CAS_TRY(state->bring_up_to_date(schema, false));
  return Store(std::move(state));
}

Store::Store(std::unique_ptr<State> state) : state_(std::move(state)) {}
Store::~Store() = default;
Store::Store(Store&& other) noexcept = default;
Store& Store::operator=(Store&& other) noexcept = default;

Result<Statement> Store::prepare(std::string_view sql) const {
  auto state = std::make_unique<Statement::State>();
  state->store = state_.get();
  const int code = sqlite3_prepare_v3(state_->handle, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &state->handle, nullptr);
  if (code == SQLITE_ERROR) return fail(ErrorKind::internal, std::string("SQL: ") + sqlite3_errmsg(state_->handle));
  if (code != SQLITE_OK) return state_->failed(code);
  return Statement(std::move(state));
}

// ---------------------------------------------------------------------------------------------------------- transactions

struct Store::Transaction::State {
  Store::State* store;
};

Store::Transaction::Transaction(std::unique_ptr<State> state) : state_(std::move(state)) {}
Store::Transaction::Transaction(Transaction&& other) noexcept = default;

Store::Transaction::~Transaction() {
  if (state_) sqlite3_exec(state_->store->handle, "ROLLBACK", nullptr, nullptr, nullptr);
}

Status Store::Transaction::commit() {
  CAS_TRY(state_->store->execute("COMMIT"));
  state_.reset();
  return {};
}

Result<Store::Transaction> Store::begin() {
  // IMMEDIATE: who will write asks at once, so that two who have read do not wait for one another.
  CAS_TRY(state_->execute("BEGIN IMMEDIATE"));
  auto state = std::make_unique<Transaction::State>();
  state->store = state_.get();
  return Transaction(std::move(state));
}

Result<std::int64_t> Store::data_version() const { return state_->number_of("PRAGMA data_version"); }

Status Store::check() const {
  CAS_TRY_ASSIGN(Statement statement, prepare("PRAGMA integrity_check(1)"));
  CAS_TRY_ASSIGN(const bool row, statement.step());
  if (row && statement.text(0) == "ok") return {};
  return state_->failed(SQLITE_CORRUPT);
}

}  // namespace cas::service
