// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>

#include "base/random.hpp"

namespace cas::test {

/// Gives the bytes that a test wants to see, again and again, and counts how often it was asked; or fails.
class FixedRandom final : public Random {
 public:
  explicit FixedRandom(Bytes bytes) : bytes_(std::move(bytes)) {}
  Status fill(MutableByteView out) override {
    ++asked;
    if (fails) return fail(ErrorKind::io, "the test's generator fails");
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = bytes_[i % bytes_.size()];
    return {};
  }
  std::size_t asked = 0;
  bool fails = false;

 private:
  Bytes bytes_;
};

}  // namespace cas::test
