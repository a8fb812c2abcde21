// SPDX-License-Identifier: LGPL-2.1-or-later
// What a progenitor hands to its backup, and what a command that was stopped has left beside a protected file.
#include <cstdlib>

#include "smartpro/domain_register.hpp"
#include "smartpro/progenitor_secrets.hpp"
#include "tests/support/applet_memory.hpp"
#include "tools/cas-tmc/licence_file.hpp"

namespace {

using namespace cas;
using namespace cas::smartpro;

void read_secrets(ByteView bytes) {
  const auto secrets = ProgenitorSecrets::parse(bytes);
  if (!secrets) return;
  const SecretBytes encoded = secrets->encode();
  const auto again = ProgenitorSecrets::parse(encoded.reveal());
  if (!again || !equal(again->encode().reveal(), encoded.reveal())) std::abort();
  // A token that takes them has all of them, or is blank.
  test::PlainAppletMemory memory;
  if (!secrets->store(memory, 1)) return;
  const auto stored = ProgenitorSecrets::load(memory);
  if (!stored || !equal(stored->encode().reveal(), encoded.reveal())) std::abort();
}

void read_entry(ByteView bytes) {
  const auto entry = RegisterEntry::parse(bytes);
  if (entry && !equal(entry->encode(), bytes)) std::abort();
}

void read_journal(ByteView bytes) {
  for (const std::uint32_t period_segments : {0U, 2U}) {
    ReadHeader header;
    header.header.segment_size = min_segment_size;
    header.header.licence_slot_size = 16;
    header.header.period_segments = period_segments;
    header.body_offset = 100;
    const FileLayout layout(header.header, header.body_offset);
    constexpr std::uint64_t file_size = 8000;
    const auto slots = tmc::parse_licence_journal(bytes, header, layout, file_size);
    if (!slots) continue;
    for (const tmc::JournalSlot& slot : *slots) {
      if (slot.content.size() != 16 || slot.offset < 100 || slot.offset + 16 > file_size) std::abort();
      if (slot.offset != layout.slot_offset(0) && slot.offset != layout.slot_offset(1) &&
          slot.offset != layout.slot_offset(2) && slot.offset != layout.slot_offset(3))
        std::abort();
      if (slot.offset != layout.slot_offset(0) && period_segments == 0) std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes(data, size);
  read_secrets(bytes);
  read_entry(bytes);
  read_journal(bytes);
  return 0;
}
