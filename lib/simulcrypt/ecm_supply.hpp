// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/bytes.hpp"
#include "simulcrypt/ecm_stream_terms.hpp"
#include "simulcrypt/ecmg_messages.hpp"
#include "simulcrypt/synchroniser.hpp"

namespace cas::simulcrypt {

/// An ECM stream as a head-end wants to have it from an ECMG.
struct EcmStreamWish {
  std::uint16_t stream_id = 0;                            ///< ECM_stream_id: one stream of this supply.
  std::uint16_t ecm_id = 0;                               ///< ECM_id: one ECM stream of the CA system.
  std::chrono::milliseconds nominal_cp_duration{10'000};  ///< Rounded up to 100 ms.
  [[nodiscard]] bool operator==(const EcmStreamWish&) const = default;
};

/// What happened to an ECM stream.
struct EcmEvent {
  enum class Kind {
    opened,   ///< ECMs may be asked for: for the first time, or again after `lost`, from the same ECMG or another.
    lost,     ///< No answer will come until it is opened again.
    ecm,      ///< The answer to a request.
    refused,  ///< There is no answer to the request; another may be made.
  };
  Kind kind = Kind::lost;
  std::uint16_t stream_id = 0;
  EcmStreamTerms terms;                              ///< Of opened.
  std::uint8_t section_tspkt_flag = ecmg::sections;  ///< Of opened: the form of its ECMs.
  std::uint16_t cp_number = 0;                       ///< Of ecm and refused.
  Bytes ecm;                                         ///< Of ecm: whole sections, or whole packets; may be empty.
};

/// Where the ECMs of one CA system come from: an ECMG, with those that stand in for it. The packets' thread asks and
/// collects; who answers works on a thread of his own. All functions may be called from any thread.
class EcmSupply {
 public:
  virtual ~EcmSupply() = default;

  /// Opens a stream, and opens it again each time that the ECMG was lost, until it is closed. Closes the one that has
  /// the same stream_id, if it differs.
  virtual void open_stream(const EcmStreamWish& wish) = 0;
  /// Of what was asked before nothing is heard after.
  virtual void close_stream(std::uint16_t stream_id) = 0;
  /// Asks for an ECM, of a stream that is open: Synchroniser's request, with the words of Synchroniser's window. One at
  /// a time for a stream. Takes copies.
  virtual void request(std::uint16_t stream_id, const EcmRequest& request) = 0;

  /// Whether `take` would give something: cheap enough to be asked for each packet.
  [[nodiscard]] virtual bool has_events() const = 0;
  /// Moves what has happened since the last time to the end of `events`, in its order.
  virtual void take(std::vector<EcmEvent>& events) = 0;
  /// `ring` is called, on the thread of the one who answers and without a lock, each time that something can be taken:
  /// for those who wait. Once, before the first open_stream.
  virtual void on_events(std::function<void()> ring) = 0;
};

}  // namespace cas::simulcrypt
