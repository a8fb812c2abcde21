// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/stream_tables.hpp"

#include <algorithm>

#include "mpegts/section.hpp"

namespace cas::mpegts {

namespace {

using Kind = TableChange::Kind;

template <typename T>
const T* pointer_to(const std::optional<T>& value) {
  return value ? &*value : nullptr;
}

// 13818-1 table 2-3: the PIDs that a program map may have.
bool may_carry_a_map(Pid pid) { return pid >= first_free_pid && pid < null_pid; }

}  // namespace

StreamTables::StreamTables() {
  for (const Pid pid : {pat_pid, cat_pid, sdt_pid}) follow(pid);
}

std::span<const TableChange> StreamTables::push(PacketView packet) {
  if (!changes_.empty()) changes_.clear();
  const Pid pid = pid_of(packet);
  const std::uint16_t index = follower_of_[pid];
  if (index == 0) return {};
  // A new PAT replaces followers, but those of PAT, CAT and SDT stay: this one is the PAT's then.
  SectionAssembler& assembler = followers_[index - 1U]->assembler;
  assembler.push(packet);
  while (const auto section = assembler.next()) take(pid, *section);
  return changes_;
}

void StreamTables::take(Pid pid, ByteView section) {
  const std::uint8_t table_id = section[0];
  const bool wanted = table_id == pmt_table_id || (pid == pat_pid && table_id == pat_table_id) ||
                      (pid == cat_pid && table_id == cat_table_id) ||
                      (pid == sdt_pid && table_id == sdt_actual_table_id);
  if (!wanted) return;
  const auto parsed = LongSection::parse(section);
  if (!parsed) {
    ++damaged_sections_;
    return;
  }
  if (!parsed->current) return;
  if (table_id == pmt_table_id) return take_program_map(pid, parsed->table_id_extension, section);
  TableCollector& collector = pid == pat_pid ? pat_sections_ : pid == cat_pid ? cat_sections_ : sdt_sections_;
  if (collector.add(*parsed, section) != TableCollector::Outcome::complete) return;
  const std::vector<ByteView> sections = collector.sections();
  if (pid == pat_pid) return take_program_association();
  if (pid == cat_pid) {
    auto table = ConditionalAccessTable::parse(sections);
    if (!table) return refuse(table.error().message);
    cat_ = std::move(*table);
    changes_.push_back({Kind::conditional_access, 0, {}});
  } else {
    auto table = ServiceDescription::parse(sections);
    if (!table) return refuse(table.error().message);
    sdt_ = std::move(*table);
    changes_.push_back({Kind::service_description, 0, {}});
  }
}

void StreamTables::take_program_association() {
  auto table = ProgramAssociation::parse(pat_sections_.sections());
  if (!table) return refuse(table.error().message);
  if (table->entries.size() > max_programs)
    return refuse("the program association table has " + std::to_string(table->entries.size()) +
                  " programs, and at most " + std::to_string(max_programs) + " are followed: split the multiplex");
  use(std::move(*table));
}

void StreamTables::use(ProgramAssociation table) {
  changes_.push_back({Kind::program_association, 0, {}});
  std::map<std::uint16_t, Program> programs;
  for (const ProgramAssociation::Entry& entry : table.entries) {
    if (entry.program_number == 0) continue;  // 2.4.4.5: the network's PID
    if (!may_carry_a_map(entry.pid)) {
      refuse("program " + std::to_string(entry.program_number) + " has PID " + std::to_string(entry.pid) +
             " for its map, which is none that a map can have: it is not followed");
      continue;
    }
    if (programs.contains(entry.program_number)) continue;  // the first counts
    Program& program = programs[entry.program_number];
    const auto before = programs_.find(entry.program_number);
    if (before != programs_.end() && before->second.pid == entry.pid) program = std::move(before->second);
    program.pid = entry.pid;
  }
  for (const auto& [number, program] : programs_) {
    const auto now = programs.find(number);
    if (program.map && (now == programs.end() || now->second.pid != program.pid))
      changes_.push_back({Kind::program_gone, number, {}});
  }
  programs_ = std::move(programs);
  pat_ = std::move(table);
  follow_programs();
}

// The PIDs of the maps, and no others besides those of PAT, CAT and SDT. Who is followed already keeps what has begun.
void StreamTables::follow_programs() {
  std::vector<bool> wanted(number_of_pids);
  for (const Pid pid : {pat_pid, cat_pid, sdt_pid}) wanted[pid] = true;
  for (const auto& [number, program] : programs_) wanted[program.pid] = true;
  std::erase_if(followers_, [&wanted](const auto& follower) { return !wanted[follower->pid]; });
  follower_of_.fill(0);
  for (std::size_t i = 0; i < followers_.size(); ++i)
    follower_of_[followers_[i]->pid] = static_cast<std::uint16_t>(i + 1);
  for (const auto& [number, program] : programs_) follow(program.pid);
}

void StreamTables::follow(Pid pid) {
  if (follower_of_[pid] != 0) return;
  followers_.push_back(std::make_unique<Follower>(pid));
  follower_of_[pid] = static_cast<std::uint16_t>(followers_.size());
}

void StreamTables::take_program_map(Pid pid, std::uint16_t program_number, ByteView section) {
  const auto found = programs_.find(program_number);
  // Several programs may share a PID; one that the PAT does not lead to is nobody's.
  if (found == programs_.end() || found->second.pid != pid) return;
  Program& program = found->second;
  if (equal(program.section, section)) return;
  program.section = copy_of(section);
  auto map = ProgramMap::parse(section);
  if (!map) return refuse(map.error().message);
  program.map = std::move(*map);
  changes_.push_back({Kind::program_map, program_number, {}});
}

void StreamTables::refuse(std::string why) { changes_.push_back({Kind::refused, 0, std::move(why)}); }

const ProgramAssociation* StreamTables::program_association() const { return pointer_to(pat_); }
const ConditionalAccessTable* StreamTables::conditional_access() const { return pointer_to(cat_); }
const ServiceDescription* StreamTables::service_description() const { return pointer_to(sdt_); }

const ProgramMap* StreamTables::program_map(std::uint16_t program_number) const {
  const auto found = programs_.find(program_number);
  return found == programs_.end() ? nullptr : pointer_to(found->second.map);
}

std::optional<Pid> StreamTables::program_map_pid(std::uint16_t program_number) const {
  const auto found = programs_.find(program_number);
  if (found == programs_.end()) return std::nullopt;
  return found->second.pid;
}

std::vector<std::uint16_t> StreamTables::programs() const {
  std::vector<std::uint16_t> numbers;
  for (const auto& [number, program] : programs_)
    if (program.map) numbers.push_back(number);
  return numbers;
}

}  // namespace cas::mpegts
