// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "bcast_keys.hpp"
#include "simulcrypt/bcast/drm_ltkm.hpp"

namespace cas::ecmg_program {

/// A long term key message that was made of a file's keys. The file is written before the message goes out: its issue
/// is later than all before.
struct BcastLtkm {
  Bytes message;
  std::uint32_t issue = 0;
  std::vector<std::uint32_t> keys;  ///< Numbers of those that it brings.
};

/// DRM Profile: all keys that are not over, of these services or of all. ErrorKind::invalid_argument: `keys` are of the
/// other profile; not_found: no such service; expired: no key is left; exhausted: more than a message has.
[[nodiscard]] Result<BcastLtkm> make_drm_ltkm(BcastKeys& keys, const simulcrypt::bcast::DrmRecipient& recipient,
                                              std::vector<std::uint16_t> services, UnixSeconds now);

/// Smartcard Profile: for whom a message is, and what it brings, which is one key.
struct SmartcardLtkmOrder {
  std::string subscriber;
  SecretBytes smk;
  std::optional<std::uint16_t> service;  ///< Nothing: the one that was subscribed to.
  std::string key = "now";               ///< "now", "next", or a key number.
};
/// ErrorKind::invalid_argument: `keys` are of the other profile, the SMK has another size than 16 to 32 bytes, the
/// service has to be said, or the key is not said well; not_found: no such subscriber or key; permission_denied: he has
/// not subscribed to the service; expired: the key is over.
[[nodiscard]] Result<BcastLtkm> make_smartcard_ltkm(BcastKeys& keys, const SmartcardLtkmOrder& order, UnixSeconds now);

}  // namespace cas::ecmg_program
