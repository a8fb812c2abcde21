// SPDX-License-Identifier: LGPL-2.1-or-later
#include "inserter_settings.hpp"

#include <charconv>

#include "base/hex.hpp"

namespace cas::gst {

namespace {

using std::chrono::milliseconds;

constexpr char name_of_ecmg[] = "ecmg";
constexpr std::size_t max_access_criteria = 4096;

Status with_property(const char* property, const Error& error) {
  return fail(error.kind, std::string("the property '") + property + "': " + error.message);
}

/// "101", "0x65", a name, or nothing for all.
void choose_service(const std::string& text, simulcrypt::ServiceSettings& service) {
  if (text.empty()) return;
  const bool is_hex = text.starts_with("0x") || text.starts_with("0X");
  const char* const first = text.data() + (is_hex ? 2 : 0);
  std::uint16_t id = 0;
  const auto [end, error] = std::from_chars(first, text.data() + text.size(), id, is_hex ? 16 : 10);
  if (error == std::errc() && end == text.data() + text.size()) {
    service.id = id;
  } else {
    service.name = text;
  }
}

Result<std::vector<simulcrypt::HostPort>> addresses_of(const std::string& text) {
  std::vector<simulcrypt::HostPort> addresses;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    CAS_TRY_ASSIGN(simulcrypt::HostPort address,
                   simulcrypt::parse_host_port(text.substr(at, comma - at), simulcrypt::default_ecmg_port));
    addresses.push_back(std::move(address));
    at = comma + 1;
  }
  return addresses;
}

}  // namespace

// A TEK is a key and a salt, 30 bytes or 28 (docs/formats/bcast.md), and a key server's key has 16: nothing says how one
// would be made of the other, and receivers and ECMGs would have to know.
Status check_keys_for_rtp(const simulcrypt::HeadEndSettings& settings) {
  if (settings.key_source != simulcrypt::KeySource::upstream) return {};
  return fail(ErrorKind::invalid_argument,
              "keys from upstream are for transport streams: a traffic key of RTP is a key and a salt, which no key "
              "server gives. Leave out the property 'sdp', or have keys drawn here (key-source=generated)");
}

Result<simulcrypt::HeadEndConfiguration> configuration_of(const InserterProperties& properties) {
  if (!properties.config.empty()) {
    CAS_TRY_ASSIGN(auto configuration, simulcrypt::read_head_end_configuration(properties.config));
    configuration.data.binary_messages = !properties.rtp.sdp.empty();
    if (!properties.rtp.sdp.empty()) CAS_TRY(check_keys_for_rtp(configuration.settings));
    if (properties.ecm_wait != 0) configuration.settings.wait_for_ecms = milliseconds(properties.ecm_wait);
    return configuration;
  }
  simulcrypt::HeadEndConfiguration configuration;
  simulcrypt::HeadEndSettings& settings = configuration.settings;
  settings.cipher = properties.cipher;
  settings.csa2_checksum = properties.csa2_checksum;
  settings.before_first_period = properties.before_first_period;
  settings.key_source = properties.key_source;
  if (!properties.rtp.sdp.empty()) CAS_TRY(check_keys_for_rtp(settings));
  if (properties.bit_rate != 0) settings.bit_rate = properties.bit_rate;
  if (properties.clock_bit_rate != 0) settings.clock_bit_rate = properties.clock_bit_rate;
  settings.wait_for_ecms = milliseconds(properties.ecm_wait);

  simulcrypt::EcmgConfiguration& ecmg = configuration.ecmgs.emplace_back();
  ecmg.name = name_of_ecmg;
  ecmg.super_cas_id = properties.super_cas_id;
  ecmg.channel_id = static_cast<std::uint16_t>(properties.channel_id);
  auto addresses = addresses_of(properties.ecmg);
  if (!addresses) return fail(with_property("ecmg", addresses.error()).error());
  ecmg.addresses = std::move(*addresses);

  simulcrypt::ServiceSettings& service = settings.services.emplace_back();
  choose_service(properties.service, service);
  service.components = properties.components;
  service.period = milliseconds(properties.crypto_period);
  service.clear_lead = milliseconds(properties.clear_lead);
  service.scramble = properties.scramble;
  simulcrypt::CaUse& use = service.systems.emplace_back();
  use.system = name_of_ecmg;
  use.without = properties.without_ecm;
  use.announce_content = properties.announce_content;
  use.announce_keys = properties.announce_keys;
  if (properties.ecm_pid != 0) use.ecm_pid = static_cast<mpegts::Pid>(properties.ecm_pid);
  auto criteria = from_hex(properties.access_criteria, max_access_criteria);
  if (!criteria) return fail(with_property("access-criteria", criteria.error()).error());
  use.access_criteria = std::move(*criteria);

  if (!properties.emm_listen.empty()) {
    auto listen = simulcrypt::parse_host_port(properties.emm_listen, simulcrypt::default_mux_port);
    if (!listen) return fail(with_property("emm-listen", listen.error()).error());
    configuration.data.listen = std::move(*listen);
  }
  configuration.data.binary_messages = !properties.rtp.sdp.empty();
  configuration.data.bandwidth = static_cast<std::uint16_t>(properties.emm_bandwidth);
  settings.data_bit_rate = std::uint64_t{properties.emm_bandwidth} * 1000;
  simulcrypt::HeadEndSettings named = settings;
  named.systems.push_back({name_of_ecmg, 0, nullptr});
  CAS_TRY(simulcrypt::check_head_end_settings(named));
  return configuration;
}

}  // namespace cas::gst
