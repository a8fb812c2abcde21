// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "smartpro/bridge_keys.hpp"
#include "smartpro/identifiers.hpp"

namespace cas::smartpro {

/// Content descrambling information (paper, 4.2): the transfer licence's key for one pair of bridges. In clear it names
/// the simple bridge, which finds its own by that; in the other direction the simple bridge names itself. All of it is
/// bound to the wrapped key (bridge_keys.hpp). The master bridge stands in the transfer licence, as the last origin.
///
///   80  8   serial number of the simple bridge     critical
///   81  4   its index in the source domain          critical
///   82  8   VDID of the destination domain          critical
///   83  40  wrapped TKLECM                          critical
struct Cdi {
  SerialNumber simple_bridge = 0;
  std::uint32_t index = 0;
  Vdid destination{};
  WrappedTransferKey wrapped_key{};

  [[nodiscard]] Bytes encode() const;
  /// ErrorKind::malformed, truncated or unsupported.
  [[nodiscard]] static Result<Cdi> parse(ByteView bytes);

  bool operator==(const Cdi&) const = default;
};

inline constexpr std::size_t max_cdi_size = 128;

}  // namespace cas::smartpro
