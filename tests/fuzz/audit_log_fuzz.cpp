// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstdlib>

#include "base/hex.hpp"
#include "service/audit_chain.hpp"
#include "service/json_text.hpp"

namespace {

using namespace cas;
using namespace cas::service;

void require(bool holds) {
  if (!holds) std::abort();
}

AuditVerification verify(std::string_view text) {
  auto verifier = *AuditVerifier::create(AuditVerifier::For::a_verdict);
  // In two pieces: how a file is read changes nothing.
  const std::size_t half = text.size() / 2;
  require(verifier.take(text.substr(0, half)).has_value() && verifier.take(text.substr(half)).has_value());
  return *verifier.finish();
}

/// What has to be put behind a log so that it goes on makes it one that fits, if it did so but for its end.
void go_on(std::string_view text) {
  auto reader = *AuditVerifier::create(AuditVerifier::For::going_on);
  require(reader.take(text).has_value());
  const AuditVerification found = *reader.finish();
  const AuditRest rest = *reader.rest();
  if (found.end.sequence == 0) return;
  std::string log(text);
  if (rest.needs_line_end) log += '\n';
  if (!rest.torn_fields.empty()) {
    std::string line = "{\"seq\":" + std::to_string(found.end.sequence + 1) +
                       ",\"time\":\"2027-01-15T08:00:00.123Z\",\"event\":\"log-repaired\"" + rest.torn_fields;
    const auto chain = *next_audit_chain(found.end.chain, line);
    log += line + ",\"chain\":\"" + to_hex(chain) + "\"}\n";
  }
  const AuditVerification before = verify(text), after = verify(log);
  // The same first fault, or none any more: of a line that is no record.
  require(!after.fault || (before.fault && after.fault->line == before.fault->line));
  require(before.fault || !after.fault);
}

}  // namespace

// What is said of a log holds of its first lines, too; and of any bytes as a text comes one line of letters.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const AuditVerification all = verify(text);
  require(!all.fault || (all.fault->line > 0 && all.fault->line <= std::max<std::uint64_t>(all.lines, 1)));
  if (!all.fault) {
    require(all.end.sequence > all.begin.sequence && all.end.sequence - all.begin.sequence + all.repairs <= all.lines);
    // Another byte anywhere shows.
    std::string changed(text);
    const std::size_t at = static_cast<std::size_t>(data[size / 2]) * 131 % size;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    require(at + 1 == size || verify(changed).fault.has_value());
  }
  go_on(text);
  std::string json;
  append_json_string(json, text);
  require(json.size() >= 2 && json.front() == '"' && json.back() == '"');
  require(std::ranges::none_of(json, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 127; }));
  return 0;
}
