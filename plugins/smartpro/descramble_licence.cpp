// SPDX-License-Identifier: LGPL-2.1-or-later
#include "descramble_licence.hpp"

#include <string>
#include <utility>

#include "crypto/random.hpp"
#include "rights_structure.hpp"

GST_DEBUG_CATEGORY_EXTERN(smartpro_descramble_debug);
#define GST_CAT_DEFAULT smartpro_descramble_debug

namespace cas::gst {

namespace {

/// A card that is there, and yet cannot be reached so often in a row, will not be reached by trying again.
constexpr int max_attempts = 3;

bool card_is_away(ErrorKind kind) { return kind == ErrorKind::card_absent || kind == ErrorKind::card_reset; }

}  // namespace

Status LicenceGate::start(CardSessionPtr session, CardRemovalPolicy policy) {
  CAS_TRY(crypto::system_random().fill(play_id_));
  session_ = std::move(session);
  policy_ = policy;
  waits_.rearm();
  return {};
}

void LicenceGate::close() {
  session_.reset();
  counters_.licences = 0;
  counters_.card_waits = 0;
  const ObjectLock lock(element_);
  known_.reset();
}

Result<SecretBytes> LicenceGate::control_word(std::uint32_t period, ByteView lecm, const smartpro::ReadHeader& header) {
  smartpro::OpenRequest request;
  request.header_digest = header.digest;
  request.cipher = header.header.cipher;
  request.key_period = period;
  request.play_id = play_id_;
  CAS_TRY_ASSIGN(smartpro::OpenedLicence licence, open_waiting(lecm, request));
  ++counters_.licences;
  GST_DEBUG_OBJECT(element_, "licence of period %u opened", period);
  note_rights(licence);
  return std::move(licence.control_word);
}

Result<smartpro::OpenedLicence> LicenceGate::open_waiting(ByteView lecm, const smartpro::OpenRequest& request) {
  CAS_TRY(token_session(session_.get()).wait_for_lists(waits_.token()));
  for (int attempt = 1;; ++attempt) {
    auto licence = token_session(session_.get()).open_licence(lecm, request);
    if (licence || !card_is_away(licence.error().kind) || policy_ == CardRemovalPolicy::stop || attempt == max_attempts) return licence;
    CAS_TRY(wait_for_card(licence.error(), request.key_period));
  }
}

Status LicenceGate::wait_for_card(const Error& why, std::uint32_t period) {
  smartpro::TokenSession& token = token_session(session_.get());
  const std::string description = token.card_description();
  const auto tell = [&](const char* name) {
    gst_element_post_message(element_, gst_message_new_element(GST_OBJECT(element_),
                                                               gst_structure_new(name, "card", G_TYPE_STRING, description.c_str(),  //
                                                                                 "key-period", G_TYPE_UINT, period,                 //
                                                                                 "reason", G_TYPE_STRING, why.message.c_str(), nullptr)));
  };
  ++counters_.card_waits;
  GST_INFO_OBJECT(element_, "waits for %s", description.c_str());
  tell("cas-card-needed");
  CAS_TRY(token.wait_for_card(waits_.token()));
  tell("cas-card-returned");
  return {};
}

void LicenceGate::note_rights(const smartpro::OpenedLicence& licence) {
  {
    const ObjectLock lock(element_);
    const bool told = known_ && known_->rights == licence.rights && known_->plays_left == licence.plays_left;
    if (told) return;
    known_ = Known{licence.rights, licence.plays_left};
  }
  gst_element_post_message(element_, gst_message_new_element(GST_OBJECT(element_), rights("smartpro-rights").release()));
}

StructurePtr LicenceGate::rights(const char* name) const {
  const ObjectLock lock(element_);
  return known_ ? rights_structure(name, known_->rights, known_->plays_left) : nullptr;
}

GstTagList* LicenceGate::rights_tags() const {
  const ObjectLock lock(element_);
  const std::string text = "usage-rights=" + (known_ ? known_->rights.describe() : std::string());
  return gst_tag_list_new(GST_TAG_EXTENDED_COMMENT, text.c_str(), nullptr);
}

}  // namespace cas::gst
