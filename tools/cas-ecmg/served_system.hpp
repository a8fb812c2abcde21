// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "ecmg_service.hpp"
#include "settings.hpp"

namespace cas::ecmg_program {

/// A CA system as `cas-ecmg run` serves it: who makes its ECMs, and what has to go on beside that. On the loop's thread.
class ServedSystem {
 public:
  virtual ~ServedSystem() = default;
  [[nodiscard]] virtual simulcrypt::EcmGenerator& generator() = 0;
  /// Begins what goes on beside. Keeps both, until `stop`.
  virtual void start(service::EventLoop&, EcmgService&) {}
  /// SIGHUP: what it works with is read again.
  virtual void read_again() = 0;
  /// The loop does not run any more: nothing is posted to it when this has returned.
  virtual void stop() {}
  /// What /readyz says of it.
  struct Readiness {
    std::string name;
    Status status;
  };
  [[nodiscard]] virtual Readiness readiness() const = 0;
};

/// Whether the keys that were read last could be taken; those before go on where they could not.
class KeysRead {
 public:
  /// Keeps `log`.
  explicit KeysRead(tools::DaemonLog& log) : log_(log) {}
  void note(const Status& taken, std::size_t count);
  [[nodiscard]] ServedSystem::Readiness readiness() const;

 private:
  tools::DaemonLog& log_;
  std::optional<Error> failure_;
};

/// The demonstration CA system: its folder has products, keys and cards. Keeps `log`.
[[nodiscard]] Result<std::unique_ptr<ServedSystem>> open_casdemo(const Settings& settings, tools::DaemonLog& log);
/// OMA BCAST: short term key messages under the service keys of a file.
[[nodiscard]] Result<std::unique_ptr<ServedSystem>> open_bcast(const Settings& settings, tools::DaemonLog& log);
/// SmartPRO: licences that a head-end token makes.
[[nodiscard]] Result<std::unique_ptr<ServedSystem>> open_smartpro(const Settings& settings, tools::DaemonLog& log);

}  // namespace cas::ecmg_program
