// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Transport streams (ISO/IEC 13818-1, EN 300 468) as a scrambler and a multiplexer need them. Read this first.
///
///     bytes -> PacketFraming -> packets -> StreamTables: what programs there are -> ProgramMap, CaDescriptor, ...
///                                  |   \-> PcrClock: what time it is in the stream
///                                  |
///                                  +-> TsScrambler, TsDescrambler: payloads change where they lie
///                                  +-> packets of its own: section -> SectionPacketiser
///
/// **Packets**, on the path of each: packet.hpp reads and changes them in place, packet_framing.hpp finds them in bytes
/// that come anyhow, pcr_clock.hpp tells the stream's time. Nothing there allocates, locks or waits.
///
/// **Sections**: section_assembler.hpp takes them out of packets, section_packetiser.hpp puts them into packets, and
/// section.hpp has their form and CRC. table_collector.hpp puts the sections of a table together.
///
/// **Tables**, each with parser and writer that give the same bytes back: program_association.hpp, program_map.hpp,
/// conditional_access_table.hpp, service_description.hpp. stream_tables.hpp follows all of them in a stream as it
/// passes. What stands in their loops: descriptor.hpp, ca_descriptor.hpp, scrambling_descriptor.hpp.
///
/// **Scrambling**: ts_cipher.hpp, on one of the ciphers of payload_cipher.hpp (DVB-CSA2, DVB-CISSA, AES);
/// csa2_word.hpp: the sums in a word of CSA2. docs/formats/ts-scrambling.md has the details.
#include "mpegts/ca_descriptor.hpp"
#include "mpegts/conditional_access_table.hpp"
#include "mpegts/packet.hpp"
#include "mpegts/packet_framing.hpp"
#include "mpegts/pcr_clock.hpp"
#include "mpegts/program_association.hpp"
#include "mpegts/program_map.hpp"
#include "mpegts/scrambling_descriptor.hpp"
#include "mpegts/section.hpp"
#include "mpegts/section_assembler.hpp"
#include "mpegts/section_packetiser.hpp"
#include "mpegts/service_description.hpp"
#include "mpegts/stream_tables.hpp"
#include "mpegts/ts_cipher.hpp"
