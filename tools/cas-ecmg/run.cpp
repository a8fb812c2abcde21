// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/durable_file.hpp"
#include "bcast_generator.hpp"
#include "ca-system/key_watcher.hpp"
#include "casdemo_generator.hpp"
#include "commands.hpp"
#include "crypto/random.hpp"
#include "service/operations.hpp"

namespace cas::ecmg_program {

namespace {

using tools::Json;

// Beside the connections: the store, its journals, the loop, what the libraries hold.
constexpr rlim_t spare_descriptors = 128;

// The usual limit of 1,024 would be the limit of channels.
void allow_descriptors(std::size_t connections) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = std::min<rlim_t>(connections + spare_descriptors, limit.rlim_max);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// All that runs while the ECMG serves.
class Daemon {
 public:
  Daemon(const RunArguments& arguments, const Settings& settings)
      : arguments_(arguments),
        settings_(settings),
        log_("cas-ecmg", {arguments.json, arguments.quiet}, system_clock()) {}

  Result<tools::Report> run() {
    CAS_TRY(start());
    say_where();
    loop_->run();
    watcher_.reset();
    return report();
  }

 private:
  Status start() {
    CAS_TRY(settings_.bcast_keys.empty() ? open_casdemo() : open_bcast());
    CAS_TRY_ASSIGN(metrics_, EcmgMetrics::create(registry_));
    allow_descriptors(settings_.serving.settings.max_channels);
    CAS_TRY_ASSIGN(loop_, service::EventLoop::create(system_clock()));
    CAS_TRY_ASSIGN(service_,
                   EcmgService::listen(*loop_, system_clock(), settings_.serving, *generator_, metrics_, log_));
    CAS_TRY(loop_->on_signals({SIGTERM, SIGINT, SIGHUP}, [this](int signal) { on_signal(signal); }));
    CAS_TRY(serve_metrics());
    if (system_) watch();
    if (arguments_.port_file.empty()) return {};
    return write_file_durably(arguments_.port_file, as_bytes(std::to_string(service_->local().port()) + "\n"), 0644);
  }

  Status open_casdemo() {
    CAS_TRY_ASSIGN(const std::filesystem::path folder, ca_system::system_folder(settings_.system));
    CAS_TRY_ASSIGN(system_, ca_system::CaSystem::open(folder, crypto::system_random(), system_clock()));
    CAS_TRY(system_->renew_keys());
    CAS_TRY_ASSIGN(const std::vector<ca_system::EntitlementKey> keys, system_->keys());
    CasdemoTerms terms;
    terms.super_cas_id = settings_.super_cas_id.value_or(system_->super_cas_id());
    terms.parameters = settings_.parameters;
    terms.default_product = settings_.product;
    casdemo_.emplace(terms, system_clock(), crypto::system_random());
    CAS_TRY(casdemo_->set_keys(keys));
    generator_ = &*casdemo_;
    return {};
  }

  Status open_bcast() {
    bcast_.emplace(settings_.parameters, system_clock());
    generator_ = &*bcast_;
    CAS_TRY_ASSIGN(BcastKeys keys, BcastKeys::read(settings_.bcast_keys));
    return bcast_->set_keys(std::move(keys));
  }

  void watch() {
    watcher_.emplace(std::move(*system_), system_clock(), [this](Result<std::vector<ca_system::EntitlementKey>> read) {
      const auto shared = std::make_shared<Result<std::vector<ca_system::EntitlementKey>>>(std::move(read));
      loop_->post([this, shared] {
        keys_taken(*shared ? casdemo_->set_keys(**shared) : Status(fail(shared->error())),
                   *shared ? (*shared)->size() : 0);
      });
    });
  }

  void read_bcast_keys() {
    auto keys = BcastKeys::read(settings_.bcast_keys);
    std::size_t count = 0;
    if (keys)
      for (const BcastService& service : keys->services()) count += service.keys.size();
    keys_taken(keys ? bcast_->set_keys(std::move(*keys)) : Status(fail(std::move(keys).error())), count);
  }

  Status serve_metrics() {
    if (settings_.metrics.empty()) return {};
    health_.add_ready("keys", [this]() -> Status {
      if (keys_failure_) return fail(*keys_failure_);
      return {};
    });
    CAS_TRY_ASSIGN(const service::Endpoint at, service::Endpoint::parse(settings_.metrics));
    CAS_TRY_ASSIGN(operations_, service::serve_operations(*loop_, at, registry_, health_));
    log_.info("metrics", "metrics at http://" + operations_->local().text() + "/metrics",
              {{"metrics", operations_->local().text()}});
    return {};
  }

  void say_where() {
    const std::string place = service_->local().text();
    if (arguments_.json) {
      std::cout << Json{{"listening", place}, {"port", service_->local().port()}}.dump() << '\n' << std::flush;
    } else {
      std::cout << "listening at " << place << '\n' << std::flush;
    }
    log_.info("listening", "listening at " + place, {{"listening", place}});
  }

  void keys_taken(const Status& taken, std::size_t count) {
    keys_failure_.reset();
    if (!taken) keys_failure_ = taken.error();
    if (!taken) return log_.error("keys-not-read", "the keys before go on: " + taken.error().message);
    log_.info("keys-read", "the keys were read: " + std::to_string(count), {{"keys", count}});
  }

  void on_signal(int signal) {
    if (signal == SIGHUP) return watcher_ ? watcher_->read_now() : read_bcast_keys();
    if (stopping_) return loop_->stop();  // the second time: at once
    stopping_ = true;
    health_.set_stopping();
    log_.info("stopping", "stopping");
    service_->stop([this] { loop_->stop(); });
  }

  tools::Report report() {
    const std::uint64_t ecms = metrics_.ecms->value();
    Json json;
    json["listening"] = service_->local().text();
    json["ecms"] = ecms;
    json["refusals"] = metrics_.refusals->value();
    json["misbehaviour"] = metrics_.misbehaviour->value();
    return {std::to_string(ecms) + " ECMs were made\n", tools::to_text(json)};
  }

  const RunArguments& arguments_;
  const Settings& settings_;
  tools::DaemonLog log_;
  service::MetricRegistry registry_;
  EcmgMetrics metrics_;
  std::optional<ca_system::CaSystem> system_;
  std::optional<CasdemoGenerator> casdemo_;
  std::optional<BcastGenerator> bcast_;
  simulcrypt::EcmGenerator* generator_ = nullptr;  ///< One of the two.
  std::unique_ptr<service::EventLoop> loop_;
  std::unique_ptr<EcmgService> service_;
  service::Health health_;
  std::optional<Error> keys_failure_;
  std::unique_ptr<service::HttpServer> operations_;
  std::optional<ca_system::KeyWatcher> watcher_;
  bool stopping_ = false;
};

}  // namespace

Result<tools::Report> run(const RunArguments& arguments, tools::NumberOptions& numbers, const tools::Progress&) {
  CAS_TRY_ASSIGN(const Settings settings, settle(arguments, numbers));
  return Daemon(arguments, settings).run();
}

}  // namespace cas::ecmg_program
