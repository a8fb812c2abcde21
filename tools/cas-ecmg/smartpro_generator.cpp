// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro_generator.hpp"

#include <utility>

namespace cas::ecmg_program {

using simulcrypt::EcmAnswer;
namespace ecmg = simulcrypt::ecmg;

ecmg::Error ecmg_error_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::card_absent:
    case ErrorKind::card_reset:
    case ErrorKind::io:
    case ErrorKind::cancelled: return no_token;
    default: return refused_by_token;
  }
}

tl::expected<ecmg::ChannelParameters, ecmg::Error> SmartproGenerator::open_channel(std::uint32_t super_cas_id) {
  if (super_cas_id != super_cas_id_) return tl::unexpected(ecmg::Error::unknown_super_cas_id);
  return parameters_;
}

tl::expected<simulcrypt::EcmStreamGrant, ecmg::Error> SmartproGenerator::open_stream(
    const simulcrypt::EcmStreamOrder& order) {
  Stream stream;
  stream.place = {order.super_cas_id, order.ecm_id};
  const std::uint64_t handle = next_handle_++;
  streams_.emplace(handle, std::move(stream));
  return simulcrypt::EcmStreamGrant{false, handle, true};
}

void SmartproGenerator::close_stream(std::uint64_t handle) { streams_.erase(handle); }

EcmAnswer SmartproGenerator::make_ecm(const simulcrypt::EcmOrder& order, MutableByteView) {
  Stream& stream = streams_.find(order.handle)->second;
  if (order.access_criteria_changed) {
    stream.criteria.reset();
    if (auto criteria = smartpro::BroadcastCriteria::parse(order.access_criteria))
      stream.criteria = std::move(*criteria);
  }
  // No way to encrypt words was agreed on (CW_encryption, TS 103 197, 5.3).
  if (!stream.criteria || order.cw_encryption || order.words.size() != 1 ||
      order.words.front().cp_number != order.cp_number ||
      !smartpro::is_control_word_size(smartpro::ContentCipher::transport_stream, order.words.front().word.size()))
    return EcmAnswer::refused(ecmg::Error::invalid_value);
  LicenceOrder licence;
  licence.ticket = order.ticket;
  licence.asked = clock_->monotonic();
  licence.place = stream.place;
  licence.cp_number = order.cp_number;
  auto request = smartpro::broadcast_licence_request(stream.place, order.cp_number, *stream.criteria);
  if (!request) return EcmAnswer::refused(ecmg::Error::invalid_value);
  licence.request = std::move(*request);
  licence.word = SecretBytes::copy_of(order.words.front().word);
  if (!order_(std::move(licence))) return EcmAnswer::refused(ecmg::Error::out_of_computation);
  return EcmAnswer::later();
}

}  // namespace cas::ecmg_program
