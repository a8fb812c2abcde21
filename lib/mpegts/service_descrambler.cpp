// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/service_descrambler.hpp"

#include <algorithm>
#include <cstring>

#include "mpegts/ca_descriptor.hpp"
#include "mpegts/descriptor.hpp"

namespace cas::mpegts {

namespace {

/// Packets of one stream that are descrambled together, at most.
constexpr std::size_t batch_packets = 512;

/// Nothing: nobody here descrambles that.
std::optional<TsCipher> cipher_of(std::optional<ScramblingMode> mode, TsCipher otherwise) {
  if (!mode) return otherwise;
  switch (*mode) {
    case ScramblingMode::csa1:
    case ScramblingMode::csa2: return TsCipher::csa2;
    case ScramblingMode::cissa_1: return TsCipher::cissa;
    default: break;
  }
  if (*mode >= ScramblingMode::user_first && *mode <= ScramblingMode::user_last) return otherwise;
  return std::nullopt;
}

/// One that may carry other than tables that are given.
bool is_free(Pid pid) { return pid >= first_free_pid && pid != null_pid; }

}  // namespace

struct ServiceDescrambler::EcmStream {
  EcmStream(Pid of, std::uint16_t system) : pid(of), ca_system_id(system) { batch.reserve(batch_packets); }

  Pid pid;
  std::uint16_t ca_system_id;
  SectionAssembler assembler;
  std::array<Bytes, 2> last_sections;  ///< Of table_id 80 and 81.
  std::optional<TsCipher> cipher;
  std::optional<TsDescrambler> descrambler;
  std::array<std::optional<SecretBytes>, 2> words;  ///< By parity; the descrambler has them, too.
  std::vector<Pid> components;
  std::vector<std::uint8_t*> batch;

