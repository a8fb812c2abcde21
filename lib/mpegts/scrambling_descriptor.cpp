// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/scrambling_descriptor.hpp"

#include "mpegts/descriptor.hpp"

namespace cas::mpegts {

namespace {

const char* name_of(ScramblingMode mode) {
  switch (mode) {
    case ScramblingMode::csa1: return "DVB-CSA1";
    case ScramblingMode::csa2: return "DVB-CSA2";
    case ScramblingMode::csa3_standard: return "DVB-CSA3 in standard mode";
    case ScramblingMode::csa3_minimally_enhanced: return "DVB-CSA3 in minimally enhanced mode";
    case ScramblingMode::csa3_fully_enhanced: return "DVB-CSA3 in fully enhanced mode";
    case ScramblingMode::cissa_1: return "DVB-CISSA version 1";
    default: return nullptr;
  }
}

bool is_atis(ScramblingMode mode) { return mode >= ScramblingMode::atis_first && mode <= ScramblingMode::atis_last; }
bool is_user(ScramblingMode mode) { return mode >= ScramblingMode::user_first && mode <= ScramblingMode::user_last; }

}  // namespace

std::string describe(ScramblingMode mode) {
  if (const char* name = name_of(mode)) return name;
  const auto value = static_cast<std::uint8_t>(mode);
  const char* range = is_atis(mode) ? "ATIS" : is_user(mode) ? "user defined" : "reserved";
  return std::string(range) + " (" + to_hex({&value, 1}) + ")";
}

std::optional<ScramblingMode> find_scrambling_mode(ByteView loop) {
  const auto descriptor = find_descriptor(loop, scrambling_descriptor_tag);
  if (!descriptor || descriptor->payload.empty()) return std::nullopt;
  return static_cast<ScramblingMode>(descriptor->payload[0]);
}

Result<Bytes> with_scrambling_mode(ByteView loop, ScramblingMode mode) {
  const auto value = static_cast<std::uint8_t>(mode);
  if (name_of(mode) == nullptr && !is_atis(mode) && !is_user(mode))
    return fail(ErrorKind::invalid_argument, "scrambling_mode " + to_hex({&value, 1}) +
                                                 " is reserved: state one that EN 300 468 knows, or 80 to fe");
  // What comes first may not stand behind damage: nobody would find it there.
  Bytes made{scrambling_descriptor_tag, 1, value};
  append(made, without_descriptors(loop, [](const Descriptor& each) { return each.tag == scrambling_descriptor_tag; }));
  return made;
}

}  // namespace cas::mpegts
