// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/audit_chain.hpp"

#include <algorithm>
#include <charconv>

#include "base/hex.hpp"

namespace cas::service {

namespace {

constexpr std::size_t digits = 2 * crypto::sha256_size;

/// The digest that stands in `text` as digits in lower case.
std::optional<crypto::Sha256Digest> digest_of(std::string_view text) {
  const auto bytes = from_hex(text, crypto::sha256_size);
  if (text.size() != digits || !bytes || to_hex(*bytes) != text) return std::nullopt;
  crypto::Sha256Digest digest;
  std::copy(bytes->begin(), bytes->end(), digest.begin());
  return digest;
}

bool take(std::string_view& text, std::string_view start) {
  if (!text.starts_with(start)) return false;
  text.remove_prefix(start.size());
  return true;
}

}  // namespace

std::optional<AuditLine> read_audit_line(std::string_view line) {
  constexpr std::string_view label = ",\"chain\":\"", end = "\"}", time_form = "2027-01-15T08:00:00.123Z";
  constexpr std::size_t tail_size = label.size() + digits + end.size();
  // Texts are escaped. Sectors that a power cut has left unwritten are zeros.
  if (line.size() < tail_size || std::ranges::any_of(line, [](char c) { return static_cast<unsigned char>(c) < ' '; }))
    return std::nullopt;
  AuditLine out;
  out.covered = line.substr(0, line.size() - tail_size);
  std::string_view tail = line.substr(out.covered.size());
  if (!take(tail, label) || !tail.ends_with(end)) return std::nullopt;
  const auto chain = digest_of(tail.substr(0, digits));
  if (!chain) return std::nullopt;
  out.chain = *chain;

  std::string_view rest = out.covered;
  if (!take(rest, "{\"seq\":")) return std::nullopt;
  const auto [after, error] = std::from_chars(rest.data(), rest.data() + rest.size(), out.sequence);
  if (error != std::errc() || out.sequence == 0 || rest.front() == '0') return std::nullopt;
  rest.remove_prefix(static_cast<std::size_t>(after - rest.data()));
  if (!take(rest, ",\"time\":\"") || rest.size() < time_form.size()) return std::nullopt;
  rest.remove_prefix(time_form.size());
  if (!take(rest, "\",\"event\":\"")) return std::nullopt;
  const auto quote = rest.find('"');
  if (quote == std::string_view::npos) return std::nullopt;
  out.event = rest.substr(0, quote);
  return out;
}

std::optional<crypto::Sha256Digest> previous_of(const AuditLine& line) {
  constexpr std::string_view label = "\",\"version\":1,\"previous\":\"";
  std::string_view text = line.covered;
  if (line.event != audit_begins || !text.ends_with('"')) return std::nullopt;
  text.remove_suffix(1);
  if (text.size() < digits || !text.substr(0, text.size() - digits).ends_with(label)) return std::nullopt;
  return digest_of(text.substr(text.size() - digits));
}

Result<crypto::Sha256Digest> next_audit_chain(const crypto::Sha256Digest& before, std::string_view covered) {
  return crypto::sha256({before, as_bytes(covered)});
}

Result<AuditVerifier> AuditVerifier::create(For purpose) {
  CAS_TRY_ASSIGN(crypto::Sha256 digest, crypto::Sha256::create());
  return AuditVerifier(purpose, std::move(digest));
}

void AuditVerifier::fault(std::uint64_t line, const char* sentence) { result_.fault = AuditFault{line, sentence}; }

Status AuditVerifier::take(std::string_view bytes) {
  while (!bytes.empty() && !result_.fault) {
    if (line_.empty() && !line_is_long_) ++lines_;
    const auto end = bytes.find('\n');
    line_.append(bytes.substr(0, end));
    bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
    if (line_.size() > AuditLog::max_record_size) line_is_long_ = true;
    if (end != std::string_view::npos) {
      CAS_TRY(take_line());
    } else if (line_is_long_) {
      CAS_TRY(tear(line_));
      line_.clear();
    }
  }
  return {};
}

/// One that has an end.
Status AuditVerifier::take_line() {
  const auto line = line_is_long_ ? std::nullopt : read_audit_line(line_);
  if (!begun_) {
    CAS_TRY(take_first(line));
  } else {
    CAS_TRY_ASSIGN(const bool fitting, fits(line));
    CAS_TRY_ASSIGN(const bool repaired, fitting&& torn_ ? tells_of_torn(*line) : Result<bool>(false));
    if (repaired) {
      torn_.reset();
      CAS_TRY(torn_digest_.finish());
      ++result_.repairs;
    }
    if (fitting && !torn_) {
      result_.end = {line->sequence, line->chain};
    } else if (purpose_ == For::going_on && line && !torn_) {
      result_.end = {line->sequence, line->chain};
    } else {
      line_ += '\n';
      CAS_TRY(tear(line_));
    }
  }
  line_.clear();
  line_is_long_ = false;
  return {};
}

Status AuditVerifier::take_first(const std::optional<AuditLine>& line) {
  begun_ = line.has_value();
  if (!line) {
    if (!in_the_middle_) fault(1, "is no record of an audit log");
    return {};
  }
  if (purpose_ == For::going_on) {
    result_.end = {line->sequence, line->chain};
    return {};
  }
  const auto previous = previous_of(*line);
  if (!previous) {
    fault(1, "is not the first of a log of version 1: what stood before is gone, or the file is something else");
    return {};
  }
  CAS_TRY_ASSIGN(const auto chain, next_audit_chain(*previous, line->covered));
  if (chain != line->chain) {
    fault(1, "was changed");
    return {};
  }
  result_.begin = {line->sequence - 1, *previous};
  result_.end = {line->sequence, chain};
  return {};
}

/// Follows from the last record that does.
Result<bool> AuditVerifier::fits(const std::optional<AuditLine>& line) const {
  if (!line || !begun_ || line->sequence != result_.end.sequence + 1) return false;
  CAS_TRY_ASSIGN(const auto chain, next_audit_chain(result_.end.chain, line->covered));
  return line->chain == chain;
}

/// What does not fit was left by a crash only where the record behind it says so.
Result<bool> AuditVerifier::tells_of_torn(const AuditLine& line) const {
  if (line.event != audit_repaired) return false;
  CAS_TRY_ASSIGN(const std::string fields, torn_fields());
  return line.covered.ends_with(fields);
}

Status AuditVerifier::tear(std::string_view bytes) {
  if (!begun_) return {};
  if (!torn_) torn_ = Torn{lines_, 0};
  torn_->bytes += bytes.size();
  return torn_digest_.update(as_bytes(bytes));
}

Result<std::string> AuditVerifier::torn_fields() const {
  CAS_TRY_ASSIGN(const auto digest, torn_digest_.so_far());
  return ",\"torn_bytes\":" + std::to_string(torn_->bytes) + ",\"torn_sha256\":\"" + to_hex(digest) + '"';
}

Result<AuditVerification> AuditVerifier::finish() {
  ends_in_line_ = !line_.empty() || line_is_long_;
  if (ends_in_line_ && !result_.fault) {
    const auto line = line_is_long_ ? std::nullopt : read_audit_line(line_);
    CAS_TRY_ASSIGN(const bool fitting, fits(line));
    if (fitting && !torn_) {
      result_.end = {line->sequence, line->chain};
    } else {
      if (!torn_) fault(lines_, "has no end: a crash has cut it off, or it is being written now");
      CAS_TRY(tear(line_));
    }
  }
  if (!result_.fault && torn_)
    fault(torn_->line, "does not follow from the record before: one was changed, put in or taken out");
  if (!result_.fault && !begun_) fault(1, "is missing: the file has no record");
  result_.lines = lines_;
  return result_;
}

Result<AuditRest> AuditVerifier::rest() {
  AuditRest rest;
  rest.needs_line_end = ends_in_line_;
  if (!torn_) return rest;
  if (ends_in_line_) CAS_TRY(tear("\n"));
  CAS_TRY_ASSIGN(rest.torn_fields, torn_fields());
  return rest;
}

}  // namespace cas::service
