// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/play_slots.hpp"

#include "base/reader.hpp"
#include "base/writer.hpp"
#include "smartpro/token_memory.hpp"

namespace cas::smartpro {

namespace {

constexpr std::size_t content_size = 16;
constexpr std::size_t slot_size = content_size + 4 + sizeof(PlayId);

struct Slot {
  ByteView content;
  std::uint32_t used = 0;
  ByteView last_play;
};

Result<Slot> read_slot(ByteView bytes) {
  ByteReader reader(bytes);
  Slot slot;
  CAS_TRY_ASSIGN(slot.content, reader.bytes(content_size));
  CAS_TRY_ASSIGN(slot.used, reader.u32());
  CAS_TRY_ASSIGN(slot.last_play, reader.bytes(sizeof(PlayId)));
  return slot;
}

Bytes write_slot(ByteView content, std::uint32_t used, const PlayId& play_id) {
  ByteWriter writer;
  writer.bytes(content).u32(used).bytes(play_id);
  return writer.take();
}

}  // namespace

Result<std::uint32_t> count_play(card::AppletMemory& memory, const HeaderDigest& content, const PlayId& play_id,
                                 std::uint32_t plays_allowed) {
  const SecretBytes stored = memory.read(object::play_slots);
  Bytes slots = copy_of(stored.reveal());
  const ByteView name = ByteView(content).first(content_size);
  for (std::size_t at = 0; at + slot_size <= slots.size(); at += slot_size) {
    CAS_TRY_ASSIGN(const Slot slot, read_slot(ByteView(slots).subspan(at, slot_size)));
    if (!equal(slot.content, name)) continue;
    if (equal(slot.last_play, play_id)) return slot.used >= plays_allowed ? 0 : plays_allowed - slot.used;
    if (slot.used >= plays_allowed) return fail(ErrorKind::used_up, "the plays that the licence grants are used up");
    const std::uint32_t used = slot.used + 1;
    const Bytes updated = write_slot(name, used, play_id);
    std::ranges::copy(updated, slots.begin() + static_cast<std::ptrdiff_t>(at));
    CAS_TRY(memory.write(object::play_slots, slots));
    return plays_allowed - used;
  }
  if (plays_allowed == 0) return fail(ErrorKind::used_up, "the licence grants no plays");
  if (slots.size() / slot_size >= play_slot_count)
    return fail(ErrorKind::exhausted, "the token counts the plays of as many contents as it can");
  append(slots, write_slot(name, 1, play_id));
  CAS_TRY(memory.write(object::play_slots, slots));
  return plays_allowed - 1;
}

}  // namespace cas::smartpro
