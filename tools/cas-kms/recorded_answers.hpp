// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "service/audit_log.hpp"
#include "service/event_loop.hpp"
#include "service/http_exchange.hpp"
#include "service/http_message.hpp"
#include "service/metrics.hpp"

namespace cas::kms_program {

/// Answers that go out when the audit log has their records, and not without. What comes in one turn of the event loop is
/// recorded with one write, and one synchronisation where that is asked for, however many answers that are. On the
/// loop's thread.
class RecordedAnswers {
 public:
  struct Answer {
    service::HttpExchange exchange;
    service::HttpResponse response;
    /// What is answered when the records cannot be written; nothing: `response` all the same, since it gives nothing.
    std::optional<service::HttpResponse> without_record = std::nullopt;
    /// Counts `count` more when `response` goes out with its records.
    service::Counter* counter = nullptr;
    std::uint64_t count = 0;
  };

  /// Keeps references.
  RecordedAnswers(service::EventLoop& loop, service::AuditLog& log, service::AuditSync sync)
      : loop_(loop), log_(log), sync_(sync) {}
  /// What waits goes out.
  ~RecordedAnswers() { flush(); }
  RecordedAnswers(const RecordedAnswers&) = delete;
  RecordedAnswers& operator=(const RecordedAnswers&) = delete;

  void add(Answer answer, std::vector<service::AuditRecord> records);
  /// Now: before the log is opened anew, say.
  void flush();

 private:
  struct Waiting {
    Answer answer;
    std::size_t records = 0;  ///< Of records_, behind those of the answers before.
  };

  service::EventLoop& loop_;
  service::AuditLog& log_;
  service::AuditSync sync_;
  std::vector<Waiting> waiting_;
  std::vector<service::AuditRecord> records_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace cas::kms_program
