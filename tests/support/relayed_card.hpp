// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <memory>

#include "card/card.hpp"

namespace cas::test {

/// A card with somebody between it and its user: every command passes `transmit_through`, which may change, answer or
/// lose it.
class RelayedCard final : public card::Card {
 public:
  using Transmit = std::function<Result<card::ResponseApdu>(card::Card& inner, const card::CommandApdu& command)>;

  explicit RelayedCard(std::shared_ptr<card::Card> inner, Transmit transmit_through = nullptr)
      : through(std::move(transmit_through)), inner_(std::move(inner)) {}
  Status connect() override { return inner_->connect(); }
  void disconnect() override { inner_->disconnect(); }
  Status wait_for_card(std::stop_token stop) override { return inner_->wait_for_card(std::move(stop)); }
  std::string description() const override { return inner_->description(); }
  Result<card::ResponseApdu> transmit(const card::CommandApdu& command) override {
    ++commands;
    return through ? through(*inner_, command) : inner_->transmit(command);
  }

  Transmit through;
  std::size_t commands = 0;  ///< How many there were.

 private:
  std::shared_ptr<card::Card> inner_;
};

}  // namespace cas::test
