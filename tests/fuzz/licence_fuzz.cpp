// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>

#include "base/tlv.hpp"
#include "smartpro/licence.hpp"
#include "smartpro/licence_reissue.hpp"
#include "smartpro/token_commands.hpp"
#include "tests/support/applet_memory.hpp"
#include "tests/support/seeded_random.hpp"

namespace {

using namespace cas;
using namespace cas::smartpro;

/// Whatever a processing token is asked for, what it issues is for the same work, and goes no farther.
void reissue(ByteView request, const SecretBytes& domain_key) {
  const auto fields = TlvFields::parse(request, "request");
  const auto lecm = fields ? fields->optional(tag::reissue_lecm) : std::nullopt;
  const auto view = lecm ? LicenceView::parse(*lecm) : Result<LicenceView>(fail(ErrorKind::malformed, ""));
  if (!view) return;
  test::PlainAppletMemory memory;
  if (!memory.write(object::domain_key, domain_key.reveal())) std::abort();
  test::SeededRandom random(1);
  Membership membership;
  membership.kind = TokenKind::processing;
  membership.vdid = view->vdid;
  const auto answer = reissue_licence(memory, random, 1, membership, request);
  if (!answer) return;
  const auto granted = unseal_licence(domain_key, *view);
  const auto answered = TlvFields::parse(*answer, "answer");
  const auto made = LicenceView::parse(answered->required(tag::created_lecm).value());
  const auto terms = unseal_licence(domain_key, *made)->terms;
  if (!granted || !granted->terms.rights.process || terms.content_id != view->content_id ||
      terms.origins != view->origins || terms.transfer)
    std::abort();
  const UsageRights& before = granted->terms.rights;
  if (!(before.change_rights ? terms.rights.check_bridging_within(before) : terms.rights.check_within(before)))
    std::abort();
}

}  // namespace

// No input is a licence of a domain whose key the fuzzer does not know. Usage rights have one meaning.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const cas::ByteView input(data, size);
  static const cas::SecretBytes domain_key(cas::smartpro::domain_key_size);
  if (const auto view = cas::smartpro::LicenceView::parse(input)) {
    // The zero key is known to the seeds alone: what opens must say what its clear part says.
    const auto unsealed = cas::smartpro::unseal_licence(domain_key, *view);
    if (unsealed && unsealed->terms.header_digest != view->header_digest) std::abort();
  }
  reissue(input, domain_key);
  if (const auto rights = cas::smartpro::UsageRights::parse(input)) {
    const auto again = cas::smartpro::UsageRights::parse(rights->encode());
    if (!again || !(*again == *rights)) std::abort();
    if (rights->describe().empty()) std::abort();
  }
  return 0;
}
