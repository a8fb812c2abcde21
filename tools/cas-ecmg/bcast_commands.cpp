// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bcast_commands.hpp"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/durable_file.hpp"
#include "base/file_lock.hpp"
#include "base/hex.hpp"
#include "base/pass_phrase.hpp"
#include "ca-system/init_command.hpp"
#include "common/json_text.hpp"
#include "crypto/random.hpp"
#include "simulcrypt/bcast/drm_ltkm.hpp"

namespace cas::ecmg_program {

namespace bcast = simulcrypt::bcast;
using bcast::ServiceKey;
using bcast::SrtpSuite;
using tools::Json;
using tools::Progress;
using tools::Report;

namespace {

constexpr std::size_t recipient_key_size = 16;

constexpr const char* init_examples = R"(
  cas-ecmg bcast init news.keys
  cas-ecmg bcast init news.keys --super-cas-id 0x00010007 --service 20 --stream 1 --stream 2 --key-period 7d

Makes a file with service 1 on key stream 1, its key of now and the next one. One that is there is never overwritten.)";
constexpr const char* add_examples = R"(
  cas-ecmg bcast add news.keys 2 --stream 2)";
constexpr const char* list_examples = R"(
  cas-ecmg bcast list news.keys --json | jq '.services[].streams')";
constexpr const char* renew_examples = R"(
  cas-ecmg bcast renew news.keys 1 && cas-ecmg bcast ltkm news.keys --domain-key file:domain.key --out news.ltkm

SIGHUP tells 'cas-ecmg run --cas bcast' to read the file again.)";
constexpr const char* ltkm_examples = R"(
  cas-ecmg bcast ltkm news.keys --domain-key file:domain.key --out news.ltkm
  cas-ecmg bcast ltkm news.keys --device-id 7 --device-key env:KEY --service 1 --out device7.ltkm

A key is 32 hexadecimal digits in the first line of a file (file:PATH) or in an environment variable (env:NAME).)";

Json json_of(const BcastService& service) {
  Json keys = Json::array();
  for (const ServiceKey& key : service.keys)
    keys.push_back(
        {{"id", key.id}, {"start", format_utc_time(key.valid_from)}, {"expiry", format_utc_time(key.valid_until)}});
  return {{"id", service.id},
          {"streams", service.streams},
          {"suite", suite_name(service.suite)},
          {"key_period", service.key_period.count()},
          {"keys", keys}};
}

std::string text_of(const BcastService& service) {
  std::string text = "service " + std::to_string(service.id) + ": key streams";
  for (const std::uint16_t stream : service.streams) text += " " + std::to_string(stream);
  text += std::string(", ") + suite_name(service.suite) + ", a key lasts " +
          ca_system::duration_text(service.key_period) + "\n";
  for (const ServiceKey& key : service.keys)
    text += "  key " + std::to_string(key.id) + " from " + format_utc_time(key.valid_from) + " to " +
            format_utc_time(key.valid_until) + "\n";
  return text;
}

Result<BcastService> service_of(const BcastArguments& arguments) {
  BcastService service;
  service.id = arguments.service;
  service.streams = arguments.streams;
  if (service.streams.empty()) service.streams = {arguments.service};
  CAS_TRY_ASSIGN(service.key_period, ca_system::parse_duration(arguments.key_period, "--key-period"));
  for (const SrtpSuite suite : {SrtpSuite::aes_cm_128_hmac_sha1_80, SrtpSuite::aead_aes_128_gcm}) {
    service.suite = suite;
    if (arguments.suite == suite_name(suite)) return service;
  }
  return fail(ErrorKind::invalid_argument, "--suite takes AES_CM_128_HMAC_SHA1_80 or AEAD_AES_128_GCM");
}

