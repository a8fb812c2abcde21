// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/pairing_store.hpp"

#include <algorithm>
#include <fstream>

#include "pairing_stores.hpp"
#include "service/store.hpp"
#include "tests/support/temporary_folder.hpp"

namespace cas::dcas {
namespace {

using test::value_or_throw;

class SqliteBackend final : public PairingStoreBackend {
 public:
  SqliteBackend() { value_or_throw(create_sqlite_pairing_store(file())); }
  std::unique_ptr<PairingStore> open(const SecretBytes& storage_key, Random& random) override {
    return value_or_throw(open_sqlite_pairing_store(file(), storage_key, random));
  }
  void change(const std::string& sql) override {
    auto raw = open_raw();
    ASSERT_OK(value_or_throw(raw.prepare(sql)).run());
  }
  std::vector<Bytes> read(const std::string& sql) override {
    auto raw = open_raw();
    auto statement = value_or_throw(raw.prepare(sql));
    std::vector<Bytes> all;
    while (value_or_throw(statement.step())) all.push_back(statement.bytes(0));
    return all;
  }
  [[nodiscard]] std::string zeros() const override { return "zeroblob(16)"; }

 private:
  [[nodiscard]] std::filesystem::path file() const { return folder.path() / "devices.db"; }
  [[nodiscard]] service::Store open_raw() const {
    return value_or_throw(service::Store::open(file(), {"devices", 0x43445331, std::array<std::string_view, 1>{""}}));
  }
  test::TemporaryFolder folder;
};

const PairingStoreKind sqlite_kind{
    "Sqlite", [] { return std::unique_ptr<PairingStoreBackend>(std::make_unique<SqliteBackend>()); },
    [] { return std::string(); }};
INSTANTIATE_TEST_SUITE_P(Sqlite, PairingStores, testing::Values(sqlite_kind),
                         [](const auto& of) { return of.param.name; });

constexpr auto virgin = PairingState::virgin;
constexpr auto auth_paired = PairingState::auth_paired;
constexpr auto paired_only = PairingState::paired_only;

TEST_P(PairingStores, DevicesAreIssuedVirgin) {
  const auto store = open();
  add(*store, 2);
  EXPECT_EQ(value_or_throw(store->count()), 4U);
  const DeviceRecord sm = value_or_throw(store->device("sm-0")), tp = value_or_throw(store->device("tp-1"));
  EXPECT_EQ(sm.kind, DeviceKind::secure_micro);
  EXPECT_EQ(tp.kind, DeviceKind::transport_processor);
  EXPECT_EQ(sm.state, virgin);
  EXPECT_EQ(tp.state, virgin);
  EXPECT_FALSE(sm.lease);
  EXPECT_FAILS(store->device("sm-2"), ErrorKind::not_found);
  EXPECT_FAILS(store->device("sm-0 tp-0"), ErrorKind::not_found);
  EXPECT_FAILS(store->device(""), ErrorKind::not_found);
  EXPECT_FAILS(store->sm_keys("tp-0"), ErrorKind::not_found);
  EXPECT_OK(store->check());
  EXPECT_OK(store->verify());
}

TEST_P(PairingStores, DevicesAreAddedAllOrNone) {
  const auto store = open();
  std::vector<NewDevice> devices;
  devices.push_back(new_sm(random, "sm"));
  devices.push_back(new_tp("tp"));
  EXPECT_EQ(value_or_throw(store->add_devices(devices)), 2U);
  ASSERT_EQ(pair(*store, "sm", "tp"), PairingVerdict::paired);
  // The same again is no error, and makes nothing virgin.
  devices.push_back(new_tp("tp-2"));
  EXPECT_EQ(value_or_throw(store->add_devices(devices)), 1U);
  expect_pair(*store, "sm", "tp", auth_paired);

  const auto expect_refused = [&](std::vector<NewDevice> more, ErrorKind kind) {
    more.insert(more.begin(), new_tp("tp-3"));
    EXPECT_FAILS(store->add_devices(more), kind);
    EXPECT_EQ(value_or_throw(store->count()), 3U);
  };
  const auto just = [](NewDevice device) {
    std::vector<NewDevice> one;
    one.push_back(std::move(device));
    return one;
  };
  expect_refused(just(new_sm(random, "sm")), ErrorKind::refused);  // other keys
  expect_refused(just(new_tp("sm")), ErrorKind::refused);          // of the other kind
  expect_refused(just(new_sm(random, "tp")), ErrorKind::refused);
  expect_refused(just(new_sm(random, "tp-3")), ErrorKind::refused);  // twice in one call
  expect_refused(just(new_tp("with blank")), ErrorKind::invalid_argument);
  expect_refused(just({DeviceKind::secure_micro, "sm-4", SecretBytes(47)}), ErrorKind::invalid_argument);
  expect_refused(just({DeviceKind::secure_micro, "sm-4", {}}), ErrorKind::invalid_argument);
  expect_refused(just({DeviceKind::transport_processor, "tp-4", SecretBytes(48)}), ErrorKind::invalid_argument);
}

// Figure 6: virgin and virgin.
TEST_P(PairingStores, TwoVirginsBecomePartnersForGood) {
  const PairRequest request = pair_request(random, "sm", "tp");
  std::vector<NewDevice> devices;
  devices.push_back(new_sm(random, "sm"));
  devices.push_back(new_tp("tp"));
  {
    const auto store = open();
    EXPECT_OK(store->add_devices(devices));
    const PairOutcome outcome = pair_one(*store, request);
    EXPECT_EQ(outcome.verdict, PairingVerdict::paired);
    EXPECT_TRUE(equal(outcome.sm_keys.reveal(), devices[0].keys.reveal()));
    EXPECT_EQ(outcome.lease.number, 1U);
    EXPECT_EQ(outcome.lease.ap, "ap-1");
    EXPECT_EQ(outcome.lease.since, noon);
    EXPECT_EQ(outcome.lease.until, noon + default_lease.count());
  }
  const auto store = open();
  expect_pair(*store, "sm", "tp", auth_paired);
  const auto lease = value_or_throw(store->device("sm")).lease;
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->number, 1U);
  EXPECT_EQ(lease->ap, "ap-1");
  EXPECT_EQ(lease->request, request.request);
  EXPECT_TRUE(equal(value_or_throw(store->sm_keys("sm")).reveal(), devices[0].keys.reveal()));
  EXPECT_OK(store->verify());
}

// Every state of one against every state of the other, partners of one another and not. In the store's table, so that
// states are among them that its own rules do not make.
TEST_P(PairingStores, FigureSixExhaustively) {
  const auto store = open();
  const auto sql = [](PairingState state) { return std::to_string(static_cast<int>(state)); };
  int number = 0, successes = 0;
  for (const PairingState of_sm : {virgin, auth_paired, paired_only})
    for (const PairingState of_tp : {virgin, auth_paired, paired_only})
      for (const bool sm_has : {true, false})
        for (const bool tp_has : {true, false}) {
          if ((of_sm == virgin && !sm_has) || (of_tp == virgin && !tp_has)) continue;
          const std::string name = std::to_string(number++), sm = "sm" + name, tp = "tp" + name;
          SCOPED_TRACE(sql(of_sm) + " " + sql(of_tp) + (sm_has ? " its" : " another") + (tp_has ? " its" : " another"));
          std::vector<NewDevice> devices;
          devices.push_back(new_sm(random, sm));
          devices.push_back(new_tp(tp));
          ASSERT_OK(store->add_devices(devices));
          if (of_sm != virgin)
            backend->change("UPDATE dcas_device SET state = " + sql(of_sm) + ", partner = '" +
                            (sm_has ? tp : "tp-other") + "', ap = 'ap-1', lease = 1, since = 0, until = 4000000000, " +
                            "request = " + backend->zeros() + " WHERE id = '" + sm + "'");
          if (of_tp != virgin)
            backend->change("UPDATE dcas_device SET state = " + sql(of_tp) + ", partner = '" +
                            (tp_has ? sm : "sm-other") + "' WHERE id = '" + tp + "'");
          const PairingVerdict verdict = pair(*store, sm, tp);
          const bool expected = (of_sm == virgin && of_tp == virgin) ||
                                (of_sm == paired_only && of_tp == paired_only && sm_has && tp_has);
          EXPECT_EQ(is_success(verdict), expected);
          successes += is_success(verdict) ? 1 : 0;
          if (expected) {
            expect_pair(*store, sm, tp, auth_paired);
          } else {
            EXPECT_EQ(state_of(*store, sm), of_sm);
            EXPECT_EQ(state_of(*store, tp), of_tp);
          }
        }
  EXPECT_EQ(number, 1 + 2 * 2 * 2 + 4 * 4);
  EXPECT_EQ(successes, 2);
}

TEST_P(PairingStores, PartnersThatHaveLeftComeBackAndNoOthers) {
  const auto store = open();
  add(*store, 3);
  ASSERT_EQ(pair(*store, "sm-0", "tp-0"), PairingVerdict::paired);
  ASSERT_EQ(pair(*store, "sm-1", "tp-1"), PairingVerdict::paired);
  EXPECT_EQ(pair(*store, "sm-0", "tp-0"), PairingVerdict::already_paired);
  EXPECT_EQ(pair(*store, "sm-0", "tp-1"), PairingVerdict::already_paired);
  EXPECT_EQ(pair(*store, "sm-0", "tp-2"), PairingVerdict::already_paired);
  EXPECT_EQ(leave_one(*store, {"sm-0", "tp-0", "ap-1", 1}), LeaseVerdict::done);
  expect_pair(*store, "sm-0", "tp-0", paired_only);
  EXPECT_EQ(pair(*store, "sm-0", "tp-1"), PairingVerdict::already_paired);
  EXPECT_EQ(leave_one(*store, {"sm-1", "tp-1", "ap-1", 1}), LeaseVerdict::done);
  // The swap: what figure 6 says without partners.
  EXPECT_EQ(pair(*store, "sm-0", "tp-1"), PairingVerdict::other_partner);
  EXPECT_EQ(pair(*store, "sm-1", "tp-0"), PairingVerdict::other_partner);
  EXPECT_EQ(pair(*store, "sm-0", "tp-2"), PairingVerdict::half_virgin);
  EXPECT_EQ(pair(*store, "sm-2", "tp-0"), PairingVerdict::half_virgin);
  expect_pair(*store, "sm-2", "tp-2", virgin);
  EXPECT_EQ(pair(*store, "sm-0", "tp-0"), PairingVerdict::paired_again);
  expect_pair(*store, "sm-0", "tp-0", auth_paired);
  EXPECT_EQ(value_or_throw(store->device("sm-0")).lease->number, 2U);
  expect_pair(*store, "sm-1", "tp-1", paired_only);
  EXPECT_OK(store->verify());
}

TEST_P(PairingStores, WhoIsNotThereGetsNoAnswer) {
  const auto store = open();
  add(*store, 1);
  EXPECT_EQ(pair(*store, "sm-9", "tp-0"), PairingVerdict::unknown_sm);
  EXPECT_EQ(pair(*store, "sm-0", "tp-9"), PairingVerdict::unknown_tp);
  EXPECT_EQ(pair(*store, "tp-0", "sm-0"), PairingVerdict::unknown_sm);  // each in the other's place
  EXPECT_EQ(pair(*store, "sm-0", "sm-0"), PairingVerdict::unknown_tp);
  EXPECT_EQ(pair(*store, "sm-0 tp-0", ""), PairingVerdict::unknown_sm);
  EXPECT_EQ(pair(*store, std::string("sm-0\0", 5), "tp-0"), PairingVerdict::unknown_sm);
  EXPECT_FALSE(is_answered(PairingVerdict::unknown_sm));
  EXPECT_FALSE(is_answered(PairingVerdict::unknown_tp));
  expect_pair(*store, "sm-0", "tp-0", virgin);
  PairRequest request = pair_request(random, "sm-0", "tp-0", "");
  EXPECT_FAILS(store->pair({&request, 1}, noon), ErrorKind::invalid_argument);
  request.ap = "ap-1";
  request.lease = std::chrono::seconds(0);
  EXPECT_FAILS(store->pair({&request, 1}, noon), ErrorKind::invalid_argument);
  request.lease = longest_lease + std::chrono::seconds(1);
  EXPECT_FAILS(store->pair({&request, 1}, noon), ErrorKind::invalid_argument);
}

// An answer that was lost on its way: the same request gets it again, and no other does.
TEST_P(PairingStores, TheSameRequestIsAnsweredAlike) {
  const auto store = open();
  add(*store, 1);
  PairRequest request = pair_request(random, "sm-0", "tp-0");
  const PairOutcome first = pair_one(*store, request);
  EXPECT_EQ(first.verdict, PairingVerdict::paired);
  const PairOutcome again = pair_one(*store, request, noon + 5);
  EXPECT_EQ(again.verdict, PairingVerdict::repeated);
  EXPECT_TRUE(equal(again.sm_keys.reveal(), first.sm_keys.reveal()));
  EXPECT_EQ(again.lease.number, 1U);
  EXPECT_EQ(again.lease.until, first.lease.until);
  request.ap = "ap-2";
  EXPECT_EQ(pair_one(*store, request).verdict, PairingVerdict::already_paired);
  request = pair_request(random, "sm-0", "tp-0");
  EXPECT_EQ(pair_one(*store, request).verdict, PairingVerdict::already_paired);
}

TEST_P(PairingStores, EachRequestOfABatchHasItsOwnOutcome) {
  const auto store = open();
  add(*store, 4);
  std::vector<PairRequest> requests;
  for (const auto& [sm, tp] : {std::pair("sm-0", "tp-0"),
                               {"sm-0", "tp-1"},
                               {"sm-1", "tp-1"},
                               {"sm-9", "tp-2"},
                               {"sm-2", "tp-9"},
                               {"sm-0", "tp-0"},
                               {"sm-2", "tp-3"}})
    requests.push_back(pair_request(random, sm, tp));
  requests.push_back(requests[0]);
  std::vector<PairingVerdict> verdicts;
  for (const auto& outcome : value_or_throw(store->pair(requests, noon))) verdicts.push_back(outcome.verdict);
  using V = PairingVerdict;
  EXPECT_EQ(verdicts, (std::vector{V::paired, V::already_paired, V::paired, V::unknown_sm, V::unknown_tp,
                                   V::already_paired, V::paired, V::repeated}));
  expect_pair(*store, "sm-2", "tp-3", auth_paired);
  EXPECT_EQ(value_or_throw(store->pair({}, noon)).size(), 0U);
}

// ------------------------------------------------------------------------------------------------------------- leases

// "An SM is powered up or reset" (IV.2.A): by the letter, who lost its power is refused, until it has left.
TEST_P(PairingStores, AfterAPowerCutAReceiverWaitsForItsLeaseOrLeaves) {
  const auto store = open();
  add(*store, 2);
  for (const auto& [sm, tp] : {std::pair("sm-0", "tp-0"), {"sm-1", "tp-1"}})
    ASSERT_EQ(pair(*store, sm, tp), PairingVerdict::paired);
  const UnixSeconds back = noon + 30, end = noon + default_lease.count();
  EXPECT_EQ(pair(*store, "sm-0", "tp-0", back), PairingVerdict::already_paired);
  EXPECT_EQ(pair(*store, "sm-0", "tp-0", end - 1), PairingVerdict::already_paired);
  // It remembers its stay, and says that it is over.
  EXPECT_EQ(leave_one(*store, {"sm-1", "tp-1", "ap-1", 1}, back), LeaseVerdict::done);
  EXPECT_EQ(pair(*store, "sm-1", "tp-1", back), PairingVerdict::paired_again);
  // At the lease's end, whether or not anybody has swept.
  EXPECT_EQ(pair(*store, "sm-0", "tp-0", end), PairingVerdict::paired_again);
  EXPECT_EQ(value_or_throw(store->device("sm-0")).lease->until, end + default_lease.count());
}

TEST_P(PairingStores, TheEndOfALeaseIsNoLeaveToChangePartners) {
  const auto store = open();
  add(*store, 2);
  ASSERT_EQ(pair(*store, "sm-0", "tp-0"), PairingVerdict::paired);
  ASSERT_EQ(pair(*store, "sm-1", "tp-1"), PairingVerdict::paired);
  const UnixSeconds late = noon + 86'400;
  EXPECT_FALSE(is_success(pair(*store, "sm-0", "tp-1", late)));
  EXPECT_FALSE(is_success(pair(*store, "sm-1", "tp-0", late)));
  expect_pair(*store, "sm-0", "tp-0", auth_paired);
}

TEST_P(PairingStores, ALeaveIsOfOneStayAndOfItsProxy) {
  const auto store = open();
  add(*store, 2);
  EXPECT_EQ(leave_one(*store, {"sm-0", "tp-0", "ap-1", {}}), LeaseVerdict::not_paired);
  ASSERT_EQ(pair(*store, "sm-0", "tp-0"), PairingVerdict::paired);
  EXPECT_EQ(leave_one(*store, {"sm-9", "tp-0", "ap-1", 1}), LeaseVerdict::unknown);
  EXPECT_EQ(leave_one(*store, {"sm-0", "tp-1", "ap-1", 1}), LeaseVerdict::not_paired);
  EXPECT_EQ(leave_one(*store, {"sm-0", "tp-0", "ap-2", 1}), LeaseVerdict::other_ap);
  EXPECT_EQ(leave_one(*store, {"sm-0", "tp-0", "ap-1", 2}), LeaseVerdict::other_lease);
  expect_pair(*store, "sm-0", "tp-0", auth_paired);
  EXPECT_EQ(leave_one(*store, {"sm-0", "tp-0", "ap-1", 1}, noon + 7), LeaseVerdict::done);
  EXPECT_EQ(value_or_throw(store->device("sm-0")).lease->until, noon + 7);
  EXPECT_EQ(leave_one(*store, {"sm-0", "tp-0", "ap-1", 1}), LeaseVerdict::done_before);
  ASSERT_EQ(pair(*store, "sm-0", "tp-0"), PairingVerdict::paired_again);
  // Shown again by somebody who has kept it.
  EXPECT_EQ(leave_one(*store, {"sm-0", "tp-0", "ap-1", 1}), LeaseVerdict::other_lease);
  expect_pair(*store, "sm-0", "tp-0", auth_paired);
  EXPECT_EQ(leave_one(*store, {"sm-0", "tp-0", "ap-1", {}}), LeaseVerdict::done);
  expect_pair(*store, "sm-0", "tp-0", paired_only);
}

TEST_P(PairingStores, ALeaseIsRenewedWhileItLasts) {
  const auto store = open();
  add(*store, 2);
  ASSERT_EQ(pair(*store, "sm-0", "tp-0"), PairingVerdict::paired);
  const auto renew = [&](const LeaseReport& report, int seconds, UnixSeconds now) {
    return value_or_throw(store->renew({&report, 1}, std::chrono::seconds(seconds), now)).at(0);
  };
  const auto end = [&] { return value_or_throw(store->device("sm-0")).lease->until; };
  EXPECT_EQ(renew({"sm-0", "tp-0", "ap-1", 1}, 600, noon + 60), LeaseVerdict::done);
  EXPECT_EQ(end(), noon + 660);
  EXPECT_EQ(renew({"sm-0", "tp-0", "ap-1", 1}, 10, noon + 61), LeaseVerdict::done);
  EXPECT_EQ(end(), noon + 660);  // never shorter
  EXPECT_EQ(renew({"sm-0", "tp-0", "ap-2", 1}, 900, noon + 62), LeaseVerdict::other_ap);
  EXPECT_EQ(renew({"sm-0", "tp-0", "ap-1", 2}, 900, noon + 62), LeaseVerdict::other_lease);
  EXPECT_EQ(renew({"sm-1", "tp-1", "ap-1", 1}, 900, noon + 62), LeaseVerdict::not_paired);
  EXPECT_EQ(renew({"sm-0", "tp-0", "ap-1", 1}, 600, noon + 660), LeaseVerdict::not_paired);  // over
  EXPECT_EQ(end(), noon + 660);
  EXPECT_EQ(leave_one(*store, {"sm-0", "tp-0", "ap-1", 1}, noon + 100), LeaseVerdict::done);
  EXPECT_EQ(renew({"sm-0", "tp-0", "ap-1", 1}, 600, noon + 101), LeaseVerdict::not_paired);
  expect_pair(*store, "sm-0", "tp-0", paired_only);
  const LeaseReport report{"sm-0", "tp-0", "ap-1", 1};
  EXPECT_FAILS(store->renew({&report, 1}, std::chrono::seconds(0), noon), ErrorKind::invalid_argument);
}

TEST_P(PairingStores, LeasesEndInBatches) {
  const auto store = open();
  constexpr std::size_t pairs = 25;
  add(*store, pairs);
  std::vector<PairRequest> requests;
  for (std::size_t at = 0; at < pairs; ++at) {
    requests.push_back(pair_request(random, "sm-" + std::to_string(at), "tp-" + std::to_string(at)));
    requests.back().lease = std::chrono::seconds(100 - at);  // the last one ends first
  }
  ASSERT_OK(store->pair(requests, noon));
  EXPECT_EQ(value_or_throw(store->expire(noon + 75, 10)).size(), 0U);
  const auto first = value_or_throw(store->expire(noon + 80, 10));
  ASSERT_EQ(first.size(), 5U);
  EXPECT_EQ(first[0].sm, "sm-24");
  EXPECT_EQ(first[0].tp, "tp-24");
  EXPECT_EQ(first[0].lease.ap, "ap-1");
  EXPECT_EQ(first[0].lease.until, noon + 76);
  expect_pair(*store, "sm-24", "tp-24", paired_only);
  expect_pair(*store, "sm-19", "tp-19", auth_paired);
  EXPECT_EQ(value_or_throw(store->expire(noon + 1000, 15)).size(), 15U);
  EXPECT_EQ(value_or_throw(store->expire(noon + 1000, 15)).size(), 5U);
  EXPECT_EQ(value_or_throw(store->expire(noon + 1000, 15)).size(), 0U);
  for (std::size_t at = 0; at < pairs; ++at) EXPECT_EQ(state_of(*store, "sm-" + std::to_string(at)), paired_only);
  EXPECT_EQ(pair(*store, "sm-3", "tp-3"), PairingVerdict::paired_again);
  EXPECT_OK(store->verify());
}

// ----------------------------------------------------------------------------------------------------------------- keys

TEST_P(PairingStores, NoKeyStandsInTheTable) {
  const auto store = open();
  const NewDevice sm = new_sm(random, "sm");
  ASSERT_OK(store->add_devices({&sm, 1}));
  const auto stored = backend->read("SELECT keys FROM dcas_device");
  ASSERT_EQ(stored.size(), 1U);
  for (std::size_t at = 0; at < sm_keys_size; at += sm_key_size)
    EXPECT_EQ(as_text(stored[0]).find(as_text(sm.keys.reveal().subspan(at, sm_key_size))), std::string::npos);
}

TEST_P(PairingStores, AnotherStorageKeyOpensNothing) {
  { add(*open(1), 1); }
  const auto store = open(2);
  EXPECT_FAILS(store->sm_keys("sm-0"), ErrorKind::authentication_failed);
  EXPECT_EQ(pair(*store, "sm-0", "tp-0"), PairingVerdict::damaged);
  expect_pair(*store, "sm-0", "tp-0", virgin);  // nothing is used up
  EXPECT_EQ(pair(*open(1), "sm-0", "tp-0"), PairingVerdict::paired);
}

// Who can write into the database cannot give one secure micro the keys of another.
TEST_P(PairingStores, KeysAreOfTheirDeviceAlone) {
  const auto store = open();
  add(*store, 3);
  backend->change("UPDATE dcas_device SET keys = (SELECT keys FROM dcas_device WHERE id = 'sm-0') WHERE id = 'sm-1'");
  EXPECT_FAILS(store->sm_keys("sm-1"), ErrorKind::authentication_failed);
  std::vector<PairRequest> requests;
  requests.push_back(pair_request(random, "sm-1", "tp-1"));
  requests.push_back(pair_request(random, "sm-2", "tp-2"));
  const auto outcomes = value_or_throw(store->pair(requests, noon));
  EXPECT_EQ(outcomes[0].verdict, PairingVerdict::damaged);
  EXPECT_FALSE(is_answered(outcomes[0].verdict));
  EXPECT_EQ(outcomes[1].verdict, PairingVerdict::paired);  // the others are none the worse
}

// One side that was changed alone is found.
TEST_P(PairingStores, APairWithOneSideIsFound) {
  const auto store = open();
  add(*store, 2);
  ASSERT_EQ(pair(*store, "sm-0", "tp-0"), PairingVerdict::paired);
  ASSERT_OK(store->verify());
  backend->change("UPDATE dcas_device SET state = 16 WHERE id = 'tp-0'");
  EXPECT_FAILS(store->verify(), ErrorKind::malformed);
  EXPECT_FAILS(store->verify(), ErrorKind::malformed);
  EXPECT_EQ(pair(*store, "sm-0", "tp-0"), PairingVerdict::already_paired);
  EXPECT_EQ(leave_one(*store, {"sm-0", "tp-0", "ap-1", 1}), LeaseVerdict::not_paired);
  backend->change("UPDATE dcas_device SET state = 1, partner = 'sm-1' WHERE id = 'tp-0'");
  EXPECT_FAILS(store->verify(), ErrorKind::malformed);
}

}  // namespace
}  // namespace cas::dcas
