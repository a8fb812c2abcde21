// SPDX-License-Identifier: LGPL-2.1-or-later
#include "settings.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>

#include "casdemo/ecm.hpp"
#include "casdemo/identifiers.hpp"
#include "service/configuration.hpp"

namespace cas::ecmg_program {

namespace {

using tools::NumberOption;

constexpr std::int64_t most_delay = 32767;
constexpr std::array<NumberOption, 18> options{{
    {"super_cas_id", -1, -1, 0xffffffff, "Super_CAS_id that channels must name; -1: that of the system"},
    {"max_channels", 1000, 1, 65535, "channels at the same time, on all connections"},
    {"max_streams", 256, 1, 65535, "streams of a channel"},
    {"max_total_streams", 10000, 1, 1'000'000, "streams of all channels"},
    {"ecm_rep_period", 100, 1, 65535, "ECM_rep_period in ms"},
    {"delay_start", 0, -most_delay, most_delay, "delay_start in ms; negative: before the crypto-period"},
    {"delay_stop", 0, -most_delay, most_delay, "delay_stop in ms"},
    {"transition_delay_start", most_delay + 1, -most_delay, most_delay + 1,
     "transition_delay_start in ms; 32768: not announced"},
    {"transition_delay_stop", most_delay + 1, -most_delay, most_delay + 1,
     "transition_delay_stop in ms; 32768: not announced"},
    {"ac_delay_start", most_delay + 1, -most_delay, most_delay + 1, "AC_delay_start in ms; 32768: not announced"},
    {"ac_delay_stop", most_delay + 1, -most_delay, most_delay + 1, "AC_delay_stop in ms; 32768: not announced"},
    {"min_cp_duration", 1000, 100, 6'553'500, "shortest crypto-period in ms, in steps of 100"},
    {"lead_cw", 1, 0, 255, "lead_CW"},
    {"cw_per_msg", 2, 1, casdemo::max_ecm_words, "CW_per_msg, words in an ECM"},
    {"max_comp_time", 100, 1, 65535, "max_comp_time in ms"},
    {"set_up_time_out", 10'000, 100, 3'600'000, "for a channel_setup to come, in ms"},
    {"test_interval", 30'000, 100, 3'600'000, "a channel that was silent for so long is tested, in ms"},
    {"test_time_out", 10'000, 100, 3'600'000, "for the answer to a test, in ms"},
}};

std::optional<std::int16_t> delay_of(const tools::NumberOptions& numbers, std::string_view name) {
  if (numbers[name] > most_delay) return std::nullopt;
  return numbers.as<std::int16_t>(name);
}

/// The text of `key`: what was given on the command line, else what is in the file.
Result<std::string> text_of(const std::string& given, const service::ConfigurationTable* file, std::string_view key,
                            std::string_view fallback) {
  if (file == nullptr) return given.empty() ? std::string(fallback) : given;
  CAS_TRY_ASSIGN(std::string text, file->text_or(key, fallback));
  return given.empty() ? text : given;
}

Result<std::optional<casdemo::ProductId>> product_of(const std::string& text) {
  if (text == "none") return std::nullopt;
  casdemo::ProductId product = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), product);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())
    return fail(ErrorKind::invalid_argument, "--product takes the number of a product, 0 to 65535, or none");
  return product;
}

Result<CaSystemName> system_name(const std::string& text) {
  if (text == "casdemo") return CaSystemName::casdemo;
  if (text == "bcast") return CaSystemName::bcast;
  if (text == "smartpro") return CaSystemName::smartpro;
  return fail(ErrorKind::invalid_argument, "--cas takes casdemo, bcast or smartpro");
}

/// An option that says something to some of the CA systems alone.
struct Reserved {
  const char* option;
  bool given;
  std::initializer_list<CaSystemName> systems;
};

Status check_reserved(const std::string& cas, CaSystemName system, std::initializer_list<Reserved> all) {
  for (const Reserved& each : all)
    if (each.given && std::ranges::find(each.systems, system) == each.systems.end())
      return fail(ErrorKind::invalid_argument,
                  std::string(each.option) + " says nothing to --cas " + cas + ": leave it out");
  return {};
}

// A card in a reader takes 50 ms and more for a licence, and many streams may ask it at once.
constexpr std::uint16_t token_comp_time = 2000;
// Receivers have to ask their cards, too: the ECM is on the air so long before its period begins.
constexpr std::int16_t token_delay_start = -1000;

/// A licence has one word, and is made by a card.
void take_smartpro_terms(const tools::NumberOptions& numbers, ecmg::ChannelParameters& announced) {
  announced.lead_cw = 0;
  announced.cw_per_msg = 1;
  if (!numbers.is_given("max_comp_time")) announced.max_comp_time = token_comp_time;
  if (!numbers.is_given("delay_start")) announced.delay_start = token_delay_start;
  // One ECM is on the air at a time, so that its table_id changes once a period.
  if (!numbers.is_given("delay_stop")) announced.delay_stop = announced.delay_start;
}

Status take_numbers(const tools::NumberOptions& numbers, Settings& settings) {
  ecmg::ChannelParameters& announced = settings.parameters;
  announced.delay_start = numbers.as<std::int16_t>("delay_start");
  announced.delay_stop = numbers.as<std::int16_t>("delay_stop");
  announced.transition_delay_start = delay_of(numbers, "transition_delay_start");
  announced.transition_delay_stop = delay_of(numbers, "transition_delay_stop");
  announced.ac_delay_start = delay_of(numbers, "ac_delay_start");
  announced.ac_delay_stop = delay_of(numbers, "ac_delay_stop");
  announced.ecm_rep_period = numbers.as<std::uint16_t>("ecm_rep_period");
  announced.max_streams = numbers.as<std::uint16_t>("max_streams");
  announced.min_cp_duration = static_cast<std::uint16_t>((numbers["min_cp_duration"] + 99) / 100);
  announced.lead_cw = numbers.as<std::uint8_t>("lead_cw");
  announced.cw_per_msg = numbers.as<std::uint8_t>("cw_per_msg");
  announced.max_comp_time = numbers.as<std::uint16_t>("max_comp_time");
  // The window of a provision for n ends at n + lead_CW and has the word of n itself (TS 103 197, 5.3).
  if (announced.cw_per_msg < announced.lead_cw + 1)
    return fail(ErrorKind::invalid_argument,
                "an ECM must have the word of its own crypto-period: --cw-per-msg is at "
                "least --lead-cw + 1");
  if (numbers["super_cas_id"] >= 0) settings.super_cas_id = numbers.as<std::uint32_t>("super_cas_id");
  simulcrypt::EcmgServerSettings& limits = settings.serving.settings;
  limits.max_channels = numbers.as<std::size_t>("max_channels");
  limits.max_streams = numbers.as<std::size_t>("max_total_streams");
  limits.set_up_time_out = std::chrono::milliseconds(numbers["set_up_time_out"]);
  limits.test_interval = std::chrono::milliseconds(numbers["test_interval"]);
  limits.test_time_out = std::chrono::milliseconds(numbers["test_time_out"]);
  return {};
}

}  // namespace

std::span<const NumberOption> number_options() { return options; }

Result<Settings> settle(const RunArguments& arguments, tools::NumberOptions& numbers) {
  std::optional<service::Configuration> configuration;
  std::optional<service::ConfigurationTable> root;
  if (!arguments.config.empty()) {
    CAS_TRY_ASSIGN(configuration, service::Configuration::read(arguments.config));
    root = configuration->root();
  }
  const service::ConfigurationTable* file = root ? &*root : nullptr;
  Settings settings;
  CAS_TRY(numbers.resolve(file));
  CAS_TRY_ASSIGN(const std::string cas, text_of(arguments.cas, file, "cas", "casdemo"));
  CAS_TRY_ASSIGN(settings.cas, system_name(cas));
  CAS_TRY_ASSIGN(settings.bcast_keys, text_of(arguments.keys, file, "keys", ""));
  CAS_TRY_ASSIGN(settings.card, text_of(arguments.card, file, "card", ""));
  CAS_TRY_ASSIGN(settings.host, text_of(arguments.host, file, "host", ""));
  CAS_TRY_ASSIGN(settings.host_pin_source, text_of(arguments.host_pin_source, file, "host_pin_source", ""));
  CAS_TRY_ASSIGN(settings.system, text_of(arguments.system, file, "system", ""));
  CAS_TRY_ASSIGN(settings.metrics, text_of(arguments.metrics, file, "metrics", ""));
  CAS_TRY_ASSIGN(const std::string listen, text_of(arguments.listen, file, "listen", "127.0.0.1:2000"));
  CAS_TRY_ASSIGN(std::string mode, text_of(arguments.mode, file, "mode", ""));
  CAS_TRY_ASSIGN(std::string product, text_of(arguments.product, file, "product", ""));
  if (configuration) CAS_TRY(configuration->check());

  using enum CaSystemName;
  CAS_TRY(check_reserved(cas, settings.cas,
                         {{"--keys", !settings.bcast_keys.empty(), {bcast}},
                          {"--system", !settings.system.empty(), {casdemo}},
                          {"--product", !product.empty(), {casdemo}},
                          {"--mode", !mode.empty(), {casdemo}},
                          {"--super-cas-id", numbers["super_cas_id"] >= 0, {casdemo, smartpro}},
                          {"--lead-cw", numbers.is_given("lead_cw"), {casdemo}},
                          {"--cw-per-msg", numbers.is_given("cw_per_msg"), {casdemo}},
                          {"--card", !settings.card.empty(), {smartpro}},
                          {"--host", !settings.host.empty(), {smartpro}},
                          {"--host-pin-source", !settings.host_pin_source.empty(), {smartpro}}}));
  if (settings.cas == bcast && settings.bcast_keys.empty())
    return fail(ErrorKind::invalid_argument,
                "--cas bcast takes --keys FILE: 'cas-ecmg bcast init FILE' makes the file");
  if (mode.empty()) mode = "sections";
  if (product.empty()) product = std::to_string(casdemo::default_product);
  CAS_TRY_ASSIGN(const service::Endpoint endpoint, service::Endpoint::parse(listen));
  settings.serving.address = endpoint.address();
  settings.serving.port = endpoint.port();
  if (mode != "sections" && mode != "packets")
    return fail(ErrorKind::invalid_argument, "--mode takes sections or packets");
  settings.parameters.section_tspkt_flag = mode == "sections" ? ecmg::sections : ecmg::transport_packets;
  CAS_TRY_ASSIGN(settings.product, product_of(product));
  CAS_TRY(take_numbers(numbers, settings));
  if (settings.cas == smartpro) take_smartpro_terms(numbers, settings.parameters);
  return settings;
}

}  // namespace cas::ecmg_program
