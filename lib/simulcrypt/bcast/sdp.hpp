// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "simulcrypt/bcast/profile.hpp"
#include "simulcrypt/bcast/srtp_protection.hpp"

// The session description of a protected service (SDP: RFC 8866; OMA BCAST's attributes: RFC 5159): which media there
// are, where, and which key streams open them.
namespace cas::simulcrypt::bcast::sdp {

inline constexpr std::size_t max_size = 64 * 1024;
inline constexpr std::size_t max_line_size = 2048;
inline constexpr std::size_t max_media = 32;        ///< Media and key streams together.
inline constexpr std::size_t max_attributes = 64;   ///< Of one media, that are kept as they are.
inline constexpr std::size_t max_key_streams = 16;  ///< That one media names.

/// c=: a numeric address, of one host or of a multicast group.
struct Connection {
  std::string address;
  bool is_ipv6 = false;
  std::optional<std::uint8_t> ttl;  ///< Of a multicast group in IPv4.
  [[nodiscard]] bool operator==(const Connection&) const = default;
};

/// One m= that is not a key stream.
struct Media {
  std::string kind;  ///< "audio", "video", ...
  std::uint16_t port = 0;
  std::string protocol;              ///< "RTP/AVP", "RTP/SAVP", ...
  std::vector<std::string> formats;  ///< Payload types, for RTP.
  std::optional<Connection> connection;
  std::vector<std::uint16_t> key_streams;           ///< stkmstream, which says more than the session's if it is there.
  std::optional<std::uint8_t> srtp_authentication;  ///< SRTPAuthentication: 2 to 4.
  std::optional<std::uint16_t> roc_rate;            ///< SRTPROCTxRate: 1 to 65,535.
  std::vector<std::string> attributes;              ///< All other a=, without "a=": rtpmap, fmtp and so on.
  [[nodiscard]] bool operator==(const Media&) const = default;
};

/// An m=data of vnd.oma.bcast.stkm: a stream of short term key messages, as UDP datagrams.
struct KeyStream {
  std::uint16_t id = 0;  ///< streamid, which stkmstream names; not 0.
  Profile profile = Profile::drm;
  std::uint16_t port = 0;
  std::optional<Connection> connection;
  std::string parameters;  ///< The others of its fmtp, as they stand, separated by ';'.
  [[nodiscard]] bool operator==(const KeyStream&) const = default;
};

struct Service {
  std::string origin = "- 0 0 IN IP4 127.0.0.1";  ///< o=
  std::string name = "-";                         ///< s=
  std::string version;                            ///< bcastversion, "1.0"; empty: it is not said.
  std::optional<Connection> connection;
  std::vector<std::uint16_t> key_streams;  ///< stkmstream of the session.
  std::vector<Media> media;
  std::vector<KeyStream> key_stream_list;
  [[nodiscard]] bool operator==(const Service&) const = default;

  /// Errors: malformed (with the number of the line), exhausted (too long, or too many of something); unsupported: a
  /// host name in place of an address, or a key management that is none of OMA BCAST's. Lines and attributes that are
  /// not known are passed over. Each media and key stream has a connection, its own or the session's; ids of key
  /// streams are not 0 and stand once.
  [[nodiscard]] static Result<Service> parse(std::string_view text);
  /// ErrorKind::invalid_argument: parse would not take it.
  [[nodiscard]] Result<std::string> write() const;

  /// The key streams that a media names, by itself or through the session; those that are not described are left out.
  [[nodiscard]] std::vector<const KeyStream*> key_streams_of(const Media& of) const;
  /// The connection that holds for a media or key stream.
  [[nodiscard]] const Connection* connection_of(const std::optional<Connection>& own) const {
    return own ? &*own : connection ? &*connection : nullptr;
  }
};

/// The attribute that names another suite than AES_CM_128_HMAC_SHA1_80 for a media: ours, for RFC 5159 has none.
inline constexpr std::string_view suite_attribute = "x-cas-srtp-suite";

/// How a media of RTP/SAVP is protected. ErrorKind::unsupported: another protocol or suite, or an SRTPAuthentication
/// that leaves packets without authentication (RCCm1 with a rate above 1, RCCm3; RFC 4771, 3).
[[nodiscard]] Result<SrtpOptions> srtp_options_of(const Media& media);
/// Writes the attributes that srtp_options_of reads.
void set_srtp_options(Media& media, const SrtpOptions& options);

}  // namespace cas::simulcrypt::bcast::sdp
