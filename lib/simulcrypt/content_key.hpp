// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/secret.hpp"

namespace cas::simulcrypt {

/// A key that comes from outside, from a key server mostly, and the crypto-period that it is of.
struct ContentKey {
  std::uint64_t period = 0;  ///< The server's number of the period. Its low 16 bits are the CP_number.
  SecretBytes key;
  std::string key_id;                                                ///< A UUID.
  std::string content_id;                                            ///< As the key server knows the content.
  std::string scheme;                                                ///< ISO/IEC 23001-7, when the server names one.
  std::optional<std::chrono::nanoseconds> period_start, period_end;  ///< As announced, as far as they are known.
  bool is_utc = false;  ///< What these two are of; else of the stream's running time.

  [[nodiscard]] ContentKey clone() const {
    return {period, key.clone(), key_id, content_id, scheme, period_start, period_end, is_utc};
  }
};

}  // namespace cas::simulcrypt
