// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/head_end_settings.hpp"

#include <algorithm>

#include "mpegts/descriptor.hpp"

namespace cas::simulcrypt {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds shortest_period{100};
constexpr milliseconds longest_period = std::chrono::hours(1);
// CA_system_id and CA_PID stand before it (13818-1, 2.6.16).
constexpr std::size_t max_private_data = mpegts::max_descriptor_payload_size - 4;

std::string describe(const ServiceSettings& service) {
  if (service.id) return "service " + std::to_string(*service.id);
  if (!service.name.empty()) return "service '" + service.name + "'";
  return "the settings for all services";
}

bool is_usable(mpegts::Pid pid) { return pid >= mpegts::first_free_pid && pid < mpegts::null_pid; }

Status check_use(const HeadEndSettings& settings, const CaUse& use) {
  const auto named = std::ranges::count(settings.systems, use.system, &CaSystem::name);
  if (named == 0) return fail(ErrorKind::invalid_argument, "there is no CA system '" + use.system + "'");
  if (use.ecm_pid && !is_usable(*use.ecm_pid))
    return fail(ErrorKind::invalid_argument, "ECMs cannot have PID " + std::to_string(*use.ecm_pid) +
                                                 ": take one from 16 to 8190, or none for a free one");
  if (use.private_data.size() > max_private_data)
    return fail(ErrorKind::invalid_argument, "a CA descriptor has room for 251 bytes of private data");
  if (settings.key_source != KeySource::upstream && (use.announce_content || use.announce_keys))
    return fail(ErrorKind::invalid_argument,
                "only keys from upstream can be announced: those that are drawn here no key server knows");
  return {};
}

Status check_service(const HeadEndSettings& settings, const ServiceSettings& service) {
  if (service.id && !service.name.empty()) return fail(ErrorKind::invalid_argument, "give an id or a name, not both");
  if (service.period < shortest_period || service.period > longest_period)
    return fail(ErrorKind::invalid_argument, "a crypto-period is from 100 ms to an hour long");
  if (service.clear_lead < milliseconds(0)) return fail(ErrorKind::invalid_argument, "a clear lead is not negative");
  if (service.systems.empty()) return fail(ErrorKind::invalid_argument, "no CA system protects it: name one");
  if (settings.key_source == KeySource::upstream && service.word_per_component)
    return fail(ErrorKind::invalid_argument,
                "keys from upstream are of the whole stream: let it have one word for all its components");
  std::set<std::string> seen;
  for (const CaUse& use : service.systems) {
    CAS_TRY(check_use(settings, use));
    if (!seen.insert(use.system).second)
      return fail(ErrorKind::invalid_argument, "the CA system '" + use.system + "' stands there twice");
  }
  return {};
}

}  // namespace

Status check_head_end_settings(const HeadEndSettings& settings) {
  std::set<std::string> systems;
  for (const CaSystem& system : settings.systems)
    if (!systems.insert(system.name).second)
      return fail(ErrorKind::invalid_argument, "two CA systems have the name '" + system.name + "'");
  std::set<std::string> services;
  for (const ServiceSettings& service : settings.services) {
    const std::string name = describe(service);
    if (!services.insert(name).second) return fail(ErrorKind::invalid_argument, name + " stands there twice");
    if (const Status checked = check_service(settings, service); !checked)
      return fail(checked.error().kind, name + ": " + checked.error().message);
  }
  std::set<mpegts::Pid> pids;
  for (const DataPid& data : settings.data_pids)
    if (!is_usable(data.pid) || !pids.insert(data.pid).second)
      return fail(ErrorKind::invalid_argument, "EMMs and data cannot have PID " + std::to_string(data.pid) +
                                                   ": take one from 16 to 8190, each once");
  if (settings.bit_rate && (*settings.bit_rate < 10'000 || *settings.bit_rate > 100'000'000'000))
    return fail(ErrorKind::invalid_argument, "a bit rate is from 10 kbit/s to 100 Gbit/s");
  return {};
}

}  // namespace cas::simulcrypt
