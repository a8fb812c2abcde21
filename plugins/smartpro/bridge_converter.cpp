// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bridge_converter.hpp"

#include "base/durable_file.hpp"
#include "base/hex.hpp"
#include "smartpro/bridge_converters.hpp"
#include "smartpro/default_places.hpp"
#include "smartpro/transfer_package.hpp"

namespace cas::gst {

namespace {

namespace fs = std::filesystem;
using smartpro::LicenceConverter;

/// Converts one way only: what comes from the wrong side would otherwise be taken where the person who wrote the
/// pipeline did not mean it to go.
class OneWay final : public LicenceConverter {
 public:
  OneWay(std::unique_ptr<LicenceConverter> converter, bool takes_packages)
      : converter_(std::move(converter)), takes_packages_(takes_packages) {}

  Result<Bytes> convert(std::uint32_t period, ByteView slot_content, const smartpro::ReadHeader& header) override {
    if (smartpro::TransferPackage::is_one(slot_content) == takes_packages_)
      return converter_->convert(period, slot_content, header);
    if (takes_packages_)
      return fail(ErrorKind::refused,
                  "the content is of a domain, and not on its way between two: a bridge in this mode and direction "
                  "takes what the other bridge has written");
    return fail(ErrorKind::refused,
                "the content is on its way between two domains: a bridge in this mode and direction takes content of "
                "its own domain");
  }

 private:
  std::unique_ptr<LicenceConverter> converter_;
  bool takes_packages_;
};

Result<smartpro::AuthorisationMask> load_mask(const fs::path& named, const smartpro::TokenInfo& token) {
  fs::path file = named;
  if (file.empty()) {
    CAS_TRY_ASSIGN(const fs::path home, smartpro::home_folder());
    file = home / "bridging" / ("mask-" + to_hex(token.vdid.value_or(smartpro::Vdid{})));
  }
  const auto content = read_file(file, smartpro::max_mask_file_size);
  if (!content && content.error().kind == ErrorKind::not_found)
    return fail(ErrorKind::not_found,
                "there is no authorisation mask in " + file.string() +
                    ": name the newest one of the domain with the property mask; cas-tmc publish writes it");
  if (!content) return fail(content.error());
  auto mask = smartpro::AuthorisationMask::parse(*content);
  if (!mask) return fail_in(file.string(), std::move(mask).error());
  return mask;
}

Result<std::unique_ptr<LicenceConverter>> make_master(const BridgeSettings& settings,
                                                      std::shared_ptr<smartpro::TokenSession> session,
                                                      const smartpro::TokenInfo& token) {
  smartpro::MasterBridgeConverter::Options options;
  for (const fs::path& file : settings.destinations) {
    CAS_TRY_ASSIGN(Bytes record, read_file(file, smartpro::max_bridge_record_size));
    if (const auto parsed = smartpro::BridgeRecord::parse(record); !parsed)
      return fail_in(file.string(), parsed.error());
    options.records.push_back(std::move(record));
  }
  CAS_TRY_ASSIGN(options.mask, load_mask(settings.mask, token));
  if (settings.change_rights) options.change_rights = settings.change_rights;
  return smartpro::MasterBridgeConverter::create(std::move(session), std::move(options));
}

}  // namespace

Result<std::unique_ptr<LicenceConverter>> make_converter(const BridgeSettings& settings,
                                                         smartpro::TokenSession& session,
                                                         const smartpro::TokenInfo& token) {
  // The session outlives the converter, and belongs to somebody else.
  const std::shared_ptr<smartpro::TokenSession> shared(std::shared_ptr<void>(), &session);
  const bool master = settings.mode == BridgeMode::master;
  std::unique_ptr<LicenceConverter> converter;
  if (master) {
    CAS_TRY_ASSIGN(converter, make_master(settings, shared, token));
  } else {
    converter = std::make_unique<smartpro::SimpleBridgeConverter>(
        shared, settings.change_rights ? settings.change_rights : smartpro::RightsChange());
  }
  const bool takes_packages = master == (settings.direction == BridgeDirection::back);
  return std::make_unique<OneWay>(std::move(converter), takes_packages);
}

}  // namespace cas::gst
