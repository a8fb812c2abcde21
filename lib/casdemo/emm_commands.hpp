// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to casdemo/, not installed: the commands of EMMs, in clear.

#include "casdemo/emm.hpp"

namespace cas::casdemo {

/// Fails with `kind` and a sentence when an EMM with that addressing may not hold these commands together.
[[nodiscard]] Status check_commands(std::span<const EmmCommand> commands, EmmAddressing addressing, ErrorKind kind);

/// ErrorKind::invalid_argument for more than fits into one EMM. The commands have been checked.
[[nodiscard]] Result<SecretBytes> encode_commands(std::span<const EmmCommand> commands);

/// ErrorKind::truncated, malformed, unsupported. What the commands say is left to check_commands.
[[nodiscard]] Result<std::vector<EmmCommand>> parse_commands(ByteView plain);

}  // namespace cas::casdemo
