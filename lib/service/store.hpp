// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"

namespace cas::service {

/// One SQL statement of a store, compiled once. Goes before its store. Bound values are copied.
///
/// Errors of `step`: io, among it another process that does not let go of the store; exhausted when the disk is full;
/// refused for a row that a constraint forbids; malformed for a damaged file.
class Statement {
 public:
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;

  /// Give the parameters of the statement values, in their order; those without one are NULL. Starts it over.
  template <typename... Values>
  Statement& bind(const Values&... values) {
    reset();
    int index = 0;
    (put(++index, values), ...);
    return *this;
  }
  /// Goes to the next row; false when there is none, or none is given back.
  [[nodiscard]] Result<bool> step();
  /// For statements that give no rows.
  [[nodiscard]] Status run();

  /// Columns of the row, from 0; NULL is 0 and empty. Numbers are what is in the file: who needs a range checks it.
  [[nodiscard]] std::int64_t number(int column) const;
  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] Bytes bytes(int column) const;
  [[nodiscard]] SecretBytes secret(int column) const;

 private:
  friend class Store;
  struct State;
  explicit Statement(std::unique_ptr<State> state);
  void reset();
  void put(int index, std::int64_t value);
  void put(int index, ByteView value);
  void put(int index, const SecretBytes& value) { put(index, value.reveal()); }
  void put(int index, std::string_view value);
  void put(int index, const std::optional<std::int64_t>& value);

  std::unique_ptr<State> state_;
};

/// What a store holds: its own number, so that no other file is taken for it, and its tables.
struct StoreSchema {
  std::string name;                  ///< For sentences: "the data of the CA system".
  std::uint32_t application_id = 0;  ///< Stands in the file (SQLite's application_id).
  /// SQL that leads from version 0, an empty file, to 1, from there to 2, and so on. What was released stays as it is.
  std::span<const std::string_view> versions;
};

/// Data that survives a power cut: an SQLite database, in write-ahead mode and synchronised at each commit. Several
/// processes may use one at the same time; each waits up to `busy_limit` for another's transaction. What is deleted is
/// overwritten. One thread at a time.
class Store {
 public:
  static constexpr std::chrono::milliseconds busy_limit{10'000};

  /// Makes the file, mode 0600. ErrorKind::refused when there is one.
  [[nodiscard]] static Result<Store> create(const std::filesystem::path& file, const StoreSchema& schema);
  /// Opens it, and brings an older version up to date. ErrorKind::not_found; malformed for a file that is damaged or of
  /// something else; unsupported for a newer version; permission_denied; io.
  [[nodiscard]] static Result<Store> open(const std::filesystem::path& file, const StoreSchema& schema);
  ~Store();
  Store(Store&& other) noexcept;
  Store& operator=(Store&& other) noexcept;

  /// A text of SQL that is part of the program. ErrorKind::internal for one that does not compile.
  [[nodiscard]] Result<Statement> prepare(std::string_view sql) const;

  /// What is changed while it lives is changed together, or not at all: without commit() it has never been. One at a
  /// time; it has the store for itself, readers aside.
  class Transaction {
   public:
    ~Transaction();
    Transaction(Transaction&& other) noexcept;
    Transaction& operator=(Transaction&&) = delete;
    /// On success all of it is on the medium.
    [[nodiscard]] Status commit();

   private:
    friend class Store;
    struct State;
    explicit Transaction(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
  };
  [[nodiscard]] Result<Transaction> begin();

  /// Another number when another process or Store has committed something since.
  [[nodiscard]] Result<std::int64_t> data_version() const;
  /// Reads all of it. ErrorKind::malformed when it is damaged.
  [[nodiscard]] Status check() const;

 private:
  friend class Statement;
  struct State;
  explicit Store(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cas::service
