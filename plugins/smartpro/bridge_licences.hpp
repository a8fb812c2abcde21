// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>
#include <gst/cas/card_session.hpp>

#include <atomic>
#include <cstdint>
#include <memory>

#include "card_wait.hpp"
#include "smartpro/licence_bridge.hpp"

namespace cas::gst {

/// Converts licences with the card for lecm-bridge: waits for a card that was pulled, and tells the bus what was
/// converted. `convert` belongs to the streaming thread; it posts messages, so no lock but a STREAM_LOCK is held then.
class BridgeLicences final : public smartpro::LicenceConverter {
 public:
  explicit BridgeLicences(GstElement* element) : element_(element) {}

  /// Before streaming; lets waits happen. `converter` works with the token of `session`.
  void start(std::unique_ptr<smartpro::LicenceConverter> converter, CardSessionPtr session, CardRemovalPolicy policy);
  /// After streaming: gives converter and session back.
  void close();

  /// Ends waits for a card; for flushes and for the way down. Any thread.
  void stop_waits() { card_.stop(); }
  void allow_waits() { card_.allow(); }

  [[nodiscard]] Result<Bytes> convert(std::uint32_t period, ByteView slot_content,
                                      const smartpro::ReadHeader& header) override;

  /// For other threads.
  struct Counters {
    std::atomic<std::uint64_t> licences{0};
    std::atomic<std::uint64_t> card_waits{0};
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  GstElement* const element_;
  Counters counters_;
  CardWait card_{element_, counters_.card_waits};
  std::unique_ptr<smartpro::LicenceConverter> converter_;  // Goes before the session.
};

}  // namespace cas::gst
