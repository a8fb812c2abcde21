// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "kex/cpix_document.hpp"

namespace cas::kex {

/// Reads a CPIX document (2.0 to 2.4, and the requests and answers of SPEKE 1 and 2). Elements are known by namespace and
/// local name, whatever their prefix; elements and attributes of other namespaces are passed over, as is what a later
/// minor version has added to an element. The order of the lists is the schema's.
///
/// ErrorKind::malformed for what is not well-formed or not CPIX, exhausted beyond `limits`, refused for a document type
/// declaration, unsupported for another major version. Errors name line and field, and never have a value.
[[nodiscard]] Result<CpixDocument> read_cpix(ByteView bytes, const CpixLimits& limits = {});

}  // namespace cas::kex
