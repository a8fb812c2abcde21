// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/head_end_configuration.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "base/hex.hpp"
#include "mpegts/descriptor.hpp"
#include "service/configuration.hpp"

namespace cas::simulcrypt {

namespace {

using service::ConfigurationTable;
using std::chrono::milliseconds;

constexpr std::int64_t max_16 = std::numeric_limits<std::uint16_t>::max();
constexpr std::int64_t max_32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::int64_t first_pid = mpegts::first_free_pid;
constexpr std::int64_t last_pid = mpegts::null_pid - 1;
constexpr std::int64_t max_bit_rate = 100'000'000'000;
constexpr std::size_t max_hex_size = 4096;

/// One of several words, and what they mean.
template <typename Value, std::size_t count>
Result<Value> choice(const ConfigurationTable& table, std::string_view key, Value fallback,
                     const std::pair<std::string_view, Value> (&choices)[count]) {
  if (!table.has(key)) return fallback;
  CAS_TRY_ASSIGN(const std::string text, table.text(key));
  std::string known;
  for (const auto& [name, value] : choices) {
    if (name == text) return value;
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  return fail(table.error_at(key, "has to be one of: " + known));
}

Result<Bytes> hex(const ConfigurationTable& table, std::string_view key) {
  CAS_TRY_ASSIGN(const std::string text, table.text_or(key, ""));
  auto bytes = from_hex(text, max_hex_size);
  if (!bytes) return fail(table.error_at(key, "has to be hexadecimal digits, two a byte"));
  return std::move(*bytes);
}

template <typename Number>
Result<std::optional<Number>> optional_number(const ConfigurationTable& table, std::string_view key, std::int64_t least,
                                              std::int64_t most) {
  if (!table.has(key)) return std::optional<Number>();
  CAS_TRY_ASSIGN(const std::int64_t number, table.number(key, least, most));
  return std::optional(static_cast<Number>(number));
}

Result<HostPort> host_port(const ConfigurationTable& table, std::string_view key, const std::string& text,
                           std::uint16_t default_port) {
  auto parsed = parse_host_port(text, default_port);
  if (!parsed) return fail(table.error_at(key, parsed.error().message));
  return parsed;
}

Status read_stream(const ConfigurationTable& root, HeadEndSettings& settings) {
  using mpegts::TsCipher;
  CAS_TRY_ASSIGN(settings.cipher, choice<TsCipher>(root, "cipher", TsCipher::cissa,
                                                   {{"csa2", TsCipher::csa2},
                                                    {"cissa", TsCipher::cissa},
                                                    {"aes-128-cbc", TsCipher::aes_128_cbc},
                                                    {"aes-128-ctr", TsCipher::aes_128_ctr}}));
  CAS_TRY_ASSIGN(const Bytes iv, hex(root, "iv"));
  if (!iv.empty()) {
    if (iv.size() != settings.cipher_options.iv.size())
      return fail(root.error_at("iv", "has to be 32 hexadecimal digits"));
    std::ranges::copy(iv, settings.cipher_options.iv.begin());
  }
  CAS_TRY_ASSIGN(settings.csa2_checksum, root.flag_or("csa2_checksum", true));
  CAS_TRY_ASSIGN(settings.key_source,
                 choice<KeySource>(root, "key_source", KeySource::generated,
                                   {{"generated", KeySource::generated}, {"upstream", KeySource::upstream}}));
  CAS_TRY_ASSIGN(settings.scrambling_mode, optional_number<std::uint8_t>(root, "scrambling_mode", 1, 0xfe));
  CAS_TRY_ASSIGN(
      settings.before_first_period,
      choice<BeforeFirstPeriod>(root, "before_first_period", BeforeFirstPeriod::clear,
                                {{"clear", BeforeFirstPeriod::clear}, {"withheld", BeforeFirstPeriod::withheld}}));
  CAS_TRY_ASSIGN(settings.bit_rate, optional_number<std::uint64_t>(root, "bit_rate", 10'000, max_bit_rate));
  CAS_TRY_ASSIGN(settings.clock_bit_rate, optional_number<std::uint64_t>(root, "clock_bit_rate", 10'000, max_bit_rate));
  CAS_TRY_ASSIGN(settings.wait_for_ecms,
                 root.duration_or("ecm_wait", milliseconds(0), milliseconds(0), std::chrono::hours(1)));
  return {};
}

Status read_data(const ConfigurationTable& root, HeadEndConfiguration& configuration) {
  CAS_TRY_ASSIGN(const auto data, root.table("data"));
  if (!data) return {};
  CAS_TRY_ASSIGN(const std::string listen, data->text_or("listen", ""));
  if (!listen.empty()) {
    CAS_TRY_ASSIGN(configuration.data.listen, host_port(*data, "listen", listen, default_mux_port));
  }
  CAS_TRY_ASSIGN(configuration.data.udp, data->flag_or("udp", true));
  CAS_TRY_ASSIGN(const std::int64_t bandwidth, data->number_or("bandwidth", configuration.data.bandwidth, 0, max_16));
  configuration.data.bandwidth = static_cast<std::uint16_t>(bandwidth);
  CAS_TRY_ASSIGN(const auto streams, data->tables("stream"));
  for (const ConfigurationTable& stream : streams) {
    DataPid& pid = configuration.settings.data_pids.emplace_back();
    CAS_TRY_ASSIGN(const std::int64_t client_id, stream.number("client_id", 0, max_32));
    CAS_TRY_ASSIGN(const std::int64_t data_id, stream.number("data_id", 0, max_16));
    CAS_TRY_ASSIGN(const std::int64_t number, stream.number("pid", first_pid, last_pid));
    pid.client_id = static_cast<std::uint32_t>(client_id);
    pid.data_id = static_cast<std::uint16_t>(data_id);
    pid.pid = static_cast<mpegts::Pid>(number);
  }
  return {};
}

Result<EcmgConfiguration> read_ecmg(const ConfigurationTable& table) {
  EcmgConfiguration ecmg;
  CAS_TRY_ASSIGN(ecmg.name, table.text("name"));
  CAS_TRY_ASSIGN(const std::int64_t super_cas_id, table.number("super_cas_id", 0, max_32));
  CAS_TRY_ASSIGN(const auto addresses, table.texts("addresses"));
  CAS_TRY_ASSIGN(const std::int64_t channel_id, table.number_or("channel_id", 1, 0, max_16));
  CAS_TRY_ASSIGN(const std::int64_t version, table.number_or("version", 3, 2, 3));
  if (addresses.empty()) return fail(table.error_at("addresses", "has to name at least one: [\"127.0.0.1:2000\"]"));
  for (const std::string& text : addresses) {
    CAS_TRY_ASSIGN(HostPort address, host_port(table, "addresses", text, default_ecmg_port));
    ecmg.addresses.push_back(std::move(address));
  }
  ecmg.super_cas_id = static_cast<std::uint32_t>(super_cas_id);
  ecmg.channel_id = static_cast<std::uint16_t>(channel_id);
  ecmg.version = static_cast<std::uint8_t>(version);
  return ecmg;
}

Result<CaUse> read_use(const ConfigurationTable& table) {
  CaUse use;
  CAS_TRY_ASSIGN(use.system, table.text("ecmg"));
  CAS_TRY_ASSIGN(use.access_criteria, hex(table, "access_criteria"));
  CAS_TRY_ASSIGN(
      use.without,
      choice<WithoutEcm>(table, "without_ecm", WithoutEcm::hold,
                         {{"hold", WithoutEcm::hold}, {"go-on", WithoutEcm::go_on}, {"stop", WithoutEcm::stop}}));
  CAS_TRY_ASSIGN(use.ecm_pid, optional_number<mpegts::Pid>(table, "ecm_pid", first_pid, last_pid));
  CAS_TRY_ASSIGN(use.ecm_id, optional_number<std::uint16_t>(table, "ecm_id", 0, max_16));
  CAS_TRY_ASSIGN(use.private_data, hex(table, "private_data"));
  CAS_TRY_ASSIGN(use.announce_content, table.flag_or("announce_content", false));
  CAS_TRY_ASSIGN(use.announce_keys, table.flag_or("announce_keys", false));
  return use;
}

Result<ServiceSettings> read_service(const ConfigurationTable& table, const std::vector<EcmgConfiguration>& ecmgs) {
  ServiceSettings service;
  CAS_TRY_ASSIGN(service.id, optional_number<std::uint16_t>(table, "id", 1, max_16));
  CAS_TRY_ASSIGN(service.name, table.text_or("name", ""));
  CAS_TRY_ASSIGN(service.components, choice<Components>(table, "components", Components::all,
                                                        {{"all", Components::all},
                                                         {"video", Components::video},
                                                         {"audio", Components::audio},
                                                         {"audio-video", Components::audio_video}}));
  CAS_TRY_ASSIGN(const auto pids, table.numbers("pids", first_pid, last_pid));
  for (const std::int64_t pid : pids) service.pids.insert(static_cast<mpegts::Pid>(pid));
  CAS_TRY_ASSIGN(service.word_per_component,
                 choice<bool>(table, "word", false, {{"service", false}, {"component", true}}));
  CAS_TRY_ASSIGN(service.component_descriptors,
                 choice<bool>(table, "descriptors", false, {{"service", false}, {"component", true}}));
  CAS_TRY_ASSIGN(service.period, table.duration_or("crypto_period", std::chrono::seconds(10), milliseconds(100),
                                                   std::chrono::hours(1)));
  CAS_TRY_ASSIGN(service.clear_lead,
                 table.duration_or("clear_lead", milliseconds(0), milliseconds(0), std::chrono::hours(1)));
  CAS_TRY_ASSIGN(service.policy,
                 choice<ServicePolicy>(
                     table, "policy", ServicePolicy::all,
                     {{"all", ServicePolicy::all}, {"any", ServicePolicy::any}, {"clear", ServicePolicy::clear}}));
  CAS_TRY_ASSIGN(service.scramble, table.flag_or("scramble", true));
  CAS_TRY_ASSIGN(const auto systems, table.tables("system"));
  for (const ConfigurationTable& system : systems) {
    CAS_TRY_ASSIGN(CaUse use, read_use(system));
    service.systems.push_back(std::move(use));
  }
  // Where nothing is said of CA systems, all of them protect the service.
  if (systems.empty())
    for (const EcmgConfiguration& ecmg : ecmgs) service.systems.push_back({.system = ecmg.name});
  return service;
}

Result<HeadEndConfiguration> take(const service::Configuration& file) {
  const ConfigurationTable root = file.root();
  HeadEndConfiguration configuration;
  CAS_TRY(read_stream(root, configuration.settings));
  CAS_TRY(read_data(root, configuration));
  CAS_TRY_ASSIGN(const auto ecmgs, root.tables("ecmg"));
  for (const ConfigurationTable& table : ecmgs) {
    CAS_TRY_ASSIGN(EcmgConfiguration ecmg, read_ecmg(table));
    configuration.ecmgs.push_back(std::move(ecmg));
  }
  CAS_TRY_ASSIGN(const auto services, root.tables("service"));
  for (const ConfigurationTable& table : services) {
    CAS_TRY_ASSIGN(ServiceSettings service, read_service(table, configuration.ecmgs));
    configuration.settings.services.push_back(std::move(service));
  }
  CAS_TRY(file.check());
  if (services.empty()) {
    if (ecmgs.empty()) return fail(root.error_at("ecmg", "has to be there: a table [[ecmg]] for each ECMG"));
    ServiceSettings all;
    for (const EcmgConfiguration& ecmg : configuration.ecmgs) all.systems.push_back({.system = ecmg.name});
    configuration.settings.services.push_back(std::move(all));
  }
  configuration.settings.data_bit_rate = std::uint64_t{configuration.data.bandwidth} * 1000;
  // What does not fit together; the systems have no supply yet, only names.
  HeadEndSettings named = configuration.settings;
  for (const EcmgConfiguration& ecmg : configuration.ecmgs) named.systems.push_back({ecmg.name, 0, nullptr});
  if (const Status checked = check_head_end_settings(named); !checked)
    return fail(root.error_at("", checked.error().message));
  return configuration;
}

}  // namespace

Result<HostPort> parse_host_port(std::string_view text, std::uint16_t default_port) {
  const auto refused = [&] {
    return fail(ErrorKind::invalid_argument,
                "'" + std::string(text) + "' is no address: give HOST:PORT, or [ADDRESS]:PORT for IPv6");
  };
  HostPort parsed;
  parsed.port = default_port;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return refused();
    parsed.host = text.substr(1, end - 1);
    port = text.substr(end + 1);
  } else {
    const auto colon = text.find(':');
    parsed.host = text.substr(0, colon);
    if (colon != std::string_view::npos) port = text.substr(colon);
  }
  if (parsed.host.empty()) return refused();
  if (!port.empty()) {
    const auto [end, error] = std::from_chars(port.data() + 1, port.data() + port.size(), parsed.port);
    if (port[0] != ':' || error != std::errc() || end != port.data() + port.size()) return refused();
  }
  return parsed;
}

Result<HeadEndConfiguration> read_head_end_configuration(const std::filesystem::path& file) {
  CAS_TRY_ASSIGN(const service::Configuration configuration, service::Configuration::read(file));
  return take(configuration);
}

Result<HeadEndConfiguration> parse_head_end_configuration(std::string_view text, std::string name) {
  CAS_TRY_ASSIGN(const service::Configuration configuration, service::Configuration::parse(text, std::move(name)));
  return take(configuration);
}

}  // namespace cas::simulcrypt
