// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/sdp.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "simulcrypt/bcast/sdp_names.hpp"

namespace cas::simulcrypt::bcast::sdp {

namespace {

using Text = std::string_view;

struct Line {
  char type;
  Text value;
  std::size_t number;
};

tl::unexpected<Error> malformed(const Line& line, const char* what) {
  return fail(ErrorKind::malformed, "Line " + std::to_string(line.number) + " of the SDP " + what);
}

Text trimmed(Text text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

/// What stands before `separator`, which is taken off with it; all of the text if there is none.
Text take_until(Text& text, char separator) {
  const std::size_t end = text.find(separator);
  const Text taken = text.substr(0, end);
  text.remove_prefix(end == Text::npos ? text.size() : end + 1);
  return taken;
}

bool same_name(Text a, Text b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return lower(x) == lower(y);
  });
}

template <typename Number>
std::optional<Number> number_of(Text text, Number least = 0) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least) return std::nullopt;
  return value;
}

// RFC 8866, 5.7. Several groups in a row ("/ttl/count") are not taken.
Result<Connection> read_connection(const Line& line) {
  Text rest = line.value;
  const Text network = take_until(rest, ' ');
  const Text family = take_until(rest, ' ');
  Connection connection;
  connection.is_ipv6 = family == "IP6";
  if (network != "IN" || (!connection.is_ipv6 && family != "IP4")) return malformed(line, "is no connection");
  connection.address = std::string(take_until(rest, '/'));
  in6_addr address{};
  if (connection.address.size() > INET6_ADDRSTRLEN ||
      inet_pton(connection.is_ipv6 ? AF_INET6 : AF_INET, connection.address.c_str(), &address) != 1) {
    return fail(ErrorKind::unsupported, "Line " + std::to_string(line.number) + " of the SDP has no numeric address");
  }
  if (!rest.empty()) {
    connection.ttl = number_of<std::uint8_t>(rest);
    if (!connection.ttl || connection.is_ipv6) return malformed(line, "has no TTL behind its address");
  }
  return connection;
}

/// m= and what belongs to it, before it is known whether it is a key stream.
struct Section {
  Media media;
  std::size_t line = 0;
};

// RFC 8866, 5.14.
Result<Section> read_media(const Line& line) {
  Section section;
  section.line = line.number;
  Text rest = line.value;
  section.media.kind = std::string(take_until(rest, ' '));
  const auto port = number_of<std::uint16_t>(take_until(rest, ' '), 1);
  section.media.protocol = std::string(take_until(rest, ' '));
  while (!rest.empty()) section.media.formats.emplace_back(take_until(rest, ' '));
  const auto& formats = section.media.formats;
  if (section.media.kind.empty() || !port || section.media.protocol.empty() || formats.empty() ||
      std::ranges::any_of(formats, &std::string::empty)) {
    return malformed(line, "is no media with one port");
  }
  if (formats.size() > max_attributes) return fail(ErrorKind::exhausted, "A media of the SDP has too many formats");
  section.media.port = *port;
  return section;
}

Status add_key_stream(const Line& line, Text value, std::vector<std::uint16_t>& to) {
  const auto id = number_of<std::uint16_t>(value, 1);
  if (!id || std::ranges::find(to, *id) != to.end()) return malformed(line, "has no new stkmstream of 1 to 65535");
  if (to.size() == max_key_streams) return fail(ErrorKind::exhausted, "The SDP has too many stkmstream attributes");
  to.push_back(*id);
  return {};
}

Status read_session_attribute(const Line& line, Service& service) {
  Text value = line.value;
  const Text name = take_until(value, ':');
  if (name == "stkmstream") return add_key_stream(line, value, service.key_streams);
  if (name == "bcastversion") {
    Text minor = value;
    const Text major = take_until(minor, '.');
    if (!number_of<std::uint16_t>(major) || !number_of<std::uint16_t>(minor)) return malformed(line, "is no version");
    service.version = std::string(value);
  }
  return {};
}

Status read_media_attribute(const Line& line, Section& section) {
  Media& media = section.media;
  Text value = line.value;
  const Text name = take_until(value, ':');
  if (name == "stkmstream") return add_key_stream(line, value, media.key_streams);
  if (name == "SRTPAuthentication") {
    media.srtp_authentication = number_of<std::uint8_t>(value, 2);
    if (!media.srtp_authentication || *media.srtp_authentication > 4) return malformed(line, "is not 2, 3 or 4");
    return {};
  }
  if (name == "SRTPROCTxRate") {
    media.roc_rate = number_of<std::uint16_t>(value, 1);
    if (!media.roc_rate) return malformed(line, "is not 1 to 65535");
    return {};
  }
  if (media.attributes.size() == max_attributes) return fail(ErrorKind::exhausted, "The SDP has too many attributes");
  media.attributes.emplace_back(line.value);
  return {};
}

