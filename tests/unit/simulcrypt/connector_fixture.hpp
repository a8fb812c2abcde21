// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "simulcrypt/ecmg_connector.hpp"
#include "support/seeded_random.hpp"
#include "tests/unit/service/loop_fixture.hpp"
#include "unit/simulcrypt/ecmg_events.hpp"
#include "unit/simulcrypt/ecmg_on_socket.hpp"

namespace cas::simulcrypt::test {

/// A connector in the test's loop, whose packets' thread is the test.
class ConnectorFixture : public cas::test::LoopFixture, public EcmgConnectorListener {
 protected:
  ConnectorFixture() { settings_.client.super_cas_id = 0x4adc0001; }

  void connecting(const service::TcpAddress& address) override { log("connecting " + name(address)); }
  void connected(const service::TcpAddress& address, std::uint8_t version, const ecmg::ChannelParameters&) override {
    log("connected " + name(address) + " v" + std::to_string(version));
  }
  void lost(const service::TcpAddress& address, const std::string& why, std::chrono::milliseconds next) override {
    why_ = why;
    next_try_ = next;
    log("lost " + name(address));
  }
  void misbehaved(const Problem& problem) override {
    problems_.push_back(problem);
    happened();
  }

  void connect() {
    auto made = EcmgConnector::create(*loop_, random_, settings_, this);
    ASSERT_TRUE(made.has_value());
    connector_ = std::move(*made);
    connector_->on_events([this] { happened(); });
    connector_->start();
  }
  /// Addresses are told by their place in the settings.
  std::string name(const service::TcpAddress& address) const {
    const auto found = std::ranges::find(settings_.addresses, address);
    return std::to_string(found - settings_.addresses.begin());
  }
  void log(const std::string& text) {
    log_ += (log_.empty() ? "" : "; ") + text;
    happened();
  }
  void run_until_logged(const std::string& text) {
    run_until([&] { return log_.find(text) != std::string::npos; });
  }
  /// For what nobody is told of.
  void poll_until(const std::function<bool()>& done) {
    while (!done()) run_ready();
  }
  /// Waits for the next event and gives it in words: "opened 1", "ecm 1/7".
  std::string next_event() {
    run_until([&] { return next_ < events_.size() || connector_->has_events(); });
    if (next_ == events_.size()) connector_->take(events_);
    const EcmEvent& event = events_[next_++];
    const std::string stream = std::to_string(event.stream_id);
    switch (event.kind) {
      case EcmEvent::Kind::opened: return "opened " + stream;
      case EcmEvent::Kind::lost: return "lost " + stream;
      case EcmEvent::Kind::ecm: return "ecm " + stream + "/" + std::to_string(event.cp_number);
      case EcmEvent::Kind::refused: return "refused " + stream + "/" + std::to_string(event.cp_number);
    }
    return "?";
  }
  [[nodiscard]] const EcmEvent& last_event() const { return events_[next_ - 1]; }
  [[nodiscard]] bool no_event_waits() const { return next_ == events_.size() && !connector_->has_events(); }

  void open(std::uint16_t stream_id, std::uint16_t ecm_id) {
    connector_->open_stream({stream_id, ecm_id, std::chrono::seconds(10)});
  }
  /// With the words of a window of lead_CW 1 and CW_per_msg 2.
  void request(std::uint16_t stream_id, std::uint16_t cp_number) {
    EcmRequest request;
    request.cp_number = cp_number;
    for (const auto ahead : {std::uint16_t{0}, std::uint16_t{1}}) {
      const std::array<std::uint8_t, 8> word{1, 2, 3, 6, 5, 6, 7, 18};
      request.words.push_back({static_cast<std::uint16_t>(cp_number + ahead), SecretBytes::copy_of(word)});
    }
    request.duration = std::chrono::seconds(10);
    request.access_criteria = criteria_;
    connector_->request(stream_id, request);
  }
  std::unique_ptr<EcmgOnSocket> ecmg() {
    auto made = std::make_unique<EcmgOnSocket>(*loop_, [this] { happened(); });
    settings_.addresses.push_back(made->address());
    return made;
  }
  std::unique_ptr<ScriptedEcmg> scripted(ScriptedEcmg::Answer answer) {
    auto made = std::make_unique<ScriptedEcmg>(*loop_, std::move(answer));
    settings_.addresses.push_back(made->address());
    return made;
  }
  /// A port at which nobody listens.
  void add_dead_address() {
    const EcmgOnSocket dead(*loop_, [] {});
    settings_.addresses.push_back(dead.address());
  }
  /// Lets the delay before the next try pass.
  void pass_delay() { advance(std::chrono::duration_cast<std::chrono::seconds>(next_try_) + std::chrono::seconds(1)); }
  [[nodiscard]] bool was_told(Misbehaviour what) const {
    return std::ranges::any_of(problems_, [what](const Problem& each) { return each.what == what; });
  }

  cas::test::SeededRandom random_{11};
  EcmgConnectorSettings settings_;
  Bytes criteria_{1, 2, 3};
  std::string log_, why_;
  std::chrono::milliseconds next_try_{};
  std::vector<Problem> problems_;
  std::vector<EcmEvent> events_;
  std::size_t next_ = 0;
  std::shared_ptr<EcmgConnector> connector_;
};

}  // namespace cas::simulcrypt::test
