// SPDX-License-Identifier: LGPL-2.1-or-later
#include "casdemo/nonce_sequence.hpp"

#include <algorithm>

namespace cas::casdemo {

namespace {

constexpr std::uint64_t nonces_of_a_fixed_field = std::uint64_t{1} << 32;

}  // namespace

Result<NonceSequence> NonceSequence::create(Random& random) {
  NonceSequence sequence(random);
  CAS_TRY(sequence.draw());
  return sequence;
}

Status NonceSequence::draw() {
  CAS_TRY(random_->fill(fixed_));
  given_ = 0;
  return {};
}

Result<Nonce> NonceSequence::next() {
  if (given_ == nonces_of_a_fixed_field) CAS_TRY(draw());
  Nonce nonce{};
  std::ranges::copy(fixed_, nonce.begin());
  for (std::size_t i = 0; i < 4; ++i) nonce[8 + i] = static_cast<std::uint8_t>(given_ >> (8 * (3 - i)));
  ++given_;
  return nonce;
}

}  // namespace cas::casdemo
