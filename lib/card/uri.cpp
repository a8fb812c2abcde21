// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/uri.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <vector>

#include "base/bytes.hpp"
#include "base/hex.hpp"

namespace cas::card {

namespace {

// Room for four names of the largest size, every byte percent-encoded.
constexpr std::size_t max_uri_size = 64 * 1024;
constexpr std::size_t max_name_size = 4096;  // PATH_MAX
constexpr std::size_t max_host_size = 253;   // RFC 1035, 2.3.4, as text
constexpr std::string_view unreserved_signs = "-._~";

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// RFC 3986, 2.1.
Result<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const auto byte = from_hex(text.substr(i + 1, 2), 1);
      if (!byte || byte->size() != 1)
        return fail(ErrorKind::invalid_argument,
                    "a card URI has a % that two hexadecimal digits do not follow; write % itself as %25");
      c = static_cast<char>(byte->front());
      i += 2;
    } else if (c == '#') {
      return fail(ErrorKind::invalid_argument, "a card URI has no fragment; write # in a name as %23");
    }
    if (c == '\0') return fail(ErrorKind::invalid_argument, "a card URI holds a zero character");
    decoded.push_back(c);
  }
  if (decoded.size() > max_name_size)
    return fail(ErrorKind::invalid_argument,
                "a name in a card URI has at most " + std::to_string(max_name_size) + " characters");
  return decoded;
}

std::string percent_encode(std::string_view text, std::string_view kept) {
  std::string encoded;
  for (const char c : text) {
    if (is_alphanumeric(c) || unreserved_signs.find(c) != std::string_view::npos ||
        kept.find(c) != std::string_view::npos)
      encoded.push_back(c);
    else
      encoded += "%" + to_hex(as_bytes(std::string_view(&c, 1)));
  }
  return encoded;
}

struct Attribute {
  std::string_view name;
  std::string value;
};

// KEY=VALUE, separated by '&', as RFC 7512 has them.
Result<std::vector<Attribute>> parse_query(std::string_view query) {
  std::vector<Attribute> attributes;
  while (!query.empty()) {
    const std::string_view item = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(item.size() + 1, query.size()));
    const std::size_t equals = item.find('=');
    const std::string_view name = item.substr(0, equals);
    if (name == "pin-value" || name == "pin" || name == "passphrase" || name == "password")
      return fail(ErrorKind::invalid_argument,
                  "a card URI may not hold the pass phrase itself, since URIs are shown and logged: put it into a file "
                  "and give pin-source=file:PATH");
    if (equals == std::string_view::npos)
      return fail(ErrorKind::invalid_argument, "the query of a card URI is of the form KEY=VALUE&KEY=VALUE");
    if (std::ranges::find(attributes, name, &Attribute::name) != attributes.end())
      return fail(ErrorKind::invalid_argument, "a card URI has the same key twice");
    CAS_TRY_ASSIGN(std::string value, percent_decode(item.substr(equals + 1)));
    if (value.empty()) return fail(ErrorKind::invalid_argument, "a card URI has a key without a value");
    attributes.push_back({name, std::move(value)});
  }
  return attributes;
}

struct KnownAttribute {
  std::string_view name;
  std::string& value;
};

// The values of the keys that this kind of URI knows.
Status read_attributes(std::string_view query, std::initializer_list<KnownAttribute> all_known) {
  CAS_TRY_ASSIGN(std::vector<Attribute> attributes, parse_query(query));
  for (Attribute& attribute : attributes) {
    const auto known = std::ranges::find(all_known, attribute.name, &KnownAttribute::name);
    if (known == all_known.end()) {
      std::string names;
      for (const KnownAttribute& each : all_known) names += (names.empty() ? "" : ", ") + std::string(each.name) + "=";
      return fail(ErrorKind::invalid_argument, "a card URI of this kind knows the key " + names + " and no other");
    }
    known->value = std::move(attribute.value);
  }
  return {};
}

Status check_pin_source(const std::string& source) {
  if (source.starts_with("file:") || source.starts_with("env:")) return {};
  return fail(ErrorKind::invalid_argument, "pin-source= in a card URI is file:PATH or env:NAME");
}

bool starts_with_scheme(std::string_view uri, std::string_view scheme) {
  return uri.size() >= scheme.size() &&
         std::equal(scheme.begin(), scheme.end(), uri.begin(), [](char expected, char found) {
           return expected == (found >= 'A' && found <= 'Z' ? static_cast<char>(found - 'A' + 'a') : found);
         });
}

Result<CardUri> parse_pcsc(std::string_view path, std::string_view query) {
  if (!path.empty())
    return fail(ErrorKind::invalid_argument, "a card URI of the kind pcsc: names its reader as pcsc:?reader=NAME");
  CardUri uri;
  CAS_TRY(read_attributes(query, {{"reader", uri.reader}}));
  return uri;
}

Result<CardUri> parse_soft(std::string_view path, std::string_view query) {
  if (path.starts_with("//"))
    return fail(ErrorKind::invalid_argument, "a card URI of the kind soft: names no host: write soft:/FOLDER/FILE");
  CardUri uri;
  uri.kind = CardUri::Kind::soft;
  CAS_TRY_ASSIGN(uri.path, percent_decode(path));
  if (uri.path.empty())
    return fail(ErrorKind::invalid_argument, "a card URI of the kind soft: names the file of the card: soft:PATH");
  CAS_TRY(read_attributes(query, {{"pin-source", uri.pin_source}}));
  if (uri.pin_source.empty()) uri.pin_source = "file:" + uri.path + ".pin";
  CAS_TRY(check_pin_source(uri.pin_source));
  return uri;
}

