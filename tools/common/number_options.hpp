// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace CLI {
class App;
}
namespace cas::service {
class ConfigurationTable;
}

namespace cas::tools {

/// A number that a daemon takes as `--some-name` and as `some_name` of its configuration file.
struct NumberOption {
  std::string_view name;  ///< As in the file.
  std::int64_t fallback = 0;
  std::int64_t least = 0;
  std::int64_t most = 0;
  const char* help = "";
};

/// The options of one daemon. What is given on the command line wins over the file.
class NumberOptions {
 public:
  explicit NumberOptions(std::span<const NumberOption> options) : options_(options) {}
  NumberOptions(const NumberOptions&) = delete;
  NumberOptions& operator=(const NumberOptions&) = delete;

  /// Adds all of them to a command, which must not outlive this.
  void add_to(CLI::App& command);
  /// ErrorKind::invalid_argument for one out of its range.
  [[nodiscard]] Status resolve(const service::ConfigurationTable* file);
  /// After resolve(). `name` is one of the options.
  [[nodiscard]] std::int64_t operator[](std::string_view name) const { return values_.find(name)->second; }
  /// After resolve(): whether it was given, on the command line or in the file.
  [[nodiscard]] bool is_given(std::string_view name) const { return said_.contains(name); }
  template <typename Number>
  [[nodiscard]] Number as(std::string_view name) const {
    return static_cast<Number>((*this)[name]);
  }

 private:
  std::span<const NumberOption> options_;
  std::map<std::string_view, std::optional<std::int64_t>> given_;
  std::map<std::string_view, std::int64_t> values_;
  std::set<std::string_view> said_;
};

/// The option of a key: "some_name" becomes "--some-name".
[[nodiscard]] std::string option_of(std::string_view key);

}  // namespace cas::tools
