// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/access_policy.hpp"

#include "kex/content_pattern.hpp"

namespace cas::kex {

Status AccessPolicy::check(std::string_view client, KeyAccess access, std::string_view content_id) const {
  const auto found = clients_.find(client);
  if (found != clients_.end() &&
      matches_any(access == KeyAccess::ask ? found->second.ask : found->second.push, content_id))
    return {};
  return fail(ErrorKind::refused, std::string("contentId: this client may not ") +
                                      (access == KeyAccess::ask ? "have" : "bring") + " keys of this content");
}

}  // namespace cas::kex
