// SPDX-License-Identifier: LGPL-2.1-or-later
#include <csignal>
#include <nlohmann/json.hpp>

#include "ca-system/init_command.hpp"
#include "commands.hpp"
#include "crypto/random.hpp"
#include "emm_keeper.hpp"
#include "mux_link.hpp"
#include "service/operations.hpp"

namespace cas::emmg_program {

namespace {

using tools::Json;

/// All that runs while EMMs are sent.
class Daemon {
 public:
  Daemon(const RunArguments& arguments, const Settings& settings)
      : settings_(settings), log_("cas-emmg", {arguments.json, arguments.quiet}, system_clock()) {}

  Result<tools::Report> run() {
    CAS_TRY(start());
    loop_->run();
    keeper_.reset();
    Json json{{"emms", metrics_.emms->value()}, {"bytes", metrics_.bytes->value()}};
    json["misbehaviour"] = metrics_.misbehaviour->value();
    return tools::Report{std::to_string(metrics_.emms->value()) + " EMMs were sent\n", tools::to_text(json)};
  }

 private:
  Status start() {
    CAS_TRY_ASSIGN(ca_system::CaSystem for_keeper, ca_system::open_system(settings_.system));
    CAS_TRY(for_keeper.refresh_emms());
    CAS_TRY_ASSIGN(system_, ca_system::open_system(settings_.system));
    CAS_TRY_ASSIGN(metrics_, EmmgMetrics::create(registry_));
    CAS_TRY_ASSIGN(loop_, service::EventLoop::create(system_clock()));
    CAS_TRY(loop_->on_signals({SIGTERM, SIGINT, SIGHUP}, [this](int signal) { on_signal(signal); }));
    const auto client_id =
        settings_.client_id < 0 ? system_->super_cas_id() : static_cast<std::uint32_t>(settings_.client_id);
    const MuxLinkParts parts{*loop_, settings_, client_id, sender_, metrics_, log_};
    if (settings_.udp) {
      CAS_TRY_ASSIGN(link_, make_udp_link(parts));
    } else {
      link_ = make_tcp_link(parts, crypto::system_random());
    }
    CAS_TRY(serve_metrics());
    keeper_.emplace(std::move(for_keeper), [this](Result<std::uint64_t> emms) {
      const auto shared = std::make_shared<Result<std::uint64_t>>(std::move(emms));
      loop_->post([this, shared] { emms_changed(*shared); });
    });
    log_.info("started", "sending EMMs to " + settings_.host + ":" + std::to_string(settings_.port) +
                             (settings_.udp ? " over UDP" : ""));
    return {};
  }

  Status serve_metrics() {
    if (settings_.metrics.empty()) return {};
    health_.add_ready("mux", [this]() -> Status {
      if (metrics_.connected->value() == 0) return fail(ErrorKind::io, "the MUX has not opened the stream");
      return {};
    });
    CAS_TRY_ASSIGN(const service::Endpoint at, service::Endpoint::parse(settings_.metrics));
    CAS_TRY_ASSIGN(operations_, service::serve_operations(*loop_, at, registry_, health_));
    log_.info("metrics", "metrics at http://" + operations_->local().text() + "/metrics",
              {{"metrics", operations_->local().text()}});
    return {};
  }

  void emms_changed(const Result<std::uint64_t>& emms) {
    if (!emms) return log_.error("emms-not-made", "the EMMs before go on: " + emms.error().message);
    carousel_.changed();
    log_.info("emms", std::to_string(*emms) + " EMMs in the carousel", {{"emms", *emms}});
  }

  void on_signal(int signal) {
    if (signal == SIGHUP) return keeper_->look_now();
    if (stopping_) return loop_->stop();  // the second time: at once
    stopping_ = true;
    health_.set_stopping();
    log_.info("stopping", "stopping");
    link_->stop([this] { loop_->stop(); });
  }

  const Settings& settings_;
  tools::DaemonLog log_;
  service::MetricRegistry registry_;
  EmmgMetrics metrics_;
  std::optional<ca_system::CaSystem> system_;
  Carousel carousel_{
      [this](ca_system::IssueNumber after, std::size_t count) { return system_->emms_after(after, count); },
      settings_.least_cycle};
  EmmSender sender_{carousel_, metrics_, settings_.packets};
  std::unique_ptr<service::EventLoop> loop_;
  std::unique_ptr<MuxLink> link_;
  service::Health health_;
  std::unique_ptr<service::HttpServer> operations_;
  std::optional<EmmKeeper> keeper_;
  bool stopping_ = false;
};

}  // namespace

Result<tools::Report> run(const RunArguments& arguments, tools::NumberOptions& numbers, const tools::Progress&) {
  CAS_TRY_ASSIGN(const Settings settings, settle(arguments, numbers));
  return Daemon(arguments, settings).run();
}

}  // namespace cas::emmg_program
