// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "service/event_loop.hpp"
#include "service/tcp_attempt.hpp"
#include "simulcrypt/ecm_supply.hpp"
#include "simulcrypt/ecmg_client.hpp"

namespace cas::simulcrypt {

class EcmgLink;
class EcmMailbox;

struct EcmgConnectorSettings {
  std::string name;                            ///< For sentences that people read: "ECMG NAME".
  std::vector<service::TcpAddress> addresses;  ///< The primary, then those that stand in for it, in their order.
  EcmgClientSettings client;
  std::chrono::milliseconds connect_limit{5'000};  ///< For one address, with the look-up of its name.
  /// After a round in which no address was of use; and for a stream that the ECMG refuses. See ReconnectDelay.
  std::chrono::milliseconds first_delay{500};
  std::chrono::milliseconds longest_delay{30'000};
  /// A channel that lived so long has been of use: when it ends, a new round begins.
  std::chrono::milliseconds proven_after{5'000};
  std::chrono::milliseconds close_limit{1'000};  ///< For the ECMG to answer a graceful close.
};

/// What an operator wants to know. Called on the loop's thread; may call the functions of EcmSupply, and no other of the
/// connector.
class EcmgConnectorListener {
 public:
  virtual ~EcmgConnectorListener() = default;
  virtual void connecting(const service::TcpAddress&) {}
  /// The channel is open, and is spoken in `version`.
  virtual void connected(const service::TcpAddress&, std::uint8_t /*version*/, const ecmg::ChannelParameters&) {}
  /// The try failed, or the channel is gone; `why` is a sentence. The next try, of this address or another, comes after
  /// `next_try`.
  virtual void lost(const service::TcpAddress&, const std::string& /*why*/, std::chrono::milliseconds /*next_try*/) {}
  /// Something is wrong, and the connection goes on or `lost` follows. Of a flood, twenty a second; the next one says
  /// how many were left out.
  virtual void misbehaved(const Problem&) {}
};

/// Has ECMs made by an ECMG, over TCP: connects to the first address that is of use, sets up the channel and the
/// streams that are wanted, and does so again, there or elsewhere, when the channel is lost. With an address that works
/// it stays until that fails.
///
/// The functions of EcmSupply are for any thread, at any time; once it was closed or dropped, they do nothing. All
/// others, and the destructor before that, are for the loop's thread.
class EcmgConnector final : public EcmSupply {
 public:
  /// Any thread. Keeps `loop` and `random` until close or drop has ended, and `listener`, which may be nothing.
  /// ErrorKind::invalid_argument: no address, or one without host or port.
  [[nodiscard]] static Result<std::shared_ptr<EcmgConnector>> create(service::EventLoop& loop, Random& random,
                                                                     EcmgConnectorSettings settings,
                                                                     EcmgConnectorListener* listener);
  /// As `drop`.
  ~EcmgConnector() override;
  EcmgConnector(const EcmgConnector&) = delete;
  EcmgConnector& operator=(const EcmgConnector&) = delete;

  /// Connects, from now on. Once.
  void start();
  /// Graceful: closes the streams and the channel, and the connection when the ECMG has answered or close_limit has
  /// passed; then calls `done`, in `run`. Open streams are lost at once, and the listener is not called any more.
  void close(std::function<void()> done);
  /// Ends all at once. Open streams are lost, and the listener is not called any more.
  void drop();

  void open_stream(const EcmStreamWish& wish) override;
  void close_stream(std::uint16_t stream_id) override;
  void request(std::uint16_t stream_id, const EcmRequest& request) override;
  [[nodiscard]] bool has_events() const override;
  void take(std::vector<EcmEvent>& events) override;
  /// When this returns, the ring before is in no call any more: on_events(nullptr) before what it rings goes. Not from
  /// within a ring.
  void on_events(std::function<void()> ring) override;

 private:
  EcmgConnector(std::shared_ptr<EcmMailbox> mailbox, std::shared_ptr<EcmgLink> link);
  void look_at(std::uint16_t stream_id);

  std::shared_ptr<EcmMailbox> mailbox_;
  std::shared_ptr<EcmgLink> link_;
};

}  // namespace cas::simulcrypt
