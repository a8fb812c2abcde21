// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/stkm_ecm_generator.hpp"

#include <algorithm>
#include <array>
#include <iterator>

namespace cas::simulcrypt::bcast {

namespace {

std::uint64_t handle_of(std::uint32_t super_cas_id, std::uint16_t stream) {
  return std::uint64_t{super_cas_id} << 16 | stream;
}

GlobalStatus status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::malformed:
    case ErrorKind::truncated:
    case ErrorKind::exhausted: return GlobalStatus::malformed_message;
    case ErrorKind::invalid_argument:
    case ErrorKind::unsupported: return GlobalStatus::invalid_request;
    case ErrorKind::authentication_failed: return GlobalStatus::operation_not_permitted;
    case ErrorKind::expired: return GlobalStatus::service_unavailable;
    default: return GlobalStatus::server_error;
  }
}

EcmAnswer refused(GlobalStatus status) { return EcmAnswer::refused(ecmg_error_of(status)); }

}  // namespace

Status StkmEcmGenerator::add_stream(std::uint32_t super_cas_id, StkmGenerator generator) {
  if (profile_of(super_cas_id) != generator.options().profile) {
    return fail(ErrorKind::invalid_argument,
                "A Super_CAS_id of OMA BCAST begins with 0x0001 (DRM Profile) or 0x0002 (Smartcard Profile)");
  }
  const Key key{super_cas_id, generator.options().stream};
  if (!streams_.emplace(key, std::move(generator)).second) {
    return fail(ErrorKind::invalid_argument, "The Super_CAS_id has a key stream of this number already");
  }
  return {};
}

StkmGenerator* StkmEcmGenerator::find(std::uint32_t super_cas_id, std::uint16_t stream) {
  const auto found = streams_.find({super_cas_id, stream});
  return found == streams_.end() ? nullptr : &found->second;
}

tl::expected<ecmg::ChannelParameters, ecmg::Error> StkmEcmGenerator::open_channel(std::uint32_t super_cas_id) {
  const auto profile = profile_of(super_cas_id);
  const auto first = streams_.lower_bound({super_cas_id, 0});
  if (!profile || first == streams_.end() || first->first.first != super_cas_id) {
    return tl::unexpected(ecmg::Error::unknown_super_cas_id);
  }
  ecmg::ChannelParameters parameters = options_.channel;
  parameters.section_tspkt_flag = ecmg::binary_messages;
  if (parameters.max_streams == 0) {
    const auto last = streams_.upper_bound({super_cas_id, 0xffff});
    parameters.max_streams = static_cast<std::uint16_t>(std::min<std::ptrdiff_t>(std::distance(first, last), 0xffff));
  }
  parameters.cw_per_msg = *profile == Profile::drm ? 2 : 1;
  parameters.lead_cw = static_cast<std::uint8_t>(parameters.cw_per_msg - 1);
  return parameters;
}

tl::expected<EcmStreamGrant, ecmg::Error> StkmEcmGenerator::open_stream(const EcmStreamOrder& order) {
  if (find(order.super_cas_id, order.ecm_id) == nullptr) return tl::unexpected(ecmg::Error::unknown_ecm_id);
  // A key message may say nothing of access criteria.
  return EcmStreamGrant{.handle = handle_of(order.super_cas_id, order.ecm_id), .access_criteria_optional = true};
}

void StkmEcmGenerator::close_stream(std::uint64_t) {}  // a stream's generator stays: its counter goes on

EcmAnswer StkmEcmGenerator::make_ecm(const EcmOrder& order, MutableByteView out) {
  StkmGenerator* const generator =
      find(static_cast<std::uint32_t>(order.handle >> 16), static_cast<std::uint16_t>(order.handle));
  if (generator == nullptr || order.words.size() > 2) return refused(GlobalStatus::server_error);
  if (order.cw_encryption.has_value() != options_.cw_encryption.has_value()) {
    return refused(GlobalStatus::operation_not_permitted);
  }
  std::array<ecmg::ControlWord, 2> words;
  std::array<SecretBytes, 2> opened;
  for (std::size_t i = 0; i < order.words.size(); ++i) {
    words[i] = order.words[i];
    if (!order.cw_encryption) continue;
    auto word = options_.cw_encryption->open(*order.cw_encryption, words[i].cp_number, words[i].word);
    if (!word) return refused(status_of(word.error().kind));
    opened[i] = std::move(*word);
    words[i].word = opened[i].reveal();
  }
  const auto size = generator->make(std::span(words).first(order.words.size()),
                                    std::chrono::milliseconds(100) * order.cp_duration, order.access_criteria, out);
  if (!size) return refused(status_of(size.error().kind));
  return EcmAnswer::ready(*size);
}

}  // namespace cas::simulcrypt::bcast
