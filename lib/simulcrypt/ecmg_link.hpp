// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to simulcrypt/, not installed.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/reconnect_delay.hpp"
#include "service/tcp_attempt.hpp"
#include "simulcrypt/ecm_streams.hpp"
#include "simulcrypt/ecmg_connector.hpp"
#include "simulcrypt/report_limit.hpp"

namespace cas::simulcrypt {

/// The connections of an EcmgConnector, one after the other, on the loop's thread: which address is tried when, and
/// what passes between the socket and the channel's client.
class EcmgLink final : public EcmgClientListener, public std::enable_shared_from_this<EcmgLink> {
 public:
  EcmgLink(service::EventLoop& loop, Random& random, EcmgConnectorSettings settings, EcmgConnectorListener* listener,
           std::shared_ptr<EcmMailbox> mailbox);

  // As EcmgConnector has them.
  void start();
  void close(std::function<void()> done);
  void drop();
  void look_at(std::uint16_t stream_id);
  void request(const OwnedEcmRequest& request);

  // From the connection.
  void received(const service::TcpConnection& connection, ByteView bytes);
  void drained(const service::TcpConnection& connection);
  void ended(const service::TcpConnection& connection, const Status& why);

 private:
  void channel_opened(const ecmg::ChannelParameters& parameters) override;
  void stream_opened(std::uint16_t stream_id) override;
  void stream_closed(std::uint16_t stream_id, const Problem* why) override;
  void ecm_received(std::uint16_t stream_id, std::uint16_t cp_number, ByteView ecm) override;
  void provision_failed(std::uint16_t stream_id, std::uint16_t cp_number, const Problem& why) override;
  void peer_misbehaved(const Problem& problem) override;
  void channel_closed(const Problem& why) override;

  [[nodiscard]] const service::TcpAddress& address() const { return settings_.addresses[present_]; }
  void try_address();
  [[nodiscard]] std::unique_ptr<service::TcpHandler> take(const std::shared_ptr<service::TcpConnection>& connection);
  void settle_soon();
  void settle();
  void flush();
  void fall();
  void try_next(const std::string& why);
  void settle_closing();
  void finish();
  void report(const Problem& problem);

  service::EventLoop& loop_;
  EcmgConnectorSettings settings_;
  EcmgConnectorListener* listener_;
  std::shared_ptr<EcmMailbox> mailbox_;
  EcmStreams streams_;
  ReportLimit reports_;

  std::size_t present_ = 0;             // of the addresses
  std::size_t failures_ = 0;            // of addresses one after another
  std::vector<std::uint8_t> versions_;  // of the protocol, to be tried next at each address
  service::ReconnectDelay delay_;
  service::Timer retry_, tick_, proven_, farewell_;
  std::unique_ptr<service::TcpAttempt> attempt_;
  std::shared_ptr<service::TcpConnection> connection_;
  std::vector<std::weak_ptr<service::TcpConnection>> parting_;  // that were given up, and are closing
  std::unique_ptr<EcmgClient> client_;
  std::optional<Problem> failure_;  // the channel is to be given up for it
  bool was_open_ = false;
  bool settling_soon_ = false;
  bool closing_ = false;
  std::atomic<bool> over_ = false;
  std::vector<std::function<void()>> done_;
};

}  // namespace cas::simulcrypt
