// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/health.hpp"

#include <algorithm>

#include "service/http_text.hpp"

namespace cas::service {

std::string Health::Report::text() const {
  if (findings.empty()) return "ok";
  std::string all;
  for (const Finding& finding : findings) {
    if (!all.empty()) all += '\n';
    all += finding.name + ": ";
    const auto at = static_cast<std::ptrdiff_t>(all.size());
    all += finding.status ? "ok" : finding.status.error().message;
    std::replace_if(all.begin() + at, all.end(), is_control, ' ');  // one line each
  }
  return all;
}

void Health::add_live(std::string name, Check check) { live_.push_back({std::move(name), std::move(check)}); }
void Health::add_ready(std::string name, Check check) { ready_.push_back({std::move(name), std::move(check)}); }

void Health::look(const std::vector<Entry>& entries, Report& report) {
  for (const Entry& entry : entries) {
    report.findings.push_back({entry.name, entry.check()});
    report.well = report.well && report.findings.back().status.has_value();
  }
}

Health::Report Health::live() const {
  Report report;
  look(live_, report);
  return report;
}

Health::Report Health::ready() const {
  Report report = live();
  if (stopping_) {
    report.findings.push_back({"stop", fail(ErrorKind::cancelled, "the program is being stopped")});
    report.well = false;
  }
  look(ready_, report);
  return report;
}

}  // namespace cas::service
