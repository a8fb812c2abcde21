// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/audit_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/durable_file.hpp"
#include "base/file_lock.hpp"
#include "service/audit_chain.hpp"
#include "service/json_text.hpp"

namespace cas::service {

namespace {

namespace fs = std::filesystem;

/// Of a file that is gone on with, this much at its end is looked at: more than is written in the half minute that the
/// kernel may leave something unwritten.
constexpr std::size_t looked_at = std::size_t{128} * 1024 * 1024;
constexpr std::size_t max_fields = 64;
constexpr std::array<std::string_view, 4> own_names = {"seq", "time", "event", "chain"};

class Descriptor {
 public:
  explicit Descriptor(int file) : file_(file) {}
  ~Descriptor() {
    if (file_ >= 0) ::close(file_);
  }
  Descriptor(Descriptor&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    Descriptor taken(std::move(other));
    std::swap(file_, taken.file_);
    return *this;
  }
  [[nodiscard]] int get() const { return file_; }

 private:
  int file_;
};

bool is_word(std::string_view text, char separator) {
  return !text.empty() && text.size() <= 64 && text[0] >= 'a' && text[0] <= 'z' &&
         std::ranges::all_of(
             text, [separator](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == separator; });
}

Status check(const AuditRecord& record) {
  if (!is_word(record.event, '-') || record.event.starts_with("log-"))
    return fail(ErrorKind::invalid_argument, "an event of the audit log is a word such as key-served, not log-...");
  if (record.fields.size() > max_fields)
    return fail(ErrorKind::invalid_argument, "a record of the audit log has more than 64 fields");
  for (auto field = record.fields.begin(); field != record.fields.end(); ++field) {
    const auto same = [&field](const auto& other) { return other.first == field->first; };
    if (!is_word(field->first, '_') || std::ranges::find(own_names, field->first) != own_names.end() ||
        std::any_of(record.fields.begin(), field, same))
      return fail(ErrorKind::invalid_argument,
                  "a field of the audit log has a name such as key_id, once, and not seq, time, event or chain");
  }
  return {};
}

std::string begin_of_line(std::uint64_t sequence, std::string_view time, std::string_view event) {
  std::string line = "{\"seq\":" + std::to_string(sequence) + ",\"time\":\"";
  line.append(time).append("\",\"event\":\"").append(event).append("\"");
  return line;
}

void append_field(std::string& line, const std::pair<std::string, AuditRecord::Value>& field) {
  line.append(",\"").append(field.first).append("\":");
  if (const auto* const text = std::get_if<std::string>(&field.second)) {
    append_json_string(line, *text);
  } else if (const auto* const number = std::get_if<std::int64_t>(&field.second)) {
    line += std::to_string(*number);
  } else {
    line += std::get<bool>(field.second) ? "true" : "false";
  }
}

/// A regular file that nobody else may write; open for appending and reading.
Result<Descriptor> open_for_appending(const fs::path& path, struct stat& about) {
  // O_NONBLOCK is for what is no regular file: not to hang at a pipe.
  Descriptor file(::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600));
  if (file.get() < 0) return fail_with_errno(errno, "open", path);
  if (::fstat(file.get(), &about) != 0) return fail_with_errno(errno, "examine", path);
  if (!S_ISREG(about.st_mode))
    return fail(ErrorKind::invalid_argument, path.string() + " is no regular file: name one for the audit log");
  if ((about.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return fail(ErrorKind::refused, path.string() + " can be written by others: chmod go-w it");
  return file;
}

/// All bytes from a place on, in pieces, as long as `take` wants more.
template <typename Take>
Status read_from(const Descriptor& file, const fs::path& path, std::size_t place, const Take& take) {
  std::string buffer(64 * 1024, '\0');
  for (;;) {
    const ssize_t got = ::pread(file.get(), buffer.data(), buffer.size(), static_cast<off_t>(place));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_with_errno(errno, "read", path);
    if (got == 0) return {};
    CAS_TRY_ASSIGN(const bool more, take(std::string_view(buffer).substr(0, static_cast<std::size_t>(got))));
    if (!more) return {};
    place += static_cast<std::size_t>(got);
  }
}

}  // namespace

struct AuditLog::State {
  fs::path path;
  Clock* clock;
  FileLock lock;
  Descriptor file{-1};
  AuditHead head;
  bool broken = false;  ///< What is in the file is not known.

