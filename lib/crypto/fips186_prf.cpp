// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/fips186_prf.hpp"

#include <algorithm>

#include "crypto/sha1_compression.hpp"

namespace cas::crypto {

namespace {

constexpr std::size_t block_size = 64, word_size = 20;
constexpr std::size_t random_seed_size = 32;
constexpr std::size_t max_output = 4096;

/// key = (1 + key + word) mod 2^b, big-endian.
void advance(MutableByteView key, ByteView word) {
  unsigned carry = 1;
  for (std::size_t i = 0; i < key.size(); ++i) {
    std::uint8_t& byte = key[key.size() - 1 - i];
    carry += byte + (i < word.size() ? word[word.size() - 1 - i] : 0U);
    byte = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
}

}  // namespace

Result<SecretBytes> fips186_prf(const SecretBytes& seed, std::size_t size) {
  // FIPS 186-2, appendix 3.3: 160 <= b <= 512.
  if (seed.size() < word_size || seed.size() > block_size)
    return fail(ErrorKind::invalid_argument,
                "the seed of the FIPS 186-2 generator has 20 to 64 bytes, not " + std::to_string(seed.size()));
  if (size > max_output)
    return fail(ErrorKind::invalid_argument, "the FIPS 186-2 generator gives at most 4,096 bytes here");
  SecretBytes block(block_size);  // XKEY, zeros behind it
  std::ranges::copy(seed.reveal(), block.reveal_mutable().begin());
  const MutableByteView key = block.reveal_mutable().first(seed.size());
  SecretBytes word(word_size);
  SecretBytes out(size);
  for (MutableByteView rest = out.reveal_mutable(); !rest.empty();) {
    if (!sha1_compress(block.reveal().first<block_size>(), word.reveal_mutable().first<word_size>()))
      return fail(ErrorKind::internal, "OpenSSL has no SHA-1 for the FIPS 186-2 generator");
    const std::size_t count = std::min(rest.size(), word_size);
    std::ranges::copy(word.reveal().first(count), rest.begin());
    rest = rest.subspan(count);
    advance(key, word.reveal());
  }
  return out;
}

Result<SecretBytes> fips186_random(Random& random, std::size_t size) {
  CAS_TRY_ASSIGN(const SecretBytes seed, random_secret(random, random_seed_size));
  return fips186_prf(seed, size);
}

}  // namespace cas::crypto
