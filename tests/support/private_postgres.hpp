// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "support/unsynced_writes.hpp"

namespace cas::test {

/// A PostgreSQL server of our own, in a fresh folder and on a socket in it alone, beside any that the system runs. Its
/// programs are those of the package; where we are root, which they refuse to run as, they run as the user `postgres`.
/// It ends with this object or process.
class PrivatePostgres {
 public:
  struct Options {
    /// What is committed survives a power cut, and commits take as long as they do in earnest.
    bool durable = true;
    /// More of postgresql.conf: "max_connections=10".
    std::vector<std::string> settings = {};
    /// unsynced_writes_preload.cpp as a library, for `cut_power`; syncs cost nothing then.
    std::filesystem::path power_cuts = {};
  };

  /// Why this machine cannot run one: what is missing, and how to get it. Empty when it can.
  [[nodiscard]] static std::string missing();

  /// Makes a database cluster and starts it; returns when it answers, a second or two later, and less for further ones
  /// of the process. Call it from a thread that lives on: the server ends with the thread that started it.
  [[nodiscard]] static Result<std::unique_ptr<PrivatePostgres>> start(const Options& options);
  [[nodiscard]] static Result<std::unique_ptr<PrivatePostgres>> start() { return start(Options()); }
  ~PrivatePostgres();
  PrivatePostgres(const PrivatePostgres&) = delete;
  PrivatePostgres& operator=(const PrivatePostgres&) = delete;

  /// Of the database postgres, for its superuser, who is asked for nothing. Users named "guarded" have to give their
  /// password.
  [[nodiscard]] std::string url(const std::string& user = "postgres") const;
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  /// What the server has written.
  [[nodiscard]] std::string log() const;

  /// Ends it in an orderly way; connections are ended, too.
  [[nodiscard]] Status stop();
  /// Ends all of its processes at once, as a power cut would (but for what the disk has not written).
  void kill();
  /// Ends it as a power cut would that takes from the disk what was not synced. How many writes those were. For a server
  /// whose options name the library for it.
  [[nodiscard]] Result<std::size_t> cut_power(UnsyncedWrites::Left left, std::uint32_t seed = 1);
  /// Starts it again, after `stop`, `kill` or `cut_power`, and with the data that are there.
  [[nodiscard]] Status restart();
  /// Halts the server's processes, so that nothing answers and connections stand; `go_on` ends that.
  void halt();
  void go_on();

 private:
  PrivatePostgres() = default;
  [[nodiscard]] Status make_cluster();
  [[nodiscard]] Status launch();
  [[nodiscard]] Status await_answer() const;
  [[nodiscard]] std::vector<pid_t> processes() const;

  Options options_;
  std::filesystem::path folder_;
  std::optional<UnsyncedWrites> unsynced_;
  pid_t process_ = -1;
};

}  // namespace cas::test
