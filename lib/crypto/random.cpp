// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/random.hpp"

#include <openssl/rand.h>

#include <algorithm>
#include <climits>

#include "crypto/openssl_error.hpp"

namespace cas::crypto {

namespace {

class SystemRandom final : public Random {
 public:
  Status fill(MutableByteView out) override {
    while (!out.empty()) {
      const std::size_t count = std::min<std::size_t>(out.size(), INT_MAX);
      if (RAND_bytes(out.data(), static_cast<int>(count)) != 1) {
        return fail_openssl(ErrorKind::internal, "The random number generator gives nothing");
      }
      out = out.subspan(count);
    }
    return {};
  }
};

}  // namespace

Random& system_random() {
  static SystemRandom random;
  return random;
}

}  // namespace cas::crypto
