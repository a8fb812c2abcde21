// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "smartpro/authorisation_mask.hpp"
#include "smartpro/bridge_record.hpp"
#include "smartpro/licence_bridge.hpp"
#include "smartpro/token_session.hpp"

namespace cas::smartpro {

/// What becomes of the rights of a licence on its way (paper, 2.3: "Usage Rights associated to the content may be
/// modified by the Sender Bridge"). It is given the rights that the licence would have in the other domain, and gives
/// those that it shall have; what it fails with ends the conversion. Called by the converter's thread.
using RightsChange = std::function<Result<UsageRights>(UsageRights)>;

/// Over a master bridge token: a licence of its domain becomes a transfer package for the simple bridges given, and a
/// package that comes back becomes a licence of its domain again.
class MasterBridgeConverter final : public LicenceConverter {
 public:
  struct Options {
    /// Signed, of the simple bridges to send to, in the order of the CDIs; also of those that content may come back
    /// from.
    std::vector<Bytes> records;
    AuthorisationMask mask;      ///< The newest that the host has.
    RightsChange change_rights;  ///< Nothing: the rights go along as they are, with a hop less.
  };

  /// ErrorKind::invalid_argument for fewer than 1 or more than 32 records, or a simple bridge twice; malformed when one
  /// is none. Nothing is exchanged yet.
  [[nodiscard]] static Result<std::unique_ptr<MasterBridgeConverter>> create(std::shared_ptr<TokenSession> session,
                                                                             Options options);

  [[nodiscard]] Result<Bytes> convert(std::uint32_t period, ByteView slot_content, const ReadHeader& header) override;

 private:
  MasterBridgeConverter(std::shared_ptr<TokenSession> session, Options options, std::vector<SerialNumber> destinations)
      : session_(std::move(session)), options_(std::move(options)), destinations_(std::move(destinations)) {}

  [[nodiscard]] Result<Bytes> send(ByteView lecm, const ContentAtHand& content);
  template <typename Command>
  [[nodiscard]] auto with_admission(Command command) -> decltype(command());

  std::shared_ptr<TokenSession> session_;
  Options options_;
  std::vector<SerialNumber> destinations_;
  bool admitted_ = false;
};

/// Over a simple bridge token: a transfer package that is addressed to it, among others, becomes a licence of its
/// domain; a licence of its domain, of content that it has received, becomes a transfer package back to where it came
/// from.
class SimpleBridgeConverter final : public LicenceConverter {
 public:
  /// `change_rights` is for what is sent back, whose rights may be no wider; nothing: they go along as they are.
  explicit SimpleBridgeConverter(std::shared_ptr<TokenSession> session, RightsChange change_rights = {})
      : session_(std::move(session)), change_rights_(std::move(change_rights)) {}

  [[nodiscard]] Result<Bytes> convert(std::uint32_t period, ByteView slot_content, const ReadHeader& header) override;

 private:
  std::shared_ptr<TokenSession> session_;
  RightsChange change_rights_;
};

}  // namespace cas::smartpro
