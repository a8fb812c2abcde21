// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/audit_chain.hpp"

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
  if (line.size() < tail_size || line.find('\n') != std::string_view::npos) return std::nullopt;
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

Result<std::string> audit_torn_fields(std::string_view torn) {
  CAS_TRY_ASSIGN(const auto digest, crypto::sha256(as_bytes(torn)));
  return ",\"torn_bytes\":" + std::to_string(torn.size()) + ",\"torn_sha256\":\"" + to_hex(digest) + '"';
}

Result<crypto::Sha256Digest> next_audit_chain(const crypto::Sha256Digest& before, std::string_view covered) {
  return crypto::sha256({before, as_bytes(covered)});
}

void AuditVerifier::fault(std::uint64_t line, const char* sentence) { result_.fault = AuditFault{line, sentence}; }

Status AuditVerifier::take_first(const AuditLine& line) {
  const auto previous = previous_of(line);
  if (!previous) {
    fault(1, "is not the first of a log of version 1: what stood before is gone, or the file is something else");
    return {};
  }
  CAS_TRY_ASSIGN(const auto chain, next_audit_chain(*previous, line.covered));
  if (chain != line.chain) {
    fault(1, "was changed");
    return {};
  }
  result_.begin = {line.sequence - 1, *previous};
  result_.end = {line.sequence, chain};
  return {};
}

Status AuditVerifier::take(std::string_view text, bool ended) {
  if (result_.fault) return {};
  ++lines_;
  const auto line = read_audit_line(text);
  if (lines_ == 1 && line) return take_first(*line);
  if (lines_ == 1) {
    fault(1, "is no record of an audit log");
    return {};
  }
  CAS_TRY_ASSIGN(const auto chain, next_audit_chain(result_.end.chain, line ? line->covered : std::string_view()));
  const bool fits = line && line->sequence == result_.end.sequence + 1 && line->chain == chain;
  if (!torn_fields_.empty()) {
    // The line before is one that a crash has cut off only where this one says so.
    if (!fits || line->event != audit_repaired || !line->covered.ends_with(torn_fields_)) {
      fault(lines_ - 1, "does not follow from the record before: one was changed, put in or taken out");
      return {};
    }
    torn_fields_.clear();
    ++result_.repairs;
  }
  if (!ended && !fits) {
    fault(lines_, "has no end: a crash has cut it off, or it is being written now");
    return {};
  }
  if (!fits) {
    CAS_TRY_ASSIGN(torn_fields_, audit_torn_fields(text));
    return {};
  }
  result_.end = {line->sequence, chain};
  return {};
}

AuditVerification AuditVerifier::finish() {
  if (!result_.fault && !torn_fields_.empty())
    fault(lines_, "does not follow from the record before: one was changed, put in or taken out");
  if (!result_.fault && lines_ == 0) fault(1, "is missing: the file is empty");
  result_.lines = lines_;
  return result_;
}

}  // namespace cas::service
