// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "simulcrypt/bcast/sdp.hpp"
#include "simulcrypt/bcast/sdp_names.hpp"

namespace cas::simulcrypt::bcast::sdp {

namespace {

std::string connection_line(const Connection& connection) {
  std::string line = std::string("c=IN ") + (connection.is_ipv6 ? "IP6 " : "IP4 ") + connection.address;
  if (connection.ttl) line += "/" + std::to_string(*connection.ttl);
  return line + "\r\n";
}

void put_key_streams(std::string& out, const std::vector<std::uint16_t>& ids) {
  for (const std::uint16_t id : ids) out += "a=stkmstream:" + std::to_string(id) + "\r\n";
}

void put_media(std::string& out, const Media& media) {
  out += "m=" + media.kind + " " + std::to_string(media.port) + " " + media.protocol;
  for (const std::string& format : media.formats) out += " " + format;
  out += "\r\n";
  if (media.connection) out += connection_line(*media.connection);
  for (const std::string& attribute : media.attributes) out += "a=" + attribute + "\r\n";
  put_key_streams(out, media.key_streams);
  if (media.srtp_authentication) {
    out += "a=SRTPAuthentication:" + std::to_string(*media.srtp_authentication) + "\r\n";
  }
  if (media.roc_rate) out += "a=SRTPROCTxRate:" + std::to_string(*media.roc_rate) + "\r\n";
}

void put_key_stream(std::string& out, const KeyStream& stream) {
  out += "m=data " + std::to_string(stream.port) + " UDP " + std::string(stkm_format) + "\r\n";
  if (stream.connection) out += connection_line(*stream.connection);
  out += "a=fmtp:" + std::string(stkm_format) + " streamid=" + std::to_string(stream.id) +
         "; kmstype=" + std::string(kms_of(stream.profile));
  if (!stream.parameters.empty()) out += "; " + stream.parameters;
  out += "\r\n";
}

}  // namespace

Result<std::string> Service::write() const {
  std::string out = "v=0\r\no=" + origin + "\r\ns=" + name + "\r\n";
  if (connection) out += connection_line(*connection);
  out += "t=0 0\r\n";
  if (!version.empty()) out += "a=bcastversion:" + version + "\r\n";
  put_key_streams(out, key_streams);
  for (const Media& it : media) put_media(out, it);
  for (const KeyStream& it : key_stream_list) put_key_stream(out, it);
  const auto read = parse(out);
  if (!read || *read != *this) {
    return fail(ErrorKind::invalid_argument,
                "The service cannot be said in SDP" + (read ? std::string() : ": " + read.error().message));
  }
  return out;
}

std::vector<const KeyStream*> Service::key_streams_of(const Media& of) const {
  std::vector<const KeyStream*> found;
  // RFC 5159, 5.1.2: the media's attribute overwrites the session's.
  for (const std::uint16_t id : of.key_streams.empty() ? key_streams : of.key_streams) {
    const auto it = std::ranges::find(key_stream_list, id, &KeyStream::id);
    if (it != key_stream_list.end()) found.push_back(&*it);
  }
  return found;
}

Result<SrtpOptions> srtp_options_of(const Media& media) {
  SrtpOptions options;
  if (media.protocol != "RTP/SAVP") {
    return fail(ErrorKind::unsupported, "A media of " + media.protocol + " is not protected by SRTP (RTP/SAVP)");
  }
  for (const std::string& attribute : media.attributes) {
    if (!attribute.starts_with(std::string(suite_attribute) + ":")) continue;
    const std::string suite = attribute.substr(suite_attribute.size() + 1);
    if (suite != "AES_CM_128_HMAC_SHA1_80" && suite != "AEAD_AES_128_GCM") {
      return fail(ErrorKind::unsupported, "The SDP names an SRTP suite that is not known here");
    }
    if (suite == "AEAD_AES_128_GCM") options.suite = SrtpSuite::aead_aes_128_gcm;
  }
  if (!media.srtp_authentication) return options;
  options.roc_rate = media.roc_rate.value_or(1);
  const unsigned mode = *media.srtp_authentication;  // 2: RCCm1, 3: RCCm2, 4: RCCm3
  // RFC 4771, 3: with a rate of 1, RCCm1 and RCCm2 are the same.
  const bool all_authenticated = mode == 3 || (mode == 2 && options.roc_rate == 1);
  if (!all_authenticated || options.suite != SrtpSuite::aes_cm_128_hmac_sha1_80) {
    return fail(ErrorKind::unsupported,
                "SRTPAuthentication leaves packets unauthenticated, or does not go with the suite; RCCm2 is 3");
  }
  options.roc_carriage = RocCarriage::mode_2;
  return options;
}

void set_srtp_options(Media& media, const SrtpOptions& options) {
  media.protocol = "RTP/SAVP";
  std::erase_if(media.attributes,
                [](const std::string& it) { return it.starts_with(std::string(suite_attribute) + ":"); });
  if (options.suite == SrtpSuite::aead_aes_128_gcm) {
    media.attributes.push_back(std::string(suite_attribute) + ":AEAD_AES_128_GCM");
  }
  media.srtp_authentication.reset();
  media.roc_rate.reset();
  if (options.roc_carriage == RocCarriage::mode_2) {
    media.srtp_authentication = std::uint8_t{3};
    media.roc_rate = options.roc_rate;
  }
}

}  // namespace cas::simulcrypt::bcast::sdp
