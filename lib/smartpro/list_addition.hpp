// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "smartpro/payload_search.hpp"
#include "smartpro/revoked_elements.hpp"

namespace cas::smartpro {

/// Adds a number to a revocation list that passes by (a progenitor's work; paper, 4.1), in memory that does not grow
/// with the list: what passed is compared with the header of the list as it was, and makes the elements of the list as
/// it will be.
class ListAddition {
 public:
  [[nodiscard]] static Result<ListAddition> create(RevokedNumber added);

  /// The next part of the payload as it was: whole numbers. ErrorKind::malformed when they are not in ascending order.
  [[nodiscard]] Status add(ByteView part);
  /// The payload has passed: what the new one is. ErrorKind::authentication_failed when it was not the one of `before`;
  /// revoked when the number was on it already.
  [[nodiscard]] Result<RevokedElements> finish(const RevokedElements& before);

 private:
  ListAddition(PayloadSearch search, RevokedElementsBuilder builder, RevokedNumber added)
      : search_(std::move(search)), builder_(std::move(builder)), added_(added) {}

  PayloadSearch search_;
  RevokedElementsBuilder builder_;
  RevokedNumber added_;
  bool inserted_ = false;
};

}  // namespace cas::smartpro
