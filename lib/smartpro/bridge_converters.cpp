// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/bridge_converters.hpp"

#include <algorithm>

namespace cas::smartpro {

namespace {

ContentAtHand content_of(std::uint32_t period, const ReadHeader& header) {
  return {header.digest, header.header.cipher, period};
}

/// The rights that the licence shall have, when they are to be changed. `hop`: it goes over one.
Result<std::optional<UsageRights>> changed_rights(const RightsChange& change, ByteView lecm, bool hop) {
  if (!change) return std::nullopt;
  CAS_TRY_ASSIGN(const LicenceView view, LicenceView::parse(lecm));
  if (!view.summary)
    return fail(ErrorKind::refused, "the licence does not show its rights: they cannot be changed on the way");
  UsageRights rights = *view.summary;
  if (hop && rights.bridge_hops > 0) --rights.bridge_hops;
  CAS_TRY_ASSIGN(UsageRights changed, change(std::move(rights)));
  return changed;
}

}  // namespace

Result<std::unique_ptr<MasterBridgeConverter>> MasterBridgeConverter::create(std::shared_ptr<TokenSession> session,
                                                                             Options options) {
  if (options.records.empty() || options.records.size() > max_package_destinations)
    return fail(ErrorKind::invalid_argument,
                "content is sent to 1 to 32 simple bridges, not " + std::to_string(options.records.size()));
  std::vector<SerialNumber> destinations;
  for (const Bytes& bytes : options.records) {
    CAS_TRY_ASSIGN(const BridgeRecord record, BridgeRecord::parse(bytes));
    if (std::ranges::find(destinations, record.simple_bridge) != destinations.end())
      return fail(ErrorKind::invalid_argument,
                  "the simple bridge " + serial_text(record.simple_bridge) + " is named twice");
    destinations.push_back(record.simple_bridge);
  }
  return std::unique_ptr<MasterBridgeConverter>(
      new MasterBridgeConverter(std::move(session), std::move(options), std::move(destinations)));
}

/// The token forgets whom it has admitted with its channel, which the session opens anew on its own: the token's word
/// is what shows it.
template <typename Command>
auto MasterBridgeConverter::with_admission(Command command) -> decltype(command()) {
  if (admitted_) {
    auto answer = command();
    if (answer || answer.error().kind != ErrorKind::outdated) return answer;
    admitted_ = false;
  }
  CAS_TRY(session_->admit_bridges(options_.records, options_.mask));
  admitted_ = true;
  return command();
}

Result<Bytes> MasterBridgeConverter::send(ByteView lecm, const ContentAtHand& content) {
  CAS_TRY_ASSIGN(const auto rights, changed_rights(options_.change_rights, lecm, true));
  CAS_TRY_ASSIGN(const TransferPackage package,
                 with_admission([&] { return session_->send_licence(lecm, content, destinations_, rights); }));
  return package.encode();
}

Result<Bytes> MasterBridgeConverter::convert(std::uint32_t period, ByteView slot_content, const ReadHeader& header) {
  const ContentAtHand content = content_of(period, header);
  if (!TransferPackage::is_one(slot_content)) return send(slot_content, content);
  CAS_TRY_ASSIGN(const TransferPackage package, TransferPackage::parse(slot_content));
  return with_admission([&] { return session_->take_back_licence(package, content); });
}

Result<Bytes> SimpleBridgeConverter::convert(std::uint32_t period, ByteView slot_content, const ReadHeader& header) {
  const ContentAtHand content = content_of(period, header);
  if (TransferPackage::is_one(slot_content)) {
    CAS_TRY_ASSIGN(const TransferPackage package, TransferPackage::parse(slot_content));
    return session_->receive_licence(package, content);
  }
  CAS_TRY_ASSIGN(const auto rights, changed_rights(change_rights_, slot_content, false));
  CAS_TRY_ASSIGN(const TransferPackage package, session_->return_licence(slot_content, content, rights));
  return package.encode();
}

}  // namespace cas::smartpro
