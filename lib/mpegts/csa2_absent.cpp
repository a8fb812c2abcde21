// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/payload_cipher.hpp"

// Built instead of csa2_payload.cpp where libdvbcsa is missing or not wanted.

namespace cas::mpegts {

Result<std::unique_ptr<PayloadCipher>> make_csa2_payload_cipher() {
  return fail(ErrorKind::unsupported,
              "This build has no DVB-CSA2: configure it with -Dcsa=enabled, for which libdvbcsa-dev is needed");
}

}  // namespace cas::mpegts
