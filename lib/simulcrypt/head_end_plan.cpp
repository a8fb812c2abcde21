// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <utility>

#include "mpegts/ca_descriptor.hpp"
#include "mpegts/scrambling_descriptor.hpp"
#include "mpegts/section.hpp"
#include "mpegts/service_name.hpp"
#include "simulcrypt/emmg_messages.hpp"
#include "simulcrypt/head_end.hpp"

// What a head-end makes of the stream's tables and of its settings: which packets are scrambled with which words, on
// which PIDs ECMs and EMMs go out, and what the tables say then.
namespace cas::simulcrypt {

namespace {

using mpegts::Pid;
using mpegts::ProgramMap;

/// Free PIDs are looked for from here on; those below are in everyday use.
constexpr Pid first_pid_of_ours = 0x1f00;

std::uint8_t mode_of(mpegts::TsCipher cipher) {
  switch (cipher) {
    case mpegts::TsCipher::csa2: return static_cast<std::uint8_t>(mpegts::ScramblingMode::csa2);
    case mpegts::TsCipher::cissa: return static_cast<std::uint8_t>(mpegts::ScramblingMode::cissa_1);
    default: return static_cast<std::uint8_t>(mpegts::ScramblingMode::user_first);
  }
}

/// Whether a service can go on when its settings change from one to the other.
bool differ_in_what_can_change(const ServiceSettings& before, const ServiceSettings& after) {
  if (before.components != after.components || before.pids != after.pids ||
      before.word_per_component != after.word_per_component ||
      before.component_descriptors != after.component_descriptors || before.period != after.period ||
      before.clear_lead != after.clear_lead || before.policy != after.policy ||
      before.systems.size() != after.systems.size())
    return false;
  for (std::size_t number = 0; number < before.systems.size(); ++number) {
    CaUse use = after.systems[number];
    use.access_criteria = before.systems[number].access_criteria;
    if (use != before.systems[number]) return false;
  }
  return true;
}

}  // namespace

Status HeadEnd::apply(HeadEndSettings settings) {
  CAS_TRY(check_head_end_settings(settings));
  if (settings.cipher != settings_.cipher || settings.cipher_options.iv != settings_.cipher_options.iv ||
      settings.csa2_checksum != settings_.csa2_checksum)
    return fail(ErrorKind::invalid_argument, "the cipher stays as it is while a stream passes: stop it first");
  if (settings.bit_rate != settings_.bit_rate)
    return fail(ErrorKind::invalid_argument, "the bit rate stays as it is while a stream passes: stop it first");
  if (settings.key_source != settings_.key_source)
    return fail(ErrorKind::invalid_argument,
                "where keys come from stays as it is while a stream passes: stop it first");
  for (const CaSystem& system : settings.systems) system.supply->on_events([bell = bell_] { bell->ring(); });
  // Services whose CA systems are reached by another way begin anew.
  for (auto& [id, service] : services_) {
    for (const CaUse& use : service.settings.systems) {
      const auto before = std::ranges::find(settings_.systems, use.system, &CaSystem::name);
      const auto after = std::ranges::find(settings.systems, use.system, &CaSystem::name);
      if (after == settings.systems.end() || before->supply != after->supply ||
          before->ca_system_id != after->ca_system_id)
        service.settings.systems.clear();
      if (service.settings.systems.empty()) break;
    }
  }
  settings_ = std::move(settings);
  next_event_ticks_ = 0;
  ended_ = {};
  if (const Status planned = plan(); !planned) listener_.problem(planned.error().message);
  return {};
}

// ----------------------------------------------------------------------------------------------------------------- PIDs

void HeadEnd::find_referenced_pids() {
  referenced_.reset();
  const auto refer_descriptors = [&](ByteView loop) {
    for (const mpegts::CaDescriptor& system : mpegts::find_ca_descriptors(loop)) referenced_.set(system.ca_pid);
  };
  if (const auto* pat = tables_.program_association())
    for (const auto& entry : pat->entries) referenced_.set(entry.pid);
  for (const std::uint16_t program : tables_.programs()) {
    const ProgramMap* map = tables_.program_map(program);
    if (map == nullptr) continue;
    referenced_.set(map->pcr_pid);
    refer_descriptors(map->descriptors);
    for (const ProgramMap::Stream& stream : map->streams) {
      referenced_.set(stream.pid);
      refer_descriptors(stream.descriptors);
    }
  }
  if (const auto* cat = tables_.conditional_access()) refer_descriptors(cat->descriptors);
}

/// Beside those of `others`, which are not ours yet.
Result<Pid> HeadEnd::free_pid(std::span<const GroupStream> others) {
  for (const Pid first : {first_pid_of_ours, Pid{0x20}})
    for (Pid pid = first; pid < mpegts::null_pid; ++pid) {
      if (seen_.test(pid) || referenced_.test(pid) || ours_.test(pid)) continue;
      if (std::ranges::find(others, pid, &GroupStream::pid) != others.end()) continue;
      const bool given = std::ranges::any_of(settings_.services, [&](const ServiceSettings& service) {
        return std::ranges::any_of(service.systems, [&](const CaUse& use) { return use.ecm_pid == pid; });
      });
      if (!given && std::ranges::find(settings_.data_pids, pid, &DataPid::pid) == settings_.data_pids.end()) return pid;
    }
  return fail(ErrorKind::exhausted, "the stream has no free PID for ECMs or EMMs");
}

/// The stream has come to use PIDs that we had found free.
void HeadEnd::leave_conflicting_pids(Service& service) {
  for (auto& [name, group] : service.groups)
    for (std::size_t number = 0; number < group.group->streams().size(); ++number) {
      const GroupStream& stream = group.group->streams()[number];
      if (!referenced_.test(stream.pid)) continue;
      const auto use = std::ranges::find(service.settings.systems, stream.system, &CaUse::system);
      if (use == service.settings.systems.end() || use->ecm_pid) continue;
      const auto pid = free_pid();
      if (!pid) continue;
      ours_.reset(stream.pid);
      ours_.set(*pid);
      group.group->move_stream(number, *pid);
    }
}

void HeadEnd::leave_conflicting_data_pids() {
  for (auto& [ids, stream] : data_streams_) {
    if (stream.pid_is_given || !referenced_.test(stream.packetiser.pid())) continue;
    const auto pid = free_pid();
    if (!pid) continue;
    ours_.reset(stream.packetiser.pid());
    ours_.set(*pid);
    stream.packetiser = mpegts::SectionPacketiser(*pid);
  }
}

// ------------------------------------------------------------------------------------------------------------- Services

const ServiceSettings* HeadEnd::settings_for(std::uint16_t service_id) const {
  std::optional<std::string> name;
  if (const auto* sdt = tables_.service_description())
    for (const auto& service : sdt->services)
      if (service.service_id == service_id) name = mpegts::find_service_name(service.descriptors);
  const ServiceSettings* for_all = nullptr;
  for (const ServiceSettings& settings : settings_.services) {
    if (settings.id == service_id || (!settings.name.empty() && settings.name == name)) return &settings;
    if (!settings.id && settings.name.empty()) for_all = &settings;
  }
  return for_all;
}

Status HeadEnd::plan() {
  find_referenced_pids();
  const std::vector<std::uint16_t> programs = tables_.programs();
  std::vector<std::uint16_t> gone;
  for (const auto& [id, service] : services_)
    if (std::ranges::find(programs, id) == programs.end() || settings_for(id) == nullptr) gone.push_back(id);
  for (const std::uint16_t id : gone) drop_service(id);
  Status result;
  for (const std::uint16_t id : programs) {
    const ServiceSettings* settings = settings_for(id);
    if (settings == nullptr || tables_.program_map(id) == nullptr) continue;
    if (const Status planned = plan_service(id, *settings); !planned) result = planned;
  }
  leave_conflicting_data_pids();
  signal_services();
  choose_clock();
  edit_whole_tables();
  make_rules();
  next_event_ticks_ = 0;
  return result;
}

Status HeadEnd::plan_service(std::uint16_t service_id, const ServiceSettings& settings) {
  const auto before = services_.find(service_id);
  if (before != services_.end() && !differ_in_what_can_change(before->second.settings, settings))
    drop_service(service_id);
  Service& service = services_[service_id];
  service.settings = settings;
  const std::vector<Pid> pids = chosen_components(*tables_.program_map(service_id), settings);

  // Which groups there are to be.
  std::map<GroupName, std::vector<Pid>> wanted;
  if (settings.word_per_component) {
    for (const Pid pid : pids) wanted[{service_id, pid}] = {pid};
  } else if (!pids.empty()) {
    wanted[{service_id, {}}] = pids;
  }
  std::erase_if(service.groups, [&](auto& entry) {
    if (wanted.contains(entry.first)) return false;
    drop_group(*entry.second.group);
    return true;
  });
  leave_conflicting_pids(service);
  Status result;
  for (auto& [name, chosen] : wanted) {
    if (!service.groups.contains(name))
      if (const Status added = add_group(service, name); !added) {
        result = added;
        continue;
      }
    Group& group = service.groups.at(name);
    group.pids = chosen;
    group.group->set_scrambling(settings.scramble);
    for (std::size_t stream = 0; stream < settings.systems.size(); ++stream)
      group.group->set_access_criteria(stream, settings.systems[stream].access_criteria);
  }
  tell_of_service(service_id, service);
  return result;
}

/// That it is protected, or not any more.
void HeadEnd::tell_of_service(std::uint16_t service_id, Service& service) {
  const bool is_protected = !service.groups.empty();
  if (std::exchange(service.told, is_protected) == is_protected) return;
  if (!is_protected) return listener_.service_gone(service_id);
  std::vector<GroupStream> streams;
  for (const auto& [name, group] : service.groups)
    for (const GroupStream& stream : group.group->streams()) streams.push_back(stream);
  if (const auto* sdt = tables_.service_description())
    for (const auto& described : sdt->services)
      if (described.service_id == service_id)
        service.name = mpegts::find_service_name(described.descriptors).value_or("");
  listener_.service_found(service_id, service.name, streams);
}

/// What the program maps are to say now.
void HeadEnd::signal_services() {
  std::vector<const ScramblingGroup*> scramblers(mpegts::number_of_pids);
  for (const auto& [id, service] : services_)
    for (const auto& [name, group] : service.groups)
      for (const Pid pid : group.pids)
        if (scramblers[pid] == nullptr) scramblers[pid] = group.group.get();
  for (auto& [id, service] : services_) {
    ServiceSignal signal = signal_of(service, scramblers);
    if (signal == service.signal && service.signalled) continue;
    service.signal = std::move(signal);
    service.signalled = true;
    service.version_offset = static_cast<std::uint8_t>(service.version_offset + 1);
    service.map_in.clear();
  }
}

/// The PIDs and ECM_ids of the settings are those of the first word; each further one has the next that is free.
Result<std::vector<GroupStream>> HeadEnd::name_streams(const ServiceSettings& settings) {
  std::vector<GroupStream> streams;
  for (const CaUse& use : settings.systems) {
    const auto system = std::ranges::find(settings_.systems, use.system, &CaSystem::name);
    GroupStream& stream = streams.emplace_back();
    stream.system = use.system;
    stream.ca_system_id = system->ca_system_id;
    stream.supply = system->supply;
    stream.private_data = use.private_data;
    stream.announces_content = use.announce_content;
    const auto is_taken = [&](Pid pid) {
      return ours_.test(pid) || std::ranges::any_of(streams, [&](const GroupStream& other) {
               return &other != &stream && other.pid == pid;
             });
    };
    if (use.ecm_pid) {
      stream.pid = *use.ecm_pid;
      while (stream.pid < mpegts::null_pid && is_taken(stream.pid)) ++stream.pid;
      if (stream.pid >= mpegts::null_pid)
        return fail(ErrorKind::invalid_argument,
                    "there are not enough PIDs behind " + std::to_string(*use.ecm_pid) + " for the ECMs of a service");
    } else {
      CAS_TRY_ASSIGN(stream.pid, free_pid(streams));
    }
    std::uint16_t& last_id = next_stream_id_[use.system];
    do ++last_id;
    while (routes_.contains({stream.supply.get(), last_id}));
    stream.stream_id = last_id;
    stream.ecm_id = use.ecm_id.value_or(static_cast<std::uint16_t>(system->first_ecm_id + stream.stream_id - 1));
    while (has_ecm_id(stream.supply.get(), stream.ecm_id)) ++stream.ecm_id;
  }
  return streams;
}

bool HeadEnd::has_ecm_id(const EcmSupply* supply, std::uint16_t ecm_id) const {
  return std::ranges::any_of(routes_, [&](const auto& route) {
    const auto& [group, number] = route.second;
    return route.first.first == supply && group->streams()[number].ecm_id == ecm_id;
  });
}

Status HeadEnd::add_group(Service& service, const GroupName& name) {
  CAS_TRY_ASSIGN(std::vector<GroupStream> streams, name_streams(service.settings));
  CAS_TRY_ASSIGN(auto group,
                 ScramblingGroup::create(name, settings_, service.settings, std::move(streams), *this, random_));
  tell_keys(*group);
  for (const GroupStream& stream : group->streams()) ours_.set(stream.pid);
  for (std::size_t stream = 0; stream < group->streams().size(); ++stream)
    routes_[{group->streams()[stream].supply.get(), group->streams()[stream].stream_id}] = {group.get(), stream};
  service.groups.emplace(name, Group{std::move(group), {}});
  return {};
}

void HeadEnd::drop_group(ScramblingGroup& group) {
  static_cast<void>(group.flush());
  for (const GroupStream& stream : group.streams()) {
    routes_.erase({stream.supply.get(), stream.stream_id});
    ours_.reset(stream.pid);
  }
}

void HeadEnd::drop_service(std::uint16_t service_id) {
  const auto found = services_.find(service_id);
  if (found == services_.end()) return;
  for (auto& [name, group] : found->second.groups) drop_group(*group.group);
  const bool told = found->second.told;
  services_.erase(found);
  if (told) listener_.service_gone(service_id);
}

/// `scramblers`: by PID. A component that another service has too, whose words it has, is told of with that one's ECMs:
/// a CA descriptor of a component prevails over that of its program (13818-1, 2.6.16).
ServiceSignal HeadEnd::signal_of(const Service& service, std::span<const ScramblingGroup* const> scramblers) const {
  ServiceSignal signal;
  const auto add = [&](const ScramblingGroup& group, std::optional<Pid> component) {
    for (const GroupStream& stream : group.streams()) {
      Bytes private_data = stream.private_data;
      if (stream.announces_content) append(private_data, content_announcement_);
      signal.systems.push_back({stream.ca_system_id, stream.pid, std::move(private_data), component});
    }
  };
  for (const auto& [name, group] : service.groups) {
    const bool by_component = name.component || service.settings.component_descriptors;
    if (!by_component) add(*group.group, {});
    for (const Pid pid : group.pids)
      if (by_component || scramblers[pid] != group.group.get()) add(*scramblers[pid], pid);
  }
  if (!signal.systems.empty()) signal.scrambling_mode = settings_.scrambling_mode.value_or(mode_of(settings_.cipher));
  return signal;
}

/// The clock of a program that is protected, if there is one; the one that is followed, as long as it is a program's.
void HeadEnd::choose_clock() {
  std::optional<Pid> first, first_protected;
  for (const std::uint16_t program : tables_.programs()) {
    const ProgramMap* map = tables_.program_map(program);
    if (map == nullptr || map->pcr_pid == mpegts::null_pid) continue;
    if (map->pcr_pid == clock_.pid()) return;
    if (!first) first = map->pcr_pid;
    if (!first_protected && services_.contains(program)) first_protected = map->pcr_pid;
  }
  if (first) clock_.follow(first_protected.value_or(*first));
}

// --------------------------------------------------------------------------------------------------------------- Tables

void HeadEnd::make_rules() {
  rules_.fill({});
  order_.clear();
  rules_[mpegts::null_pid].action = Action::null;
  for (std::size_t pid = 0; pid < mpegts::number_of_pids; ++pid)
    if (ours_.test(pid)) rules_[pid].action = Action::conflict;
  std::vector<std::unique_ptr<mpegts::TableRewriter>> before = std::exchange(rewriters_, {});
  const auto rewrite_pid = [&](Pid pid) {
    if (rules_[pid].action == Action::table) return;
    rules_[pid] = {Action::table, static_cast<std::uint16_t>(rewriters_.size())};
    for (auto& rewriter : before)
      if (rewriter && rewriter->pid() == pid) return rewriters_.push_back(std::move(rewriter));
    rewriters_.push_back(std::make_unique<mpegts::TableRewriter>(
        pid, [this, pid](ByteView section) { return edit_section(pid, section); }));
  };
  for (auto& [id, service] : services_) {
    if (const auto pid = tables_.program_map_pid(id); pid && !service.groups.empty()) rewrite_pid(*pid);
    for (auto& [name, group] : service.groups) {
      const auto index = static_cast<std::uint16_t>(order_.size());
      order_.push_back(group.group.get());
      // What two services share is scrambled for the first of them.
      for (const Pid pid : group.pids)
        if (rules_[pid].action == Action::pass) rules_[pid] = {Action::scramble, index};
    }
  }
  if (!cat_sections_.empty()) rewrite_pid(mpegts::cat_pid);
  if (!sdt_sections_.empty()) rewrite_pid(mpegts::sdt_pid);
}

void HeadEnd::edit_whole_tables() {
  std::vector<CaSignal> systems;
  for (auto& [ids, stream] : data_streams_) {
    if (stream.data_type != emmg::emm) continue;
    systems.push_back({static_cast<std::uint16_t>(ids.first >> 16), stream.packetiser.pid(), {}, {}});
  }
  if (systems != cat_signals_) ++cat_offset_;
  cat_signals_ = std::move(systems);
  cat_sections_.clear();
  if (!cat_signals_.empty()) {
    auto edited = signal_emms(tables_.conditional_access(), cat_signals_, cat_offset_);
    if (edited) {
      cat_sections_ = std::move(*edited);
    } else {
      listener_.problem("the CAT cannot tell of the EMMs: " + edited.error().message);
    }
  }
  std::set<std::uint16_t> services;
  for (const auto& [id, service] : services_)
    if (!service.groups.empty()) services.insert(id);
  if (services != sdt_services_) ++sdt_offset_;
  sdt_services_ = std::move(services);
  sdt_sections_.clear();
  const auto* sdt = tables_.service_description();
  if (sdt == nullptr || sdt_services_.empty()) return;
  auto edited = signal_free_ca_mode(*sdt, sdt_services_, sdt_offset_);
  if (edited) {
    sdt_sections_ = std::move(*edited);
  } else {
    listener_.problem("the SDT cannot tell of services that are scrambled: " + edited.error().message);
  }
}

std::vector<ByteView> HeadEnd::edit_section(Pid pid, ByteView section) {
  constexpr std::size_t number_at = 6, last_number_at = 7;
  const std::uint8_t table_id = section[0];
  if (table_id == mpegts::pmt_table_id && pid >= mpegts::first_free_pid) return edit_program_map(section);
  const bool is_cat = pid == mpegts::cat_pid && table_id == mpegts::cat_table_id;
  const bool is_sdt = pid == mpegts::sdt_pid && table_id == mpegts::sdt_actual_table_id;
  if ((!is_cat && !is_sdt) || section.size() < mpegts::long_section_header_size) return {section};
  const std::vector<Bytes>& edited = is_cat ? cat_sections_ : sdt_sections_;
  if (is_cat) cat_sent_ = now_;
  // Ours keep the rhythm of the stream's; if there are more of ours, they follow its last.
  std::vector<ByteView> sections;
  const std::size_t first = section[number_at];
  const std::size_t behind = first == section[last_number_at] ? edited.size() : first + 1;
  for (std::size_t number = first; number < std::min(behind, edited.size()); ++number)
    sections.emplace_back(edited[number]);
  return sections;
}

std::vector<ByteView> HeadEnd::edit_program_map(ByteView section) {
  auto map = ProgramMap::parse(section);
  if (!map) {  // Nobody can use it.
    ++counts_.damaged_sections;
    return {};
  }
  const auto found = services_.find(map->program_number);
  if (found == services_.end()) return {section};
  Service& service = found->second;
  if (!std::ranges::equal(section, service.map_in)) {
    auto edited = signal_program_map(std::move(*map), service.signal, service.version_offset);
    if (!edited)
      listener_.problem("the PMT of service " + std::to_string(found->first) +
                        " cannot tell of its CA systems: " + edited.error().message);
    service.map_in.assign(section.begin(), section.end());
    service.map_out = edited ? std::move(*edited) : service.map_in;
  }
  return {service.map_out};
}

}  // namespace cas::simulcrypt
