// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/master_bridge.hpp"

#include <algorithm>

#include "base/reader.hpp"
#include "smartpro/token_commands.hpp"
#include "smartpro/transfer_package.hpp"

namespace cas::smartpro {

namespace {

constexpr std::size_t keys_size = bridge_master_key_size + bridge_device_key_size;

/// The rights of what is sent: those of the licence with a hop less, or `wanted` where they are no wider. Where the
/// licence grants changes, they may be wider, but never go farther.
Result<UsageRights> sent_rights(const UsageRights& granted, std::optional<ByteView> wanted) {
  UsageRights rights = granted;
  --rights.bridge_hops;
  if (!wanted) return rights;
  CAS_TRY_ASSIGN(UsageRights changed, UsageRights::parse(*wanted));
  CAS_TRY(granted.change_rights ? changed.check_bridging_within(rights) : changed.check_within(rights));
  return changed;
}

}  // namespace

Status MasterBridge::store_keys(card::AppletMemory& memory, const Membership& membership, ByteView keys,
                                ByteView signed_header) {
  if (keys.size() != keys_size) return fail(ErrorKind::malformed, "the keys of a master bridge have 48 bytes");
  CAS_TRY_ASSIGN(const MaskHeader header, MaskHeader::parse_signed(signed_header, membership.revocation_key));
  if (header.vdid != membership.vdid) return fail(ErrorKind::malformed, "the authorisation mask is of another domain");
  CAS_TRY(memory.write(object::master_bridge_keys, keys));
  return memory.write(object::mask_header, signed_header);
}

Result<MaskHeader> MasterBridge::stored_mask() const {
  return MaskHeader::parse(memory_.read(object::mask_header).reveal());
}

Result<Bytes> MasterBridge::mask_status() const {
  return TlvWriter().field(tag::mask_header, memory_.read(object::mask_header).reveal()).take();
}

Result<Bytes> MasterBridge::update_mask(ByteView signed_header) {
  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
  CAS_TRY_ASSIGN(const MaskHeader header, MaskHeader::parse_signed(signed_header, membership.revocation_key));
  if (header.vdid != membership.vdid)
    return fail(ErrorKind::wrong_domain, "the authorisation mask is of another domain");
  CAS_TRY_ASSIGN(const MaskHeader stored, stored_mask());
  if (header.version <= stored.version)
    return fail(ErrorKind::refused, "the authorisation mask is not newer than the one that this token has");
  search_.reset();
  CAS_TRY(memory_.write(object::mask_header, signed_header));
  return Bytes{};
}

Result<Bytes> MasterBridge::admit_bridge(ByteView signed_record) {
  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
  CAS_TRY_ASSIGN(const BridgeRecord record, BridgeRecord::parse_signed(signed_record, membership.revocation_key));
  if (record.source != membership.vdid)
    return fail(ErrorKind::wrong_domain, "the bridge is registered in another domain");
  search_.reset();  // what has passed was not looked at for this one
  const auto same = std::ranges::find(admitted_, record.simple_bridge,
                                      [](const Admitted& admitted) { return admitted.record.simple_bridge; });
  if (same != admitted_.end()) {
    *same = {record};
    return Bytes{};
  }
  if (admitted_.size() == max_mask_questions) return fail(ErrorKind::exhausted, "32 bridges are admitted already");
  admitted_.push_back({record});
  return Bytes{};
}

Result<Bytes> MasterBridge::show_mask(std::uint8_t p1, ByteView part) {
  if (p1 != show_mask_part && p1 != show_mask_last_part)
    return fail(ErrorKind::invalid_argument, "SHOW MASK knows P1 1 and 2");
  if (admitted_.empty()) return fail(ErrorKind::refused, "no bridge is admitted");
  if (!search_) {
    std::vector<std::uint32_t> indices;
    for (const Admitted& admitted : admitted_) indices.push_back(admitted.record.index);
    CAS_TRY_ASSIGN(search_, MaskSearch::create(indices));
  }
  if (const Status added = search_->add(part); !added) {
    search_.reset();
    return fail(added.error());
  }
  if (p1 == show_mask_part) return Bytes{};
  MaskSearch search = std::move(*search_);
  search_.reset();
  CAS_TRY_ASSIGN(const MaskHeader mask, stored_mask());
  CAS_TRY_ASSIGN(const std::vector<bool> bits, search.finish(mask));
  for (std::size_t i = 0; i < bits.size(); ++i) {
    admitted_[i].shown_under = mask.version;
    admitted_[i].authorised = bits[i];
  }
  return Bytes{};
}

Result<BridgeRecord> MasterBridge::require_authorised(SerialNumber simple_bridge) const {
  CAS_TRY_ASSIGN(const MaskHeader mask, stored_mask());
  const auto found = std::ranges::find(admitted_, simple_bridge,
                                       [](const Admitted& admitted) { return admitted.record.simple_bridge; });
  if (found == admitted_.end()) return fail(ErrorKind::outdated, "the simple bridge is not admitted");
  // Another channel may have brought a newer mask meanwhile.
  if (found->shown_under != mask.version)
    return fail(ErrorKind::outdated, "the authorisation mask has not been shown for that simple bridge");
  if (!found->authorised) return fail(ErrorKind::revoked, "the simple bridge is not authorised any more");
  return found->record;
}

Result<std::vector<BridgeRecord>> MasterBridge::destinations(ByteView serial_numbers, const UsageRights& rights) const {
  constexpr std::size_t size = sizeof(SerialNumber);
  if (serial_numbers.empty() || serial_numbers.size() % size != 0 ||
      serial_numbers.size() / size > max_package_destinations)
    return fail(ErrorKind::malformed, "a licence is sent to 1 to 32 simple bridges");
  std::vector<BridgeRecord> records;
  ByteReader reader(serial_numbers);
  while (!reader.empty()) {
    CAS_TRY_ASSIGN(const SerialNumber simple_bridge, reader.u64());
    CAS_TRY_ASSIGN(const BridgeRecord record, require_authorised(simple_bridge));
    if (!rights.bridge_to.empty() && std::ranges::find(rights.bridge_to, record.destination) == rights.bridge_to.end())
      return fail(ErrorKind::refused, "the licence does not allow bridging to that domain");
    records.push_back(record);
  }
  return records;
}

Result<SecretBytes> MasterBridge::key_with(const BridgeRecord& record) const {
  const SecretBytes keys = memory_.read(object::master_bridge_keys);
  if (keys.size() != keys_size) return fail(ErrorKind::internal, "the master bridge's keys are damaged");
  const SecretBytes mksb = SecretBytes::copy_of(keys.reveal().first(bridge_master_key_size));
  const SecretBytes dkmb = SecretBytes::copy_of(keys.reveal().subspan(bridge_master_key_size));
  CAS_TRY_ASSIGN(const SecretBytes dksb, simple_bridge_key(mksb, record.simple_bridge, record.index));
  return bridge_key(dkmb, dksb);
}

Result<Bytes> MasterBridge::send_licence(ByteView data) {
  constexpr TlvTag content_tag = tag::outgoing_content;
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(data, "request to send a licence"));
  CAS_TRY(fields.check_known({tag::outgoing_lecm, content_tag, content_tag + 1, content_tag + 2, content_tag + 3,
                              tag::outgoing_rights, tag::outgoing_destinations}));
  CAS_TRY_ASSIGN(const ByteView lecm, fields.required(tag::outgoing_lecm));
  CAS_TRY_ASSIGN(const ContentClaim content, ContentClaim::read(fields, content_tag));
  CAS_TRY_ASSIGN(const ByteView serial_numbers, fields.required(tag::outgoing_destinations));

  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
  CAS_TRY_ASSIGN(UnsealedLicence licence, open_domain_licence(memory_, membership, lecm));
  CAS_TRY(content.check(licence.terms));
  if (!licence.terms.rights.bridge || licence.terms.rights.bridge_hops == 0)
    return fail(ErrorKind::refused, "the licence does not allow bridging, or no farther");
  CAS_TRY_ASSIGN(const std::vector<BridgeRecord> records, destinations(serial_numbers, licence.terms.rights));

