// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <vector>

#include "base/random.hpp"
#include "card/applet.hpp"
#include "smartpro/authorisation_mask.hpp"
#include "smartpro/bridge_checks.hpp"
#include "smartpro/bridge_record.hpp"

namespace cas::smartpro {

/// What only a master bridge token does (paper, 4.2 and figure 7): it turns licences of its domain into transfer
/// licences for simple bridges that the authorisation mask allows, and takes back what they return. It knows no other
/// domain's key, and no control word leaves it. The applet has checked that a bridging host asks. What it holds here
/// lives no longer than the channel. One thread at a time.
class MasterBridge {
 public:
  /// `own`: the token's serial number. `memory` and `random` outlive it.
  MasterBridge(card::AppletMemory& memory, Random& random, SerialNumber own)
      : memory_(memory), random_(random), own_(own) {}

  /// At activation: MKSB (32) || DKMB (16), and the mask's signed header, which must be of the domain of `membership`.
  /// ErrorKind::malformed, authentication_failed.
  [[nodiscard]] static Status store_keys(card::AppletMemory& memory, const Membership& membership, ByteView keys,
                                         ByteView signed_header);

  [[nodiscard]] Result<Bytes> mask_status() const;
  /// ErrorKind::refused unless the version is above the one at hand (no roll-back).
  [[nodiscard]] Result<Bytes> update_mask(ByteView signed_header);
  /// ErrorKind::exhausted for more than 32. Nothing is sent to an admitted bridge before the mask has been shown.
  [[nodiscard]] Result<Bytes> admit_bridge(ByteView signed_record);
  /// The mask passes by, once for all that are admitted. ErrorKind::refused when none is.
  [[nodiscard]] Result<Bytes> show_mask(std::uint8_t p1, ByteView part);
  [[nodiscard]] Result<Bytes> send_licence(ByteView data);
  [[nodiscard]] Result<Bytes> take_back_licence(ByteView data);

 private:
  struct Admitted {
    BridgeRecord record;
    std::uint64_t shown_under = 0;  // Version of the mask that was shown, or 0.
    bool authorised = false;        // Its bit in that mask.
  };

  [[nodiscard]] Result<MaskHeader> stored_mask() const;
  /// ErrorKind::outdated when the bridge is not admitted, or not under the mask at hand; revoked when its bit is 0.
  [[nodiscard]] Result<BridgeRecord> require_authorised(SerialNumber simple_bridge) const;
  [[nodiscard]] Result<std::vector<BridgeRecord>> destinations(ByteView serial_numbers,
                                                               const UsageRights& rights) const;
  [[nodiscard]] Result<SecretBytes> key_with(const BridgeRecord& record) const;

  card::AppletMemory& memory_;
  Random& random_;
  SerialNumber own_;
  std::vector<Admitted> admitted_;
  std::optional<MaskSearch> search_;
};

}  // namespace cas::smartpro
