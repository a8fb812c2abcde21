// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace cas::mpegts {

/// The service description table of one transport stream (EN 300 468, 5.2.3). Sections:
///
///   16  original_network_id
///    8  reserved
///   of each service:
///   16  service_id, which is the program_number
///    6  reserved         1  EIT_schedule_flag   1  EIT_present_following_flag
///    3  running_status   1  free_CA_mode       12  descriptors_loop_length, then the descriptors
struct ServiceDescription {
  struct Service {
    std::uint16_t service_id = 0;
    std::uint8_t reserved = 0b111111;  ///< Kept as it came.
    bool eit_schedule = false;
    bool eit_present_following = false;
    std::uint8_t running_status = 0;  ///< 3 bits (table 6): 0 undefined, 1 not running, 4 running.
    bool free_ca_mode = false;        ///< Access to one or more streams may be controlled by a CA system.
    Bytes descriptors;                ///< Kept bit for bit.
    bool operator==(const Service&) const = default;
  };

  bool actual = true;  ///< Of this transport stream (table_id 42), or another (46).
  std::uint16_t transport_stream_id = 0;
  std::uint8_t version = 0;  ///< 0 to 31.
  bool current = true;
  bool reserved_indicator = true;  ///< The bit behind section_syntax_indicator, which DVB reserves.
  std::uint8_t reserved = 0b1111;  ///< Of the sections' headers: two bits before the length, two before the version.
  std::uint16_t original_network_id = 0;
  std::uint8_t reserved_network = 0xff;  ///< The byte behind original_network_id.
  std::vector<Service> services;
  bool operator==(const ServiceDescription&) const = default;

  /// All sections of one version, in order. ErrorKind as parse_table_sections; truncated or malformed for services that
  /// overrun their section, malformed for sections of different networks.
  [[nodiscard]] static Result<ServiceDescription> parse(std::span<const ByteView> sections);
  /// As many sections as the services need, at least one; a service stays in one piece. ErrorKind::exhausted.
  [[nodiscard]] Result<std::vector<Bytes>> encode() const;
};

}  // namespace cas::mpegts
