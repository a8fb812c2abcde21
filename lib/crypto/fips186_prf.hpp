// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/error.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"

namespace cas::crypto {

/// The generator of FIPS 186-2, appendix 3.3, as change notice 1 has it for general purposes (without "mod q"), which
/// EAP-SIM (RFC 4186, appendix B), EAP-AKA and DCAS use as their PRF:
///
///   XVAL = XKEY               XSEED is zero
///   w    = G(t, XVAL)         SHA-1's compression of XVAL, zeros behind it
///   XKEY = (1 + XKEY + w) mod 2^b
///
/// and again, until `size` bytes of w are there. `seed` is XKEY: b is 8 times its size, which is 20 to 64 bytes. `size`
/// is up to 4,096 bytes. For protocols that ask for it; what is ours uses hkdf_sha256.
[[nodiscard]] Result<SecretBytes> fips186_prf(const SecretBytes& seed, std::size_t size);

/// The same as a random number generator, seeded with 32 bytes from `random`.
[[nodiscard]] Result<SecretBytes> fips186_random(Random& random, std::size_t size);

}  // namespace cas::crypto
