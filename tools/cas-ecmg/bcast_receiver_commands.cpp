// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/durable_file.hpp"
#include "base/hex.hpp"
#include "base/pass_phrase.hpp"
#include "bcast_commands.hpp"
#include "bcast_ltkm.hpp"
#include "common/json_text.hpp"

namespace cas::ecmg_program {

namespace bcast = simulcrypt::bcast;
using tools::Json;
using tools::Report;

namespace {

constexpr std::size_t recipient_key_size = 16;
constexpr std::size_t max_key_size = 64;
constexpr mode_t broadcast_mode = 0644;
constexpr mode_t subscriber_mode = 0600;

constexpr const char* ltkm_examples = R"(
  cas-ecmg bcast ltkm news.keys --domain-key file:domain.key --out news.ltkm
  cas-ecmg bcast ltkm news.keys --device-id 7 --device-key env:KEY --service 1 --out device7.ltkm
  cas-ecmg bcast ltkm mobile.keys --subscriber 001@example.org --smk file:smk --out 001.ltkm
  cas-ecmg bcast ltkm mobile.keys --subscriber 001@example.org --smk file:smk --key next --out 001-next.ltkm

A key is 32 hexadecimal digits, an SMK 32 to 64, in the first line of a file (file:PATH) or in an environment
variable (env:NAME). A message of the Smartcard Profile has one key and goes to its subscriber alone: it is never
broadcast.)";
constexpr const char* subscribe_examples = R"(
  cas-ecmg bcast subscribe mobile.keys 001@example.org --service 1 --service 3)";
constexpr const char* unsubscribe_examples = R"(
  cas-ecmg bcast unsubscribe mobile.keys 001@example.org --service 3
  cas-ecmg bcast unsubscribe mobile.keys 001@example.org      from everything

Keys that a subscriber has are his until they are over: he gets no later ones.)";

/// What a source holds, of at most 64 bytes.
Result<SecretBytes> read_key(const std::string& source) {
  CAS_TRY_ASSIGN(const SecretBytes text, read_pass_phrase(source));
  auto key = from_hex(as_text(text.reveal()), max_key_size);
  if (!key) return fail_in(source, std::move(key).error());
  const ScopedCleanse cleanse(*key);
  return SecretBytes::copy_of(*key);
}

Result<bcast::DrmRecipient> recipient_of(const BcastArguments& arguments) {
  const bool is_device = !arguments.device_key.empty();
  if (is_device == !arguments.domain_key.empty() || is_device != arguments.device_id.has_value())
    return fail(ErrorKind::invalid_argument, "give --domain-key, or --device-id and --device-key");
  const std::string& source = is_device ? arguments.device_key : arguments.domain_key;
  CAS_TRY_ASSIGN(SecretBytes key, read_key(source));
  if (key.size() != recipient_key_size)
    return fail(ErrorKind::invalid_argument, source + ": a key has 32 hexadecimal digits");
  return bcast::DrmRecipient{arguments.device_id, std::move(key)};
}

Result<SmartcardLtkmOrder> order_of(const BcastArguments& arguments) {
  if (arguments.subscriber.empty() || arguments.smk.empty())
    return fail(ErrorKind::invalid_argument, "give --subscriber and --smk");
  if (arguments.services.size() > 1)
    return fail(ErrorKind::invalid_argument,
                "a long term key message of the Smartcard Profile has one key: give --service once");
  SmartcardLtkmOrder order;
  order.subscriber = arguments.subscriber;
  if (!arguments.services.empty()) order.service = arguments.services.front();
  if (!arguments.key.empty()) order.key = arguments.key;
  auto smk = read_key(arguments.smk);
  if (!smk) return fail(std::move(smk).error());
  order.smk = std::move(*smk);
  return order;
}

/// What is said has to belong to the profile that the file is of.
Status check_profile(const BcastArguments& arguments, bcast::Profile profile) {
  const bool for_drm =
      !arguments.domain_key.empty() || !arguments.device_key.empty() || arguments.device_id.has_value();
  const bool for_smartcard = !arguments.subscriber.empty() || !arguments.smk.empty() || !arguments.key.empty();
  if (profile == bcast::Profile::smartcard && for_drm)
    return fail(ErrorKind::invalid_argument,
                arguments.file +
                    " is of the Smartcard Profile: --domain-key, --device-id and --device-key are of the "
                    "DRM Profile; give --subscriber and --smk");
  if (profile == bcast::Profile::drm && for_smartcard)
    return fail(ErrorKind::invalid_argument,
                arguments.file +
                    " is of the DRM Profile: --subscriber, --smk and --key are of the Smartcard Profile; "
                    "give --domain-key, or --device-id and --device-key");
  return {};
}

