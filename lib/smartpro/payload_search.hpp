// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "crypto/digest.hpp"
#include "smartpro/revoked_elements.hpp"

namespace cas::smartpro {

/// Looks for a number in a payload that passes by (paper, 4.1 and figure 5), in memory that does not grow with it.
class PayloadSearch {
 public:
  [[nodiscard]] static Result<PayloadSearch> create(RevokedNumber wanted);

  /// The next part: whole numbers. ErrorKind::malformed when they are not in ascending order.
  [[nodiscard]] Status add(ByteView part);
  /// The payload has passed. ErrorKind::authentication_failed when it was not the one that the header is signed for,
  /// and otherwise ErrorKind::revoked when the number was in it.
  [[nodiscard]] Status finish(const RevokedElements& elements);

 private:
  PayloadSearch(crypto::Sha256 digest, RevokedNumber wanted) : digest_(std::move(digest)), wanted_(wanted) {}

  crypto::Sha256 digest_;
  RevokedNumber wanted_;
  std::optional<RevokedNumber> last_;
  std::uint32_t count_ = 0;
  bool found_ = false;
};

}  // namespace cas::smartpro
