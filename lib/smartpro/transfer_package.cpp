// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/transfer_package.hpp"

#include <algorithm>

#include "base/tlv.hpp"

namespace cas::smartpro {

namespace {

constexpr TlvTag tag_lecm = 0x90;
constexpr TlvTag tag_cdi = 0x91;

Status check_transfer_licence(ByteView lecm) {
  CAS_TRY_ASSIGN(const LicenceView view, LicenceView::parse(lecm));
  if (!view.transfer) return fail(ErrorKind::malformed, "the licence of a transfer package is a domain's licence");
  return {};
}

Status add_cdi(ByteView bytes, std::vector<Cdi>& cdis) {
  if (cdis.size() == max_package_destinations)
    return fail(ErrorKind::malformed, "transfer package has more than 32 destinations");
  CAS_TRY_ASSIGN(const Cdi cdi, Cdi::parse(bytes));
  cdis.push_back(cdi);
  return {};
}

}  // namespace

bool TransferPackage::is_one(ByteView slot_content) {
  return !slot_content.empty() && slot_content.front() == tag_lecm;
}

Result<TransferPackage> TransferPackage::parse(ByteView bytes) {
  if (bytes.size() > max_package_size) return fail(ErrorKind::malformed, "transfer package is too long");
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(bytes, "transfer package"));
  if (fields.all().empty() || fields.all().front().tag != tag_lecm)
    return fail(ErrorKind::malformed, "transfer package does not start with its licence");
  TransferPackage package;
  for (const TlvField& field : fields.all()) {
    if (field.tag == tag_cdi) {
      CAS_TRY(add_cdi(field.value, package.cdis));
    } else if (field.tag == tag_lecm) {
      if (!package.lecm.empty()) return fail(ErrorKind::malformed, "transfer package has two licences");
      CAS_TRY(check_transfer_licence(field.value));
      package.lecm = copy_of(field.value);
    } else if (tlv_is_critical(field.tag)) {
      return fail(ErrorKind::unsupported, "transfer package has a field that this version does not know");
    }
  }
  if (package.cdis.empty()) return fail(ErrorKind::malformed, "transfer package has no destination");
  return package;
}

Bytes TransferPackage::encode() const {
  TlvWriter writer;
  writer.field(tag_lecm, lecm);
  for (const Cdi& cdi : cdis) writer.field(tag_cdi, cdi.encode());
  return writer.take();
}

const Cdi* TransferPackage::cdi_for(SerialNumber simple_bridge) const {
  const auto found = std::ranges::find(cdis, simple_bridge, &Cdi::simple_bridge);
  return found == cdis.end() ? nullptr : &*found;
}

}  // namespace cas::smartpro
