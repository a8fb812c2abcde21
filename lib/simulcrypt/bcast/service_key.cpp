// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/service_key.hpp"

namespace cas::simulcrypt::bcast {

Status check_service_key(const ServiceKey& key) {
  if (key.key.size() != service_key_size || key.seed.size() != service_seed_size) {
    return fail(ErrorKind::invalid_argument, "A service or programme key has 16 bytes, and 16 of seed");
  }
  if (key.valid_from < 0 || key.valid_from >= key.valid_until) {
    return fail(ErrorKind::invalid_argument, "A service or programme key has to be valid at some time");
  }
  return {};
}

}  // namespace cas::simulcrypt::bcast