  /// As far as it has none of its own.
  void take_words_of(const EcmStream& other) {
    for (const Parity parity : {Parity::even, Parity::odd}) {
      const auto at = static_cast<std::size_t>(parity);
      if (!words[at] && other.words[at]) static_cast<void>(set_word(parity, *other.words[at]));
    }
  }
  /// A descrambler without words, whatever there was.
  void start(std::optional<TsCipher> with, const TsCipherOptions& options) {
    cipher = with;
    words = {};
    descrambler.reset();
    if (!cipher) return;
    if (auto made = TsDescrambler::create(*cipher, options)) descrambler = std::move(*made);
  }
  [[nodiscard]] Status set_word(Parity parity, const SecretBytes& word) {
    if (!descrambler) return fail(ErrorKind::unsupported, "nothing here descrambles what this word is for");
    CAS_TRY(descrambler->set_word(parity, word));
    words[static_cast<std::size_t>(parity)] = word.clone();
    return {};
  }
};

struct ServiceDescrambler::EmmStream {
  EmmStream(Pid of, std::uint16_t system) : pid(of), ca_system_id(system) {}
  Pid pid;
  std::uint16_t ca_system_id;
  SectionAssembler assembler;
};

/// What the maps say of an ECM PID.
struct ServiceDescrambler::Wanted {
  std::uint16_t ca_system_id = 0;
  std::optional<ScramblingMode> mode;
  std::vector<Pid> components;
};

ServiceDescrambler::ServiceDescrambler(Options options) : options_(std::move(options)), targets_(number_of_pids) {}
ServiceDescrambler::~ServiceDescrambler() = default;

void ServiceDescrambler::reset() {
  tables_ = StreamTables();
  ecms_.clear();
  emms_.clear();
  maps_.clear();
  sections_.clear();
  targets_.assign(number_of_pids, {});
  if (!services_.empty()) ++services_version_;
  services_.clear();
}

void ServiceDescrambler::use_ca_systems(std::set<std::uint16_t> systems) {
  if (systems == systems_) return;
  systems_ = std::move(systems);
  map_version_offset_ = next_version(map_version_offset_);
  follow_tables();
}

void ServiceDescrambler::repeat_ecms() {
  for (auto& stream : ecms_)
    for (Bytes& last : stream->last_sections) last.clear();
}

void ServiceDescrambler::forget_words() {
  repeat_ecms();
  for (auto& stream : ecms_) stream->start(stream->cipher, options_.cipher_options);
}

Status ServiceDescrambler::set_word(Pid ecm_pid, Parity parity, const SecretBytes& word) {
  const auto found = std::ranges::find(ecms_, ecm_pid, [](const auto& stream) { return stream->pid; });
  if (found == ecms_.end()) return fail(ErrorKind::not_found, "the ECMs that this word is of have left the stream");
  return (*found)->set_word(parity, word);
}

// ---------------------------------------------------------------------------------------------------------- each packet

Result<std::size_t> ServiceDescrambler::push(MutableByteView run) {
  sections_.clear();
  dropped_.clear();
  for (std::size_t at = 0; at + packet_size <= run.size(); at += packet_size)
    CAS_TRY(take(MutablePacketView(run.data() + at, packet_size), at));
  CAS_TRY(flush_all());
  std::size_t size = run.size();
  if (!dropped_.empty()) drop_marked(run, size);
  return size;
}

Status ServiceDescrambler::take(MutablePacketView packet, std::size_t position) {
  const Pid pid = pid_of(packet);
  if (pid == null_pid) return {};
  const auto changes = tables_.push(packet);
  if (std::ranges::any_of(changes,
                          [](const TableChange& change) { return change.kind != TableChange::Kind::refused; })) {
    // Streams may go with the tables.
    CAS_TRY(flush_all());
    follow_tables();
  }
  const Target target = targets_[pid];
  switch (target.route) {
    case Route::none: return {};
    case Route::component: return descramble(*ecms_[target.index], packet, position);
    case Route::map: maps_[target.index]->rewrite(packet); return {};
    case Route::ecm: {
      EcmStream& stream = *ecms_[target.index];
      stream.assembler.push(packet);
      while (const auto section = stream.assembler.next()) {
        Bytes& last = stream.last_sections[section->front() & 1];
        if (equal(*section, last)) {
          ++counts_.repeated_ecms;
          continue;
        }
        last.assign(section->begin(), section->end());
        ++counts_.ecms;
        give(Section::Kind::ecm, stream.ca_system_id, pid, *section);
      }
      return {};
    }
    case Route::emm: {
      EmmStream& stream = *emms_[target.index];
      stream.assembler.push(packet);
      while (const auto section = stream.assembler.next()) {
        ++counts_.emms;
        give(Section::Kind::emm, stream.ca_system_id, pid, *section);
      }
      return {};
    }
  }
  return {};
}

void ServiceDescrambler::give(Section::Kind kind, std::uint16_t ca_system_id, Pid pid, ByteView section) {
  if (section_bytes_.size() == sections_.size()) section_bytes_.push_back(std::make_unique<Bytes>());
  Bytes& kept = *section_bytes_[sections_.size()];
  kept.assign(section.begin(), section.end());
  sections_.push_back({kind, ca_system_id, pid, kept});
}

Status ServiceDescrambler::descramble(EcmStream& stream, MutablePacketView packet, std::size_t position) {
  const ScramblingControl control = scrambling_control(packet);
  if (control == ScramblingControl::clear) return {};
  if (control == ScramblingControl::reserved || has_transport_error(packet) || !adaptation_field_fits(packet)) {
    ++counts_.damaged;
    return {};
  }
  if (!has_payload(packet)) return {};
  if (!stream.words[control == ScramblingControl::odd ? 1 : 0]) {
    ++counts_.without_word;
    if (options_.without_word == WithoutWord::drop) dropped_.push_back(position);
    return {};
  }
  stream.batch.push_back(packet.data());
  return stream.batch.size() < batch_packets ? Status() : flush(stream);
}

Status ServiceDescrambler::flush(EcmStream& stream) {
  if (stream.batch.empty()) return {};
  const auto counts = stream.descrambler->descramble(stream.batch);
  stream.batch.clear();
  if (!counts) return fail(counts.error());
  counts_.descrambled += counts->done + counts->residue_only;
  counts_.damaged += counts->damaged;
  return {};
}

Status ServiceDescrambler::flush_all() {
  for (auto& stream : ecms_) CAS_TRY(flush(*stream));
  return {};
}

void ServiceDescrambler::drop_marked(MutableByteView run, std::size_t& size) {
  std::size_t to = dropped_.front();
  for (std::size_t i = 0; i < dropped_.size(); ++i) {
    const std::size_t from = dropped_[i] + packet_size;
    const std::size_t end = i + 1 < dropped_.size() ? dropped_[i + 1] : run.size();
    std::memmove(run.data() + to, run.data() + from, end - from);
    to += end - from;
  }
  size = to;
}

// --------------------------------------------------------------------------------------------------------------- tables

bool ServiceDescrambler::is_chosen(std::uint16_t program_number) const {
  return options_.programs.empty() || std::ranges::find(options_.programs, program_number) != options_.programs.end();
}

/// A PID is of one kind, whatever maps say.
void ServiceDescrambler::route(Pid pid, Target target) {
  if (is_free(pid) && targets_[pid].route == Route::none) targets_[pid] = target;
}

void ServiceDescrambler::follow_tables() {
  const auto before = std::exchange(services_, {});
  const auto wanted = wanted_ecms();
  targets_.assign(number_of_pids, {});
  follow_maps();
  follow_emms();
  follow_ecms(wanted);
  for (Service& service : services_) service.supported = cipher_of(service.mode, options_.cipher).has_value();
  if (services_ != before) ++services_version_;
}

/// A CA descriptor of an elementary stream goes before that of the program (2.6.17).
std::map<Pid, ServiceDescrambler::Wanted> ServiceDescrambler::wanted_ecms() {
  std::map<Pid, Wanted> wanted;
  const auto ours = [&](ByteView loop) -> std::optional<CaDescriptor> {
    for (const CaDescriptor& one : find_ca_descriptors(loop)) {
      if (!systems_.contains(one.ca_system_id) || !is_free(one.ca_pid)) continue;
      if (wanted.size() < max_ecm_pids || wanted.contains(one.ca_pid)) return one;
    }
    return std::nullopt;
  };
  for (const std::uint16_t number : tables_.programs()) {
    const ProgramMap* const map = tables_.program_map(number);
    if (map == nullptr || !is_chosen(number)) continue;
    Service service;
    service.program_number = number;
    service.mode = find_scrambling_mode(map->descriptors);
    const auto of_all = ours(map->descriptors);
    std::set<Pid> pids;
    for (const ProgramMap::Stream& stream : map->streams) {
      auto of_stream = ours(stream.descriptors);
      if (!of_stream) of_stream = of_all;
      if (!of_stream) continue;
      Wanted& one = wanted[of_stream->ca_pid];
      one.ca_system_id = of_stream->ca_system_id;
      if (one.components.empty()) one.mode = service.mode;
      one.components.push_back(stream.pid);
      pids.insert(of_stream->ca_pid);
    }
    if (pids.empty()) continue;
    service.ecm_pids.assign(pids.begin(), pids.end());
    services_.push_back(std::move(service));
  }
  return wanted;
}

void ServiceDescrambler::follow_ecms(const std::map<Pid, Wanted>& wanted) {
  std::vector<std::unique_ptr<EcmStream>> before = std::exchange(ecms_, {});
  for (const auto& [pid, one] : wanted) {
    const auto same = std::ranges::find_if(before, [of = pid, system = one.ca_system_id](const auto& stream) {
      return stream && stream->pid == of && stream->ca_system_id == system;
    });
    auto stream = same != before.end() ? std::move(*same) : std::make_unique<EcmStream>(pid, one.ca_system_id);
    const auto cipher = cipher_of(one.mode, options_.cipher);
    if (!stream->descrambler || stream->cipher != cipher) stream->start(cipher, options_.cipher_options);
    const auto index = static_cast<std::uint16_t>(ecms_.size());
    for (const Pid component : one.components) {
      // ECMs have moved to another PID: the words go on to be good.
      if (same == before.end())
        for (const auto& old : before)
          if (old && old->ca_system_id == one.ca_system_id && old->cipher == stream->cipher &&
              std::ranges::find(old->components, component) != old->components.end())
            stream->take_words_of(*old);
      route(component, {Route::component, index});
    }
    stream->components = one.components;
    route(pid, {Route::ecm, index});
    ecms_.push_back(std::move(stream));
  }
}

void ServiceDescrambler::follow_emms() {
  std::vector<std::unique_ptr<EmmStream>> before = std::exchange(emms_, {});
  const ConditionalAccessTable* const table = tables_.conditional_access();
  if (table == nullptr) return;
  for (const CaDescriptor& one : find_ca_descriptors(table->descriptors)) {
    if (!systems_.contains(one.ca_system_id) || !is_free(one.ca_pid)) continue;
    if (targets_[one.ca_pid].route != Route::none || emms_.size() == max_emm_pids) continue;
    const auto same = std::ranges::find_if(before, [&](const auto& stream) {
      return stream && stream->pid == one.ca_pid && stream->ca_system_id == one.ca_system_id;
    });
    route(one.ca_pid, {Route::emm, static_cast<std::uint16_t>(emms_.size())});
    emms_.push_back(same != before.end() ? std::move(*same)
                                         : std::make_unique<EmmStream>(one.ca_pid, one.ca_system_id));
  }
}

/// Of the services that are descrambled. Where that has begun it goes on while the PID carries maps, for the counter.
void ServiceDescrambler::follow_maps() {
  std::vector<std::unique_ptr<InPlaceTable>> before = std::exchange(maps_, {});
  for (const std::uint16_t number : tables_.programs()) {
    const auto pid = tables_.program_map_pid(number);
    if (!pid || targets_[*pid].route == Route::map) continue;
    const auto same = std::ranges::find_if(before, [&](const auto& table) { return table && table->pid() == *pid; });
    const bool wanted = std::ranges::find(services_, number, &Service::program_number) != services_.end();
    if (same == before.end() && !wanted) continue;
    route(*pid, {Route::map, static_cast<std::uint16_t>(maps_.size())});
    maps_.push_back(same != before.end() ? std::move(*same)
                                         : std::make_unique<InPlaceTable>(
                                               *pid, [this](ByteView section) { return clean_map(section); }));
  }
}

/// The map of a service that is descrambled, without what says that it is scrambled; others as they are.
std::vector<ByteView> ServiceDescrambler::clean_map(ByteView section) {
  auto map = ProgramMap::parse(section);
  if (!map || std::ranges::find(services_, map->program_number, &Service::program_number) == services_.end())
    return {section};
  const auto unwanted = [](const Descriptor& one) {
    return one.tag == ca_descriptor_tag || one.tag == scrambling_descriptor_tag;
  };
  map->descriptors = without_descriptors(map->descriptors, unwanted);
  for (ProgramMap::Stream& stream : map->streams)
    stream.descriptors = without_descriptors(stream.descriptors, unwanted);
  map->version = static_cast<std::uint8_t>((map->version + map_version_offset_) & 0x1f);
  auto written = map->encode();
  if (!written) return {section};
  cleaned_map_ = std::move(*written);
  return {cleaned_map_};
}

}  // namespace cas::mpegts
