// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to service/, not installed: lines of an audit log, and how they hang together.
//
//   {"seq":7,"time":"2027-01-15T08:00:00.123Z","event":"...", fields ...,"chain":"<64 digits>"}
//
// docs/formats/audit-log.md tells what is in them.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "service/audit_log.hpp"

namespace cas::service {

inline constexpr std::string_view audit_begins = "log-begins";
inline constexpr std::string_view audit_repaired = "log-repaired";

/// A line, as far as its form goes. Views of the line.
struct AuditLine {
  std::uint64_t sequence = 0;
  crypto::Sha256Digest chain{};
  std::string_view event;
  std::string_view covered;  ///< By the chain.
};

/// Nothing for what is no line of a log. Without the line's end.
[[nodiscard]] std::optional<AuditLine> read_audit_line(std::string_view line);
/// Of a line of log-begins: its field "previous".
[[nodiscard]] std::optional<crypto::Sha256Digest> previous_of(const AuditLine& line);
/// The fields that tell of a line that was cut off.
[[nodiscard]] Result<std::string> audit_torn_fields(std::string_view torn);
[[nodiscard]] Result<crypto::Sha256Digest> next_audit_chain(const crypto::Sha256Digest& before,
                                                            std::string_view covered);

/// Looks at the lines of a file, one after the other.
class AuditVerifier {
 public:
  /// `ended`: there is a line end behind it; only the last line of a file may have none.
  [[nodiscard]] Status take(std::string_view line, bool ended);
  [[nodiscard]] AuditVerification finish();
  [[nodiscard]] bool has_fault() const { return result_.fault.has_value(); }

 private:
  void fault(std::uint64_t line, const char* sentence);
  [[nodiscard]] Status take_first(const AuditLine& line);

  AuditVerification result_;
  std::uint64_t lines_ = 0;
  std::string torn_fields_;  ///< Of the line before, which did not fit; empty when it did.
};

}  // namespace cas::service
