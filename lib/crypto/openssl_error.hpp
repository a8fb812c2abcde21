// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "base/error.hpp"

namespace cas::crypto {

/// Internal to crypto/, not installed. The failure `what` with OpenSSL's reason behind it; empties this thread's error
/// queue, so that no later failure is told with the reason of this one. Only OpenSSL's constant reason texts are taken,
/// never the data attached to them.
[[nodiscard]] tl::unexpected<Error> fail_openssl(ErrorKind kind, std::string what);

/// Empties this thread's error queue after a failure that is told in our own words.
void drop_openssl_errors();

}  // namespace cas::crypto
