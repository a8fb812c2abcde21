// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/payload_search.hpp"

#include "base/reader.hpp"
#include "crypto/constant_time.hpp"

namespace cas::smartpro {

Result<PayloadSearch> PayloadSearch::create(RevokedNumber wanted) {
  CAS_TRY_ASSIGN(crypto::Sha256 digest, crypto::Sha256::create());
  return PayloadSearch(std::move(digest), wanted);
}

Status PayloadSearch::add(ByteView part) {
  if (part.size() % revoked_number_size != 0)
    return fail(ErrorKind::malformed, "a revocation list has whole numbers of 8 bytes");
  if (part.size() / revoked_number_size > max_revoked_elements - count_)
    return fail(ErrorKind::malformed, "a revocation list is longer than one may be");
  CAS_TRY(digest_.update(part));
  ByteReader reader(part);
  while (!reader.empty()) {
    CAS_TRY_ASSIGN(const RevokedNumber number, reader.u64());
    if (last_ && number <= *last_)
      return fail(ErrorKind::malformed, "a revocation list is in ascending order, each number once");
    last_ = number;
    found_ = found_ || number == wanted_;
    ++count_;
  }
  return {};
}

Status PayloadSearch::finish(const RevokedElements& elements) {
  CAS_TRY_ASSIGN(const crypto::Sha256Digest digest, digest_.finish());
  // First whether it was the list at all: what a forged one says is nothing.
  if (count_ != elements.count || !crypto::constant_time_equal(digest, elements.digest))
    return fail(ErrorKind::authentication_failed,
                "the revocation list was changed: its elements are not those that its header is signed for");
  if (found_) return fail(ErrorKind::revoked, "the number stands on the revocation list");
  return {};
}

}  // namespace cas::smartpro
