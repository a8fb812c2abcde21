// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/cpix_lists.hpp"

#include <algorithm>
#include <charconv>
#include <set>

namespace cas::kex {

Result<std::optional<Uuid>> uuid_attribute(const XmlElement& element, const char* name, const CpixLimits& limits) {
  CAS_TRY_ASSIGN(const auto text, element.attribute(name, limits.text));
  if (!text) return std::optional<Uuid>();
  const auto uuid = Uuid::parse(*text);
  if (!uuid) return fail(element.error(ErrorKind::malformed, std::string("@") + name, uuid.error().message));
  return std::optional<Uuid>(*uuid);
}

Result<std::optional<std::uint64_t>> number_attribute(const XmlElement& element, const char* name,
                                                      const CpixLimits& limits, const char* space) {
  CAS_TRY_ASSIGN(const auto text, element.attribute(name, limits.text, space));
  if (!text) return std::optional<std::uint64_t>();
  std::uint64_t value = 0;
  const auto [end, failed] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (failed != std::errc() || end != text->data() + text->size())
    return fail(element.error(ErrorKind::malformed, std::string("@") + name, "not a whole number"));
  return std::optional<std::uint64_t>(value);
}

namespace {

Result<std::optional<UtcTime>> time_attribute(const XmlElement& element, const char* name, const CpixLimits& limits) {
  CAS_TRY_ASSIGN(const auto text, element.attribute(name, limits.text));
  if (!text) return std::optional<UtcTime>();
  const auto time = parse_date_time(*text);
  if (!time) return fail(element.error(ErrorKind::malformed, std::string("@") + name, time.error().message));
  return std::optional<UtcTime>(*time);
}

Result<std::optional<bool>> flag_attribute(const XmlElement& element, const char* name, const CpixLimits& limits) {
  CAS_TRY_ASSIGN(const auto text, element.attribute(name, limits.text));
  if (!text) return std::optional<bool>();
  const auto is_one_of = [&](std::initializer_list<std::string_view> words) {
    return std::ranges::find(words, std::string_view(*text)) != words.end();
  };
  if (is_one_of({"true", "1"})) return std::optional<bool>(true);
  if (is_one_of({"false", "0"})) return std::optional<bool>(false);
  return fail(element.error(ErrorKind::malformed, std::string("@") + name, "neither true nor false"));
}

Result<CpixFilter::Range> range(const XmlElement& element, const char* least, const char* most,
                                const CpixLimits& limits) {
  CpixFilter::Range read;
  CAS_TRY_ASSIGN(read.least, number_attribute(element, least, limits));
  CAS_TRY_ASSIGN(read.most, number_attribute(element, most, limits));
  if (read.least && read.most && *read.least > *read.most)
    return fail(element.error(ErrorKind::malformed, std::string("@") + least, std::string("greater than ") + most));
  return read;
}

/// The text of an attribute that has to be there.
Result<std::string> needed(const XmlElement& element, const char* name, const CpixLimits& limits) {
  CAS_TRY_ASSIGN(auto text, element.attribute(name, limits.text));
  if (!text || text->empty())
    return fail(element.error(ErrorKind::malformed, std::string("@") + name, "is missing or empty"));
  return std::move(*text);
}

Result<CpixFilter> read_filter(const XmlElement& element, const CpixLimits& limits) {
  CpixFilter filter;
  if (element.space() != cpix_namespace) return filter;
  if (element.name() == "KeyPeriodFilter") {
    filter.kind = CpixFilter::Kind::period;
    CAS_TRY_ASSIGN(filter.text, needed(element, "periodId", limits));
  } else if (element.name() == "LabelFilter") {
    filter.kind = CpixFilter::Kind::label;
    CAS_TRY_ASSIGN(filter.text, needed(element, "label", limits));
  } else if (element.name() == "VideoFilter") {
    filter.kind = CpixFilter::Kind::video;
    CAS_TRY_ASSIGN(filter.range, range(element, "minPixels", "maxPixels", limits));
    CAS_TRY_ASSIGN(filter.frames, range(element, "minFps", "maxFps", limits));
    CAS_TRY_ASSIGN(filter.hdr, flag_attribute(element, "hdr", limits));
    CAS_TRY_ASSIGN(filter.wcg, flag_attribute(element, "wcg", limits));
  } else if (element.name() == "AudioFilter") {
    filter.kind = CpixFilter::Kind::audio;
    CAS_TRY_ASSIGN(filter.range, range(element, "minChannels", "maxChannels", limits));
  } else if (element.name() == "BitrateFilter") {
    filter.kind = CpixFilter::Kind::bitrate;
    CAS_TRY_ASSIGN(filter.range, range(element, "minBitrate", "maxBitrate", limits));
  }
  return filter;
}

Status duplicate(const char* what) { return fail(ErrorKind::malformed, std::string(what) + " stands twice"); }

}  // namespace

Status read_periods(const XmlElement& list, const CpixLimits& limits, CpixDocument& document) {
  return each_entry(list, "ContentKeyPeriod", limits, [&](const XmlElement& element) -> Status {
    CpixPeriod period;
    CAS_TRY_ASSIGN(period.id, needed(element, "id", limits));
    CAS_TRY_ASSIGN(period.index, number_attribute(element, "index", limits));
    CAS_TRY_ASSIGN(period.start, time_attribute(element, "start", limits));
    CAS_TRY_ASSIGN(period.end, time_attribute(element, "end", limits));
    if (period.start && period.end && *period.start >= *period.end)
      return fail(element.error(ErrorKind::malformed, "@end", "not after start"));
    document.periods.push_back(std::move(period));
    return {};
  });
}

Status read_rules(const XmlElement& list, const CpixLimits& limits, CpixDocument& document) {
  return each_entry(list, "ContentKeyUsageRule", limits, [&](const XmlElement& element) -> Status {
    CpixUsageRule rule;
    CAS_TRY_ASSIGN(const auto kid, uuid_attribute(element, "kid", limits));
    if (!kid) return fail(element.error(ErrorKind::malformed, "@kid", "is missing"));
    rule.kid = *kid;
    CAS_TRY_ASSIGN(auto track, element.attribute("intendedTrackType", limits.text));
    rule.track_type = std::move(track).value_or("");
    CAS_TRY_ASSIGN(auto representation, element.attribute("representation", limits.text, kex_namespace.data()));
    rule.representation = std::move(representation).value_or("");
    for (auto child = element.first_child(); child; child = child->next()) {
      if (rule.filters.size() == limits.entries)
        return fail(element.error(ErrorKind::exhausted, "", "too many filters"));
      CAS_TRY_ASSIGN(auto filter, read_filter(*child, limits));
      rule.filters.push_back(std::move(filter));
    }
    document.rules.push_back(std::move(rule));
    return {};
  });
}

Status read_auxiliary(const XmlElement& element, const CpixLimits& limits, CpixDocument& document) {
  if (document.auxiliary.size() == limits.entries)
    return fail(element.error(ErrorKind::exhausted, "", "more than " + std::to_string(limits.entries) + " entries"));
  CpixAuxiliary auxiliary;
  CAS_TRY_ASSIGN(const auto kid, uuid_attribute(element, "kid", limits));
  auxiliary.kid = kid.value_or(Uuid{});
  CAS_TRY_ASSIGN(auxiliary.name, needed(element, "name", limits));
  CAS_TRY_ASSIGN(auto value, element.attribute("value", limits.text));
  auxiliary.value = std::move(value).value_or("");
  document.auxiliary.push_back(std::move(auxiliary));
  return {};
}

Status check_references(const CpixDocument& document) {
  std::set<Uuid> keys;
  for (const CpixContentKey& key : document.keys)
    if (!keys.insert(key.kid).second) return duplicate("a ContentKey/@kid");
  std::set<std::string_view> periods;
  for (const CpixPeriod& period : document.periods)
    if (!periods.insert(period.id).second) return duplicate("a ContentKeyPeriod/@id");
  for (const CpixUsageRule& rule : document.rules) {
    if (!keys.contains(rule.kid))
      return fail(ErrorKind::malformed, "ContentKeyUsageRule/@kid names a key that is not in the ContentKeyList");
    for (const CpixFilter& filter : rule.filters)
      if (filter.kind == CpixFilter::Kind::period && !periods.contains(filter.text))
        return fail(ErrorKind::malformed,
                    "KeyPeriodFilter/@periodId names a period that is not in the ContentKeyPeriodList");
  }
  for (const CpixDrmSystem& system : document.systems)
    if (!system.kid.is_nil() && !keys.contains(system.kid))
      return fail(ErrorKind::malformed, "DRMSystem/@kid names a key that is not in the ContentKeyList");
  return {};
}

}  // namespace cas::kex
