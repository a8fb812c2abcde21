// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "dcas/pairing_store.hpp"
#include "service/storage_cipher.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"

namespace cas::dcas {

inline void PrintTo(PairingVerdict verdict, std::ostream* out) { *out << pairing_verdict_name(verdict); }
inline void PrintTo(PairingState state, std::ostream* out) { *out << pairing_state_name(state); }

/// An empty store of some kind, and a way to its table beside it.
class PairingStoreBackend {
 public:
  virtual ~PairingStoreBackend() = default;
  virtual std::unique_ptr<PairingStore> open(const SecretBytes& storage_key, Random& random) = 0;
  virtual void change(const std::string& sql) = 0;
  /// The first column of all rows.
  virtual std::vector<Bytes> read(const std::string& sql) = 0;
  /// How its SQL writes 16 zero bytes.
  [[nodiscard]] virtual std::string zeros() const = 0;
};

struct PairingStoreKind {
  const char* name;
  /// Nothing where this machine has none; then `missing` tells why.
  std::unique_ptr<PairingStoreBackend> (*make)();
  std::string (*missing)();
};

inline constexpr UnixSeconds noon = 1'800'000'000;

inline RequestId draw_request(Random& random) {
  RequestId id{};
  test::value_or_throw(random.fill(id));
  return id;
}

inline NewDevice new_sm(Random& random, const std::string& id) {
  return {DeviceKind::secure_micro, id, test::value_or_throw(random_secret(random, sm_keys_size))};
}
inline NewDevice new_tp(const std::string& id) { return {DeviceKind::transport_processor, id, {}}; }

inline PairRequest pair_request(Random& random, const std::string& sm, const std::string& tp,
                                const std::string& ap = "ap-1") {
  return {sm, tp, ap, draw_request(random)};
}

inline PairOutcome pair_one(PairingStore& store, const PairRequest& request, UnixSeconds now = noon) {
  return std::move(test::value_or_throw(store.pair({&request, 1}, now)).at(0));
}
inline LeaseVerdict leave_one(PairingStore& store, const LeaseReport& report, UnixSeconds now = noon) {
  return test::value_or_throw(store.leave({&report, 1}, now)).at(0);
}

/// What holds for every PairingStore.
class PairingStores : public testing::TestWithParam<PairingStoreKind> {
 protected:
  void SetUp() override {
    backend = GetParam().make();
    if (!backend) GTEST_SKIP() << GetParam().missing();
  }
  std::unique_ptr<PairingStore> open(std::uint8_t storage_key = 1) { return open_with(random, storage_key); }
  std::unique_ptr<PairingStore> open_with(Random& of, std::uint8_t storage_key = 1) {
    SecretBytes key(service::storage_key_size);
    key.reveal_mutable()[0] = storage_key;
    return backend->open(key, of);
  }
  /// "sm-0" and "tp-0" up to `count`.
  void add(PairingStore& store, std::size_t count) {
    std::vector<NewDevice> devices;
    for (std::size_t at = 0; at < count; ++at) {
      devices.push_back(new_sm(random, "sm-" + std::to_string(at)));
      devices.push_back(new_tp("tp-" + std::to_string(at)));
    }
    EXPECT_EQ(test::value_or_throw(store.add_devices(devices)), devices.size());
  }
  PairingVerdict pair(PairingStore& store, const std::string& sm, const std::string& tp, UnixSeconds now = noon) {
    return pair_one(store, pair_request(random, sm, tp), now).verdict;
  }
  static PairingState state_of(PairingStore& store, const std::string& id) {
    return test::value_or_throw(store.device(id)).state;
  }
  static std::string partner_of(PairingStore& store, const std::string& id) {
    return test::value_or_throw(store.device(id)).partner;
  }
  static void expect_pair(PairingStore& store, const std::string& sm, const std::string& tp, PairingState state) {
    EXPECT_EQ(state_of(store, sm), state) << sm;
    EXPECT_EQ(state_of(store, tp), state) << tp;
    EXPECT_EQ(partner_of(store, sm), state == PairingState::virgin ? "" : tp) << sm;
    EXPECT_EQ(partner_of(store, tp), state == PairingState::virgin ? "" : sm) << tp;
  }

  test::SeededRandom random{9};
  std::unique_ptr<PairingStoreBackend> backend;
};

}  // namespace cas::dcas
