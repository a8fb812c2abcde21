// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <optional>

#include "base/error.hpp"
#include "gst/cas/pointers.hpp"
#include "smartpro/usage_rights.hpp"

/// Usage rights as a GstStructure, in the property "usage-rights" of smartpro-scramble, and in the property "rights"
/// and the message "smartpro-rights" of smartpro-descramble:
///
///   field          type            meaning
///   render         boolean         may be played (default true)
///   process        boolean         may be opened by processing devices (default true)
///   change-rights  boolean         processing devices may widen the rights (default false)
///   bridge         boolean         may go to other domains (default false)
///   not-before     string          RFC 3339 time in UTC, or a date (default: no limit)
///   not-after      string          the same
///   play-count     uint or int     how often it may be played (default: no limit)
///   bridge-hops    uint or int     1 to 255 (default 1)
///   bridge-to      string          identifiers of domains in hexadecimal, with '+' between them (default: any)
///   output-flags   string          of no-analogue, hdcp-required, watermark-required, no-recording, with '+' between them
namespace cas::gst {

/// ErrorKind::invalid_argument names the field. A field that is not known is refused: a slip of the pen in a
/// limit must not leave content without it. Nothing: the default rights.
[[nodiscard]] Result<smartpro::UsageRights> parse_rights(const GstStructure* structure);
/// `rights` with the fields of the structure in their place; those that it does not have stay. Fails as parse_rights
/// does.
[[nodiscard]] Result<smartpro::UsageRights> change_rights(const GstStructure* structure, smartpro::UsageRights rights);

/// All fields that are set, and besides them "description" (for people) and, where the licence counts plays and
/// `plays_left` is known, "plays-left".
[[nodiscard]] StructurePtr rights_structure(const char* name, const smartpro::UsageRights& rights,
                                            std::optional<std::uint32_t> plays_left);

}  // namespace cas::gst
