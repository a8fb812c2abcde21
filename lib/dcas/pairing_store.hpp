// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "dcas/device_record.hpp"
#include "dcas/pairing_state.hpp"
#include "service/postgres.hpp"

namespace cas::dcas {

/// A pair that a secure micro asks for through an authentication proxy. Who these are has been made sure of before.
struct PairRequest {
  std::string sm, tp, ap;
  RequestId request{};
  std::chrono::seconds lease = default_lease;
};

struct PairOutcome {
  PairingVerdict verdict = PairingVerdict::unknown_sm;
  /// On success, K1 to K3, and the stay that has begun.
  SecretBytes sm_keys;
  Lease lease;
};

/// What an authentication proxy reports of a pair that it has brought.
struct LeaseReport {
  std::string sm, tp, ap;
  /// Which of the pair's stays: a report of an earlier one, shown again, ends no later one. Without it, whichever
  /// there is: for reports that are known to be fresh by other means.
  std::optional<std::uint64_t> number;
};

enum class LeaseVerdict : std::uint8_t {
  done,
  done_before,  ///< The pair had left already.
  not_paired,   ///< No such pair is in a network, or its lease is over.
  other_ap,     ///< Another authentication proxy has brought them: it alone speaks for them.
  other_lease,  ///< They are there again: the report is of an earlier stay.
  unknown,      ///< No such devices.
};

struct EndedLease {
  std::string sm, tp;
  Lease lease;
};

/// The devices of a trusted authority, and who is paired with whom (DCAS, figures 5 and 6, table 1). Both sides of a pair
/// are changed together or not at all, among all servers of one database. One thread at a time.
///
/// On return, what is reported is on the medium. A failure is of the whole call, nothing of which has been answered: io
/// when the database cannot be reached or its disk fails (try again, with the same requests), malformed, exhausted for a
/// full disk. Whoever repeats a call after a failure finds what it may have done.
///
/// `now` decides which leases are over, whether or not `expire` has seen to them.
class PairingStore {
 public:
  virtual ~PairingStore() = default;

  /// Virgin devices, all of them or none. How many were not there before: the same device is no error, and keeps its
  /// state. ErrorKind::refused when an id is there with other keys, or as a device of the other kind;
  /// invalid_argument for ids and keys that have not the form.
  [[nodiscard]] virtual Result<std::uint64_t> add_devices(std::span<const NewDevice> devices) = 0;

  /// Each request as if it came alone, one after the other, in one transaction (group commit): as many outcomes.
  /// ErrorKind::invalid_argument for a proxy without a name, and leases that end at once or never.
  [[nodiscard]] virtual Result<std::vector<PairOutcome>> pair(std::span<const PairRequest> requests,
                                                              UnixSeconds now) = 0;
  /// They have left: paired-only. An outcome for each.
  [[nodiscard]] virtual Result<std::vector<LeaseVerdict>> leave(std::span<const LeaseReport> reports,
                                                                UnixSeconds now) = 0;
  /// They are still there: their leases end no sooner than `lease` from now.
  [[nodiscard]] virtual Result<std::vector<LeaseVerdict>> renew(std::span<const LeaseReport> reports,
                                                                std::chrono::seconds lease, UnixSeconds now) = 0;
  /// At most `most` pairs whose leases are over become paired-only; those that are over longest come first. Fewer than
  /// `most`: no more are left.
  [[nodiscard]] virtual Result<std::vector<EndedLease>> expire(UnixSeconds now, std::size_t most) = 0;

  /// ErrorKind::not_found.
  [[nodiscard]] virtual Result<DeviceRecord> device(const std::string& id) = 0;
  /// K1 to K3 of a secure micro. ErrorKind::not_found; authentication_failed for a row that was changed.
  [[nodiscard]] virtual Result<SecretBytes> sm_keys(const std::string& id) = 0;
  /// How many devices there are.
  [[nodiscard]] virtual Result<std::uint64_t> count() = 0;
  /// Whether the store can be reached now: for health. Does not wait long.
  [[nodiscard]] virtual Status check() = 0;
  /// Reads all of it. ErrorKind::malformed, naming a device, when one side of a pair does not say what the other says.
  [[nodiscard]] virtual Status verify() = 0;
};

/// SQLite, in a file of this machine; several servers of this machine may share it. `create` makes the file and fails
/// when it is there. Keep a reference to `random`. `storage_key` has service::storage_key_size bytes. Errors of
/// service::Store.
[[nodiscard]] Status create_sqlite_pairing_store(const std::filesystem::path& file);
[[nodiscard]] Result<std::unique_ptr<PairingStore>> open_sqlite_pairing_store(const std::filesystem::path& file,
                                                                              const SecretBytes& storage_key,
                                                                              Random& random);

/// PostgreSQL, for several servers, which have one storage key. The table is made when it is not there. A connection that
/// is lost is made again with the next call. ErrorKind::unsupported in a build without it; errors of
/// service::PostgresConnection.
[[nodiscard]] Result<std::unique_ptr<PairingStore>> open_postgres_pairing_store(const service::PostgresAddress& address,
                                                                                const SecretBytes& storage_key,
                                                                                Random& random);

}  // namespace cas::dcas
