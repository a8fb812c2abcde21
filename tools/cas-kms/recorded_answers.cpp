// SPDX-License-Identifier: LGPL-2.1-or-later
#include "recorded_answers.hpp"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

namespace cas::kms_program {

namespace {

/// Of one write. Uncommonly long ones may be more than the log takes at once: then each answer has a write of its own.
constexpr std::size_t most_records = 256;

}  // namespace

void RecordedAnswers::add(Answer answer, std::vector<service::AuditRecord> records) {
  const bool first = waiting_.empty();
  waiting_.push_back({std::move(answer), records.size()});
  std::move(records.begin(), records.end(), std::back_inserter(records_));
  if (records_.size() >= most_records) return flush();
  // Behind what the loop has found ready in this turn.
  if (first)
    loop_.post([this, is_alive = std::weak_ptr<bool>(alive_)] {
      if (!is_alive.expired()) flush();
    });
}

void RecordedAnswers::flush() {
  std::vector<Waiting> answers = std::exchange(waiting_, {});
  if (answers.empty()) return;
  const std::vector<service::AuditRecord> records = std::exchange(records_, {});
  const bool together = log_.append(records, sync_).has_value();
  std::size_t at = 0;
  for (auto& [answer, count] : answers) {
    // One that the log does not take is not the others' fault.
    const bool recorded =
        together || (answers.size() > 1 && log_.append(std::span(records).subspan(at, count), sync_).has_value());
    at += count;
    if (!recorded && answer.without_record) {
      answer.exchange.answer(std::move(*answer.without_record));
      continue;
    }
    if (recorded && answer.counter != nullptr) answer.counter->add(answer.count);
    answer.exchange.answer(std::move(answer.response));
  }
}

}  // namespace cas::kms_program
