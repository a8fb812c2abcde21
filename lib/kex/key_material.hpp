// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/secret.hpp"
#include "kex/cpix_document.hpp"

namespace cas::kex {

inline constexpr std::size_t content_key_size = 16;

/// A content key with what clients know it by.
struct KeyMaterial {
  Uuid kid;
  InitialisationVector iv{};
  SecretBytes value;  ///< content_key_size bytes; of a pushed one 8 to 32.
  std::vector<CpixAuxiliary> auxiliary;

  [[nodiscard]] KeyMaterial clone() const { return {kid, iv, value.clone(), auxiliary}; }
};

}  // namespace cas::kex
