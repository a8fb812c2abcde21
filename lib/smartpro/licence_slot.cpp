// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/licence_slot.hpp"

#include <algorithm>

#include "base/reader.hpp"
#include "base/writer.hpp"
#include "smartpro/file_header.hpp"
#include "smartpro/licence.hpp"

namespace cas::smartpro {

static_assert(default_licence_slot_size == max_lecm_size + licence_slot_overhead, "the default slot takes any licence");

Result<Bytes> encode_licence_slot(ByteView lecm, std::uint32_t slot_size) {
  if (slot_size < min_licence_slot_size || slot_size > max_licence_slot_size)
    return fail(ErrorKind::invalid_argument, "a licence slot of " + std::to_string(slot_size) +
                                                 " bytes cannot be: give " + std::to_string(min_licence_slot_size) +
                                                 " to " + std::to_string(max_licence_slot_size));
  if (lecm.empty()) return fail(ErrorKind::invalid_argument, "there is no licence to put into the licence slot");
  const std::size_t room = slot_size - licence_slot_overhead;
  if (lecm.size() > room)
    return fail(ErrorKind::exhausted, "a licence of " + std::to_string(lecm.size()) +
                                          " bytes does not fit into a licence slot for " + std::to_string(room) +
                                          ": choose a larger licence slot size");
  return ByteWriter()
      .u32(slot_size)
      .u32(static_cast<std::uint32_t>(lecm.size()))
      .bytes(lecm)
      .zeros(room - lecm.size())
      .take();
}

Result<ByteView> parse_licence_slot(ByteView slot) {
  ByteReader reader(slot);
  CAS_TRY_ASSIGN(const std::uint32_t slot_size, reader.u32());
  if (slot_size != slot.size())
    return fail(ErrorKind::malformed, "damaged licence slot: it calls itself " + std::to_string(slot_size) +
                                          " bytes long, and the preamble says " + std::to_string(slot.size()));
  CAS_TRY_ASSIGN(const std::uint32_t size, reader.u32());
  if (size == 0) return fail(ErrorKind::malformed, "damaged licence slot: it holds no licence");
  if (size > reader.remaining())
    return fail(ErrorKind::malformed, "damaged licence slot: a licence of " + std::to_string(size) +
                                          " bytes is not in a slot with room for " +
                                          std::to_string(reader.remaining()));
  CAS_TRY_ASSIGN(const ByteView lecm, reader.bytes(size));
  // A changed padding byte is a change of the file, and a licence size that was made smaller shows here too.
  if (!std::ranges::all_of(reader.rest(), [](std::uint8_t byte) { return byte == 0; }))
    return fail(ErrorKind::malformed, "damaged licence slot: a byte behind the licence is not zero");
  return lecm;
}

}  // namespace cas::smartpro
