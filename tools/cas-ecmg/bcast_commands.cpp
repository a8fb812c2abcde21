// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bcast_commands.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/durable_file.hpp"
#include "base/hex.hpp"
#include "base/writer.hpp"
#include "ca-system/init_command.hpp"
#include "common/json_text.hpp"
#include "crypto/random.hpp"

namespace cas::ecmg_program {

namespace bcast = simulcrypt::bcast;
using bcast::ServiceKey;
using bcast::SrtpSuite;
using tools::Json;
using tools::Progress;
using tools::Report;

namespace {

constexpr const char* init_examples = R"(
  cas-ecmg bcast init news.keys
  cas-ecmg bcast init news.keys --super-cas-id 0x00010007 --service 20 --stream 1 --stream 2 --key-period 7d
  cas-ecmg bcast init mobile.keys --super-cas-id 0x00020001 --key-domain 00f110 --bsm bsm@example.org

The Super_CAS_id says the profile: 0x0001 the DRM Profile, 0x0002 the Smartcard Profile. Makes a file with service 1 on key stream 1, its key of now and the next one. One that is there is never overwritten.)";
constexpr const char* add_examples = R"(
  cas-ecmg bcast add news.keys 2 --stream 2
  cas-ecmg bcast add mobile.keys 3 --stream 3 --programme --key-period 2h)";
constexpr const char* list_examples = R"(
  cas-ecmg bcast list news.keys --json | jq '.services[].streams')";
constexpr const char* renew_examples = R"(
  cas-ecmg bcast renew news.keys 1 && cas-ecmg bcast ltkm news.keys --domain-key file:domain.key --out news.ltkm

SIGHUP tells 'cas-ecmg run --cas bcast' to read the file again.)";
bool is_smartcard(const BcastKeys& keys) { return keys.profile() == bcast::Profile::smartcard; }

/// SEK/PEK IDs are written as group and number.
std::string key_text(const ServiceKey& key, bool smartcard) {
  if (!smartcard) return "key " + std::to_string(key.id);
  return std::string(key.kind == ServiceKey::Kind::programme ? "PEK " : "SEK ") + std::to_string(key.id & 0xffff) +
         " (" + to_hex(ByteWriter().u32(key.id).view()) + ")";
}

Json json_of(const BcastService& service, bool smartcard) {
  Json keys = Json::array();
  for (const ServiceKey& key : service.keys) {
    Json one = {
        {"id", key.id}, {"start", format_utc_time(key.valid_from)}, {"expiry", format_utc_time(key.valid_until)}};
    if (smartcard) one["number"] = key.id & 0xffff;
    keys.push_back(std::move(one));
  }
  Json json = {{"id", service.id},
               {"streams", service.streams},
               {"suite", suite_name(service.suite)},
               {"key_period", service.key_period.count()},
               {"keys", keys}};
  if (smartcard) json["programme"] = service.kind == ServiceKey::Kind::programme;
  return json;
}

std::string text_of(const BcastService& service, bool smartcard) {
  std::string text = "service " + std::to_string(service.id) + ": key streams";
  for (const std::uint16_t stream : service.streams) text += " " + std::to_string(stream);
  text += std::string(", ") + suite_name(service.suite) + ", a key lasts " +
          ca_system::duration_text(service.key_period) + "\n";
  for (const ServiceKey& key : service.keys)
    text += "  " + key_text(key, smartcard) + " from " + format_utc_time(key.valid_from) + " to " +
            format_utc_time(key.valid_until) + "\n";
  return text;
}

/// What a file has but its services.
void add_head(const BcastKeys& keys, Json& json) {
  json["super_cas_id"] = keys.super_cas_id();
  json["profile"] = is_smartcard(keys) ? "smartcard" : "drm";
  if (!keys.issuer()) return;
  json["key_domain"] = to_hex(keys.issuer()->key_domain);
  json["bsm"] = keys.issuer()->bsm;
}

/// Of the Smartcard Profile when something is said that only it has.
Result<std::optional<BcastIssuer>> issuer_of(const BcastArguments& arguments) {
  if (arguments.key_domain.empty() && arguments.bsm.empty()) return std::nullopt;
  BcastIssuer issuer;
  auto domain = from_hex(arguments.key_domain, issuer.key_domain.size());
  if (!domain || domain->size() != issuer.key_domain.size())
    return fail(ErrorKind::invalid_argument, "--key-domain takes 6 hexadecimal digits, such as 00f110");
  std::ranges::copy(*domain, issuer.key_domain.begin());
  issuer.bsm = arguments.bsm;
  return issuer;
}

Result<BcastService> service_of(const BcastArguments& arguments) {
  BcastService service;
  service.id = arguments.service;
  service.streams = arguments.streams;
  if (arguments.programme) service.kind = ServiceKey::Kind::programme;
  if (service.streams.empty()) service.streams = {arguments.service};
  CAS_TRY_ASSIGN(service.key_period, ca_system::parse_duration(arguments.key_period, "--key-period"));
  for (const SrtpSuite suite : {SrtpSuite::aes_cm_128_hmac_sha1_80, SrtpSuite::aead_aes_128_gcm}) {
    service.suite = suite;
    if (arguments.suite == suite_name(suite)) return service;
  }
  return fail(ErrorKind::invalid_argument, "--suite takes AES_CM_128_HMAC_SHA1_80 or AEAD_AES_128_GCM");
}

