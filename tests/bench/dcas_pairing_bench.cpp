// SPDX-License-Identifier: LGPL-2.1-or-later
// The trusted authority's store on this machine's disk: pairings a second, one a transaction and 64 a transaction, with a
// thousand and with a million devices, which are asked for in no order; and how fast devices are added and leases end.
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "crypto/random.hpp"
#include "dcas/pairing_store.hpp"
#include "measure.hpp"
#include "service/storage_cipher.hpp"
#include "support/seeded_random.hpp"
#include "support/temporary_folder.hpp"
#ifdef CAS_WITH_PRIVATE_POSTGRES
#  include "support/private_postgres.hpp"
#endif

namespace {

using namespace cas;
using namespace cas::dcas;

constexpr UnixSeconds noon = 1'800'000'000;
constexpr std::size_t group = 64, added_at_once = 10'000;

[[noreturn]] void give_up(const std::string& why) {
  std::cerr << "bench_dcas_pairing: " << why << '\n';
  std::exit(1);
}
template <typename T>
T must(Result<T> result) {
  if (!result) give_up(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

std::string id(const char* kind, std::size_t number) { return kind + std::to_string(1'000'000'000 + number); }

/// Pairs that take turns: each comes back when all others have been there.
class Load {
 public:
  Load(std::unique_ptr<PairingStore> store, std::size_t devices) : store_(std::move(store)), pairs_(devices / 2) {
    std::vector<NewDevice> batch;
    for (std::size_t at = 0; at < pairs_; ++at) {
      batch.push_back({DeviceKind::secure_micro, id("SM-", at), must(random_secret(random_, sm_keys_size))});
      batch.push_back({DeviceKind::transport_processor, id("TP-", at), {}});
      if (batch.size() < added_at_once && at + 1 < pairs_) continue;
      must(store_->add_devices(batch));
      batch.clear();
    }
  }
  /// `count` pairs that are in no network come to one, in one transaction.
  void pair(std::size_t count) {
    std::vector<PairRequest> requests(count);
    for (PairRequest& request : requests) {
      // A step that has no factor in common with the number of pairs goes through them all, in no order of theirs.
      at_ = (at_ + 37'501) % pairs_;
      request.sm = id("SM-", at_);
      request.tp = id("TP-", at_);
      request.ap = "ap";
      must(random_.fill(request.request));
      request.lease = std::chrono::seconds(1);
    }
    now_ += 2;  // the leases of all who were there before are over
    for (const PairOutcome& outcome : must(store_->pair(requests, now_)))
      if (!is_success(outcome.verdict)) give_up(std::string(pairing_verdict_sentence(outcome.verdict)));
  }
  [[nodiscard]] std::size_t expire_all() {
    std::size_t all = 0, ended = 0;
    do {
      ended = must(store_->expire(now_ + 2, group)).size();
      all += ended;
    } while (ended == group);
    return all;
  }

 private:
  std::unique_ptr<PairingStore> store_;
  std::size_t pairs_, at_ = 0;
  UnixSeconds now_ = noon;
  test::SeededRandom random_{1};
};

using Open = std::function<std::unique_ptr<PairingStore>(const std::string& name)>;

void measure(const std::string& kind, const Open& open) {
  std::vector<std::unique_ptr<Load>> loads;
  for (const std::size_t devices : {std::size_t{1'000}, std::size_t{1'000'000}}) {
    const double seconds =
        bench::seconds_of([&] { loads.push_back(std::make_unique<Load>(open(std::to_string(devices)), devices)); }, 1);
    if (devices > 1'000)
      bench::print_figure("dcas-pairing-" + kind, "add", static_cast<double>(devices) / seconds, "devices/s");
  }
  for (const std::size_t at_once : {std::size_t{1}, group}) {
    bench::Comparison comparison("dcas-pairing-" + kind + (at_once == 1 ? "-single" : "-grouped"),
                                 static_cast<double>(at_once), "pairings");
    comparison.add("1000_devices", [&] { loads[0]->pair(at_once); });
    comparison.add("1000000_devices", [&] { loads[1]->pair(at_once); });
    comparison.measure();
  }
  std::size_t ended = 0;
  const double seconds = bench::seconds_of([&] { ended = loads[1]->expire_all(); }, 1);
  bench::print_figure("dcas-pairing-" + kind, "expire", static_cast<double>(ended) / seconds, "leases/s");
}

}  // namespace

int main() {
  const test::TemporaryFolder folder;
  const SecretBytes key(service::storage_key_size);
  measure("sqlite", [&](const std::string& name) {
    must(create_sqlite_pairing_store(folder.path() / name));
    return must(open_sqlite_pairing_store(folder.path() / name, key, crypto::system_random()));
  });
#ifdef CAS_WITH_PRIVATE_POSTGRES
  if (!test::PrivatePostgres::missing().empty()) return 0;
  std::vector<std::unique_ptr<test::PrivatePostgres>> servers;
  measure("postgres", [&](const std::string&) {
    servers.push_back(must(test::PrivatePostgres::start({.settings = {"shared_buffers=128MB", "max_wal_size=1GB"}})));
    return must(open_postgres_pairing_store({servers.back()->url(), {}}, key, crypto::system_random()));
  });
#endif
}
