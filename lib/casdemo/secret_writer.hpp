// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to casdemo/, not installed.

#include <algorithm>
#include <cstdint>

#include "base/secret.hpp"

namespace cas::casdemo {

/// Writes fields, big-endian, into memory that is a secret already: a buffer that grows would leave copies behind.
/// The caller has computed the size.
class SecretWriter {
 public:
  explicit SecretWriter(SecretBytes& out) : at_(out.reveal_mutable().data()) {}

  void number(std::uint64_t value, unsigned width) {
    for (unsigned i = width; i-- > 0;) *at_++ = static_cast<std::uint8_t>(value >> (8 * i));
  }
  void bytes(ByteView value) { at_ = std::ranges::copy(value, at_).out; }

 private:
  std::uint8_t* at_;
};

}  // namespace cas::casdemo
