// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/cpix_reader.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "kex/cpix_lists.hpp"
#include "kex/xml_document.hpp"

namespace cas::kex {

namespace {

using ListReader = Status (*)(const XmlElement&, const CpixLimits&, CpixDocument&);

/// In the schema's order.
struct List {
  std::string_view name;
  ListReader read;
};
constexpr std::array<List, 6> lists{{
    {"DeliveryDataList", read_recipients},
    {"ContentKeyList", read_keys},
    {"DRMSystemList", read_systems},
    {"ContentKeyPeriodList", read_periods},
    {"ContentKeyUsageRuleList", read_rules},
    {"UpdateHistoryItemList", nullptr},
}};

Status read_root(const XmlElement& root, const CpixLimits& limits, CpixDocument& document) {
  if (!root.is(cpix_namespace, "CPIX"))
    return fail(root.error(ErrorKind::malformed, "", "not a CPIX document (urn:dashif:org:cpix)"));
  for (const auto& [name, field] : {std::pair("contentId", &document.content_id), std::pair("id", &document.id),
                                    std::pair("name", &document.name), std::pair("version", &document.version)}) {
    CAS_TRY_ASSIGN(auto value, root.attribute(name, limits.text));
    if (value) *field = std::move(*value);
  }
  // A document without a version is of 2.0 to 2.2.
  if (!document.version.empty() && !document.version.starts_with("2."))
    return fail(root.error(ErrorKind::unsupported, "@version", "only versions 2.x are known here"));
  CAS_TRY_ASSIGN(const auto time, root.attribute("time", limits.text, kex_namespace.data()));
  if (time) {
    const auto read = parse_date_time(*time);
    if (!read) return fail(root.error(ErrorKind::malformed, "@time", read.error().message));
    document.time = *read;
  }
  return {};
}

}  // namespace

Result<CpixDocument> read_cpix(ByteView bytes, const CpixLimits& limits) {
  CAS_TRY_ASSIGN(const XmlDocument xml, XmlDocument::parse(bytes, limits.size));
  const XmlElement root = xml.root();
  CpixDocument document;
  CAS_TRY(read_root(root, limits, document));
  std::size_t next = 0;  // The first list that may still come.
  for (auto child = root.first_child(); child; child = child->next()) {
    if (child->is(kex_namespace, "Auxiliary")) {
      CAS_TRY(read_auxiliary(*child, limits, document));
      continue;
    }
    if (child->space() != cpix_namespace) continue;
    const auto* const list = std::ranges::find(lists, child->name(), &List::name);
    if (list == lists.end()) continue;
    const auto place = static_cast<std::size_t>(list - lists.begin());
    if (place < next)
      return fail(child->error(ErrorKind::malformed, "",
                               "stands twice or in the wrong place: the order is DeliveryDataList, ContentKeyList, "
                               "DRMSystemList, ContentKeyPeriodList, ContentKeyUsageRuleList, UpdateHistoryItemList"));
    next = place + 1;
    if (list->read != nullptr) CAS_TRY(list->read(*child, limits, document));
  }
  CAS_TRY(check_references(document));
  return document;
}

}  // namespace cas::kex