Result<Report> init(const BcastArguments& arguments) {
  CAS_TRY_ASSIGN(std::optional<BcastIssuer> issuer, issuer_of(arguments));
  CAS_TRY_ASSIGN(BcastKeys keys, BcastKeys::create(arguments.super_cas_id, std::move(issuer)));
  CAS_TRY_ASSIGN(BcastService service, service_of(arguments));
  CAS_TRY(keys.add_service(std::move(service), system_clock().now(), crypto::system_random()));
  // No other file may be there: nobody could open what its keys have sealed.
  CAS_TRY_ASSIGN(const int made, system_file_operations().create(arguments.file, 0600));
  CAS_TRY(system_file_operations().close(made));
  CAS_TRY(keys.write(arguments.file));
  const BcastService& first = keys.services().front();
  Json json = {{"file", arguments.file}, {"service", json_of(first, is_smartcard(keys))}};
  add_head(keys, json);
  return Report{"the keys of OMA BCAST are in " + arguments.file + "\n" + text_of(first, is_smartcard(keys)),
                tools::to_text(json)};
}

Result<Report> report_of(const BcastKeys& keys, std::uint16_t id) {
  CAS_TRY_ASSIGN(const BcastService* const service, keys.service(id));
  return Report{text_of(*service, is_smartcard(keys)), tools::to_text(json_of(*service, is_smartcard(keys)))};
}

Result<Report> add(const BcastArguments& arguments) {
  CAS_TRY_ASSIGN(BcastService service, service_of(arguments));
  CAS_TRY_ASSIGN(const BcastKeys keys, change_bcast_keys(arguments.file, [&service](BcastKeys& changed) {
                   return changed.add_service(std::move(service), system_clock().now(), crypto::system_random());
                 }));
  return report_of(keys, arguments.service);
}

Result<Report> renew(const BcastArguments& arguments) {
  CAS_TRY_ASSIGN(const BcastKeys keys, change_bcast_keys(arguments.file, [&arguments](BcastKeys& changed) {
                   return changed.renew(arguments.service, system_clock().now(), crypto::system_random());
                 }));
  return report_of(keys, arguments.service);
}

Result<Report> list(const BcastArguments& arguments) {
  CAS_TRY_ASSIGN(const BcastKeys keys, BcastKeys::read(arguments.file));
  Report report;
  Json services = Json::array();
  for (const BcastService& service : keys.services()) {
    report.text += text_of(service, is_smartcard(keys));
    services.push_back(json_of(service, is_smartcard(keys)));
  }
  Json json = {{"services", services}};
  add_head(keys, json);
  if (is_smartcard(keys)) json["subscribers"] = Json::array();
  for (const BcastSubscriber& subscriber : keys.subscribers()) {
    report.text += "subscriber " + subscriber.identity + ": services";
    for (const std::uint16_t id : subscriber.services) report.text += " " + std::to_string(id);
    report.text += "\n";
    json["subscribers"].push_back({{"identity", subscriber.identity}, {"services", subscriber.services}});
  }
  report.json = tools::to_text(json);
  return report;
}

void add_service_options(CLI::App& command, BcastArguments& arguments) {
  command
      .add_option("--stream", arguments.streams,
                  "its key stream, stkmstream of the SDP; may be given again (its number)")
      ->type_name("N");
  command.add_option("--key-period", arguments.key_period, "how long a service key lasts")
      ->type_name("TIME")
      ->capture_default_str();
  command.add_flag("--programme", arguments.programme,
                   "Smartcard Profile: its keys are of programmes (PEK), one each, and not of the service (SEK)");
  command.add_option("--suite", arguments.suite, "AES_CM_128_HMAC_SHA1_80 or AEAD_AES_128_GCM")
      ->type_name("NAME")
      ->capture_default_str();
}

}  // namespace

void add_bcast(tools::Program& program, BcastArguments& arguments) {
  CLI::App& group = program.add_group("bcast", "services of OMA BCAST and their keys");
  CLI::App& made = add_bcast_command(program, group, arguments, {"init", "a file with keys", init_examples, init});
  made.add_option("--super-cas-id", arguments.super_cas_id,
                  "0x0001 (DRM Profile) or 0x0002 (Smartcard Profile) and 16 bits of the operator's (0x00010001)")
      ->type_name("N");
  made.add_option("--key-domain", arguments.key_domain, "Smartcard Profile: 6 hexadecimal digits, MCC and MNC")
      ->type_name("HEX");
  made.add_option("--bsm", arguments.bsm, "Smartcard Profile: the identity of who makes the keys")->type_name("ID");
  made.add_option("--service", arguments.service, "number of its first service (1)")->type_name("N");
  add_service_options(made, arguments);
  CLI::App& added = add_bcast_command(program, group, arguments, {"add", "another service", add_examples, add});
  added.add_option("SERVICE", arguments.service, "its number, 1 to 65535")->type_name("")->required();
  add_service_options(added, arguments);
  add_bcast_command(program, group, arguments,
                    {"list", "services, and when their keys are valid", list_examples, list});
  CLI::App& renewed = add_bcast_command(
      program, group, arguments, {"renew", "another key for a service, behind its last one", renew_examples, renew});
  renewed.add_option("SERVICE", arguments.service, "its number")->type_name("")->required();
  add_bcast_receivers(program, group, arguments);
}

CLI::App& add_bcast_command(tools::Program& program, CLI::App& group, BcastArguments& arguments,
                            const BcastCommand& command) {
  CLI::App& made = program.add_command(group, command.name, command.what, command.examples,
                                       [does = command.does, &arguments](const Progress&) { return does(arguments); });
  made.add_option("FILE", arguments.file, "the file with the keys")->type_name("")->required();
  return made;
}

}  // namespace cas::ecmg_program
