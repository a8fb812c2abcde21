// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/revoked_elements.hpp"

#include <algorithm>

#include "base/reader.hpp"

namespace cas::smartpro {

namespace {

constexpr std::array<std::uint8_t, 1> leaf_tag{0x00};
constexpr std::array<std::uint8_t, 1> node_tag{0x01};

std::array<std::uint8_t, revoked_number_size> bytes_of(RevokedNumber number) {
  std::array<std::uint8_t, revoked_number_size> bytes{};
  for (std::size_t i = bytes.size(); i-- > 0; number >>= 8) bytes[i] = static_cast<std::uint8_t>(number);
  return bytes;
}

}  // namespace

RevokedNumber number_of(const Vdid& vdid) {
  RevokedNumber number = 0;
  for (const std::uint8_t byte : vdid) number = number << 8 | byte;
  return number;
}

Result<crypto::Sha256Digest> revoked_leaf(ByteView run_and_fence) { return crypto::sha256({leaf_tag, run_and_fence}); }

Result<crypto::Sha256Digest> revoked_node(const crypto::Sha256Digest& left, const crypto::Sha256Digest& right) {
  return crypto::sha256({node_tag, left, right});
}

Result<RevokedElementsBuilder> RevokedElementsBuilder::create() {
  CAS_TRY_ASSIGN(crypto::Sha256 payload, crypto::Sha256::create());
  return RevokedElementsBuilder(std::move(payload));
}

Status RevokedElementsBuilder::add(RevokedNumber number) {
  if (last_ && number <= *last_)
    return fail(ErrorKind::malformed, "a revocation list is in ascending order, each number once");
  if (count_ == max_revoked_elements)
    return fail(ErrorKind::exhausted,
                "a revocation list has at most " + std::to_string(max_revoked_elements) + " elements of a type");
  if (run_filled_ == run_size * revoked_number_size) CAS_TRY(end_run(number));
  const auto bytes = bytes_of(number);
  CAS_TRY(payload_.update(bytes));
  std::ranges::copy(bytes, run_.begin() + static_cast<std::ptrdiff_t>(run_filled_));
  run_filled_ += bytes.size();
  last_ = number;
  ++count_;
  return {};
}

Status RevokedElementsBuilder::add_payload(ByteView payload) {
  if (payload.size() % revoked_number_size != 0)
    return fail(ErrorKind::malformed, "a revocation list has whole numbers of 8 bytes");
  ByteReader reader(payload);
  while (!reader.empty()) {
    CAS_TRY_ASSIGN(const RevokedNumber number, reader.u64());
    CAS_TRY(add(number));
  }
  return {};
}

Status RevokedElementsBuilder::end_run(std::optional<RevokedNumber> fence) {
  if (fence) {
    std::ranges::copy(bytes_of(*fence), run_.begin() + static_cast<std::ptrdiff_t>(run_filled_));
    run_filled_ += revoked_number_size;
  }
  CAS_TRY_ASSIGN(crypto::Sha256Digest subtree, revoked_leaf(ByteView(run_).first(run_filled_)));
  run_filled_ = 0;
  // As in counting: each bit that was set joins two subtrees of one size.
  for (std::uint32_t bits = runs_; (bits & 1U) != 0; bits >>= 1) {
    CAS_TRY_ASSIGN(subtree, revoked_node(subtrees_[--subtree_count_], subtree));
  }
  subtrees_[subtree_count_++] = subtree;
  ++runs_;
  return {};
}

Result<RevokedElements> RevokedElementsBuilder::finish() {
  RevokedElements elements;
  elements.count = count_;
  CAS_TRY_ASSIGN(elements.digest, payload_.finish());
  if (count_ == 0) {
    elements.root = elements.digest;
    return elements;
  }
  CAS_TRY(end_run(std::nullopt));
  elements.root = subtrees_[--subtree_count_];
  while (subtree_count_ > 0) {
    CAS_TRY_ASSIGN(elements.root, revoked_node(subtrees_[--subtree_count_], elements.root));
  }
  return elements;
}

}  // namespace cas::smartpro
