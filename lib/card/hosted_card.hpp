// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <utility>

#include "card/applet_host.hpp"
#include "card/vpcd_server.hpp"

namespace cas::card {

/// The applets of a host as a card for `serve_vpcd`: the same code and store as a soft card, behind pcscd.
class HostedCard final : public VirtualCard {
 public:
  explicit HostedCard(std::shared_ptr<AppletHost> host) : host_(std::move(host)) {}
  void power_on() override { host_->reset(); }
  void power_off() override { host_->reset(); }
  void reset() override { host_->reset(); }
  [[nodiscard]] Bytes atr() override { return AppletHost::atr(); }
  [[nodiscard]] std::optional<Bytes> transmit(ByteView command) override { return host_->process(command); }

 private:
  std::shared_ptr<AppletHost> host_;
};

}  // namespace cas::card
