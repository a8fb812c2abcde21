// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>
#include <gst/cas/card_session.hpp>
#include <gst/cas/pointers.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "card_wait.hpp"
#include "smartpro/protected_reader.hpp"
#include "smartpro/usage_rights.hpp"

namespace cas::gst {

/// Opens licences with the card for smartpro-descramble: waits for a card that was pulled, and tells the bus about
/// rights and cards. `control_word` belongs to the streaming thread; it posts messages, so no lock but a STREAM_LOCK is
/// held then.
class LicenceGate final : public smartpro::LicenceOpener {
 public:
  explicit LicenceGate(GstElement* element) : element_(element) {}

  /// Before a playback: draws its play id, and lets waits happen.
  [[nodiscard]] Status start(CardSessionPtr session, CardRemovalPolicy policy);
  /// After a playback: gives the session back and forgets the rights.
  void close();

  /// Ends waits for a card; for flushes and for the way down. Any thread.
  void stop_waits() { card_.stop(); }
  void allow_waits() { card_.allow(); }

  [[nodiscard]] Result<SecretBytes> control_word(std::uint32_t period, ByteView lecm,
                                                 const smartpro::ReadHeader& header) override;

  /// The rights of the licence opened last, as a structure of that name, and the file's key origin; nothing before the
  /// first one. Takes the object lock.
  [[nodiscard]] StructurePtr rights(const char* name) const;
  /// The same for people, as tags: to be given a new owner.
  [[nodiscard]] GstTagList* rights_tags() const;

  /// The event that tells downstream under which licence content comes now; nothing when it has been given out for that
  /// licence. Takes the object lock.
  [[nodiscard]] EventPtr take_announcement();
  /// Writes the licence opened last into a query (licence_announcement.hpp); nothing before the first one. Takes the
  /// object lock.
  void answer(GstQuery* query) const;

  struct Counters {
    std::atomic<std::uint64_t> licences{0};
    std::atomic<std::uint64_t> card_waits{0};
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  void note_rights(const smartpro::OpenedLicence& licence, const std::optional<smartpro::KeyOrigin>& key_origin);

  struct Known {
    smartpro::UsageRights rights;
    std::optional<std::uint32_t> plays_left;
    std::optional<smartpro::KeyOrigin> key_origin;
    bool operator==(const Known&) const = default;
  };

  GstElement* const element_;
  std::array<std::uint8_t, 16> play_id_{};
  // Under the object lock:
  std::optional<Known> known_;
  StructurePtr licence_;  // As it is announced.
  bool announced_ = false;
  Counters counters_;
  CardWait card_{element_, counters_.card_waits};
};

}  // namespace cas::gst
