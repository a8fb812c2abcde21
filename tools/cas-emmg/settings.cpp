// SPDX-License-Identifier: LGPL-2.1-or-later
#include "settings.hpp"

#include <array>
#include <charconv>
#include <optional>

#include "service/configuration.hpp"

namespace cas::emmg_program {

namespace {

constexpr std::array<tools::NumberOption, 7> options{{
    {"client_id", -1, -1, 0xffffffff,
     "client_id, whose upper 16 bits are the CA_system_id; -1: Super_CAS_id of the system"},
    {"channel_id", 1, 0, 65535, "data_channel_id"},
    {"stream_id", 1, 0, 65535, "data_stream_id"},
    {"data_id", 1, 0, 65535, "data_id"},
    {"bandwidth", 100, 1, 65534, "kbit/s to ask for, and never to exceed"},
    {"protocol_version", 3, 1, 5, "the version of the protocol that is tried first"},
    {"least_cycle", 1000, 0, 86'400'000, "the carousel begins anew after so many ms at the earliest"},
}};

/// HOST:PORT; an IPv6 address is [ADDRESS].
Status parse_place(const std::string& text, Settings& settings) {
  const std::size_t colon = text.rfind(':');
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(colon == std::string::npos ? end : text.data() + colon + 1, end, settings.port);
  if (parsed.ec != std::errc() || parsed.ptr != end || colon == 0 || settings.port == 0)
    return fail(ErrorKind::invalid_argument, "--mux takes HOST:PORT or [IPV6]:PORT, for example 127.0.0.1:2001");
  settings.host = text.substr(0, colon);
  if (settings.host.size() > 2 && settings.host.front() == '[' && settings.host.back() == ']')
    settings.host = settings.host.substr(1, settings.host.size() - 2);
  return {};
}

}  // namespace

std::span<const tools::NumberOption> number_options() { return options; }

Result<Settings> settle(const RunArguments& arguments, tools::NumberOptions& numbers) {
  std::optional<service::Configuration> configuration;
  std::optional<service::ConfigurationTable> root;
  if (!arguments.config.empty()) {
    CAS_TRY_ASSIGN(configuration, service::Configuration::read(arguments.config));
    root = configuration->root();
  }
  const auto text_of = [&root](const std::string& given, std::string_view key,
                               std::string_view fallback) -> Result<std::string> {
    std::string text(fallback);
    if (root) {
      CAS_TRY_ASSIGN(text, root->text_or(key, fallback));
    }
    return given.empty() ? text : given;
  };
  Settings settings;
  CAS_TRY(numbers.resolve(root ? &*root : nullptr));
  CAS_TRY_ASSIGN(settings.system, text_of(arguments.system, "system", ""));
  CAS_TRY_ASSIGN(settings.metrics, text_of(arguments.metrics, "metrics", ""));
  CAS_TRY_ASSIGN(const std::string mux, text_of(arguments.mux, "mux", "127.0.0.1:2001"));
  CAS_TRY_ASSIGN(const std::string mode, text_of(arguments.mode, "mode", "sections"));
  settings.udp = arguments.udp;
  if (root) {
    CAS_TRY_ASSIGN(const bool udp, root->flag_or("udp", false));
    settings.udp = settings.udp || udp;
    CAS_TRY(configuration->check());
  }
  CAS_TRY(parse_place(mux, settings));
  if (mode != "sections" && mode != "packets")
    return fail(ErrorKind::invalid_argument, "--mode takes sections or packets");
  settings.packets = mode == "packets";
  settings.client_id = numbers["client_id"];
  settings.channel_id = numbers.as<std::uint16_t>("channel_id");
  settings.stream_id = numbers.as<std::uint16_t>("stream_id");
  settings.data_id = numbers.as<std::uint16_t>("data_id");
  settings.bandwidth = numbers.as<std::uint16_t>("bandwidth");
  settings.version = numbers.as<std::uint8_t>("protocol_version");
  settings.least_cycle = std::chrono::milliseconds(numbers["least_cycle"]);
  return settings;
}

}  // namespace cas::emmg_program