  /// Puts a line behind `out`, and goes on with `at`.
  Status add_line(std::string& out, AuditHead& at, std::string line) const;
  Status begin_file(const Descriptor& to);
  Status go_on(std::size_t size);
  Status repair(const AuditRest& rest);
  [[nodiscard]] Result<bool> was_never_begun(std::size_t size) const;
  Status write(const Descriptor& to, std::string_view lines);
  Status sync();
  [[nodiscard]] std::string time() const { return format_utc_time_with_milliseconds(clock->now_in_milliseconds()); }
};

Status AuditLog::State::add_line(std::string& out, AuditHead& at, std::string line) const {
  CAS_TRY_ASSIGN(at.chain, next_audit_chain(at.chain, line));
  ++at.sequence;
  line += ",\"chain\":\"" + to_hex(at.chain) + "\"}\n";
  if (line.size() > max_record_size)
    return fail(ErrorKind::exhausted, "a record of the audit log would have more than 64 KiB");
  if (out.size() + line.size() > max_batch_size)
    return fail(ErrorKind::exhausted, "records of the audit log would have more than 1 MiB together");
  out += line;
  return {};
}

/// One write(2). What is in the file when it does not take all is taken out again.
Status AuditLog::State::write(const Descriptor& to, std::string_view lines) {
  ssize_t written = ::write(to.get(), lines.data(), lines.size());
  while (written < 0 && errno == EINTR) written = ::write(to.get(), lines.data(), lines.size());
  if (written == static_cast<ssize_t>(lines.size())) return {};
  // The second part of a write that was cut off would tell why, but a record is one write.
  const int why = written < 0 ? errno : ENOSPC;
  struct stat about {};
  if (written > 0 && (::fstat(to.get(), &about) != 0 || ::ftruncate(to.get(), about.st_size - written) != 0))
    broken = true;
  return fail_with_errno(why, "write", path);
}

Status AuditLog::State::sync() {
  int result = ::fdatasync(file.get());
  while (result != 0 && errno == EINTR) result = ::fdatasync(file.get());
  if (result == 0) return {};
  // After a failure the kernel may have dropped what it could not write, and the next call succeeds all the same.
  broken = true;
  return fail_with_errno(errno, "sync", path);
}

Status AuditLog::State::begin_file(const Descriptor& to) {
  AuditHead at = head;
  std::string lines;
  CAS_TRY(add_line(lines, at,
                   begin_of_line(at.sequence + 1, time(), audit_begins) + ",\"version\":1,\"previous\":\"" +
                       to_hex(at.chain) + '"'));
  // The name is to be on the medium before anything is said to be in the file.
  CAS_TRY(system_file_operations().sync_folder(path.has_parent_path() ? path.parent_path() : fs::path(".")));
  CAS_TRY(write(to, lines));
  // So that a file that is not empty begins as a log does, whatever a power cut takes from it.
  if (::fdatasync(to.get()) != 0) return fail_with_errno(errno, "sync", path);
  head = at;
  return {};
}

Status AuditLog::State::repair(const AuditRest& rest) {
  AuditHead at = head;
  std::string lines = rest.needs_line_end ? "\n" : "";
  if (!rest.torn_fields.empty()) {
    CAS_TRY(add_line(lines, at, begin_of_line(at.sequence + 1, time(), audit_repaired) + rest.torn_fields));
  }
  if (lines.empty()) return {};
  CAS_TRY(write(file, lines));
  head = at;
  // With what it tells of, which may be another after a further power cut.
  return sync();
}

/// A crash has cut off the first record, before anything was recorded.
Result<bool> AuditLog::State::was_never_begun(std::size_t size) const {
  constexpr std::string_view start = "{\"seq\":1,";
  if (size >= 512) return false;
  std::string text;
  CAS_TRY(read_from(file, path, 0, [&text](std::string_view bytes) -> Result<bool> {
    text += bytes;
    return true;
  }));
  return text.find('\n') == std::string::npos &&
         (text.find_first_not_of('\0') == std::string::npos || text.starts_with(start.substr(0, text.size())));
}

/// Finds out where a file that is there ends.
Status AuditLog::State::go_on(std::size_t size) {
  CAS_TRY_ASSIGN(const bool empty, was_never_begun(size));
  if (empty) {
    if (::ftruncate(file.get(), 0) != 0) return fail_with_errno(errno, "write", path);
    return begin_file(file);
  }
  CAS_TRY_ASSIGN(auto reader, AuditVerifier::create(AuditVerifier::For::going_on));
  const std::size_t begin = size - std::min(size, looked_at);
  if (begin > 0) reader.begin_in_the_middle();
  CAS_TRY(read_from(file, path, begin,
                    [&reader](std::string_view bytes) { return reader.take(bytes).map([] { return true; }); }));
  CAS_TRY_ASSIGN(const auto found, reader.finish());
  if (found.end.sequence == 0)
    return fail(ErrorKind::malformed,
                path.string() + " does not end as an audit log does: put it aside, keep it, and start again");
  head = found.end;
  CAS_TRY_ASSIGN(const AuditRest rest, reader.rest());
  return repair(rest);
}

AuditLog::AuditLog(std::unique_ptr<State> state) : state_(std::move(state)) {}
AuditLog::~AuditLog() = default;
AuditLog::AuditLog(AuditLog&&) noexcept = default;
AuditLog& AuditLog::operator=(AuditLog&&) noexcept = default;

Result<AuditLog> AuditLog::open(const fs::path& path, Clock& clock) {
  CAS_TRY_ASSIGN(FileLock lock, FileLock::acquire(path));
  struct stat about {};
  CAS_TRY_ASSIGN(Descriptor file, open_for_appending(path, about));
  std::unique_ptr<State> state(new State{path, &clock, std::move(lock), std::move(file), {}, false});
  const auto size = static_cast<std::size_t>(about.st_size);
  CAS_TRY(size == 0 ? state->begin_file(state->file) : state->go_on(size));
  return AuditLog(std::move(state));
}

Status AuditLog::append(std::span<const AuditRecord> records, AuditSync sync) {
  if (state_->broken)
    return fail(ErrorKind::io, "the audit log " + state_->path.string() +
                                   " could not be written before: put it aside, and have the log opened anew");
  if (records.empty()) return sync == AuditSync::yes ? state_->sync() : Status();
  const std::string time = state_->time();
  AuditHead at = state_->head;
  std::string lines;
  for (const AuditRecord& record : records) {
    CAS_TRY(check(record));
    std::string line = begin_of_line(at.sequence + 1, time, record.event);
    for (const auto& field : record.fields) append_field(line, field);
    CAS_TRY(state_->add_line(lines, at, std::move(line)));
  }
  CAS_TRY(state_->write(state_->file, lines));
  state_->head = at;
  return sync == AuditSync::yes ? state_->sync() : Status();
}

Status AuditLog::reopen() {
  struct stat ours {};
  struct stat theirs {};
  if (::fstat(state_->file.get(), &ours) != 0) return fail_with_errno(errno, "examine", state_->path);
  CAS_TRY_ASSIGN(Descriptor file, open_for_appending(state_->path, theirs));
  if (ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino) return {};
  if (theirs.st_size != 0)
    return fail(
        ErrorKind::refused,
        state_->path.string() + " is another file that is not empty: put it aside, and have the log opened anew");
  // What was promised of the old file is on the medium, or has been told to have failed; the rest goes there now.
  (void)::fdatasync(state_->file.get());
  const bool was_broken = std::exchange(state_->broken, false);
  if (Status begun = state_->begin_file(file); !begun) {
    state_->broken = was_broken;
    return begun;
  }
  state_->file = std::move(file);
  return {};
}

AuditHead AuditLog::head() const { return state_->head; }

Result<AuditVerification> verify_audit_log(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return fail_with_errno(errno, "open", path);
  CAS_TRY_ASSIGN(auto verifier, AuditVerifier::create(AuditVerifier::For::a_verdict));
  CAS_TRY(read_from(file, path, 0, [&verifier](std::string_view bytes) {
    return verifier.take(bytes).map([&verifier] { return !verifier.has_fault(); });
  }));
  return verifier.finish();
}

}  // namespace cas::service
