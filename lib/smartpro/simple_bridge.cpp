// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/simple_bridge.hpp"

#include <algorithm>

#include "base/reader.hpp"
#include "crypto/constant_time.hpp"
#include "smartpro/authorisation_mask.hpp"
#include "smartpro/token_commands.hpp"

namespace cas::smartpro {

namespace {

/// source VDID (8) || progenitor's serial number (8) || MKMB (32) || DKSB (16) || index (4)
constexpr std::size_t slot_size =
    sizeof(Vdid) + sizeof(SerialNumber) + bridge_master_key_size + bridge_device_key_size + 4;

void put_number(MutableByteView into, std::uint64_t value) {
  for (std::size_t i = 0; i < into.size(); ++i)
    into[i] = static_cast<std::uint8_t>(value >> (8 * (into.size() - 1 - i)));
}

}  // namespace

Result<std::vector<SimpleBridge::Registration>> SimpleBridge::registrations() const {
  const SecretBytes stored = memory_.read(object::bridge_registrations);
  if (stored.size() % slot_size != 0 || stored.size() / slot_size > max_bridge_registrations)
    return fail(ErrorKind::internal, "the registrations are damaged");
  std::vector<Registration> all;
  ByteReader reader(stored.reveal());
  while (!reader.empty()) {
    Registration registration;
    CAS_TRY_ASSIGN(const ByteView source, reader.bytes(sizeof(Vdid)));
    registration.source = to_array<Vdid>(source);
    CAS_TRY_ASSIGN(registration.progenitor, reader.u64());
    CAS_TRY_ASSIGN(const ByteView mkmb, reader.bytes(bridge_master_key_size));
    registration.mkmb = SecretBytes::copy_of(mkmb);
    CAS_TRY_ASSIGN(const ByteView dksb, reader.bytes(bridge_device_key_size));
    registration.dksb = SecretBytes::copy_of(dksb);
    CAS_TRY_ASSIGN(registration.index, reader.u32());
    all.push_back(std::move(registration));
  }
  return all;
}

Status SimpleBridge::store(const std::vector<Registration>& registrations) {
  SecretBytes stored(registrations.size() * slot_size);
  MutableByteView rest = stored.reveal_mutable();
  const auto put = [&rest](ByteView bytes) {
    std::ranges::copy(bytes, rest.begin());
    rest = rest.subspan(bytes.size());
  };
  for (const Registration& registration : registrations) {
    put(registration.source);
    put_number(rest.first(8), registration.progenitor);
    rest = rest.subspan(8);
    put(registration.mkmb.reveal());
    put(registration.dksb.reveal());
    put_number(rest.first(4), registration.index);
    rest = rest.subspan(4);
  }
  return memory_.write(object::bridge_registrations, stored.reveal());
}

Result<SimpleBridge::Registration> SimpleBridge::registration_in(const Vdid& source) const {
  CAS_TRY_ASSIGN(std::vector<Registration> all, registrations());
  const auto found = std::ranges::find(all, source, &Registration::source);
  if (found == all.end()) return fail(ErrorKind::wrong_domain, "this token is not registered in that domain");
  return std::move(*found);
}

Result<SecretBytes> SimpleBridge::key_with(const Registration& registration, SerialNumber master_bridge) {
  CAS_TRY_ASSIGN(const SecretBytes dkmb, master_bridge_key(registration.mkmb, master_bridge));
  return bridge_key(dkmb, registration.dksb);
}

Result<Bytes> SimpleBridge::register_bridge(ByteView data, SerialNumber progenitor) {
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(data, "registration"));
  CAS_TRY(fields.check_known(
      {tag::register_source, tag::register_mkmb, tag::register_dksb, tag::register_index, tag::register_destination}));
  Registration registration;
  CAS_TRY_ASSIGN(const ByteView source, fields.required(tag::register_source, sizeof(Vdid)));
  registration.source = to_array<Vdid>(source);
  registration.progenitor = progenitor;
  CAS_TRY_ASSIGN(const ByteView mkmb, fields.required(tag::register_mkmb, bridge_master_key_size));
  registration.mkmb = SecretBytes::copy_of(mkmb);
  CAS_TRY_ASSIGN(const ByteView dksb, fields.required(tag::register_dksb, bridge_device_key_size));
  registration.dksb = SecretBytes::copy_of(dksb);
  CAS_TRY_ASSIGN(const std::uint64_t index, fields.required_number(tag::register_index, 4));
  if (index < first_bridge_index || index >= max_mask_bits)
    return fail(ErrorKind::malformed, "no simple bridge has that index");
  registration.index = static_cast<std::uint32_t>(index);
  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
  // The bridge record will name this domain, by the TMC's word alone: the token knows better.
  CAS_TRY_ASSIGN(const ByteView destination, fields.required(tag::register_destination, sizeof(Vdid)));
  if (!equal(destination, membership.vdid))
    return fail(ErrorKind::refused, "this token belongs to another domain than it shall be registered for");
  if (registration.source == membership.vdid)
    return fail(ErrorKind::refused, "this token belongs to that domain: it bridges into it from others");