Result<Report> init(const BcastArguments& arguments) {
  CAS_TRY_ASSIGN(BcastKeys keys, BcastKeys::create(arguments.super_cas_id));
  CAS_TRY_ASSIGN(BcastService service, service_of(arguments));
  CAS_TRY(keys.add_service(std::move(service), system_clock().now(), crypto::system_random()));
  // No other file may be there: nobody could open what its keys have sealed.
  CAS_TRY_ASSIGN(const int made, system_file_operations().create(arguments.file, 0600));
  CAS_TRY(system_file_operations().close(made));
  CAS_TRY(keys.write(arguments.file));
  const BcastService& first = keys.services().front();
  return Report{"the keys of OMA BCAST are in " + arguments.file + "\n" + text_of(first),
                tools::to_text(Json{
                    {"file", arguments.file}, {"super_cas_id", keys.super_cas_id()}, {"service", json_of(first)}})};
}

/// Changes the file, alone.
Result<BcastKeys> change(const std::string& file, const std::function<Status(BcastKeys&)>& how) {
  CAS_TRY(BcastKeys::read(file));  // before a lock is made beside a file that is none
  CAS_TRY_ASSIGN(const FileLock lock, FileLock::acquire(file));
  CAS_TRY_ASSIGN(BcastKeys keys, BcastKeys::read(file));
  CAS_TRY(how(keys));
  CAS_TRY(keys.write(file));
  return keys;
}

Result<Report> report_of(const BcastKeys& keys, std::uint16_t id) {
  CAS_TRY_ASSIGN(const BcastService* const service, keys.service(id));
  return Report{text_of(*service), tools::to_text(json_of(*service))};
}

Result<Report> add(const BcastArguments& arguments) {
  CAS_TRY_ASSIGN(BcastService service, service_of(arguments));
  CAS_TRY_ASSIGN(const BcastKeys keys, change(arguments.file, [&service](BcastKeys& changed) {
                   return changed.add_service(std::move(service), system_clock().now(), crypto::system_random());
                 }));
  return report_of(keys, arguments.service);
}

Result<Report> renew(const BcastArguments& arguments) {
  CAS_TRY_ASSIGN(const BcastKeys keys, change(arguments.file, [&arguments](BcastKeys& changed) {
                   return changed.renew(arguments.service, system_clock().now(), crypto::system_random());
                 }));
  return report_of(keys, arguments.service);
}

Result<Report> list(const BcastArguments& arguments) {
  CAS_TRY_ASSIGN(const BcastKeys keys, BcastKeys::read(arguments.file));
  Report report;
  Json services = Json::array();
  for (const BcastService& service : keys.services()) {
    report.text += text_of(service);
    services.push_back(json_of(service));
  }
  report.json = tools::to_text(Json{{"super_cas_id", keys.super_cas_id()}, {"services", services}});
  return report;
}

Result<bcast::DrmRecipient> recipient_of(const BcastArguments& arguments) {
  const bool is_device = !arguments.device_key.empty();
  if (is_device == !arguments.domain_key.empty() || is_device != arguments.device_id.has_value())
    return fail(ErrorKind::invalid_argument, "give --domain-key, or --device-id and --device-key");
  const std::string& source = is_device ? arguments.device_key : arguments.domain_key;
  CAS_TRY_ASSIGN(const SecretBytes text, read_pass_phrase(source));
  auto key = from_hex(as_text(text.reveal()), recipient_key_size);
  if (!key) return fail_in(source, std::move(key).error());
  const ScopedCleanse cleanse(*key);
  if (key->size() != recipient_key_size)
    return fail(ErrorKind::invalid_argument, source + ": a key has 32 hexadecimal digits");
  return bcast::DrmRecipient{arguments.device_id, SecretBytes::copy_of(*key)};
}

/// Of these services, or of all, those that are not over.
Result<std::vector<ServiceKey>> keys_for(const BcastKeys& keys, std::vector<std::uint16_t> services, UnixSeconds now) {
  if (services.empty())
    for (const BcastService& service : keys.services()) services.push_back(service.id);
  std::vector<ServiceKey> chosen;
  for (const std::uint16_t id : services) {
    CAS_TRY_ASSIGN(const BcastService* const service, keys.service(id));
    for (const ServiceKey& key : service->keys)
      if (now < key.valid_until) chosen.push_back(key.clone());
  }
  if (chosen.empty())
    return fail(ErrorKind::expired, "no service key is valid any more: make one with 'cas-ecmg bcast renew'");
  if (chosen.size() > bcast::max_ltkm_keys)
    return fail(ErrorKind::exhausted, "a long term key message has at most 16 keys: choose services by --service");
  return chosen;
}

