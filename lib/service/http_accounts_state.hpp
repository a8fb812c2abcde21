// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to service/, not installed: the clients of a server, by what they show.

#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "service/http_authentication.hpp"

namespace cas::service {

struct HttpAccounts::State {
  struct Client {
    std::string name;
    SecretBytes ha1_text;  ///< H(A1) as the 64 digits that go into the digest.
  };
  /// A digest is evenly spread by itself.
  struct DigestHash {
    std::size_t operator()(const crypto::Sha256Digest& digest) const {
      std::size_t hash = 0;
      std::memcpy(&hash, digest.data(), sizeof hash);
      return hash;
    }
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using ByText = std::unordered_map<std::string, std::size_t, TextHash, std::equal_to<>>;

  std::vector<Client> clients;
  ByText by_common_name;
  ByText by_dns_name;  ///< In lower case.
  ByText by_user;
  std::unordered_map<crypto::Sha256Digest, std::size_t, DigestHash> by_token;
};

}  // namespace cas::service
