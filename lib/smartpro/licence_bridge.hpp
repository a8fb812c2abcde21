// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "smartpro/file_header.hpp"

namespace cas::smartpro {

/// Converts the licences of a protected file on its way from one domain to another (paper, 2.3: "Content remains
/// unchanged (i.e. scrambled) during the operation and only the licenses are processed"). One thread at a time.
class LicenceConverter {
 public:
  virtual ~LicenceConverter() = default;

  /// What stands in the licence slot of that key period, without the slot's own sizes and padding (licence_slot.hpp),
  /// becomes what shall stand in the slot of the new file: it may be longer. `header` is that of the file. Exchanges
  /// with a card. Errors as TokenSession's calls.
  [[nodiscard]] virtual Result<Bytes> convert(std::uint32_t period, ByteView slot_content,
                                              const ReadHeader& header) = 0;
};

}  // namespace cas::smartpro
