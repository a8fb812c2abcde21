// SPDX-License-Identifier: LGPL-2.1-or-later
#include <csignal>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/durable_file.hpp"
#include "commands.hpp"
#include "common/daemon_log.hpp"
#include "common/descriptor_limit.hpp"
#include "crypto/random.hpp"
#include "key_server.hpp"
#include "service/operations.hpp"

namespace cas::kms_program {

namespace {

using tools::Json;

/// All that runs while the server serves.
class Daemon {
 public:
  Daemon(const RunArguments& arguments, Configuration configuration)
      : arguments_(arguments),
        configuration_(std::move(configuration)),
        log_("cas-kms", {arguments.json, arguments.quiet}, system_clock()) {}

  Result<tools::Report> run() {
    CAS_TRY(start());
    say_where();
    loop_->run();
    return report();
  }

 private:
  Status start() {
    tools::allow_connections(configuration_.http.connections);
    CAS_TRY_ASSIGN(loop_, service::EventLoop::create(system_clock()));
    CAS_TRY_ASSIGN(keys_,
                   KeyServer::create(configuration_, {*loop_, system_clock(), crypto::system_random(), registry_}));
    service::HttpRouter router;
    CAS_TRY(keys_->add_routes(router));
    health_.add_ready("store", [this] { return keys_->store_health(); });
    service::HttpListening listening;
    listening.address = configuration_.listen.address();
    listening.port = configuration_.listen.port();
    listening.tls = configuration_.tls;
    listening.limits = configuration_.http;
    listening.metrics = &registry_;
    listening.name = "keys";
    CAS_TRY_ASSIGN(server_, service::HttpServer::listen(*loop_, std::move(listening), std::move(router)));
    CAS_TRY(loop_->on_signals({SIGTERM, SIGINT, SIGHUP}, [this](int signal) { on_signal(signal); }));
    if (configuration_.metrics) {
      CAS_TRY_ASSIGN(operations_, service::serve_operations(*loop_, *configuration_.metrics, registry_, health_));
      log_.info("metrics", "metrics at http://" + operations_->local().text() + "/metrics",
                {{"metrics", operations_->local().text()}});
    }
    if (!arguments_.port_file.empty())
      CAS_TRY(write_file_durably(arguments_.port_file, as_bytes(std::to_string(server_->port()) + "\n"), 0644));
    return {};
  }

  void say_where() {
    const std::string url =
        std::string(configuration_.tls ? "https" : "http") + "://" + server_->local().text() + configuration_.path;
    if (arguments_.json) {
      std::cout << Json{{"url", url}, {"port", server_->port()}}.dump() << '\n' << std::flush;
    } else {
      std::cout << "keys at " << url << '\n' << std::flush;
    }
    log_.info("listening", "listening at " + server_->local().text(), {{"listening", server_->local().text()}});
  }

  void on_signal(int signal) {
    if (signal == SIGHUP) return reload();
    if (stopping_) return loop_->stop();  // the second time: at once
    stopping_ = true;
    health_.set_stopping();
    log_.info("stopping", "stopping");
    server_->stop([this] { loop_->stop(); });
  }

  void reload() {
    Status status = keys_->reload();
    if (status) status = server_->reload_tls();
    if (status) {
      log_.info("reloaded", "clients, certificates and audit log were read anew");
    } else {
      log_.error("not-reloaded", "all stays as it was: " + status.error().message);
    }
  }

  tools::Report report() {
    const auto counts = keys_->counts();
    // The server before what it answers with; then the keeper ends with all that it had to store.
    server_.reset();
    operations_.reset();
    keys_.reset();
    return {std::to_string(counts.keys_given) + " keys were given, " + std::to_string(counts.keys_taken) + " taken\n",
            tools::to_text(Json{{"keys_given", counts.keys_given},
                                {"keys_taken", counts.keys_taken},
                                {"requests_refused", counts.requests_refused}})};
  }

  const RunArguments& arguments_;
  const Configuration configuration_;
  tools::DaemonLog log_;
  service::MetricRegistry registry_;
  service::Health health_;
  std::unique_ptr<service::EventLoop> loop_;
  std::unique_ptr<KeyServer> keys_;
  std::unique_ptr<service::HttpServer> server_;
  std::unique_ptr<service::HttpServer> operations_;
  bool stopping_ = false;
};

}  // namespace

Result<tools::Report> run(const RunArguments& arguments) {
  CAS_TRY_ASSIGN(const auto file, configuration_file(arguments.config));
  CAS_TRY_ASSIGN(Configuration configuration, read_configuration(file));
  if (!arguments.listen.empty()) {
    const auto at = service::Endpoint::parse(arguments.listen);
    if (!at) return fail(ErrorKind::invalid_argument, "--listen: " + at.error().message);
    // What a file says of schemes was checked against its own address.
    if (!at->is_loopback() && configuration.listen.is_loopback())
      return fail(ErrorKind::invalid_argument, "--listen: the file is for an address of this machine; change it there");
    configuration.listen = *at;
  }
  return Daemon(arguments, std::move(configuration)).run();
}

}  // namespace cas::kms_program
