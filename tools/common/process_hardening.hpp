// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/error.hpp"

namespace cas::tools {

/// What a program that handles secrets does to its own process first (paper, 3.3):
///
///   no core dumps                    RLIMIT_CORE 0, hard limit too
///   no tracing by others             PR_SET_DUMPABLE 0: processes of the same user can neither attach (ptrace) nor read /proc/PID/mem
///   files that nobody else reads     umask 077
///
/// Secrets themselves are in locked memory (SecretBytes). None of this keeps out root, nor who can change this program
/// or its libraries.
[[nodiscard]] Status harden_process();

}  // namespace cas::tools
