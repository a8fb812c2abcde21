// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "simulcrypt/ecmg_server.hpp"

namespace cas::simulcrypt::test {

/// A CA system of one Super_CAS_id, whose ECM is a section of the crypto-period's number. It can put off, and refuse.
class FakeGenerator final : public EcmGenerator {
 public:
  tl::expected<ecmg::ChannelParameters, ecmg::Error> open_channel(std::uint32_t super_cas_id) override {
    if (super_cas_id != 0x4adc0001) return tl::unexpected(ecmg::Error::unknown_super_cas_id);
    return parameters;
  }
  tl::expected<EcmStreamGrant, ecmg::Error> open_stream(const EcmStreamOrder& order) override {
    if (order.ecm_id == 0xffff) return tl::unexpected(ecmg::Error::unknown_ecm_id);
    open_handles.insert(next_handle);
    return EcmStreamGrant{each_time, next_handle++, criteria_optional};
  }
  void close_stream(std::uint64_t handle) override { open_handles.erase(handle); }
  std::size_t longest_ecm() const override { return 64; }
  EcmAnswer make_ecm(const EcmOrder& order, MutableByteView out) override {
    ++orders;
    last_ticket = order.ticket;
    last_cp_duration = order.cp_duration;
    criteria_changed = order.access_criteria_changed;
    first_word = order.words.front().cp_number;
    if (next_answer) return *std::exchange(next_answer, std::nullopt);
    const std::array<std::uint8_t, 5> ecm{0x80, 0x70, 0x02, static_cast<std::uint8_t>(order.cp_number >> 8),
                                          static_cast<std::uint8_t>(order.cp_number)};
    std::ranges::copy(ecm, out.begin());
    return EcmAnswer::ready(ecm.size());
  }

  ecmg::ChannelParameters parameters = [] {
    ecmg::ChannelParameters made;
    made.max_streams = 3;
    return made;
  }();
  bool each_time = false;
  bool criteria_optional = false;
  std::optional<EcmAnswer> next_answer;
  std::set<std::uint64_t> open_handles;
  std::uint64_t next_handle = 100;
  std::uint64_t orders = 0;
  EcmTicket last_ticket;
  std::uint16_t last_cp_duration = 0;
  bool criteria_changed = false;
  std::uint16_t first_word = 0;
};

}  // namespace cas::simulcrypt::test
