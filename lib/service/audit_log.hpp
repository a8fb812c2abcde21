// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "crypto/digest.hpp"

namespace cas::service {

/// What happened, and with what. No secrets. Texts may be hostile: they are escaped.
struct AuditRecord {
  using Value = std::variant<std::string, std::int64_t, bool>;
  std::string event;  ///< As names below, but with '-' in place of '_', and not beginning with "log-".
  /// Names are of a-z, 0-9 and _, begin with a letter, and are not seq, time, event or chain.
  std::vector<std::pair<std::string, Value>> fields;
};

/// How far a log has come. Who keeps it elsewhere will know when the end of the log is gone, or all of it was written
/// anew.
struct AuditHead {
  std::uint64_t sequence = 0;  ///< Of the last record.
  crypto::Sha256Digest chain{};
  bool operator==(const AuditHead&) const = default;
};

enum class AuditSync {
  no,   ///< Records survive the end of the process.
  yes,  ///< They survive a power cut too.
};

/// A file to which a record is a line of JSON: sequence number, time (RFC 3339), event and fields, and a SHA-256 over
/// the record and the chain before it, so that a record that was changed, put in or taken out shows
/// (`verify_audit_log`). That finds no one who may write the whole file and reckons the chain anew, nor that the end
/// was taken off: for that, keep the head elsewhere. One thread at a time; one process a file (PATH.lock).
///
/// When anything fails, nothing of what was to be appended counts as recorded: do not answer then.
class AuditLog {
 public:
  static constexpr std::size_t max_record_size = 64 * 1024;  ///< As it stands in the file.
  static constexpr std::size_t max_batch_size = 1024 * 1024;

  /// Goes on with the file, or makes it, mode 0600. What a crash or a power cut has left at its end, behind the last
  /// record that fits, stays, and a record (log-repaired) tells of it; the last 128 MiB are looked at for that. Follows
  /// no symbolic link. Errors: refused when somebody else may write the file, malformed when it is no log, io when it is
  /// in use, permission_denied, exhausted, not_found for a folder that there is not.
  [[nodiscard]] static Result<AuditLog> open(const std::filesystem::path& file, Clock& clock);
  ~AuditLog();
  AuditLog(AuditLog&&) noexcept;
  AuditLog& operator=(AuditLog&&) noexcept;

  /// All records with one write(2), and one fdatasync(2) when asked for. ErrorKind::invalid_argument for names that are
  /// none, exhausted for records beyond the limits, and when the disk is full; io. After a failure of the disk that
  /// could not be undone all further ones fail, until the file is put aside and `reopen` succeeds.
  [[nodiscard]] Status append(std::span<const AuditRecord> records, AuditSync sync = AuditSync::no);
  [[nodiscard]] Status append(const AuditRecord& record, AuditSync sync = AuditSync::no) {
    return append(std::span(&record, 1), sync);
  }

  /// After the file was renamed (logrotate): goes on in a new one of the old name, whose first record names the chain
  /// before. Nothing to do when it is still the same file. When it fails, the old file stays in use. ErrorKind::refused
  /// when the new file is not empty.
  [[nodiscard]] Status reopen();

  [[nodiscard]] AuditHead head() const;

 private:
  struct State;
  explicit AuditLog(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct AuditFault {
  std::uint64_t line = 0;  ///< From 1.
  std::string sentence;    ///< What is wrong with it.
};

struct AuditVerification {
  std::uint64_t lines = 0;          ///< That were looked at.
  std::uint64_t repairs = 0;        ///< Crashes that have left what is no record, and are told of.
  AuditHead begin;                  ///< The head of the file before: zeros in the first one.
  AuditHead end;                    ///< Of the last record that fits.
  std::optional<AuditFault> fault;  ///< The first line that does not fit.
};

/// Reads all of a log, in little memory; also while it is written, when the last line may have no end yet.
/// Errors of files; a log that does not fit is no error.
[[nodiscard]] Result<AuditVerification> verify_audit_log(const std::filesystem::path& file);

}  // namespace cas::service
