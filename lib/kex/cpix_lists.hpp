// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "kex/cpix_document.hpp"
#include "kex/xml_document.hpp"

namespace cas::kex {

/// Internal to kex/, not installed: the lists of a document, each read into it.
[[nodiscard]] Status read_recipients(const XmlElement& list, const CpixLimits& limits, CpixDocument& document);
[[nodiscard]] Status read_keys(const XmlElement& list, const CpixLimits& limits, CpixDocument& document);
[[nodiscard]] Status read_systems(const XmlElement& list, const CpixLimits& limits, CpixDocument& document);
[[nodiscard]] Status read_periods(const XmlElement& list, const CpixLimits& limits, CpixDocument& document);
[[nodiscard]] Status read_rules(const XmlElement& list, const CpixLimits& limits, CpixDocument& document);
/// One element, not a list.
[[nodiscard]] Status read_auxiliary(const XmlElement& element, const CpixLimits& limits, CpixDocument& document);

/// What stands twice, and what refers to something that is not there. ErrorKind::malformed.
[[nodiscard]] Status check_references(const CpixDocument& document);

/// Values of attributes. Nothing when the attribute is not there; ErrorKind::malformed for one of another form.
[[nodiscard]] Result<std::optional<Uuid>> uuid_attribute(const XmlElement& element, const char* name,
                                                         const CpixLimits& limits);
[[nodiscard]] Result<std::optional<std::uint64_t>> number_attribute(const XmlElement& element, const char* name,
                                                                    const CpixLimits& limits,
                                                                    const char* space = nullptr);
/// All children of that name are given to `read`; more than the limit are ErrorKind::exhausted.
template <typename Read>
[[nodiscard]] Status each_entry(const XmlElement& list, std::string_view name, const CpixLimits& limits, Read read) {
  std::size_t count = 0;
  for (auto child = list.first_child(); child; child = child->next()) {
    if (!child->is(cpix_namespace, name)) continue;
    if (++count > limits.entries)
      return fail(list.error(ErrorKind::exhausted, "", "more than " + std::to_string(limits.entries) + " entries"));
    CAS_TRY(read(*child));
  }
  return {};
}

}  // namespace cas::kex
