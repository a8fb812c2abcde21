// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/access_criteria.hpp"

#include "base/reader.hpp"

namespace cas::simulcrypt::bcast {

Result<std::uint8_t> count_access_criteria(ByteView list) {
  ByteReader reader(list);
  std::size_t count = 0;
  while (!reader.empty()) {
    const auto tag = reader.u8();
    const auto length = reader.u8();
    if (!tag || !length || !reader.bytes(*length)) {
      return fail(ErrorKind::malformed, "The last access criteria descriptor is cut off");
    }
    if (++count > max_access_criteria_descriptors) {
      return fail(ErrorKind::exhausted, "There are more than 16 access criteria descriptors");
    }
  }
  return static_cast<std::uint8_t>(count);
}

}  // namespace cas::simulcrypt::bcast
