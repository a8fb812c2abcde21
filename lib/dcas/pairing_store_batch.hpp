// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to the stores, not installed: what calls do to rows, wherever these come from.

#include <map>
#include <string>
#include <vector>

#include "dcas/pairing_store.hpp"
#include "service/storage_cipher.hpp"

namespace cas::dcas {

struct DeviceRow {
  DeviceRecord record;
  Bytes sealed_keys;  ///< Empty for a transport processor.
};

/// A row as databases have it.
struct DeviceColumns {
  std::string id;
  std::int64_t kind = 0, state = 0;
  std::string partner;  ///< Empty for NULL.
  Bytes sealed_keys;
  std::string ap;
  Bytes request;
  std::int64_t number = 0, since = 0, until = 0;
};
/// ErrorKind::malformed for values that no version writes.
[[nodiscard]] Result<DeviceRow> row_of(DeviceColumns columns);

/// The keys of a secure micro, bound to its id: "CDS1", id.
[[nodiscard]] Result<Bytes> seal_sm_keys(service::StorageCipher& cipher, const std::string& id,
                                         const SecretBytes& keys);
[[nodiscard]] Result<SecretBytes> open_sm_keys(service::StorageCipher& cipher, const DeviceRow& row);

/// What is wrong with what is asked for, before a database sees it.
[[nodiscard]] Status check_new_devices(std::span<const NewDevice> devices);
[[nodiscard]] Status check_requests(std::span<const PairRequest> requests);
[[nodiscard]] Status check_lease(std::chrono::seconds lease);
/// Whether what is there is what was to be added. ErrorKind::refused when it is something else.
[[nodiscard]] Status check_same_device(service::StorageCipher& cipher, const DeviceRow& there, const NewDevice& added);
[[nodiscard]] tl::unexpected<Error> fail_no_device(const std::string& id);
[[nodiscard]] tl::unexpected<Error> fail_one_sided(const std::string& id);

/// Rows that a transaction has for itself, and what is done to them. What of it has changed is to be written by the same
/// transaction.
class PairingBatch {
 public:
  PairingBatch(service::StorageCipher& cipher, UnixSeconds now) : cipher_(cipher), now_(now) {}

  void put(DeviceRow row);
  [[nodiscard]] PairOutcome pair(const PairRequest& request);
  [[nodiscard]] LeaseVerdict leave(const LeaseReport& report);
  [[nodiscard]] LeaseVerdict renew(const LeaseReport& report, std::chrono::seconds lease);
  /// Whether the pair's lease is over; it is ended then. Nothing when it is not, or not any more.
  [[nodiscard]] std::optional<EndedLease> expire(const std::string& sm, const std::string& tp);
  /// In the order of their ids.
  [[nodiscard]] std::vector<const DeviceRecord*> changed() const;

 private:
  struct Entry {
    DeviceRow row;
    bool changed = false;
  };
  struct Pair {
    Entry *sm = nullptr, *tp = nullptr;
    [[nodiscard]] bool are_partners() const;
    [[nodiscard]] bool both(PairingState state) const;
  };
  [[nodiscard]] Entry* find(const std::string& id, DeviceKind kind);
  [[nodiscard]] LeaseVerdict find_lease(const LeaseReport& report, Pair& found);
  static void set_both(const Pair& pair, PairingState state);

  service::StorageCipher& cipher_;
  UnixSeconds now_;
  std::map<std::string, Entry> rows_;
};

}  // namespace cas::dcas
