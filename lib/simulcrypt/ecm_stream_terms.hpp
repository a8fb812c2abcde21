// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/error.hpp"

namespace cas::simulcrypt {

/// What an ECMG asks of the one who broadcasts its ECMs: the parameters of channel_status (TS 103 197, 5.4.3) that bear
/// on time, and how many words it wants.
struct EcmStreamTerms {
  using Delay = std::chrono::milliseconds;  ///< Signed: before, or after, the moment that it is counted from.

  Delay delay_start{};  ///< From the start of a crypto-period to the start of the broadcast of its ECM.
  Delay delay_stop{};   ///< From the end of a crypto-period to the end of the broadcast of its ECM.
  /// Instead of them: for the first period after clear, and the last one before it.
  std::optional<Delay> transition_delay_start, transition_delay_stop;
  /// Instead of them: for the first period of new access criteria, and the last one of the old.
  std::optional<Delay> ac_delay_start, ac_delay_stop;
  std::chrono::milliseconds repetition{100};    ///< ECM_rep_period.
  std::chrono::milliseconds min_cp_duration{};  ///< No crypto-period is shorter.
  std::chrono::milliseconds max_comp_time{};    ///< The ECMG answers within.
  std::uint8_t lead_cw = 1;                     ///< The last word in an ECM is that of so many periods later.
  std::uint8_t cw_per_msg = 2;                  ///< How many words an ECM has.
};

/// More than these no ECMG has reason to ask for; words that lie open so long before their time are none.
inline constexpr std::uint8_t max_lead_cw = 8;
inline constexpr std::uint8_t max_cw_per_msg = 16;

/// ErrorKind::invalid_argument, with what is wrong: no word at all, a window of words that does not reach the period
/// itself (TS 103 197, 5.3: the window is lead_CW - CW_per_msg + 1 to lead_CW), more words than anybody needs, no
/// repetition, or a delay of more than a minute.
[[nodiscard]] Status check_ecm_stream_terms(const EcmStreamTerms& terms);

}  // namespace cas::simulcrypt
