// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/error.hpp"
#include "base/secret.hpp"
#include "kex/cpix_document.hpp"

namespace cas::kex {

/// Writes a document that read_cpix reads as the same, in UTF-8: the lists in the schema's order, those that are empty
/// left out. A key with `encrypted` is written so, one with a value in clear, and one with neither is asked for.
/// Secret, since keys may stand in it. ErrorKind::invalid_argument for text that XML cannot have.
[[nodiscard]] Result<SecretBytes> write_cpix(const CpixDocument& document);

}  // namespace cas::kex
