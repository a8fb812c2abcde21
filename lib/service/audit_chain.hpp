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
#include <utility>

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
[[nodiscard]] Result<crypto::Sha256Digest> next_audit_chain(const crypto::Sha256Digest& before,
                                                            std::string_view covered);

/// What has to be put behind a file so that a log goes on in it.
struct AuditRest {
  bool needs_line_end = false;  ///< The last line has none.
  std::string torn_fields;      ///< Of a record log-repaired; none where nothing was torn.
};

/// Reads a file, piece by piece, and takes no more memory than a record has.
class AuditVerifier {
 public:
  enum class For {
    a_verdict,
    /// To append to the file: a record that does not fit is for the verdict to tell of, and what is no record at all is
    /// what a crash has left.
    going_on,
  };
  [[nodiscard]] static Result<AuditVerifier> create(For purpose);

  /// What is taken first is no beginning of a file, and the first whole record is one that fits.
  void begin_in_the_middle() { in_the_middle_ = true; }
  [[nodiscard]] Status take(std::string_view bytes);
  /// At the file's end, and once.
  [[nodiscard]] Result<AuditVerification> finish();
  /// Behind `finish`.
  [[nodiscard]] Result<AuditRest> rest();
  [[nodiscard]] bool has_fault() const { return result_.fault.has_value(); }

 private:
  /// What does not fit, from the end of the last record that does.
  struct Torn {
    std::uint64_t line = 0;
    std::uint64_t bytes = 0;
  };
  AuditVerifier(For purpose, crypto::Sha256 torn_digest) : purpose_(purpose), torn_digest_(std::move(torn_digest)) {}
  void fault(std::uint64_t line, const char* sentence);
  [[nodiscard]] Status take_line();
  [[nodiscard]] Status take_first(const std::optional<AuditLine>& line);
  [[nodiscard]] Result<bool> fits(const std::optional<AuditLine>& line) const;
  [[nodiscard]] Result<bool> tells_of_torn(const AuditLine& line) const;
  [[nodiscard]] Status tear(std::string_view bytes);
  [[nodiscard]] Result<std::string> torn_fields() const;

  For purpose_;
  AuditVerification result_;
  std::string line_;           ///< Of which no end was seen yet.
  std::uint64_t lines_ = 0;    ///< Begun.
  bool line_is_long_ = false;  ///< Longer than any record: its bytes are torn already.
  bool in_the_middle_ = false;
  bool begun_ = false;         ///< There was a first record.
  bool ends_in_line_ = false;  ///< At the end: the last line has no end.
  std::optional<Torn> torn_;
  crypto::Sha256 torn_digest_;
};

}  // namespace cas::service
