// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mpegts/conditional_access_table.hpp"
#include "mpegts/packet.hpp"
#include "mpegts/program_association.hpp"
#include "mpegts/program_map.hpp"
#include "mpegts/section_assembler.hpp"
#include "mpegts/service_description.hpp"
#include "mpegts/table_collector.hpp"

namespace cas::mpegts {

/// One thing that the tables of a stream say now and did not say before.
struct TableChange {
  enum class Kind {
    program_association,  ///< Another PAT.
    program_map,          ///< A program's map, the first or another.
    program_gone,         ///< A program that had a map has left the PAT, or its map moves to another PID.
    conditional_access,   ///< Another CAT.
    service_description,  ///< Another SDT of this transport stream.
    refused,              ///< A table that is not damaged, and cannot be: what was known before goes on.
  };
  Kind kind = Kind::refused;
  std::uint16_t program_number = 0;  ///< Of program_map and program_gone.
  std::string why;                   ///< Of refused: a sentence. The same table is refused once.
};

/// Follows the tables of a transport stream as it passes: PAT, from it the map of each program, CAT, and the SDT of
/// this stream. Only tables that apply now (current_next_indicator) count. A section with a wrong CRC is as good as
/// lost.
///
/// A packet that carries no table costs a look at its PID; memory is taken when a table changes, and for at most
/// max_programs programs.
class StreamTables {
 public:
  static constexpr std::size_t max_programs = 1024;

  StreamTables();

  /// The next packet of the multiplex, of any PID. What it changed, good until the next call; mostly nothing.
  std::span<const TableChange> push(PacketView packet);

  /// The tables as they were last; nullptr: not found yet. Good until the next `push`.
  [[nodiscard]] const ProgramAssociation* program_association() const;
  [[nodiscard]] const ProgramMap* program_map(std::uint16_t program_number) const;
  [[nodiscard]] const ConditionalAccessTable* conditional_access() const;
  [[nodiscard]] const ServiceDescription* service_description() const;
  /// The PID of a program's map after the PAT; nothing: there is no such program.
  [[nodiscard]] std::optional<Pid> program_map_pid(std::uint16_t program_number) const;
  /// The programs of the PAT that have a map, in the order of their numbers.
  [[nodiscard]] std::vector<std::uint16_t> programs() const;
  /// Sections with a wrong CRC, or of a form that a table cannot have.
  [[nodiscard]] std::uint64_t damaged_sections() const { return damaged_sections_; }

 private:
  struct Follower {
    explicit Follower(Pid of) : pid(of), assembler(max_psi_section_size) {}
    Pid pid;
    SectionAssembler assembler;
  };
  struct Program {
    Pid pid = 0;
    Bytes section;  ///< The last one that was read.
    std::optional<ProgramMap> map;
  };

  void take(Pid pid, ByteView section);
  void take_program_association();
  void take_program_map(Pid pid, std::uint16_t program_number, ByteView section);
  void use(ProgramAssociation table);
  void follow_programs();
  void follow(Pid pid);
  void refuse(std::string why);

  std::array<std::uint16_t, number_of_pids> follower_of_{};  ///< 0: none; otherwise an index in followers_, plus one.
  std::vector<std::unique_ptr<Follower>> followers_;
  TableCollector pat_sections_;
  TableCollector cat_sections_;
  TableCollector sdt_sections_;
  std::optional<ProgramAssociation> pat_;
  std::optional<ConditionalAccessTable> cat_;
  std::optional<ServiceDescription> sdt_;
  std::map<std::uint16_t, Program> programs_;
  std::vector<TableChange> changes_;
  std::uint64_t damaged_sections_ = 0;
};

}  // namespace cas::mpegts
