// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "crypto/openssl_handles.hpp"
#include "crypto/tls.hpp"

namespace cas::crypto {

/// Internal to crypto/, not installed: what a certificate says, which has been verified. Nothing when there is no
/// memory.
[[nodiscard]] std::optional<TlsPeer> describe_peer(const X509* certificate);

}  // namespace cas::crypto
