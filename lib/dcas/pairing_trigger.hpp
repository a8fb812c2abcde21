// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>

namespace cas::dcas {

/// Why an SM starts the protocol: the conditions of IV.2.A, step 1, in the paper's order.
enum class PairingReason {
  powered_up,          ///< "An SM is powered up or reset."
  first_announcement,  ///< "A virgin SM receives a SecurityAnnounce message from an AP."
  moved_network,     ///< "[...] a SecurityAnnounce message from an AP right after the SM moves to another MSO network"
  update_requested,  ///< "A non-virgin SM is requested to update CA client images from an AP via a DCASDownload message."
};

/// Tells when an SM starts the protocol. Announcements are repeated for as long as a network is there, so that a run that
/// goes on is not started again by the next one; one that has failed is. Whether messages are genuine was checked before.
class PairingTrigger {
 public:
  /// What the SM's memory has: a virgin SM has no CA client image. `network` is that of the last pairing that succeeded.
  PairingTrigger(bool is_virgin, std::optional<std::string> network)
      : is_virgin_(is_virgin), network_(std::move(network)) {}

  [[nodiscard]] std::optional<PairingReason> on_power_up();
  [[nodiscard]] std::optional<PairingReason> on_security_announce(const std::string& network);
  /// A DCASDownload that is for this SM.
  [[nodiscard]] std::optional<PairingReason> on_download(const std::string& network);

  /// How the run has ended that was started last; `network` is where it took place.
  void run_succeeded(const std::string& network);
  void run_failed() { is_running_ = false; }
  /// A CA client image has been loaded, or removed.
  void set_virgin(bool is_virgin) { is_virgin_ = is_virgin; }

  [[nodiscard]] const std::optional<std::string>& network() const { return network_; }

 private:
  [[nodiscard]] std::optional<PairingReason> start(PairingReason reason);

  bool is_virgin_;
  std::optional<std::string> network_;
  bool is_running_ = false;
};

}  // namespace cas::dcas
