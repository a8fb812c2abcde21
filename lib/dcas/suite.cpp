// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/suite.hpp"

#include "dcas/roles.hpp"

namespace cas::dcas {

bool have_extended_suite(const crypto::RsaCertificate& root, const crypto::RsaCertificate& one,
                         const crypto::RsaCertificate& other) {
  return root.has_role(capability_extended_suite) && one.has_role(capability_extended_suite) &&
         other.has_role(capability_extended_suite);
}

Result<Suite> suite_with(SuitePolicy policy, const crypto::RsaCertificate& root, const crypto::RsaCertificate& own,
                         const crypto::RsaCertificate& partner) {
  if (policy == SuitePolicy::strict_paper) return Suite::paper;
  if (have_extended_suite(root, own, partner)) return Suite::extended;
  if (policy == SuitePolicy::demanded)
    return fail(ErrorKind::refused, "the extended suite is demanded, and " + partner.common_name() +
                                        ", its root or we ourselves have it not: have the certificates issued with it");
  return Suite::paper;
}

Status check_suite_of_request(SuitePolicy policy, Suite asked_for) {
  if (policy == SuitePolicy::demanded && asked_for != Suite::extended)
    return fail(ErrorKind::refused, "a request by the paper's suite, and the extended suite is demanded here");
  if (policy == SuitePolicy::strict_paper && asked_for != Suite::paper)
    return fail(ErrorKind::refused,
                "a request by the extended suite, and strict-paper is set here: set it at both or at neither");
  return {};
}

}  // namespace cas::dcas
