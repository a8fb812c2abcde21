// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/key_service.hpp"

#include <algorithm>
#include <set>

#include "kex/content_pattern.hpp"
#include "kex/cpix_encryption.hpp"

namespace cas::kex {

namespace {

const CpixUsageRule* rule_of(const CpixDocument& document, const Uuid& kid) {
  const auto found = std::ranges::find(document.rules, kid, &CpixUsageRule::kid);
  return found == document.rules.end() ? nullptr : &*found;
}

Status check_rules(const CpixDocument& document) {
  for (const CpixUsageRule& rule : document.rules) {
    if (!rule.usable())
      return fail(ErrorKind::unsupported,
                  "ContentKeyUsageRule: a filter of it is not known here, so the rule cannot be applied");
    if (std::ranges::count(document.rules, rule.kid, &CpixUsageRule::kid) > 1)
      return fail(ErrorKind::unsupported, "ContentKeyUsageRule/@kid: a key has one rule here");
  }
  return {};
}

std::string text_of(const CpixFilter::Range& range) {
  return (range.least ? std::to_string(*range.least) : "") + "-" + (range.most ? std::to_string(*range.most) : "");
}

/// Which of the bit rates: our own attribute, or else a label, or else a range of bit rates.
Result<std::string> representation_of(const CpixUsageRule& rule) {
  if (!rule.representation.empty()) return rule.representation;
  std::string found;
  for (const CpixFilter& filter : rule.filters) {
    if (filter.kind != CpixFilter::Kind::label && filter.kind != CpixFilter::Kind::bitrate) continue;
    if (!found.empty())
      return fail(ErrorKind::unsupported, "ContentKeyUsageRule: a key is of one label or range of bit rates here");
    found = filter.kind == CpixFilter::Kind::label ? filter.text : "bit/s " + text_of(filter.range);
  }
  return found;
}

Status put_period(const CpixDocument& document, const CpixUsageRule& rule, KeyName& name) {
  const CpixPeriod* period = nullptr;
  for (const CpixFilter& filter : rule.filters) {
    if (filter.kind != CpixFilter::Kind::period) continue;
    if (period != nullptr)
      return fail(ErrorKind::unsupported, "ContentKeyUsageRule: a key is of one period here (KeyPeriodFilter)");
    period = document.period(filter.text);
  }
  if (period == nullptr) return {};
  if (!period->index && !period->start)
    return fail(ErrorKind::malformed, "ContentKeyPeriod: a period has an index or a start");
  name.period_index = period->index;
  name.period_start = period->start;
  name.period_end = period->end;
  return {};
}

Status check_ids(const CpixDocument& document) {
  std::set<Uuid> ids;
  for (const CpixContentKey& key : document.keys)
    if (!ids.insert(key.kid).second)
      return fail(ErrorKind::malformed, "ContentKey/@kid: two keys that are brought have one id: " + key.kid.text());
  return {};
}

/// By the form that keys are kept under: the time of a period with a number makes no other name.
Status check_names(const KeyPlan& plan) {
  std::set<Bytes> names;
  for (const KeyProposal& wanted : plan.wanted)
    if (!names.insert(wanted.name.encode()).second)
      return fail(
          ErrorKind::malformed,
          "ContentKeyUsageRule: two keys of the document are for the same tracks and period: " + wanted.name.text());
  return {};
}

std::size_t size_of(const CpixDrmSystem& system) {
  std::size_t size = 0;
  for (const auto* text :
       {&system.pssh, &system.content_protection_data, &system.uri_ext_x_key, &system.smooth_protection_header,
        &system.hds_signalling, &system.key_format, &system.key_format_versions, &system.protection_header})
    size += *text ? (*text)->size() : 0;
  for (const CpixDrmSystem::HlsSignalling& hls : system.hls_signalling) size += hls.data.size();
  return size;
}

constexpr std::size_t max_auxiliary_size = 4'096;

Status put_auxiliary(const CpixDocument& document, const Uuid& kid, KeyMaterial& key) {
  for (const CpixAuxiliary& one : document.auxiliary)
    if (one.kid.is_nil() || one.kid == kid) key.auxiliary.push_back({{}, one.name, one.value});
  if (encode_auxiliary(key.auxiliary).size() > max_auxiliary_size)
    return fail(ErrorKind::exhausted, "Auxiliary: more than " + std::to_string(max_auxiliary_size) + " bytes of a key");
  return {};
}

}  // namespace

Result<KeyName> KeyService::name_of(const CpixDocument& document, const CpixContentKey& key) const {
  KeyName name;
  name.content_id = document.content();
  if (const CpixUsageRule* rule = rule_of(document, key.kid)) {
    name.track_type = rule->track_type;
    CAS_TRY_ASSIGN(name.representation, representation_of(*rule));
    CAS_TRY(put_period(document, *rule, name));
  } else if (document.keys.size() > 1) {
    name.representation = "kid " + key.kid.text();
  }
  CAS_TRY(name.check());
  return name;
}

Result<KeyPlan> KeyService::plan(CpixDocument request) const {
  if (request.keys.empty()) return fail(ErrorKind::malformed, "ContentKeyList: no key is asked for");
  if (request.keys.size() > limits_.keys)
    return fail(ErrorKind::exhausted, "ContentKeyList: more than " + std::to_string(limits_.keys) + " keys at once");
  CAS_TRY(check_rules(request));
  KeyPlan plan;
  for (const CpixContentKey& key : request.keys) {
    if (!key.value.empty() || key.encrypted)
      return fail(ErrorKind::invalid_argument,
                  "ContentKey: a request (POST) has no keys in it; keys of your own are brought with PUT");
    KeyProposal wanted;
    CAS_TRY_ASSIGN(wanted.name, name_of(request, key));
    wanted.key.kid = key.kid;
    CAS_TRY(put_auxiliary(request, key.kid, wanted.key));
    plan.wanted.push_back(std::move(wanted));
  }
  CAS_TRY(check_names(plan));
  plan.document = std::move(request);
  return plan;
}

Result<KeyPlan> KeyService::plan_push(CpixDocument pushed) const {
  if (pushed.keys.empty()) return fail(ErrorKind::malformed, "ContentKeyList: no key is brought");
  if (pushed.keys.size() > limits_.keys)
    return fail(ErrorKind::exhausted, "ContentKeyList: more than " + std::to_string(limits_.keys) + " keys at once");
  CAS_TRY(check_rules(pushed));
  CAS_TRY(check_ids(pushed));
  KeyPlan plan;
  for (const CpixContentKey& key : pushed.keys) {
    if (key.value.size() < 8 || key.value.size() > 32)
      return fail(ErrorKind::malformed, "ContentKey: a key that is brought (PUT) has 8 to 32 bytes");
    KeyProposal wanted;
    CAS_TRY_ASSIGN(wanted.name, name_of(pushed, key));
    wanted.key.kid = key.kid;
    wanted.key.iv = key.explicit_iv.value_or(InitialisationVector{});
    wanted.key.value = key.value.clone();
    CAS_TRY(put_auxiliary(pushed, key.kid, wanted.key));
    plan.wanted.push_back(std::move(wanted));
  }
  CAS_TRY(check_names(plan));
  plan.document = std::move(pushed);
  return plan;
}

Result<CpixDocument> KeyService::answer(KeyPlan plan, std::vector<KeyMaterial> keys, Random& random) const {
  CpixDocument& document = plan.document;
  const std::string& content = document.content();
  std::vector<std::pair<Uuid, std::size_t>> asked;  // which of the keys each id was
  for (std::size_t at = 0; at < keys.size(); ++at) asked.emplace_back(document.keys[at].kid, at);
  std::ranges::sort(asked);
  const auto position = [&](const Uuid& kid) -> std::optional<std::size_t> {
    const auto found = std::ranges::lower_bound(asked, kid, {}, &std::pair<Uuid, std::size_t>::first);
    if (found == asked.end() || found->first != kid) return std::nullopt;
    return found->second;
  };
  for (CpixUsageRule& rule : document.rules)
    if (const auto at = position(rule.kid)) rule.kid = keys[*at].kid;
  std::size_t signalling = 0;
  for (CpixDrmSystem& system : document.systems) {
    const auto at = position(system.kid);
    if (!at) continue;
    system.kid = keys[*at].kid;
    CAS_TRY(signalling_.fill(system, keys[*at].kid, content, document.keys[*at].scheme));
    signalling += size_of(system);
    if (signalling > limits_.signalling)
      return fail(ErrorKind::exhausted, "DRMSystemList: the answer would have more than " +
                                            std::to_string(limits_.signalling) + " bytes of it: ask for fewer at once");
  }
  document.auxiliary.clear();
  for (const AuxiliaryRule& rule : auxiliary_)
    if (matches_any(rule.contents, content)) document.auxiliary.push_back({{}, rule.name, rule.value});
  for (std::size_t at = 0; at < keys.size(); ++at) {
    CpixContentKey& key = document.keys[at];
    key.kid = keys[at].kid;
    key.explicit_iv = keys[at].iv;
    key.value = std::move(keys[at].value);
    for (CpixAuxiliary& one : keys[at].auxiliary) document.auxiliary.push_back({key.kid, one.name, one.value});
  }
  CAS_TRY(encrypt_keys(document, random));
  return std::move(document);
}

Result<CpixDocument> KeyService::answer_push(KeyPlan plan, const std::vector<KeyMaterial>& keys) const {
  CpixDocument& document = plan.document;
  for (std::size_t at = 0; at < keys.size(); ++at) {
    document.keys[at].kid = keys[at].kid;
    document.keys[at].value.reset();
    document.keys[at].encrypted.reset();
  }
  for (CpixDrmSystem& system : document.systems) {
    const CpixContentKey* key = document.key(system.kid);
    if (key != nullptr) CAS_TRY(signalling_.fill(system, key->kid, document.content(), key->scheme));
  }
  document.recipients.clear();
  return std::move(document);
}

Status draw_keys(KeyPlan& plan, Random& random) {
  for (KeyProposal& wanted : plan.wanted) {
    if (wanted.key.kid.is_nil()) {
      CAS_TRY_ASSIGN(wanted.key.kid, Uuid::draw(random));
    }
    CAS_TRY(random.fill(wanted.key.iv));
    CAS_TRY_ASSIGN(wanted.key.value, random_secret(random, content_key_size));
  }
  return {};
}

Result<std::vector<KeyMaterial>> derive_keys(const KeyDerivation& derivation, const KeyPlan& plan) {
  std::vector<KeyMaterial> keys;
  keys.reserve(plan.wanted.size());
  for (const KeyProposal& wanted : plan.wanted) {
    CAS_TRY_ASSIGN(KeyMaterial key, derivation.derive(wanted.name, plan.document.time, wanted.key.kid));
    key.auxiliary = wanted.key.auxiliary;  // With stored keys it would come back, too.
    keys.push_back(std::move(key));
  }
  return keys;
}

}  // namespace cas::kex
