// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "smartpro/identifiers.hpp"

namespace cas::smartpro {

/// What the output of a renderer must see to; the token hands it to the host, which is bound by its certificate to
/// obey.
enum OutputFlags : std::uint32_t {
  output_no_analogue = 1U << 0,
  output_hdcp_required = 1U << 1,
  output_watermark_required = 1U << 2,
  output_no_recording = 1U << 3,
};

/// Usage and access rules of protected content (paper, 2.2), enforced by the token.
///
///   80  1  allowed: bit 0 render, 1 process, 2 change rights, 3 bridge       critical
///   81  8  not before, Unix seconds, absent: always                          critical
///   82  8  not after, Unix seconds, absent: for ever                         critical
///   83  4  play count, absent: any number                                    critical
///   84  1 + 8*n  bridge: hops left, VDIDs it may go to (none: any), n <= 32  critical
///                with 0 hops left it goes nowhere now, and the list is kept for when it comes back
///   85  4  output flags, absent: none                                        critical
struct UsageRights {
  bool render = true;
  bool process = true;
  bool change_rights = false;
  bool bridge = false;
  std::optional<UnixSeconds> not_before;
  std::optional<UnixSeconds> not_after;
  std::optional<std::uint32_t> play_count;
  std::uint8_t bridge_hops = 1;
  std::vector<Vdid> bridge_to;
  std::uint32_t output_flags = 0;

  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static Result<UsageRights> parse(ByteView bytes);
  /// For people: "render, process; until 2027-01-31T00:00:00Z; 3 plays".
  [[nodiscard]] std::string describe() const;

  /// Whether these rights give nothing that `granted` does not: no right more, no wider window, no more plays, no more
  /// hops or domains to bridge to, no output flag less. ErrorKind::refused names the first right that would be widened.
  [[nodiscard]] Status check_within(const UsageRights& granted) const;
  /// The part of it about bridging alone, which no right to change rights lifts.
  [[nodiscard]] Status check_bridging_within(const UsageRights& granted) const;

  /// Whether the window is open at that time, not_after excluded. ErrorKind::expired.
  [[nodiscard]] Status check_time(UnixSeconds time) const;

  bool operator==(const UsageRights&) const = default;
};

}  // namespace cas::smartpro
