// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fake_bridge.hpp"

#include <stdexcept>
#include <utility>

#include "base/tlv.hpp"
#include "gst/cas/pointers.hpp"
#include "plugins/smartpro/elements.hpp"
#include "smartpro/token_commands.hpp"

namespace cas::test {

namespace {

class FakeConverter final : public smartpro::LicenceConverter {
 public:
  Result<Bytes> convert(std::uint32_t period, ByteView slot_content, const smartpro::ReadHeader&) override {
    const FakeBridge& fake = fake_bridge();
    CAS_TRY(fake.card->present());
    return fake.convert ? fake.convert(period, slot_content) : FakeBridge::turned(slot_content, fake.growth);
  }
};

}  // namespace

void FakeBridgeCard::pull() {
  const std::lock_guard lock(mutex_);
  present_ = false;
}

void FakeBridgeCard::insert() {
  const std::lock_guard lock(mutex_);
  present_ = true;
  changed_.notify_all();
}

Status FakeBridgeCard::present() const {
  const std::lock_guard lock(mutex_);
  if (present_) return {};
  return fail(ErrorKind::card_absent, "there is no card in the reader: put it back");
}

Status FakeBridgeCard::wait_for_card(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  if (changed_.wait(lock, stop, [this] { return present_; })) return {};
  return fail(ErrorKind::cancelled, "nobody waits for a card any more");
}

Result<card::ResponseApdu> FakeBridgeCard::transmit(const card::CommandApdu& command) {
  CAS_TRY(present());
  if (command.ins != smartpro::ins::get_token_info) return card::ResponseApdu{};
  TlvWriter info;
  info.number(smartpro::tag::info_version, 1, 1).number(smartpro::tag::info_kind, static_cast<std::uint64_t>(kind_), 1);
  if (kind_ != smartpro::TokenKind::blank) info.field(smartpro::tag::info_vdid, smartpro::Vdid{1, 2, 3, 4, 5, 6, 7, 8});
  return card::ResponseApdu{info.take()};
}

Bytes FakeBridge::turned(ByteView content, std::size_t growth) {
  Bytes out(content.rbegin(), content.rend());
  out.resize(out.size() + growth, 0x5a);
  return out;
}

FakeBridge& fake_bridge() {
  static FakeBridge fake;
  return fake;
}

void register_lecm_bridge() {
  static const bool registered = GST_ELEMENT_REGISTER(lecm_bridge, nullptr) != FALSE;
  if (!registered) throw std::runtime_error("lecm-bridge cannot be registered");
}

void reset_fake_bridge(smartpro::TokenKind kind) {
  fake_bridge() = {};
  fake_bridge().card = std::make_shared<FakeBridgeCard>(kind);
}

void give_fake_card(GstElement* to) {
  // No credentials: no channel is ever opened.
  smartpro::TokenSession::Options options;
  options.lists = smartpro::HostLists::in_memory({});
  auto token = std::make_unique<smartpro::TokenSession>(fake_bridge().card, nullptr, options);
  auto session = gst::wrap_token_session(std::move(token), {"test:", "test", "", crypto::DhGroup::p256, {}});
  if (!session) throw std::runtime_error(session.error().message);
  const gst::ContextPtr context(gst_cas_context_new_card_session(session->get(), TRUE));
  gst_element_set_context(to, context.get());
}

}  // namespace cas::test

namespace cas::gst {

Result<std::unique_ptr<smartpro::LicenceConverter>> make_converter(const BridgeSettings& settings,
                                                                   smartpro::TokenSession&,
                                                                   const smartpro::TokenInfo&) {
  test::FakeBridge& fake = test::fake_bridge();
  fake.settings.push_back(settings);
  if (fake.at_start) return fail(*fake.at_start);
  return std::make_unique<test::FakeConverter>();
}

}  // namespace cas::gst
