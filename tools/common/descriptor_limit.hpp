// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>

namespace cas::tools {

/// Raises this process's limit of open files, as far as the system lets it, to what a daemon with so many connections
/// needs: the usual limit of 1,024 would otherwise be the limit of its clients.
void allow_connections(std::size_t connections);

}  // namespace cas::tools
