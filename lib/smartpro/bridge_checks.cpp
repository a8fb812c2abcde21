// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/bridge_checks.hpp"

#include "smartpro/token_commands.hpp"

namespace cas::smartpro {

Result<ContentClaim> ContentClaim::read(const TlvFields& fields, TlvTag first) {
  ContentClaim claim;
  CAS_TRY_ASSIGN(claim.header_digest, fields.required(first, sizeof(HeaderDigest)));
  CAS_TRY_ASSIGN(claim.cipher, fields.required_number(static_cast<TlvTag>(first + 1), 1));
  CAS_TRY_ASSIGN(claim.key_period, fields.required_number(static_cast<TlvTag>(first + 2), 4));
  CAS_TRY_ASSIGN(const std::uint64_t time, fields.required_number(static_cast<TlvTag>(first + 3), 8));
  claim.time = static_cast<UnixSeconds>(time);
  return claim;
}

Status ContentClaim::check(const LicenceTerms& terms) const {
  if (!equal(terms.header_digest, header_digest) || static_cast<std::uint64_t>(terms.cipher) != cipher ||
      terms.key_period != key_period)
    return fail(ErrorKind::malformed, "the licence is for other content");
  // A licence of a stream is one of many, each for some seconds: no device takes a stream to another domain by them.
  if (terms.cipher == ContentCipher::transport_stream)
    return fail(ErrorKind::refused, "the licences of a transport stream do not go to other domains");
  return terms.rights.check_time(time);
}

Result<UnsealedLicence> open_domain_licence(const card::AppletMemory& memory, const Membership& membership,
                                            ByteView lecm) {
  CAS_TRY_ASSIGN(const LicenceView view, LicenceView::parse(lecm));
  if (view.transfer) return fail(ErrorKind::malformed, "this is a transfer licence, not a domain's");
  if (view.vdid != membership.vdid) return fail(ErrorKind::wrong_domain, "the licence is of another domain");
  auto unsealed = unseal_licence(memory.read(object::domain_key), view);
  if (!unsealed) return fail(ErrorKind::malformed, "the licence was changed");
  return unsealed;
}

Result<UnsealedLicence> open_transfer_licence(const LicenceView& view, const Cdi& cdi, SerialNumber master_bridge,
                                              const SecretBytes& bridge_key) {
  const BridgeContext context{view.licence_id, view.vdid, master_bridge, cdi.simple_bridge, cdi.index, cdi.destination};
  const auto transfer_key = unwrap_transfer_key(bridge_key, context, *view.transfer, cdi.wrapped_key);
  if (!transfer_key)
    return fail(ErrorKind::malformed, "the CDI was changed, or is for another licence or another bridge");
  auto unsealed = unseal_licence(*transfer_key, view);
  if (!unsealed) return fail(ErrorKind::malformed, "the transfer licence was changed");
  return unsealed;
}

Result<IncomingTransfer> IncomingTransfer::read(const TlvFields& fields, TransferDirection direction) {
  constexpr TlvTag content = tag::incoming_content;
  CAS_TRY(fields.check_known({tag::incoming_lecm, tag::incoming_cdi, content, content + 1, content + 2, content + 3}));
  IncomingTransfer transfer;
  CAS_TRY_ASSIGN(const ByteView lecm, fields.required(tag::incoming_lecm));
  CAS_TRY_ASSIGN(transfer.view, LicenceView::parse(lecm));
  CAS_TRY_ASSIGN(const ByteView cdi, fields.required(tag::incoming_cdi));
  CAS_TRY_ASSIGN(transfer.cdi, Cdi::parse(cdi));
  CAS_TRY_ASSIGN(transfer.content, ContentClaim::read(fields, content));
  if (transfer.view.transfer != direction)
    return fail(ErrorKind::malformed, "the licence is no transfer licence that goes this way");
  if (transfer.view.origins.empty()) return fail(ErrorKind::malformed, "the transfer licence does not say who sent it");
  return transfer;
}

}  // namespace cas::smartpro