bool is_ipv6_address(const std::string& text) {
  in6_addr address{};
  return ::inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

// A DNS name or an IPv4 address: what the system looks up, and a certificate is checked for.
bool is_host_name(std::string_view text) {
  return !text.empty() && text.size() <= max_host_size && text.front() != '-' && text.front() != '.' &&
         std::ranges::all_of(text, [](char c) { return is_alphanumeric(c) || c == '-' || c == '.' || c == '_'; });
}

// HOST:PORT or [IPV6]:PORT (RFC 3986, 3.2.2), without a user and without a scope.
Status parse_host_and_port(std::string_view text, CardUri& uri) {
  const auto wrong = [] {
    return fail(ErrorKind::invalid_argument,
                "a card URI of the kind relay: names host and port: relay:HOST:PORT or relay:[IPV6]:PORT");
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong();
  const std::string_view port = text.substr(colon + 1);
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), uri.port);
  if (parsed.ec != std::errc() || parsed.ptr != port.data() + port.size() || uri.port == 0) return wrong();
  const std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    uri.host = host.substr(1, host.size() - 2);
    if (!is_ipv6_address(uri.host)) return wrong();
  } else {
    uri.host = host;
    if (!is_host_name(uri.host)) return wrong();
  }
  return {};
}

Result<CardUri> parse_relay(std::string_view place, std::string_view query) {
  CardUri uri;
  uri.kind = CardUri::Kind::relay;
  CAS_TRY(parse_host_and_port(place, uri));
  CAS_TRY(read_attributes(query, {{"cert", uri.certificate},
                                  {"key", uri.key},
                                  {"ca", uri.authority},
                                  {"name", uri.server_name},
                                  {"pin-source", uri.pin_source}}));
  if (uri.certificate.empty() || uri.key.empty() || uri.authority.empty())
    return fail(ErrorKind::invalid_argument,
                "a card URI of the kind relay: names three files: ?cert=FILE&key=FILE&ca=FILE");
  if (uri.server_name.empty()) uri.server_name = uri.host;
  if (!is_host_name(uri.server_name) && !is_ipv6_address(uri.server_name))
    return fail(ErrorKind::invalid_argument,
                "name= in a card URI is the host name or the address in the relay's certificate");
  if (!uri.pin_source.empty()) CAS_TRY(check_pin_source(uri.pin_source));
  return uri;
}

std::string format_relay(const CardUri& uri) {
  constexpr std::string_view kept = "/:";
  const bool bracketed = uri.host.find(':') != std::string::npos;
  std::string text = "relay:" + (bracketed ? "[" + uri.host + "]" : uri.host) + ":" + std::to_string(uri.port);
  text += "?cert=" + percent_encode(uri.certificate, kept) + "&key=" + percent_encode(uri.key, kept) +
          "&ca=" + percent_encode(uri.authority, kept);
  if (!uri.server_name.empty() && uri.server_name != uri.host) text += "&name=" + percent_encode(uri.server_name, kept);
  if (!uri.pin_source.empty()) text += "&pin-source=" + percent_encode(uri.pin_source, kept);
  return text;
}

}  // namespace

Result<CardUri> parse_card_uri(std::string_view uri) {
  if (uri.size() > max_uri_size)
    return fail(ErrorKind::invalid_argument, "a card URI has at most " + std::to_string(max_uri_size) + " characters");
  constexpr std::string_view pcsc = "pcsc:";
  constexpr std::string_view soft = "soft:";
  constexpr std::string_view relay = "relay:";
  const std::size_t question_mark = uri.find('?');
  const std::string_view before = uri.substr(0, question_mark);
  const std::string_view query =
      question_mark != std::string_view::npos ? uri.substr(question_mark + 1) : std::string_view();
  if (starts_with_scheme(before, pcsc)) return parse_pcsc(before.substr(pcsc.size()), query);
  if (starts_with_scheme(before, soft)) return parse_soft(before.substr(soft.size()), query);
  if (starts_with_scheme(before, relay)) return parse_relay(before.substr(relay.size()), query);
  return fail(ErrorKind::invalid_argument, "a card URI starts with pcsc:, soft: or relay:");
}

std::string format_card_uri(const CardUri& uri) {
  if (uri.kind == CardUri::Kind::pcsc)
    return uri.reader.empty() ? "pcsc:" : "pcsc:?reader=" + percent_encode(uri.reader, "");
  if (uri.kind == CardUri::Kind::relay) return format_relay(uri);
  // Two slashes in front would introduce a host (RFC 3986, 3.3).
  const bool host_like = uri.path.starts_with("//");
  std::string text =
      "soft:" + (host_like ? "/%2f" + percent_encode(uri.path.substr(2), "/") : percent_encode(uri.path, "/"));
  if (!uri.pin_source.empty() && uri.pin_source != "file:" + uri.path + ".pin")
    text += "?pin-source=" + percent_encode(uri.pin_source, "/:");
  return text;
}

}  // namespace cas::card
