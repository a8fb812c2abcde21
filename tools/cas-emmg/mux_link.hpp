// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/random.hpp"
#include "common/daemon_log.hpp"
#include "emm_sender.hpp"
#include "service/tcp_client.hpp"
#include "service/udp_socket.hpp"
#include "settings.hpp"
#include "simulcrypt/emmg_client.hpp"

namespace cas::emmg_program {

/// The way to a MUX. On the loop's thread only; goes before its loop.
class MuxLink {
 public:
  virtual ~MuxLink() = default;
  /// Takes leave; `done` is called when the MUX has been told, or does not listen.
  virtual void stop(std::function<void()> done) = 0;
};

/// What a link stands on. All of it lives as long as the link.
struct MuxLinkParts {
  service::EventLoop& loop;
  const Settings& settings;
  std::uint32_t client_id;
  EmmSender& sender;
  EmmgMetrics& metrics;
  tools::DaemonLog& log;
};

/// A channel with one stream over TCP (TS 103 197, clause 6), connected again and again. Asks for bandwidth, and keeps
/// to what it gets.
[[nodiscard]] std::unique_ptr<MuxLink> make_tcp_link(const MuxLinkParts& parts, Random& random);
/// data_provision alone, over UDP, at the bandwidth of the settings. ErrorKind::invalid_argument for a MUX that is not
/// named by its address; io.
[[nodiscard]] Result<std::unique_ptr<MuxLink>> make_udp_link(const MuxLinkParts& parts);

}  // namespace cas::emmg_program
