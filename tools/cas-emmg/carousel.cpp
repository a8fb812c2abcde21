// SPDX-License-Identifier: LGPL-2.1-or-later
#include "carousel.hpp"

#include <algorithm>

namespace cas::emmg_program {

namespace {

constexpr std::size_t page_size = 64;

}  // namespace

Status Carousel::fill(Instant now) {
  const auto fetch = [this](ca_system::IssueNumber after) -> Status {
    CAS_TRY_ASSIGN(std::vector<ca_system::StoredEmm> page, fetch_(after, page_size));
    std::ranges::move(page, std::back_inserter(page_));
    return {};
  };
  if (fresh_) {
    CAS_TRY(fetch(newest_));
    if (!page_.empty()) return {};
    fresh_ = false;
  }
  if (cycle_began_) {
    CAS_TRY(fetch(at_));
    if (!page_.empty()) return {};
    if (now < *cycle_began_ + least_cycle_) return {};
    if (at_ != 0) ++cycles_;
  }
  at_ = 0;
  cycle_began_ = now;
  return fetch(at_);
}

Result<const ca_system::StoredEmm*> Carousel::front(Instant now) {
  if (page_.empty()) CAS_TRY(fill(now));
  return page_.empty() ? nullptr : &page_.front();
}

void Carousel::pop() {
  const ca_system::IssueNumber issue = page_.front().issue;
  newest_ = std::max(newest_, issue);
  if (!fresh_) at_ = issue;
  page_.pop_front();
}

void Carousel::changed() {
  page_.clear();
  fresh_ = true;
}

}  // namespace cas::emmg_program
