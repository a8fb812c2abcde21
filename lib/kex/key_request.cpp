// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/key_request.hpp"

#include <algorithm>
#include <set>

namespace cas::kex {

namespace {

constexpr std::string_view version = "2.3";
constexpr std::size_t least_key = 8, most_key = 32;

bool is_whole_content(const KeyPeriod& period) { return !period.index && !period.start; }

std::string period_id(std::size_t at) { return "period_" + std::to_string(at); }

/// The list of periods, and a rule for each key.
void add_period(const KeyRequest& request, std::size_t at, const Uuid& kid, CpixDocument& document) {
  const KeyPeriod& period = request.periods[at];
  CpixUsageRule rule;
  rule.kid = kid;
  rule.track_type = request.track_type;
  rule.representation = request.representation;
  if (!is_whole_content(period)) {
    document.periods.push_back({period_id(at), period.index, period.start, period.end});
    CpixFilter filter;
    filter.kind = CpixFilter::Kind::period;
    filter.text = period_id(at);
    rule.filters.push_back(filter);
  }
  document.rules.push_back(std::move(rule));
  for (const Uuid& system : request.systems) {
    CpixDrmSystem asked;
    asked.kid = kid;
    asked.system_id = system;
    asked.pssh = "";
    document.systems.push_back(std::move(asked));
  }
}

Result<CpixDocument> make_head(const KeyRequest& request) {
  if (request.periods.empty()) return fail(ErrorKind::invalid_argument, "a request names at least one period");
  CpixDocument document;
  document.content_id = request.content_id;
  document.version = version;
  document.time = request.time;
  if (!request.recipient.empty()) {
    CpixRecipient recipient;
    recipient.certificate = request.recipient;
    document.recipients.push_back(std::move(recipient));
  }
  return document;
}

bool same_period(const CpixPeriod& answered, const KeyPeriod& asked) {
  if (asked.index) return answered.index == asked.index;
  return answered.start == asked.start && answered.end == asked.end;
}

/// The rule that is of this period and of nothing less than what was asked for.
bool is_rule_of(const CpixUsageRule& rule, const KeyRequest& request, const KeyPeriod& asked,
                const CpixDocument& answer) {
  if (!rule.usable()) return false;
  if (rule.track_type != request.track_type || rule.representation != request.representation) return false;
  bool found = is_whole_content(asked);
  for (const CpixFilter& filter : rule.filters) {
    if (filter.kind != CpixFilter::Kind::period) return false;
    const CpixPeriod* period = answer.period(filter.text);
    if (period == nullptr || is_whole_content(asked) || !same_period(*period, asked)) return false;
    found = true;
  }
  return found;
}

std::string name_of(const KeyPeriod& period) {
  if (period.index) return "period " + std::to_string(*period.index);
  if (period.start) return "the period from " + format_date_time(*period.start);
  return "the content";
}

Result<const CpixContentKey*> find_key(const KeyRequest& request, const KeyPeriod& asked, const CpixDocument& answer) {
  const CpixContentKey* found = nullptr;
  if (request.periods.size() == 1 && is_whole_content(asked) && answer.rules.empty() && answer.keys.size() == 1)
    found = &answer.keys.front();
  for (const CpixUsageRule& rule : answer.rules) {
    if (!is_rule_of(rule, request, asked, answer)) continue;
    const CpixContentKey* key = answer.key(rule.kid);
    if (key == nullptr || (found != nullptr && found != key))
      return fail(ErrorKind::malformed, "the answer has a wrong key id for " + name_of(asked));
    found = key;
  }
  if (found == nullptr) return fail(ErrorKind::malformed, "the answer has no key for " + name_of(asked));
  if (found->encrypted) return fail(ErrorKind::refused, "the answer's keys are encrypted, and were not decrypted");
  if (found->value.size() < least_key || found->value.size() > most_key)
    return fail(ErrorKind::malformed, "the answer's key for " + name_of(asked) + " does not have 8 to 32 bytes");
  return found;
}

}  // namespace

Result<CpixDocument> make_request(const KeyRequest& request, Random& random) {
  CAS_TRY_ASSIGN(CpixDocument document, make_head(request));
  for (std::size_t at = 0; at < request.periods.size(); ++at) {
    CpixContentKey key;
    CAS_TRY_ASSIGN(key.kid, Uuid::draw(random));
    key.scheme = request.scheme;
    add_period(request, at, key.kid, document);
    document.keys.push_back(std::move(key));
  }
  return document;
}

Result<CpixDocument> make_push(const KeyRequest& request, const std::vector<KeyMaterial>& keys) {
  CAS_TRY_ASSIGN(CpixDocument document, make_head(request));
  document.recipients.clear();
  if (keys.size() != request.periods.size())
    return fail(ErrorKind::invalid_argument, "a key is brought for each period");
  for (std::size_t at = 0; at < keys.size(); ++at) {
    CpixContentKey key;
    key.kid = keys[at].kid;
    key.explicit_iv = keys[at].iv;
    key.scheme = request.scheme;
    key.value = keys[at].value.clone();
    add_period(request, at, key.kid, document);
    document.keys.push_back(std::move(key));
    for (const CpixAuxiliary& one : keys[at].auxiliary)
      document.auxiliary.push_back({keys[at].kid, one.name, one.value});
  }
  return document;
}

Result<std::vector<FetchedKey>> read_answer(const KeyRequest& request, CpixDocument answer) {
  if (answer.content() != request.content_id)
    return fail(ErrorKind::malformed, "the answer is of another content than was asked for");
  std::vector<FetchedKey> fetched;
  std::set<Uuid> used;
  for (const KeyPeriod& asked : request.periods) {
    CAS_TRY_ASSIGN(const CpixContentKey* key, find_key(request, asked, answer));
    if (!used.insert(key->kid).second)
      return fail(ErrorKind::malformed, "the answer has one key for two periods: a wrong key id");
    FetchedKey one;
    one.period = asked;
    one.key.kid = key->kid;
    one.key.iv = key->explicit_iv.value_or(InitialisationVector{});
    one.key.value = key->value.clone();
    one.scheme = key->scheme;
    for (const CpixDrmSystem& system : answer.systems)
      if (system.kid == key->kid) one.systems.push_back(system);
    for (const CpixAuxiliary& auxiliary : answer.auxiliary)
      if (auxiliary.kid.is_nil() || auxiliary.kid == key->kid) one.auxiliary.push_back(auxiliary);
    fetched.push_back(std::move(one));
  }
  return fetched;
}

Status check_push_answer(const CpixDocument& pushed, const CpixDocument& answer) {
  if (answer.content() != pushed.content())
    return fail(ErrorKind::malformed, "the answer is of another content than was brought");
  for (const CpixContentKey& key : pushed.keys)
    if (answer.key(key.kid) == nullptr)
      return fail(ErrorKind::malformed, "the answer does not have the key id that was brought");
  return {};
}

}  // namespace cas::kex
