// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace cas::kex {

/// What a client does with keys.
enum class KeyAccess {
  ask,   ///< It gets keys.
  push,  ///< It brings keys that it made.
};

/// What a client may do, by name and content. What is not allowed is refused.
class AccessPolicy {
 public:
  struct Rights {
    std::vector<std::string> ask;   ///< Patterns of content ids (content_pattern.hpp).
    std::vector<std::string> push;  ///< The same.
  };
  void set(const std::string& client, Rights rights) { clients_[client] = std::move(rights); }
  /// ErrorKind::refused. The sentence does not tell whether the content is known.
  [[nodiscard]] Status check(std::string_view client, KeyAccess access, std::string_view content_id) const;

 private:
  std::map<std::string, Rights, std::less<>> clients_;
};

}  // namespace cas::kex
