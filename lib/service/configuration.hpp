// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace cas::service {

/// One table of a configuration. Asking for a key makes it known; Configuration::check refuses all others. Errors are
/// ErrorKind::invalid_argument and name file, line and column. Copies are of the same table.
class ConfigurationTable {
 public:
  [[nodiscard]] bool has(std::string_view key) const;

  /// Fails when the key is not there, or is no text.
  [[nodiscard]] Result<std::string> text(std::string_view key) const;
  [[nodiscard]] Result<std::string> text_or(std::string_view key, std::string_view fallback) const;
  /// Whole numbers between the limits, both included.
  [[nodiscard]] Result<std::int64_t> number(std::string_view key, std::int64_t least, std::int64_t most) const;
  [[nodiscard]] Result<std::int64_t> number_or(std::string_view key, std::int64_t fallback, std::int64_t least,
                                               std::int64_t most) const;
  [[nodiscard]] Result<bool> flag_or(std::string_view key, bool fallback) const;
  /// A text such as "250ms", "10s", "5min", "2h" or "1d", between the limits, both included.
  [[nodiscard]] Result<std::chrono::milliseconds> duration_or(std::string_view key, std::chrono::milliseconds fallback,
                                                              std::chrono::milliseconds least,
                                                              std::chrono::milliseconds most) const;
  /// An array of texts; empty when it is not there.
  [[nodiscard]] Result<std::vector<std::string>> texts(std::string_view key) const;
  /// An array of whole numbers between the limits, both included; empty when it is not there.
  [[nodiscard]] Result<std::vector<std::int64_t>> numbers(std::string_view key, std::int64_t least,
                                                          std::int64_t most) const;
  /// [key]; nothing when it is not there.
  [[nodiscard]] Result<std::optional<ConfigurationTable>> table(std::string_view key) const;
  /// [[key]], in their order; empty when there are none.
  [[nodiscard]] Result<std::vector<ConfigurationTable>> tables(std::string_view key) const;

  /// "FILE:LINE:COLUMN: KEY MESSAGE", for what the caller finds wrong with a value; without the key, at the table.
  [[nodiscard]] Error error_at(std::string_view key, std::string_view message) const;

 private:
  friend class Configuration;
  struct State;
  ConfigurationTable(std::shared_ptr<State> state, const void* table) : state_(std::move(state)), table_(table) {}
  std::shared_ptr<State> state_;
  const void* table_;
};

/// The configuration file of a program: TOML 1.0. Read it, take what is known from `root`, then `check`: a key that
/// nobody has asked for is a mistake of its writer, and is not overlooked.
class Configuration {
 public:
  static constexpr std::size_t max_size = 1U << 20;

  /// Errors of the file: not_found, permission_denied, io, exhausted beyond max_size; malformed for what
  /// is no TOML.
  [[nodiscard]] static Result<Configuration> read(const std::filesystem::path& file);
  /// `name` stands for the file in errors.
  [[nodiscard]] static Result<Configuration> parse(std::string_view text, std::string name);

  [[nodiscard]] ConfigurationTable root() const;
  /// Refuses the first key that was never asked for, and names the known one that is most like it.
  /// ErrorKind::invalid_argument.
  [[nodiscard]] Status check() const;

 private:
  explicit Configuration(std::shared_ptr<ConfigurationTable::State> state) : state_(std::move(state)) {}
  std::shared_ptr<ConfigurationTable::State> state_;
};

}  // namespace cas::service
