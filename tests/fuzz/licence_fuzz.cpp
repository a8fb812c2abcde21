// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>

#include "smartpro/licence.hpp"

// No input is a licence of a domain whose key the fuzzer does not know. Usage rights have one meaning.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const cas::ByteView input(data, size);
  static const cas::SecretBytes domain_key(cas::smartpro::domain_key_size);
  if (const auto view = cas::smartpro::LicenceView::parse(input)) {
    // The zero key is known to the seeds alone: what opens must say what its clear part says.
    const auto unsealed = cas::smartpro::unseal_licence(domain_key, *view);
    if (unsealed && unsealed->terms.header_digest != view->header_digest) std::abort();
  }
  if (const auto rights = cas::smartpro::UsageRights::parse(input)) {
    const auto again = cas::smartpro::UsageRights::parse(rights->encode());
    if (!again || !(*again == *rights)) std::abort();
    if (rights->describe().empty()) std::abort();
  }
  return 0;
}
