// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/client_image_host.hpp"

namespace cas::dcas {

Status ClientImageHost::replace(const ClientImage& image) {
  const ImageTerms& terms = image.terms;
  // Others may have run since the image was read.
  CAS_TRY_ASSIGN(const std::uint32_t newest, counters_->newest(terms.mso, terms.ca_system_id));
  if (terms.version < newest)
    return fail(ErrorKind::outdated, "the image has version " + std::to_string(terms.version) + ", and version " +
                                         std::to_string(newest) + " has run here: ask for a newer one");
  CAS_TRY_ASSIGN(auto started, start_(image));
  if (terms.version > newest) CAS_TRY(counters_->advance(terms.mso, terms.ca_system_id, terms.version));
  client_ = std::move(started);
  terms_ = terms;
  return {};
}

}  // namespace cas::dcas
