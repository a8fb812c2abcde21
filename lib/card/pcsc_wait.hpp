// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <stop_token>
#include <vector>

#include "base/error.hpp"
#include "card/pcsc_card.hpp"
#include "card/reader_list.hpp"

namespace cas::card {

/// Whether these readers are what is waited for; an error ends the wait. Nothing stands for "pcscd went away", after
/// which event counters start anew.
struct ReaderCondition {
  std::function<Result<bool>(const std::vector<Reader>& readers)> holds;
  std::function<void()> service_lost;
};

/// Waits, over any absence of pcscd and of readers, until the condition holds. Ends at once with ErrorKind::cancelled
/// when `stop` is requested; the thread that requests it helps for a few milliseconds. Any number of threads.
[[nodiscard]] Status wait_for_readers(const ReaderCondition& condition, const PcscWaitTimes& times,
                                      const std::stop_token& stop);

}  // namespace cas::card
