// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/pairing_store_batch.hpp"

#include <algorithm>

#include "base/writer.hpp"
#include "crypto/constant_time.hpp"
#include "dcas/identity.hpp"

namespace cas::dcas {

// ---------------------------------------------------------------------------------------------------------------- rows

Result<DeviceRow> row_of(DeviceColumns columns) {
  constexpr auto virgin = static_cast<std::int64_t>(PairingState::virgin),
                 auth_paired = static_cast<std::int64_t>(PairingState::auth_paired),
                 paired_only = static_cast<std::int64_t>(PairingState::paired_only);
  const bool has_kind = columns.kind == static_cast<std::int64_t>(DeviceKind::secure_micro) ||
                        columns.kind == static_cast<std::int64_t>(DeviceKind::transport_processor);
  const bool has_state = columns.state == virgin || columns.state == auth_paired || columns.state == paired_only;
  if (!has_kind || !has_state || columns.partner.empty() != (columns.state == virgin))
    return fail(ErrorKind::malformed, "the row of the device " + columns.id + " has a kind or a state that cannot be");
  DeviceRow row;
  row.record.kind = static_cast<DeviceKind>(columns.kind);
  row.record.id = std::move(columns.id);
  row.record.state = static_cast<PairingState>(columns.state);
  row.record.partner = std::move(columns.partner);
  row.sealed_keys = std::move(columns.sealed_keys);
  if (columns.number > 0) {
    Lease lease{static_cast<std::uint64_t>(columns.number), std::move(columns.ap), {}, columns.since, columns.until};
    if (columns.request.size() != lease.request.size())
      return fail(ErrorKind::malformed, "the lease of the device " + row.record.id + " is of no request");
    std::ranges::copy(columns.request, lease.request.begin());
    row.record.lease = std::move(lease);
  }
  return row;
}

namespace {

Bytes bound_to(const std::string& id) {
  ByteWriter out;
  out.bytes(as_bytes("CDS1")).bytes(as_bytes(id));
  return out.take();
}

}  // namespace

Result<Bytes> seal_sm_keys(service::StorageCipher& cipher, const std::string& id, const SecretBytes& keys) {
  return cipher.seal(bound_to(id), keys);
}

Result<SecretBytes> open_sm_keys(service::StorageCipher& cipher, const DeviceRow& row) {
  CAS_TRY_ASSIGN(SecretBytes keys,
                 cipher.open(bound_to(row.record.id), row.sealed_keys, "the stored keys of " + row.record.id));
  if (keys.size() != sm_keys_size) return fail(ErrorKind::malformed, "stored keys of another size");
  return keys;
}

// -------------------------------------------------------------------------------------------------------------- checks

Status check_new_devices(std::span<const NewDevice> devices) {
  for (const NewDevice& device : devices) {
    if (!is_identity(device.id))
      return fail(ErrorKind::invalid_argument,
                  "an id of a device has 1 to 64 printable ASCII characters, and no blanks");
    const bool is_sm = device.kind == DeviceKind::secure_micro;
    if (device.keys.size() != (is_sm ? sm_keys_size : 0))
      return fail(ErrorKind::invalid_argument,
                  is_sm ? "the secure micro " + device.id + " needs three keys of 16 bytes"
                        : "the transport processor " + device.id + " has no keys at the trusted authority");
  }
  return {};
}

Status check_lease(std::chrono::seconds lease) {
  if (lease >= std::chrono::seconds(1) && lease <= longest_lease) return {};
  return fail(ErrorKind::invalid_argument, "a lease lasts from a second to 31 days");
}

Status check_requests(std::span<const PairRequest> requests) {
  for (const PairRequest& request : requests) {
    if (!is_identity(request.ap))
      return fail(ErrorKind::invalid_argument,
                  "the name of an authentication proxy has 1 to 64 printable ASCII characters, and no blanks");
    CAS_TRY(check_lease(request.lease));
  }
  return {};
}

Status check_same_device(service::StorageCipher& cipher, const DeviceRow& there, const NewDevice& added) {
  if (there.record.kind != added.kind)
    return fail(ErrorKind::refused, "the id " + added.id + " belongs to a device of the other kind: draw a new one");
  if (added.kind == DeviceKind::transport_processor) return {};
  CAS_TRY_ASSIGN(const SecretBytes keys, open_sm_keys(cipher, there));
  if (crypto::constant_time_equal(keys.reveal(), added.keys.reveal())) return {};
  return fail(ErrorKind::refused, "the secure micro " + added.id + " is there with other keys: draw a new id");
}

tl::unexpected<Error> fail_no_device(const std::string& id) {
  // Who asks may be anybody: only what can be an id is repeated.
  return fail(ErrorKind::not_found,
              is_identity(id) ? "there is no device " + id + ": add it first" : "no device can have this id");
}

tl::unexpected<Error> fail_one_sided(const std::string& id) {
  return fail(ErrorKind::malformed, "the device " + id + " and its partner do not say the same of one another");
}

// --------------------------------------------------------------------------------------------------------------- batch

bool PairingBatch::Pair::are_partners() const {
  return sm->row.record.partner == tp->row.record.id && tp->row.record.partner == sm->row.record.id;
}

bool PairingBatch::Pair::both(PairingState state) const {
  return sm->row.record.state == state && tp->row.record.state == state;
}

void PairingBatch::put(DeviceRow row) {
  std::string id = row.record.id;
  rows_.insert_or_assign(std::move(id), Entry{std::move(row)});
}

PairingBatch::Entry* PairingBatch::find(const std::string& id, DeviceKind kind) {
  const auto found = rows_.find(id);
  return found != rows_.end() && found->second.row.record.kind == kind ? &found->second : nullptr;
}

void PairingBatch::set_both(const Pair& pair, PairingState state) {
  DeviceRecord &sm = pair.sm->row.record, &tp = pair.tp->row.record;
  sm.state = tp.state = state;
  sm.partner = tp.id;
  tp.partner = sm.id;
  pair.sm->changed = pair.tp->changed = true;
}

PairOutcome PairingBatch::pair(const PairRequest& request) {
  const Pair pair{find(request.sm, DeviceKind::secure_micro), find(request.tp, DeviceKind::transport_processor)};
  if (pair.sm == nullptr) return {PairingVerdict::unknown_sm, {}, {}};
  if (pair.tp == nullptr) return {PairingVerdict::unknown_tp, {}, {}};
  DeviceRecord &sm = pair.sm->row.record, &tp = pair.tp->row.record;
  PairingSide sm_side{sm.id, sm.state, sm.partner}, tp_side{tp.id, tp.state, tp.partner};
  PairingVerdict verdict{};
  const bool in_network = pair.are_partners() && pair.both(PairingState::auth_paired) && sm.lease;
  const bool over = in_network && sm.lease->until <= now_;
  if (in_network && !over && sm.lease->request == request.request && sm.lease->ap == request.ap) {
    verdict = PairingVerdict::repeated;
  } else {
    // At the end of its lease a pair has left, whoever has written it down by then.
    if (over) sm_side.state = tp_side.state = PairingState::paired_only;
    verdict = judge_pair(sm_side, tp_side);
  }
  if (!is_success(verdict)) return {verdict, {}, {}};
  auto keys = open_sm_keys(cipher_, pair.sm->row);
  if (!keys) return {PairingVerdict::damaged, {}, {}};
  if (verdict != PairingVerdict::repeated) {
    const std::uint64_t number = sm.lease ? sm.lease->number + 1 : 1;
    sm.lease = Lease{number, request.ap, request.request, now_, now_ + request.lease.count()};
    set_both(pair, PairingState::auth_paired);
  }
  return {verdict, std::move(*keys), *sm.lease};
}

/// Whether there is a lease that this proxy may speak for: `done`, or why not.
LeaseVerdict PairingBatch::find_lease(const LeaseReport& report, Pair& found) {
  found = {find(report.sm, DeviceKind::secure_micro), find(report.tp, DeviceKind::transport_processor)};
  if (found.sm == nullptr || found.tp == nullptr) return LeaseVerdict::unknown;
  const auto& lease = found.sm->row.record.lease;
  if (!found.are_partners() || !lease) return LeaseVerdict::not_paired;
  if (lease->ap != report.ap) return LeaseVerdict::other_ap;
  if (report.number && *report.number != lease->number) return LeaseVerdict::other_lease;
  if (found.both(PairingState::paired_only)) return LeaseVerdict::done_before;
  return found.both(PairingState::auth_paired) ? LeaseVerdict::done : LeaseVerdict::not_paired;
}

LeaseVerdict PairingBatch::leave(const LeaseReport& report) {
  Pair pair;
  const LeaseVerdict verdict = find_lease(report, pair);
  if (verdict != LeaseVerdict::done) return verdict;
  Lease& lease = *pair.sm->row.record.lease;
  lease.until = std::min(lease.until, now_);
  set_both(pair, PairingState::paired_only);
  return LeaseVerdict::done;
}

LeaseVerdict PairingBatch::renew(const LeaseReport& report, std::chrono::seconds length) {
  Pair pair;
  const LeaseVerdict verdict = find_lease(report, pair);
  if (verdict == LeaseVerdict::done_before) return LeaseVerdict::not_paired;
  if (verdict != LeaseVerdict::done) return verdict;
  Lease& lease = *pair.sm->row.record.lease;
  if (lease.until <= now_) return LeaseVerdict::not_paired;  // somebody may rely on its end already
  lease.until = std::max(lease.until, now_ + length.count());
  pair.sm->changed = true;
  return LeaseVerdict::done;
}

std::optional<EndedLease> PairingBatch::expire(const std::string& sm, const std::string& tp) {
  const Pair pair{find(sm, DeviceKind::secure_micro), find(tp, DeviceKind::transport_processor)};
  if (pair.sm == nullptr || pair.tp == nullptr || !pair.are_partners() || !pair.both(PairingState::auth_paired))
    return {};
  const auto& lease = pair.sm->row.record.lease;
  if (!lease || lease->until > now_) return {};
  set_both(pair, PairingState::paired_only);
  return EndedLease{sm, tp, *lease};
}

std::vector<const DeviceRecord*> PairingBatch::changed() const {
  std::vector<const DeviceRecord*> all;
  for (const auto& [id, entry] : rows_)
    if (entry.changed) all.push_back(&entry.row.record);
  return all;
}

}  // namespace cas::dcas
