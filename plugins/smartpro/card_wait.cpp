// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card_wait.hpp"

#include <string>

namespace cas::gst {

namespace {

/// A card that is there, and yet cannot be reached so often in a row, will not be reached by trying again.
constexpr int max_attempts = 3;

}  // namespace

GType removal_policy_type() {
  static const GType type = [] {
    static const GEnumValue values[] = {
        {static_cast<gint>(CardRemovalPolicy::wait), "Wait for the card to come back", "wait"},
        {static_cast<gint>(CardRemovalPolicy::stop), "Stop with an error", "stop"},
        {0, nullptr, nullptr},
    };
    return g_enum_register_static("GstSmartproCardRemovalPolicy", values);
  }();
  return type;
}

void CardWait::start(CardSessionPtr session, CardRemovalPolicy policy) {
  session_ = std::move(session);
  policy_ = policy;
  switch_.rearm();
}

bool CardWait::is_worth_waiting(ErrorKind kind, int attempt) const {
  const bool away = kind == ErrorKind::card_absent || kind == ErrorKind::card_reset;
  return away && policy_ == CardRemovalPolicy::wait && attempt < max_attempts;
}

Status CardWait::wait(const Error& why, std::uint32_t period) {
  smartpro::TokenSession& token = token_session(session_.get());
  const std::string description = token.card_description();
  const auto tell = [&](const char* name) {
    gst_element_post_message(
        element_, gst_message_new_element(GST_OBJECT(element_),
                                          gst_structure_new(name, "card", G_TYPE_STRING, description.c_str(),  //
                                                            "key-period", G_TYPE_UINT, period,                 //
                                                            "reason", G_TYPE_STRING, why.message.c_str(), nullptr)));
  };
  ++waits_;
  tell("cas-card-needed");
  CAS_TRY(token.wait_for_card(switch_.token()));
  tell("cas-card-returned");
  return {};
}

}  // namespace cas::gst
