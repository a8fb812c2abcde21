// SPDX-License-Identifier: LGPL-2.1-or-later
#include <csignal>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/durable_file.hpp"
#include "commands.hpp"
#include "common/descriptor_limit.hpp"
#include "served_system.hpp"
#include "service/operations.hpp"

namespace cas::ecmg_program {

namespace {

using tools::Json;

Result<std::unique_ptr<ServedSystem>> open_system(const Settings& settings, tools::DaemonLog& log) {
  switch (settings.cas) {
    case CaSystemName::bcast: return open_bcast(settings, log);
    case CaSystemName::smartpro: return open_smartpro(settings, log);
    case CaSystemName::casdemo: break;
  }
  return open_casdemo(settings, log);
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
    system_->stop();
    return report();
  }

 private:
  Status start() {
    CAS_TRY_ASSIGN(system_, open_system(settings_, log_));
    CAS_TRY_ASSIGN(metrics_, EcmgMetrics::create(registry_));
    tools::allow_connections(settings_.serving.settings.max_channels);
    CAS_TRY_ASSIGN(loop_, service::EventLoop::create(system_clock()));
    CAS_TRY_ASSIGN(
        service_, EcmgService::listen(*loop_, system_clock(), settings_.serving, system_->generator(), metrics_, log_));
    CAS_TRY(loop_->on_signals({SIGTERM, SIGINT, SIGHUP}, [this](int signal) { on_signal(signal); }));
    CAS_TRY(serve_metrics());
    if (!arguments_.port_file.empty())
      CAS_TRY(
          write_file_durably(arguments_.port_file, as_bytes(std::to_string(service_->local().port()) + "\n"), 0644));
    system_->start(*loop_, *service_);
    return {};
  }

  Status serve_metrics() {
    if (settings_.metrics.empty()) return {};
    health_.add_ready(system_->readiness().name, [this] { return system_->readiness().status; });
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

  void on_signal(int signal) {
    if (signal == SIGHUP) return system_->read_again();
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
  std::unique_ptr<ServedSystem> system_;
  std::unique_ptr<service::EventLoop> loop_;
  std::unique_ptr<EcmgService> service_;
  service::Health health_;
  std::unique_ptr<service::HttpServer> operations_;
  bool stopping_ = false;
};

}  // namespace

Result<tools::Report> run(const RunArguments& arguments, tools::NumberOptions& numbers, const tools::Progress&) {
  CAS_TRY_ASSIGN(const Settings settings, settle(arguments, numbers));
  return Daemon(arguments, settings).run();
}

}  // namespace cas::ecmg_program