Result<Report> ltkm(const BcastArguments& arguments) {
  CAS_TRY_ASSIGN(const bcast::DrmRecipient recipient, recipient_of(arguments));
  const UnixSeconds now = system_clock().now();
  std::uint32_t issue = 0;
  CAS_TRY_ASSIGN(const BcastKeys keys, change(arguments.file, [&](BcastKeys& changed) -> Status {
                   CAS_TRY_ASSIGN(issue, changed.next_issue(now));
                   return {};
                 }));
  CAS_TRY_ASSIGN(const std::vector<ServiceKey> chosen, keys_for(keys, arguments.services, now));
  CAS_TRY_ASSIGN(const Bytes message, bcast::seal_drm_ltkm(keys.super_cas_id(), issue, recipient, chosen));
  CAS_TRY(write_file_durably(arguments.out, message, 0644));
  Json ids = Json::array();
  for (const ServiceKey& key : chosen) ids.push_back(key.id);
  return Report{"a long term key message with " + std::to_string(chosen.size()) + " keys is in " + arguments.out + "\n",
                tools::to_text(Json{{"file", arguments.out}, {"issue", issue}, {"keys", ids}})};
}

void add_service_options(CLI::App& command, BcastArguments& arguments) {
  command
      .add_option("--stream", arguments.streams,
                  "its key stream, stkmstream of the SDP; may be given again (its number)")
      ->type_name("N");
  command.add_option("--key-period", arguments.key_period, "how long a service key lasts")
      ->type_name("TIME")
      ->capture_default_str();
  command.add_option("--suite", arguments.suite, "AES_CM_128_HMAC_SHA1_80 or AEAD_AES_128_GCM")
      ->type_name("NAME")
      ->capture_default_str();
}

void add_ltkm_options(CLI::App& command, BcastArguments& arguments) {
  command.add_option("--service", arguments.services, "the keys of this service; may be given again (all)")
      ->type_name("N");
  command.add_option("--domain-key", arguments.domain_key, "for all that have the key of a broadcast domain")
      ->type_name("SOURCE");
  command.add_option("--device-id", arguments.device_id, "for one device: its number")->type_name("N");
  command.add_option("--device-key", arguments.device_key, "and its key")->type_name("SOURCE");
  command.add_option("--out", arguments.out, "the file to write")->type_name("FILE")->required();
}

}  // namespace

void add_bcast(tools::Program& program, BcastArguments& arguments) {
  CLI::App& group = program.add_group("bcast", "services of OMA BCAST (DRM Profile) and their keys");
  const auto command = [&](const char* name, const char* what, const char* examples,
                           Result<Report> (*does)(const BcastArguments&)) -> CLI::App& {
    CLI::App& made = program.add_command(group, name, what, examples,
                                         [does, &arguments](const Progress&) { return does(arguments); });
    made.add_option("FILE", arguments.file, "the file with the keys")->type_name("")->required();
    return made;
  };
  CLI::App& made = command("init", "a file with keys", init_examples, init);
  made.add_option("--super-cas-id", arguments.super_cas_id, "0x0001 and 16 bits of the operator's (0x00010001)")
      ->type_name("N");
  made.add_option("--service", arguments.service, "number of its first service (1)")->type_name("N");
  add_service_options(made, arguments);
  CLI::App& added = command("add", "another service", add_examples, add);
  added.add_option("SERVICE", arguments.service, "its number, 1 to 65535")->type_name("")->required();
  add_service_options(added, arguments);
  command("list", "services, and when their keys are valid", list_examples, list);
  CLI::App& renewed = command("renew", "another key for a service, behind its last one", renew_examples, renew);
  renewed.add_option("SERVICE", arguments.service, "its number")->type_name("")->required();
  add_ltkm_options(command("ltkm", "a long term key message: keys for receivers", ltkm_examples, ltkm), arguments);
}

}  // namespace cas::ecmg_program