  LicenceTerms terms = licence.terms;
  CAS_TRY_ASSIGN(terms.rights, sent_rights(licence.terms.rights, fields.optional(tag::outgoing_rights)));
  CAS_TRY(random_.fill(terms.licence_id));
  terms.issuer = own_;
  terms.transfer = TransferDirection::to_simple_bridge;
  terms.origins.push_back({membership.vdid, own_});
  // Paper, 4.2: "a license for a transfer domain, encrypted by a transfer license key (TKLECM)". One key for all
  // destinations, wrapped for each.
  CAS_TRY_ASSIGN(const SecretBytes transfer_key, random_secret(random_, transfer_key_size));
  CAS_TRY_ASSIGN(const Bytes transfer_licence, seal_licence(transfer_key, terms, licence.control_word));
  TlvWriter answer;
  answer.field(tag::converted_lecm, transfer_licence);
  for (const BridgeRecord& record : records) {
    CAS_TRY_ASSIGN(const SecretBytes key, key_with(record));
    const BridgeContext context{terms.licence_id,     membership.vdid, own_,
                                record.simple_bridge, record.index,    record.destination};
    CAS_TRY_ASSIGN(const WrappedTransferKey wrapped,
                   wrap_transfer_key(key, context, TransferDirection::to_simple_bridge, transfer_key));
    answer.field(tag::converted_cdi, Cdi{record.simple_bridge, record.index, record.destination, wrapped}.encode());
  }
  return answer.take();
}

Result<Bytes> MasterBridge::take_back_licence(ByteView data) {
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(data, "request to take a licence back"));
  CAS_TRY_ASSIGN(const IncomingTransfer transfer, IncomingTransfer::read(fields, TransferDirection::to_master_bridge));
  CAS_TRY_ASSIGN(const Membership membership, load_membership(memory_));
  if (transfer.view.vdid != membership.vdid)
    return fail(ErrorKind::wrong_domain, "the licence goes back to another domain");
  if (transfer.view.origins.back() != LicenceOrigin{membership.vdid, own_})
    return fail(ErrorKind::refused, "the licence goes back to another master bridge");
  CAS_TRY_ASSIGN(const BridgeRecord record, require_authorised(transfer.cdi.simple_bridge));
  if (transfer.cdi.index != record.index || transfer.cdi.destination != record.destination)
    return fail(ErrorKind::malformed, "the CDI is not of the simple bridge as it is registered");
  CAS_TRY_ASSIGN(const SecretBytes key, key_with(record));
  CAS_TRY_ASSIGN(const UnsealedLicence licence, open_transfer_licence(transfer.view, transfer.cdi, own_, key));
  CAS_TRY(transfer.content.check(licence.terms));

  LicenceTerms terms = licence.terms;
  CAS_TRY(random_.fill(terms.licence_id));
  terms.issuer = own_;
  terms.transfer.reset();
  terms.origins.pop_back();
  // A round trip changes nothing: the hop that the sender has taken comes back.
  if (terms.rights.bridge && terms.rights.bridge_hops < UINT8_MAX) ++terms.rights.bridge_hops;
  CAS_TRY_ASSIGN(const Bytes lecm, seal_licence(memory_.read(object::domain_key), terms, licence.control_word));
  return TlvWriter().field(tag::converted_lecm, lecm).take();
}

}  // namespace cas::smartpro