// fmtp of a key stream: streamid and kmstype, and others that are kept.
Result<KeyStream> read_key_stream(const Section& section) {
  const Line line{'m', {}, section.line};
  KeyStream stream;
  stream.port = section.media.port;
  stream.connection = section.media.connection;
  bool has_kind = false;
  for (const std::string& attribute : section.media.attributes) {
    Text rest = attribute;
    if (take_until(rest, ':') != "fmtp" || take_until(rest, ' ') != stkm_format) continue;
    while (!rest.empty()) {
      const Text parameter = trimmed(take_until(rest, ';'));
      Text value = parameter;
      const Text name = trimmed(take_until(value, '='));
      value = trimmed(value);
      if (name == "streamid") {
        stream.id = number_of<std::uint16_t>(value).value_or(0);
      } else if (name == "kmstype") {
        const auto profile = profile_of_kms(value);
        if (!profile) return fail(ErrorKind::unsupported, "A key stream of the SDP is of an unknown kmstype");
        stream.profile = *profile;
        has_kind = true;
      } else if (!parameter.empty()) {
        if (!stream.parameters.empty()) stream.parameters += "; ";
        stream.parameters += parameter;
      }
    }
  }
  if (stream.id == 0 || !has_kind) return malformed(line, "begins a key stream without streamid or kmstype");
  return stream;
}

Status end_section(Section& section, Service& service) {
  const Line line{'m', {}, section.line};
  if (service.connection_of(section.media.connection) == nullptr) return malformed(line, "has no connection");
  const Media& media = section.media;
  const bool is_key_stream = same_name(media.protocol, "udp") && media.formats.front() == stkm_format;
  if (!is_key_stream) {
    service.media.push_back(std::move(section.media));
    return {};
  }
  CAS_TRY_ASSIGN(KeyStream stream, read_key_stream(section));
  if (std::ranges::find(service.key_stream_list, stream.id, &KeyStream::id) != service.key_stream_list.end()) {
    return malformed(line, "begins a key stream whose id is there already");
  }
  service.key_stream_list.push_back(std::move(stream));
  return {};
}

class Parser {
 public:
  Result<Service> parse(Text text) {
    if (text.size() > max_size) return fail(ErrorKind::exhausted, "The SDP has more than 64 KiB");
    for (std::size_t number = 1; !text.empty(); ++number) {
      Text content = take_until(text, '\n');
      if (content.ends_with('\r')) content.remove_suffix(1);
      if (content.empty() && text.empty()) break;
      const Line line{content.empty() ? '\0' : content.front(),
                      content.substr(std::min<std::size_t>(2, content.size())), number};
      if (content.size() > max_line_size) return fail(ErrorKind::exhausted, "A line of the SDP is too long");
      if (content.size() < 2 || content[1] != '=' || !std::ranges::all_of(content, is_printable)) {
        return malformed(line, "is not of the form x=...");
      }
      CAS_TRY(take(line));
    }
    if (!seen_version_ || !seen_origin_ || !seen_name_) {
      return fail(ErrorKind::malformed, "The SDP has not v=, o= and s=");
    }
    for (Section& section : sections_) CAS_TRY(end_section(section, service_));
    return std::move(service_);
  }

 private:
  Status take(const Line& line) {
    if (line.number == 1 && (line.type != 'v' || line.value != "0")) return malformed(line, "is not v=0");
    Section* const section = sections_.empty() ? nullptr : &sections_.back();
    switch (line.type) {
      case 'v': return once(line, seen_version_, nullptr);
      case 'o': return once(line, seen_origin_, &service_.origin);
      case 's': return once(line, seen_name_, &service_.name);
      case 'c': return take_connection(line, section != nullptr ? section->media.connection : service_.connection);
      case 'a':
        return section != nullptr ? read_media_attribute(line, *section) : read_session_attribute(line, service_);
      case 'm': {
        if (sections_.size() == max_media) return fail(ErrorKind::exhausted, "The SDP has more than 32 media");
        CAS_TRY_ASSIGN(Section begun, read_media(line));
        sections_.push_back(std::move(begun));
        return {};
      }
      default: return {};
    }
  }

  Status once(const Line& line, bool& seen, std::string* into) const {
    if (std::exchange(seen, true) || !sections_.empty() || line.value.empty()) {
      return malformed(line, "is empty, stands twice, or behind a media");
    }
    if (into != nullptr) *into = std::string(line.value);
    return {};
  }

  static Status take_connection(const Line& line, std::optional<Connection>& into) {
    if (into) return malformed(line, "is a second connection");
    CAS_TRY_ASSIGN(into, read_connection(line));
    return {};
  }

  Service service_;
  std::vector<Section> sections_;
  bool seen_version_ = false, seen_origin_ = false, seen_name_ = false;
};

}  // namespace

Result<Service> Service::parse(std::string_view text) { return Parser().parse(text); }

}  // namespace cas::simulcrypt::bcast::sdp
