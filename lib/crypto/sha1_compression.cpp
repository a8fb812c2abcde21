// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/sha1_compression.hpp"

// The one file that uses what OpenSSL 3.0 has deprecated, and is compiled with its declarations (lib/crypto/meson.build).
// EVP pads every message and adds its length, so that no message hashes to the bare compression function; the other way
// would be a SHA-1 of our own (docs/decisions.md, "Readings of the DCAS paper").
#include <openssl/sha.h>

#include "base/secret.hpp"

namespace cas::crypto {

bool sha1_compress(std::span<const std::uint8_t, 64> block, std::span<std::uint8_t, 20> out) {
  SHA_CTX state;
  const bool done = SHA1_Init(&state) == 1;
  if (done) SHA1_Transform(&state, block.data());
  const std::array<SHA_LONG, 5> words{state.h0, state.h1, state.h2, state.h3, state.h4};
  for (std::size_t i = 0; i < words.size(); ++i)
    for (std::size_t byte = 0; byte < 4; ++byte)
      out[4 * i + byte] = static_cast<std::uint8_t>(words[i] >> (24 - 8 * byte));
  cleanse({reinterpret_cast<std::uint8_t*>(&state), sizeof state});
  return done;
}

}  // namespace cas::crypto
