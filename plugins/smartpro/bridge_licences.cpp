// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bridge_licences.hpp"

#include <utility>

GST_DEBUG_CATEGORY_EXTERN(lecm_bridge_debug);
#define GST_CAT_DEFAULT lecm_bridge_debug

namespace cas::gst {

void BridgeLicences::start(std::unique_ptr<smartpro::LicenceConverter> converter, CardSessionPtr session,
                           CardRemovalPolicy policy) {
  counters_.licences = 0;
  counters_.card_waits = 0;
  converter_ = std::move(converter);
  card_.start(std::move(session), policy);
}

void BridgeLicences::close() {
  converter_.reset();
  card_.close();
}

Result<Bytes> BridgeLicences::convert(std::uint32_t period, ByteView slot_content, const smartpro::ReadHeader& header) {
  CAS_TRY_ASSIGN(Bytes converted, card_.exchange(period, [&](smartpro::TokenSession&) {
    return converter_->convert(period, slot_content, header);
  }));
  ++counters_.licences;
  GST_DEBUG_OBJECT(element_, "licence of period %u converted", period);
  GstStructure* told = gst_structure_new("lecm-bridge-licence",                                            //
                                         "key-period", G_TYPE_UINT, period,                                //
                                         "size-in", G_TYPE_UINT, static_cast<guint>(slot_content.size()),  //
                                         "size-out", G_TYPE_UINT, static_cast<guint>(converted.size()), nullptr);
  gst_element_post_message(element_, gst_message_new_element(GST_OBJECT(element_), told));
  return converted;
}

}  // namespace cas::gst