  CAS_TRY_ASSIGN(std::vector<Registration> all, registrations());
  const auto same = std::ranges::find(all, registration.source, &Registration::source);
  if (same == all.end()) {
    if (all.size() == max_bridge_registrations)
      return fail(ErrorKind::exhausted, "this token is registered in as many domains as it can");
    all.push_back(std::move(registration));
  } else {
    // Paper, 4.2: "This index is ever increasing in the source domain."
    if (registration.index <= same->index)
      return fail(ErrorKind::refused, "the registration is not newer than the one at hand");
    // The VDID is the progenitor's word: another one has to know the domain's secret, or content would go back to who
    // never sent it.
    if (same->progenitor != progenitor && !crypto::constant_time_equal(same->mkmb.reveal(), registration.mkmb.reveal()))
      return fail(ErrorKind::refused, "another progenitor has registered this token in that domain");
    *same = std::move(registration);
  }
  CAS_TRY(store(all));
  return Bytes{};
}

Result<Bytes> SimpleBridge::receive_licence(ByteView data) {
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(data, "request to receive a licence"));
  CAS_TRY_ASSIGN(const IncomingTransfer transfer, IncomingTransfer::read(fields, TransferDirection::to_simple_bridge));
  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
  CAS_TRY_ASSIGN(const Registration registration, registration_in(transfer.view.vdid));
  const LicenceOrigin sender = transfer.view.origins.back();
  if (sender.domain != transfer.view.vdid)
    return fail(ErrorKind::malformed, "the transfer licence is not of the domain that sent it");
  if (transfer.cdi.simple_bridge != own_ || transfer.cdi.index != registration.index ||
      transfer.cdi.destination != membership.vdid)
    return fail(ErrorKind::refused, "the CDI is for another bridge, another domain or another registration");
  CAS_TRY_ASSIGN(const SecretBytes key, key_with(registration, sender.master_bridge));
  CAS_TRY_ASSIGN(const UnsealedLicence licence,
                 open_transfer_licence(transfer.view, transfer.cdi, sender.master_bridge, key));
  CAS_TRY(transfer.content.check(licence.terms));

  LicenceTerms terms = licence.terms;
  terms.vdid = membership.vdid;
  CAS_TRY(random_.fill(terms.licence_id));
  terms.issuer = own_;
  terms.transfer.reset();
  CAS_TRY_ASSIGN(const Bytes lecm, seal_licence(memory_.read(object::domain_key), terms, licence.control_word));
  return TlvWriter().field(tag::converted_lecm, lecm).take();
}

Result<Bytes> SimpleBridge::return_licence(ByteView data) {
  constexpr TlvTag content_tag = tag::outgoing_content;
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(data, "request to return a licence"));
  CAS_TRY(fields.check_known(
      {tag::outgoing_lecm, content_tag, content_tag + 1, content_tag + 2, content_tag + 3, tag::outgoing_rights}));
  CAS_TRY_ASSIGN(const ByteView lecm, fields.required(tag::outgoing_lecm));
  CAS_TRY_ASSIGN(const ContentClaim content, ContentClaim::read(fields, content_tag));
  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
  CAS_TRY_ASSIGN(const UnsealedLicence licence, open_domain_licence(memory_, membership, lecm));
  CAS_TRY(content.check(licence.terms));
  if (licence.terms.origins.empty()) return fail(ErrorKind::refused, "the content comes from no other domain");
  // Paper, 2.3: "Receiver Bridge is only able to send back the content to the source domain." It takes no right to
  // bridge.
  const LicenceOrigin source = licence.terms.origins.back();
  CAS_TRY_ASSIGN(const Registration registration, registration_in(source.domain));

  LicenceTerms terms = licence.terms;
  if (const auto wanted = fields.optional(tag::outgoing_rights)) {
    CAS_TRY_ASSIGN(terms.rights, UsageRights::parse(*wanted));
    CAS_TRY(terms.rights.check_within(licence.terms.rights));
  }
  terms.vdid = source.domain;
  CAS_TRY(random_.fill(terms.licence_id));
  terms.issuer = own_;
  terms.transfer = TransferDirection::to_master_bridge;
  CAS_TRY_ASSIGN(const SecretBytes transfer_key, random_secret(random_, transfer_key_size));
  CAS_TRY_ASSIGN(const Bytes transfer_licence, seal_licence(transfer_key, terms, licence.control_word));
  CAS_TRY_ASSIGN(const SecretBytes key, key_with(registration, source.master_bridge));
  const BridgeContext context{terms.licence_id,   source.domain,  source.master_bridge, own_,
                              registration.index, membership.vdid};
  CAS_TRY_ASSIGN(const WrappedTransferKey wrapped,
                 wrap_transfer_key(key, context, TransferDirection::to_master_bridge, transfer_key));
  const Cdi cdi{own_, registration.index, membership.vdid, wrapped};
  return TlvWriter().field(tag::converted_lecm, transfer_licence).field(tag::converted_cdi, cdi.encode()).take();
}

}  // namespace cas::smartpro
