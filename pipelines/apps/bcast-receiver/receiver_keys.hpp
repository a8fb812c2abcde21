// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "simulcrypt/bcast/bcast_receiver.hpp"

namespace cas::apps {

/// What the arguments say of the receiver's own keys. A source is that of a pass phrase: file:PATH or env:NAME, and
/// holds hexadecimal digits.
struct KeyArguments {
  std::string bsm;  ///< DRM Profile: the Super_CAS_id, in hexadecimal. Smartcard Profile: the BSM's identity.
  std::string device_id;
  std::string device_key;  ///< A source.
  std::string domain_key;  ///< A source.
  std::string smk;         ///< A source.
  std::string subscriber;
  std::string key_domain;  ///< 6 hexadecimal digits.
};

/// The receiver that the arguments ask for: of the Smartcard Profile when there is something of it, of the DRM Profile
/// otherwise. ErrorKind::invalid_argument: something is missing, or does not go together; those of reading a source.
[[nodiscard]] Result<simulcrypt::bcast::BcastReceiver> make_receiver(const KeyArguments& arguments, Clock& clock);

}  // namespace cas::apps
