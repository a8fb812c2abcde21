// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/process_hardening.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>

namespace cas::tools {

Status harden_process() {
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0 || ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
    return fail(ErrorKind::permission_denied,
                "cannot shield this process, which would handle secrets, from core dumps and tracing: " +
                    std::generic_category().message(errno));
  ::umask(077);
  return {};
}

}  // namespace cas::tools
