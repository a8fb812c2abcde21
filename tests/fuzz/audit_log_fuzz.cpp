// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstdlib>

#include "service/audit_chain.hpp"
#include "service/json_text.hpp"

namespace {

using namespace cas;
using namespace cas::service;

void require(bool holds) {
  if (!holds) std::abort();
}

AuditVerification verify(std::string_view text) {
  AuditVerifier verifier;
  while (!text.empty()) {
    const auto end = text.find('\n');
    require(verifier.take(text.substr(0, end), end != std::string_view::npos).has_value());
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return verifier.finish();
}

}  // namespace

// What is said of a log holds of its first lines, too; and of any bytes as a text comes one line of letters.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const AuditVerification all = verify(text);
  require(!all.fault || (all.fault->line > 0 && all.fault->line <= std::max<std::uint64_t>(all.lines, 1)));
  if (!all.fault) {
    require(all.end.sequence > all.begin.sequence && all.end.sequence - all.begin.sequence + all.repairs == all.lines);
    // Another byte anywhere shows.
    std::string changed(text);
    const std::size_t at = static_cast<std::size_t>(data[size / 2]) * 131 % size;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    require(at + 1 == size || verify(changed).fault.has_value());
  }
  std::string json;
  append_json_string(json, text);
  require(json.size() >= 2 && json.front() == '"' && json.back() == '"');
  require(std::ranges::none_of(json, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 127; }));
  return 0;
}
