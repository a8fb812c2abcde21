// SPDX-License-Identifier: LGPL-2.1-or-later
#include "descramble_licence.hpp"

#include <string>
#include <utility>

#include "crypto/random.hpp"
#include "licence_announcement.hpp"
#include "rights_structure.hpp"

GST_DEBUG_CATEGORY_EXTERN(smartpro_descramble_debug);
#define GST_CAT_DEFAULT smartpro_descramble_debug

namespace cas::gst {

Status LicenceGate::start(CardSessionPtr session, CardRemovalPolicy policy) {
  CAS_TRY(crypto::system_random().fill(play_id_));
  card_.start(std::move(session), policy);
  return {};
}

void LicenceGate::close() {
  card_.close();
  counters_.licences = 0;
  counters_.card_waits = 0;
  const ObjectLock lock(element_);
  known_.reset();
  licence_.reset();
}

Result<SecretBytes> LicenceGate::control_word(std::uint32_t period, ByteView lecm, const smartpro::ReadHeader& header) {
  smartpro::OpenRequest request;
  request.header_digest = header.digest;
  request.cipher = header.header.cipher;
  request.key_period = period;
  request.play_id = play_id_;
  CAS_TRY_ASSIGN(smartpro::OpenedLicence licence, card_.exchange(period, [&](smartpro::TokenSession& token) {
    return token.open_licence(lecm, request);
  }));
  ++counters_.licences;
  GST_DEBUG_OBJECT(element_, "licence of period %u opened", period);
  {
    StructurePtr announcement = licence_structure(period, lecm, header);
    const ObjectLock lock(element_);
    licence_ = std::move(announcement);
    announced_ = false;
  }
  note_rights(licence, header.header.key_origin);
  return std::move(licence.control_word);
}

void LicenceGate::note_rights(const smartpro::OpenedLicence& licence,
                              const std::optional<smartpro::KeyOrigin>& key_origin) {
  {
    const ObjectLock lock(element_);
    Known now{licence.rights, licence.plays_left, key_origin};
    if (known_ == now) return;
    known_ = std::move(now);
  }
  gst_element_post_message(element_,
                           gst_message_new_element(GST_OBJECT(element_), rights("smartpro-rights").release()));
}

EventPtr LicenceGate::take_announcement() {
  const ObjectLock lock(element_);
  if (!licence_ || std::exchange(announced_, true)) return nullptr;
  return new_licence_event(StructurePtr(gst_structure_copy(licence_.get())));
}

void LicenceGate::answer(GstQuery* query) const {
  const ObjectLock lock(element_);
  if (licence_) add_licence(query, StructurePtr(gst_structure_copy(licence_.get())));
}

StructurePtr LicenceGate::rights(const char* name) const {
  const ObjectLock lock(element_);
  if (!known_) return nullptr;
  StructurePtr structure = rights_structure(name, known_->rights, known_->plays_left);
  add_key_origin(structure.get(), known_->key_origin);
  return structure;
}

GstTagList* LicenceGate::rights_tags() const {
  const ObjectLock lock(element_);
  const std::string text = "usage-rights=" + (known_ ? known_->rights.describe() : std::string());
  return gst_tag_list_new(GST_TAG_EXTENDED_COMMENT, text.c_str(), nullptr);
}

}  // namespace cas::gst
