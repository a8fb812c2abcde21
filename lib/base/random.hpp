// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"

namespace cas {

/// Where randomness comes from; tests give a seeded one. Implementations may be called from any thread.
class Random {
 public:
  virtual ~Random() = default;
  /// Fills `out` with random bytes fit for keys.
  [[nodiscard]] virtual Status fill(MutableByteView out) = 0;
};

/// `size` random bytes, kept as a secret.
[[nodiscard]] inline Result<SecretBytes> random_secret(Random& random, std::size_t size) {
  SecretBytes secret(size);
  CAS_TRY(random.fill(secret.reveal_mutable()));
  return secret;
}

}  // namespace cas
