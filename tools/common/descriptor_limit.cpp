// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/descriptor_limit.hpp"

#include <sys/resource.h>

#include <algorithm>

namespace cas::tools {

namespace {

// Beside the connections: the store, its journals, the loop, what the libraries hold.
constexpr rlim_t spare_descriptors = 128;

}  // namespace

void allow_connections(std::size_t connections) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = std::min<rlim_t>(connections + spare_descriptors, limit.rlim_max);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace cas::tools
