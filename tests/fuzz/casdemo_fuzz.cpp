// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>

#include "casdemo/emm_commands.hpp"
#include "casdemo/entitlement_store.hpp"

namespace {

using namespace cas;
using namespace cas::casdemo;

void check_ecm(ByteView section) {
  const auto ecm = EcmView::parse(section);
  if (!ecm) return;
  // All bytes of the section are one of these.
  if (ecm->associated.size() + ecm->cipher_text.size() + ecm->tag.size() != section.size()) std::abort();
  const auto criteria = AccessCriteria::parse(ecm->criteria.encoded());
  if (!criteria || !equal(criteria->encoded(), ecm->criteria.encoded())) std::abort();
}

void check_emm(ByteView section) {
  const auto emm = EmmView::parse(section);
  if (emm && emm->associated.size() + emm->cipher_text.size() + emm->tag.size() != section.size()) std::abort();
}

// Commands that may stand in an EMM have one encoding.
void check_command_list(ByteView plain) {
  const auto commands = parse_commands(plain);
  if (!commands || plain.size() > max_emm_commands_size) return;
  if (!check_commands(*commands, EmmAddressing::unique, ErrorKind::malformed)) return;
  const auto encoded = encode_commands(*commands);
  if (!encoded || !equal(encoded->reveal(), plain)) std::abort();
}

// What is kept comes back from what was written, and answers hostile sections.
void check_store(ByteView input) {
  auto store = EntitlementStore::parse(input);
  if (!store) return;
  const SecretBytes encoded = store->encode();
  auto again = EntitlementStore::parse(encoded.reveal());
  if (!again || !equal(again->encode().reveal(), encoded.reveal())) std::abort();
  if (again->entitlements() != store->entitlements()) std::abort();
}

}  // namespace

// The first byte says which parser is meant.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView input(data + 1, size - 1);
  switch (data[0] % 4) {
    case 0: check_ecm(input); break;
    case 1: check_emm(input); break;
    case 2: check_command_list(input); break;
    default: check_store(input); break;
  }
  return 0;
}