Result<Report> ltkm(const BcastArguments& arguments) {
  CAS_TRY_ASSIGN(const BcastKeys now_there, BcastKeys::read(arguments.file));
  CAS_TRY(check_profile(arguments, now_there.profile()));
  const bool drm = now_there.profile() == bcast::Profile::drm;
  std::optional<bcast::DrmRecipient> recipient;
  std::optional<SmartcardLtkmOrder> order;
  if (drm) {
    CAS_TRY_ASSIGN(recipient, recipient_of(arguments));
  } else {
    CAS_TRY_ASSIGN(order, order_of(arguments));
  }
  BcastLtkm made;
  CAS_TRY(change_bcast_keys(arguments.file, [&](BcastKeys& keys) -> Status {
    const UnixSeconds now = system_clock().now();
    CAS_TRY_ASSIGN(
        made, drm ? make_drm_ltkm(keys, *recipient, arguments.services, now) : make_smartcard_ltkm(keys, *order, now));
    return {};
  }));
  CAS_TRY(write_file_durably(arguments.out, made.message, drm ? broadcast_mode : subscriber_mode));
  const std::string count = std::to_string(made.keys.size()) + (made.keys.size() == 1 ? " key" : " keys");
  Json json = {{"file", arguments.out}, {"issue", made.issue}, {"keys", made.keys}};
  if (order) json["subscriber"] = order->subscriber;
  return Report{"a long term key message with " + count + " is in " + arguments.out + "\n", tools::to_text(json)};
}

Report report_of(const std::string& identity, const std::vector<std::uint16_t>& services) {
  std::string text = "subscriber " + identity + ": " + (services.empty() ? "no service" : "services");
  for (const std::uint16_t id : services) text += " " + std::to_string(id);
  return {text + "\n", tools::to_text(Json{{"identity", identity}, {"services", services}})};
}

Result<Report> subscribe(const BcastArguments& arguments) {
  CAS_TRY_ASSIGN(const BcastKeys keys, change_bcast_keys(arguments.file, [&arguments](BcastKeys& changed) {
                   return changed.subscribe(arguments.subscriber, arguments.services);
                 }));
  CAS_TRY_ASSIGN(const BcastSubscriber* const subscriber, keys.subscriber(arguments.subscriber));
  return report_of(subscriber->identity, subscriber->services);
}

Result<Report> unsubscribe(const BcastArguments& arguments) {
  CAS_TRY_ASSIGN(const BcastKeys keys, change_bcast_keys(arguments.file, [&arguments](BcastKeys& changed) {
                   return changed.unsubscribe(arguments.subscriber, arguments.services);
                 }));
  const auto left = keys.subscriber(arguments.subscriber);
  return report_of(arguments.subscriber, left ? (*left)->services : std::vector<std::uint16_t>{});
}

}  // namespace

void add_bcast_receivers(tools::Program& program, CLI::App& group, BcastArguments& arguments) {
  CLI::App& subscribed = add_bcast_command(
      program, group, arguments,
      {"subscribe", "Smartcard Profile: who may have the keys of which services", subscribe_examples, subscribe});
  CLI::App& unsubscribed =
      add_bcast_command(program, group, arguments,
                        {"unsubscribe", "Smartcard Profile: no later keys for him", unsubscribe_examples, unsubscribe});
  for (CLI::App* command : {&subscribed, &unsubscribed}) {
    command->add_option("SUBSCRIBER", arguments.subscriber, "his identity")->type_name("")->required();
    command->add_option("--service", arguments.services, "this service; may be given again")->type_name("N");
  }
  CLI::App& made = add_bcast_command(program, group, arguments,
                                     {"ltkm", "a long term key message: keys for receivers", ltkm_examples, ltkm});
  made.add_option("--service", arguments.services,
                  "the keys of this service (all, or the one that was subscribed to); DRM Profile: may be given again")
      ->type_name("N");
  made.add_option("--domain-key", arguments.domain_key, "DRM Profile: for all that have the key of a broadcast domain")
      ->type_name("SOURCE");
  made.add_option("--device-id", arguments.device_id, "DRM Profile: for one device, its number")->type_name("N");
  made.add_option("--device-key", arguments.device_key, "and its key")->type_name("SOURCE");
  made.add_option("--subscriber", arguments.subscriber, "Smartcard Profile: for this subscriber")->type_name("ID");
  made.add_option("--smk", arguments.smk, "and the key of the subscription")->type_name("SOURCE");
  made.add_option("--key", arguments.key, "Smartcard Profile: now, next, or a key number (now)")->type_name("KEY");
  made.add_option("--out", arguments.out, "the file to write")->type_name("FILE")->required();
}

}  // namespace cas::ecmg_program
