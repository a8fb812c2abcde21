// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/ecm_stream_terms.hpp"

#include <string>

namespace cas::simulcrypt {

namespace {

Status refuse(const std::string& what) {
  return fail(ErrorKind::invalid_argument, "the ECMG " + what + ": set it up otherwise, it cannot be served like this");
}

}  // namespace

Status check_ecm_stream_terms(const EcmStreamTerms& terms) {
  using std::chrono::minutes;
  if (terms.cw_per_msg == 0) return refuse("wants no control word in an ECM (CW_per_msg 0)");
  if (terms.cw_per_msg > max_cw_per_msg)
    return refuse("wants " + std::to_string(terms.cw_per_msg) + " control words in an ECM (CW_per_msg)");
  if (terms.lead_cw > max_lead_cw)
    return refuse("wants control words " + std::to_string(terms.lead_cw) + " periods ahead (lead_CW)");
  if (terms.lead_cw >= terms.cw_per_msg)
    return refuse("wants ECMs without the word of their own period (lead_CW at least CW_per_msg)");
  if (terms.repetition.count() <= 0) return refuse("wants ECMs repeated without pause (ECM_rep_period 0)");
  for (const auto& delay :
       {std::optional(terms.delay_start), std::optional(terms.delay_stop), terms.transition_delay_start,
        terms.transition_delay_stop, terms.ac_delay_start, terms.ac_delay_stop})
    if (delay && (*delay > minutes(1) || *delay < -minutes(1))) return refuse("wants a delay of more than a minute");
  return {};
}

}  // namespace cas::simulcrypt
