// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/server_roster.hpp"

namespace cas::kex {

ServerRoster::ServerRoster(std::size_t servers, const Settings& settings, Random& random) {
  for (std::size_t at = 0; at < servers; ++at)
    servers_.push_back(
        {true, false, Time(0), service::ReconnectDelay(random, settings.first_probe, settings.longest_probe)});
}

std::vector<std::size_t> ServerRoster::order() const {
  std::vector<std::size_t> all;
  for (const bool well : {true, false})
    for (std::size_t at = 0; at < servers_.size(); ++at)
      if (servers_[at].well == well) all.push_back(at);
  return all;
}

std::optional<ServerRoster::Change> ServerRoster::succeeded(std::size_t server) {
  Server& one = servers_[server];
  one.probing = false;
  one.delay.reset();
  if (one.well) return std::nullopt;
  const std::size_t before = first();
  one.well = true;
  if (first() == before) return std::nullopt;
  return Change{Change::Kind::recovered, before, first(), {}};
}

std::optional<ServerRoster::Change> ServerRoster::failed(std::size_t server, const std::string& cause, Time now) {
  Server& one = servers_[server];
  const std::size_t before = first();
  one.probing = false;
  one.well = false;
  one.probe_at = now + one.delay.next();
  if (first() == before) return std::nullopt;
  return Change{Change::Kind::failed_over, before, first(), cause};
}

std::vector<std::size_t> ServerRoster::take_probes(Time now) {
  std::vector<std::size_t> due;
  const std::size_t asked = first();
  for (std::size_t at = 0; at < servers_.size(); ++at) {
    Server& one = servers_[at];
    if (one.well || one.probing || at == asked || now < one.probe_at) continue;
    one.probing = true;
    due.push_back(at);
  }
  return due;
}

}  // namespace cas::kex
