// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/device_record.hpp"

#include <algorithm>

namespace cas::dcas {

Status check_device_id(std::string_view id) {
  const auto is_printable = [](char c) { return c > ' ' && c <= '~'; };
  if (!id.empty() && id.size() <= max_device_id_size && std::ranges::all_of(id, is_printable)) return {};
  return fail(ErrorKind::invalid_argument, "an id has 1 to 64 printable ASCII characters, and no blanks");
}

}  // namespace cas::dcas
