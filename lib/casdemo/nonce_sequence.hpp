// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>

#include "base/random.hpp"
#include "crypto/aes.hpp"

namespace cas::casdemo {

using Nonce = std::array<std::uint8_t, crypto::gcm_nonce_size>;

/// Nonces for AES-GCM, none of them twice: the deterministic construction of NIST SP 800-38D, 8.2.1. The fixed field is
/// 8 random bytes that tell this sequence from those of other generators and of earlier runs, which may have the same
/// keys; the invocation field counts 4 bytes, and when they are used up, the fixed field is drawn anew.
/// With a million sequences, two have the same fixed field with a probability below 2^-24.
class NonceSequence {
 public:
  /// Keeps `random`. Fails as `random` does.
  [[nodiscard]] static Result<NonceSequence> create(Random& random);
  /// Fails as `random` does, once in 2^32 calls.
  [[nodiscard]] Result<Nonce> next();

 private:
  explicit NonceSequence(Random& random) : random_(&random) {}
  [[nodiscard]] Status draw();

  Random* random_;
  std::array<std::uint8_t, 8> fixed_{};
  std::uint64_t given_ = 0;  ///< Under the present fixed field.
};

}  // namespace cas::casdemo
