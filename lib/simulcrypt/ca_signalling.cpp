// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/ca_signalling.hpp"

#include <algorithm>

#include "mpegts/ca_descriptor.hpp"
#include "mpegts/descriptor.hpp"
#include "mpegts/scrambling_descriptor.hpp"
#include "mpegts/section.hpp"

namespace cas::simulcrypt {

namespace {

using mpegts::ProgramMap;

// stream_type (13818-1 table 2-34, and what ATSC and AVS have registered).
constexpr std::uint8_t video_types[] = {0x01, 0x02, 0x10, 0x1b, 0x1e, 0x1f, 0x20, 0x21,
                                        0x24, 0x25, 0x33, 0x42, 0xd1, 0xd2, 0xea};
constexpr std::uint8_t audio_types[] = {0x03, 0x04, 0x0f, 0x11, 0x1c, 0x2d, 0x2e, 0x81, 0x87};
constexpr std::uint8_t section_types[] = {0x05, 0x0a, 0x0b, 0x0c, 0x0d, 0x14, 0x16, 0x17, 0x18, 0x19, 0x86};
// PES of private data, whose descriptors say what it is: AC-3, enhanced AC-3, DTS, AAC (EN 300 468 table 12).
constexpr std::uint8_t private_pes = 0x06;
constexpr std::uint8_t audio_descriptors[] = {0x6a, 0x7a, 0x7b, 0x7c};

template <std::size_t size>
bool contains(const std::uint8_t (&types)[size], std::uint8_t type) {
  return std::ranges::find(types, type) != std::end(types);
}

bool is_audio(const ProgramMap::Stream& stream) {
  if (contains(audio_types, stream.stream_type)) return true;
  return stream.stream_type == private_pes && std::ranges::any_of(audio_descriptors, [&](std::uint8_t tag) {
           return mpegts::find_descriptor(stream.descriptors, tag).has_value();
         });
}

bool is_chosen(const ProgramMap::Stream& stream, const ServiceSettings& settings) {
  if (!settings.pids.empty()) return settings.pids.contains(stream.pid);
  const bool video = contains(video_types, stream.stream_type);
  switch (settings.components) {
    case Components::all: return !contains(section_types, stream.stream_type);
    case Components::video: return video;
    case Components::audio: return is_audio(stream);
    case Components::audio_video: return video || is_audio(stream);
  }
  return false;
}

Status signal(Bytes& loop, const CaSignal& system) {
  return mpegts::CaDescriptor{
      .ca_system_id = system.ca_system_id, .ca_pid = system.pid, .private_data = system.private_data}
      .append_to(loop);
}

std::uint8_t with_offset(std::uint8_t version, std::uint8_t offset) {
  return static_cast<std::uint8_t>((version + offset) & 0x1f);
}

}  // namespace

std::vector<mpegts::Pid> chosen_components(const ProgramMap& map, const ServiceSettings& settings) {
  std::vector<mpegts::Pid> pids;
  for (const ProgramMap::Stream& stream : map.streams)
    if (is_chosen(stream, settings) && std::ranges::find(pids, stream.pid) == pids.end()) pids.push_back(stream.pid);
  return pids;
}

Result<Bytes> signal_program_map(ProgramMap map, const ServiceSignal& signals, std::uint8_t version_offset) {
  for (const CaSignal& system : signals.systems) {
    map.descriptors = mpegts::without_ca_descriptors(map.descriptors, system.ca_system_id);
    for (ProgramMap::Stream& stream : map.streams)
      stream.descriptors = mpegts::without_ca_descriptors(stream.descriptors, system.ca_system_id);
  }
  for (const CaSignal& system : signals.systems) {
    if (!system.component) {
      CAS_TRY(signal(map.descriptors, system));
      continue;
    }
    for (ProgramMap::Stream& stream : map.streams)
      if (stream.pid == *system.component) CAS_TRY(signal(stream.descriptors, system));
  }
  if (signals.scrambling_mode) {
    CAS_TRY_ASSIGN(
        map.descriptors,
        mpegts::with_scrambling_mode(map.descriptors, static_cast<mpegts::ScramblingMode>(*signals.scrambling_mode)));
  }
  map.version = with_offset(map.version, version_offset);
  return map.encode();
}

Result<std::vector<Bytes>> signal_emms(const mpegts::ConditionalAccessTable* table,
                                       const std::vector<CaSignal>& systems, std::uint8_t version_offset) {
  mpegts::ConditionalAccessTable edited;
  if (table != nullptr) edited = *table;
  for (const CaSignal& system : systems)
    edited.descriptors = mpegts::without_ca_descriptors(edited.descriptors, system.ca_system_id);
  for (const CaSignal& system : systems) CAS_TRY(signal(edited.descriptors, system));
  edited.version = with_offset(edited.version, version_offset);
  return edited.encode();
}

Result<std::vector<Bytes>> signal_free_ca_mode(mpegts::ServiceDescription table,
                                               const std::set<std::uint16_t>& services, std::uint8_t version_offset) {
  for (auto& service : table.services)
    if (services.contains(service.service_id)) service.free_ca_mode = true;
  table.version = with_offset(table.version, version_offset);
  return table.encode();
}

}  // namespace cas::simulcrypt
