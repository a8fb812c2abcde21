// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/http_authorization.hpp"

#include <algorithm>

#include "service/http_text.hpp"

namespace cas::service {

namespace {

tl::unexpected<Error> malformed(const char* what) {
  return fail(ErrorKind::malformed, std::string("the field Authorization is none: ") + what);
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), ascii_lower);
  return out;
}

bool is_token_letter(char c) { return is_token(std::string_view(&c, 1)); }

/// token68 (RFC 9110, 11.2), which is b64token too (RFC 6750, 2.1).
bool is_token68(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    const char letter = ascii_lower(c);
    return (letter >= 'a' && letter <= 'z') || is_ascii_digit(c) ||
           std::string_view("-._~+/").find(c) != std::string_view::npos;
  });
}

bool is_lower_hex(std::string_view text, std::size_t size) {
  return text.size() == size &&
         std::ranges::all_of(text, [](char c) { return is_ascii_digit(c) || (c >= 'a' && c <= 'f'); });
}

/// The letters of the field, from left to right.
class Letters {
 public:
  explicit Letters(std::string_view text) : text_(text) {}
  [[nodiscard]] bool at_end() const { return text_.empty(); }
  void skip_blanks() {
    while (!text_.empty() && (text_.front() == ' ' || text_.front() == '\t')) text_.remove_prefix(1);
  }
  [[nodiscard]] bool take(char c) {
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  /// Empty when there is none.
  [[nodiscard]] std::string_view take_token() {
    const auto end = std::ranges::find_if_not(text_, is_token_letter);
    const std::string_view token = text_.substr(0, static_cast<std::size_t>(end - text_.begin()));
    text_.remove_prefix(token.size());
    return token;
  }
  /// quoted-string (RFC 9110, 5.6.4), the first quote of which has been taken.
  [[nodiscard]] std::optional<std::string> take_quoted() {
    std::string value;
    while (!text_.empty()) {
      char c = text_.front();
      text_.remove_prefix(1);
      if (c == '"') return value;
      if (c == '\\') {
        if (text_.empty()) return std::nullopt;
        c = text_.front();
        text_.remove_prefix(1);
      }
      if (is_control(c) && c != '\t') return std::nullopt;
      value += c;
    }
    return std::nullopt;
  }

 private:
  std::string_view text_;
};

/// #auth-param, where auth-param = token BWS "=" BWS ( token / quoted-string ) (RFC 9110, 11.2).
Status parse_parameters(std::string_view text, HttpAuthorization& out) {
  Letters letters(text);
  out.parameters.reserve(12);  // Digest's
  for (;;) {
    letters.skip_blanks();
    if (letters.take(',')) continue;  // empty elements of a list are overlooked (RFC 9110, 5.6.1.2)
    if (letters.at_end()) return {};
    std::string name = lower(letters.take_token());
    letters.skip_blanks();
    if (name.empty() || !letters.take('=')) return malformed("a parameter has no name, or no value");
    letters.skip_blanks();
    std::string value;
    if (letters.take('"')) {
      std::optional<std::string> quoted = letters.take_quoted();
      if (!quoted) return malformed("a quoted text has no end, or control characters");
      value = std::move(*quoted);
    } else {
      value = letters.take_token();
      if (value.empty()) return malformed("a parameter has no value");
    }
    // Readers that take the first, and such that take the last, would see two different answers.
    if (out.find(name) != nullptr) return malformed("a parameter stands there twice");
    if (out.parameters.size() == HttpAuthorization::max_parameters) return malformed("it has too many parameters");
    out.parameters.emplace_back(std::move(name), std::move(value));
    letters.skip_blanks();
    if (!letters.at_end() && !letters.take(',')) return malformed("there is no comma between parameters");
  }
}

/// ext-value (RFC 8187, 3.2.1) in UTF-8, the only charset that RFC 7616 has.
std::optional<std::string> decode_extended(std::string_view text) {
  constexpr std::string_view charset = "utf-8'";
  if (!equal_ignoring_case(text.substr(0, charset.size()), charset)) return std::nullopt;
  text.remove_prefix(charset.size());
  const auto language_end = text.find('\'');
  if (language_end == std::string_view::npos) return std::nullopt;
  text.remove_prefix(language_end + 1);
  if (text.empty() || !is_percent_encoded(text)) return std::nullopt;
  return percent_decoded(text, false);
}

Result<std::string> user_of(const HttpAuthorization& authorization) {
  const std::string* const plain = authorization.find("username");
  const std::string* const extended = authorization.find("username*");
  if ((plain == nullptr) == (extended == nullptr)) return malformed("one of username and username* is to be there");
  if (plain != nullptr) return *plain;
  std::optional<std::string> decoded = decode_extended(*extended);
  if (!decoded) return malformed("username* is to be UTF-8'' and percent-encoded");
  return std::move(*decoded);
}

}  // namespace

const std::string* HttpAuthorization::find(std::string_view name) const {
  const auto found = std::ranges::find(parameters, name, &decltype(parameters)::value_type::first);
  return found == parameters.end() ? nullptr : &found->second;
}

Result<HttpAuthorization> parse_http_authorization(std::string_view field) {
  if (field.size() > HttpAuthorization::max_size) return malformed("it is too long");
  HttpAuthorization out;
  const std::string_view scheme = field.substr(0, field.find(' '));
  if (!is_token(scheme)) return malformed("it begins with no scheme");
  out.scheme = lower(scheme);
  const std::string_view rest = trimmed(field.substr(scheme.size()));
  if (is_token68(rest)) {
    out.token = rest;
  } else {
    CAS_TRY(parse_parameters(rest, out));
  }
  return out;
}

Result<HttpDigestAnswer> parse_http_digest(const HttpAuthorization& authorization) {
  if (authorization.parameters.empty()) return malformed("Digest has parameters");
  HttpDigestAnswer out;
  const std::string* const algorithm = authorization.find("algorithm");
  // Without one MD5 is meant (RFC 7616, 3.3), which is not spoken here.
  if (algorithm == nullptr || !equal_ignoring_case(*algorithm, "SHA-256"))
    return fail(ErrorKind::unsupported, "of Digest, only the algorithm SHA-256 is spoken here");
  const std::string* const protection = authorization.find("qop");
  if (protection == nullptr || *protection != "auth")
    return fail(ErrorKind::unsupported, "of Digest, only qop=auth is spoken here");
  const std::string* const hashed = authorization.find("userhash");
  if (hashed != nullptr && !equal_ignoring_case(*hashed, "false"))
    return fail(ErrorKind::unsupported, "of Digest, user hashes are not spoken here");
  CAS_TRY_ASSIGN(out.user, user_of(authorization));
  for (const auto& [name, value] : {std::pair<const char*, std::string*>{"realm", &out.realm},
                                    {"nonce", &out.nonce},
                                    {"uri", &out.uri},
                                    {"cnonce", &out.cnonce},
                                    {"nc", &out.count_text},
                                    {"response", &out.response}}) {
    const std::string* const found = authorization.find(name);
    if (found == nullptr || found->empty()) return malformed("a parameter of Digest is missing, or empty");
    *value = *found;
  }
  if (!is_lower_hex(out.count_text, 8)) return malformed("nc is to be 8 hexadecimal digits");
  for (const char c : out.count_text) out.count = out.count << 4 | static_cast<std::uint32_t>(hex_digit(c));
  if (out.count == 0) return malformed("nc begins with 1");
  if (!is_lower_hex(out.response, 64)) return malformed("response is to be 64 hexadecimal digits");
  return out;
}

}  // namespace cas::service
