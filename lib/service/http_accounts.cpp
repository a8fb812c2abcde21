// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "service/http_accounts_state.hpp"
#include "service/http_text.hpp"

namespace cas::service {

namespace {

constexpr std::size_t max_name_size = 256;
constexpr std::size_t token_size = 32;
constexpr std::size_t least_token_letters = 22;  // 128 bits in base64url
constexpr std::size_t most_token_letters = 1024;

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= max_name_size && std::ranges::none_of(text, is_control);
}

tl::unexpected<Error> fail_for(const HttpAccount& account, const char* what) {
  const std::string name = is_name(account.name) ? account.name : "without a name";
  return fail(ErrorKind::invalid_argument, "client " + name + ": " + what);
}

/// The digits of a secret, as a secret.
SecretBytes hex_of(ByteView secret) {
  constexpr std::string_view digits = "0123456789abcdef";
  SecretBytes out(2 * secret.size());
  std::size_t at = 0;
  for (const std::uint8_t byte : secret) {
    out.reveal_mutable()[at++] = static_cast<std::uint8_t>(digits[byte >> 4]);
    out.reveal_mutable()[at++] = static_cast<std::uint8_t>(digits[byte & 15]);
  }
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), ascii_lower);
  return out;
}

}  // namespace

Result<SecretBytes> http_digest_secret(std::string_view user, std::string_view realm, const SecretBytes& password) {
  if (!is_name(user) || user.find(':') != std::string_view::npos)
    return fail(ErrorKind::invalid_argument, "a user's name has 1 to 256 bytes, no ':' and no control characters");
  CAS_TRY_ASSIGN(const crypto::Sha256Digest digest,
                 crypto::sha256({as_bytes(user), as_bytes(":"), as_bytes(realm), as_bytes(":"), password.reveal()}));
  return SecretBytes::copy_of(digest);
}

Result<SecretBytes> make_bearer_token(Random& random) {
  CAS_TRY_ASSIGN(const SecretBytes token, random_secret(random, token_size));
  return hex_of(token.reveal());
}

Result<crypto::Sha256Digest> bearer_token_digest(ByteView token) {
  if (token.size() < least_token_letters || token.size() > most_token_letters)
    return fail(ErrorKind::invalid_argument,
                "a token has 22 to 1024 letters, that is at least 128 random bits; the program makes one");
  const auto is_letter = [](std::uint8_t byte) {
    const char c = static_cast<char>(byte), letter = ascii_lower(c);
    return (letter >= 'a' && letter <= 'z') || is_ascii_digit(c) ||
           std::string_view("-._~+/=").find(c) != std::string_view::npos;
  };
  if (!std::ranges::all_of(token, is_letter))
    return fail(ErrorKind::invalid_argument, "a token has letters, digits and -._~+/ only");
  return crypto::sha256(token);
}

HttpAccounts::HttpAccounts() : state_(std::make_shared<State>()) {}

std::size_t HttpAccounts::size() const { return state_->clients.size(); }

Result<HttpAccounts> HttpAccounts::create(std::vector<HttpAccount> accounts) {
  auto state = std::make_shared<State>();
  std::unordered_map<std::string, bool> names;
  for (const HttpAccount& account : accounts) {
    const std::size_t index = state->clients.size();
    if (!is_name(account.name)) return fail_for(account, "a name has 1 to 256 bytes, and no control characters");
    if (!names.emplace(account.name, true).second) return fail_for(account, "there are two of that name");
    if (account.certificate_names.empty() && account.user.empty() && account.tokens.empty())
      return fail_for(account, "it has no certificate name, no user and no token, and so nothing to show");
    for (const std::string& name : account.certificate_names) {
      if (!is_name(name)) return fail_for(account, "a name in its certificate is empty, or has control characters");
      if (!state->by_common_name.emplace(name, index).second || !state->by_dns_name.emplace(lower(name), index).second)
        return fail_for(account, "a name in its certificate stands there twice, or is another client's");
    }
    if (account.user.empty() != account.ha1.empty()) return fail_for(account, "a user needs a password");
    if (!account.user.empty()) {
      if (!is_name(account.user) || account.user.find(':') != std::string::npos)
        return fail_for(account, "a user's name has 1 to 256 bytes, no ':' and no control characters");
      if (account.ha1.size() != crypto::sha256_size)
        return fail_for(account, "what is kept of a password is a SHA-256");
      if (!state->by_user.emplace(account.user, index).second) return fail_for(account, "its user is another client's");
    }
    for (const crypto::Sha256Digest& token : account.tokens)
      if (!state->by_token.emplace(token, index).second) return fail_for(account, "a token stands there twice");
    state->clients.push_back({account.name, hex_of(account.ha1.reveal())});
  }
  HttpAccounts out;
  out.state_ = std::move(state);
  return out;
}

}  // namespace cas::service
