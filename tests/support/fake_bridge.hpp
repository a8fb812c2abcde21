// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>
#include <gst/cas/card_session.hpp>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "card/card.hpp"
#include "plugins/smartpro/bridge_converter.hpp"

/// lecm-bridge without a bridge token. A program that is linked with fake_bridge.cpp and the element's sources, in
/// place of the plugin and its bridge_converter.cpp, has the element with converters that do what `fake_bridge()` says.
namespace cas::test {

/// A card that says it is a token of some kind, and that a test pulls and puts back.
class FakeBridgeCard final : public card::Card {
 public:
  explicit FakeBridgeCard(smartpro::TokenKind kind) : kind_(kind) {}

  void pull();
  void insert();
  /// ErrorKind::card_absent while it is pulled.
  [[nodiscard]] Status present() const;

  Status connect() override { return present(); }
  void disconnect() override {}
  Status wait_for_card(std::stop_token stop) override;
  Result<card::ResponseApdu> transmit(const card::CommandApdu& command) override;
  std::string description() const override { return "a bridge card of the test"; }

 private:
  const smartpro::TokenKind kind_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  bool present_ = true;
};

/// What the element's converters do, and what was asked of them.
struct FakeBridge {
  std::shared_ptr<FakeBridgeCard> card;
  /// The new content of a slot; nothing: FakeBridge::turned with `growth`.
  std::function<Result<Bytes>(std::uint32_t period, ByteView content)> convert;
  std::size_t growth = 0;
  std::optional<Error> at_start;              ///< What make_converter fails with.
  std::vector<gst::BridgeSettings> settings;  ///< Of all calls of make_converter.

  /// Turned over and made longer, so that what comes out tells what went in.
  [[nodiscard]] static Bytes turned(ByteView content, std::size_t growth);
};
FakeBridge& fake_bridge();

/// Registers the element in this process, once.
void register_lecm_bridge();
/// As it was, with a new card of that kind.
void reset_fake_bridge(smartpro::TokenKind kind = smartpro::TokenKind::master_bridge);
/// Gives an element or a pipeline a session with fake_bridge().card.
void give_fake_card(GstElement* to);

}  // namespace cas::test
