// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/event_loop.hpp"
#include "service/tcp_server.hpp"
#include "simulcrypt/data_queue.hpp"
#include "simulcrypt/mux_server.hpp"

namespace cas::simulcrypt {

struct MuxListening {
  std::string address = "127.0.0.1";  ///< As TcpListening has it; for UDP too.
  std::uint16_t port = 0;             ///< 0: a free one.
  bool udp = false;                   ///< data_provision is taken over UDP, too.
  std::uint16_t udp_port = 0;         ///< 0: the same as for TCP.
  std::vector<std::string> groups;    ///< Multicast groups that the UDP socket joins.
  std::size_t max_connections = 64;
  MuxServerSettings settings;
};

/// What an operator wants to know. Called on the loop's thread; must not destroy the MuxListener.
class MuxListenerObserver {
 public:
  virtual ~MuxListenerObserver() = default;
  virtual void client_connected(const service::Endpoint&) {}
  /// `why`: as TcpHandler::on_close.
  virtual void client_disconnected(const service::Endpoint&, const Status& /*why*/) {}
  virtual void channel_opened(const emmg::ChannelId&) {}
  virtual void channel_closed(const emmg::ChannelId&) {}
  /// `bandwidth`: kbit/s; nothing: as fast as it likes.
  virtual void stream_opened(const DataStreamIdentity&, std::optional<std::uint16_t> /*bandwidth*/) {}
  /// The generator asked for `wanted` kbit/s and got `granted`.
  virtual void bandwidth_allocated(const DataStreamIdentity&, std::uint16_t /*wanted*/, std::uint16_t /*granted*/) {}
  virtual void stream_closed(const DataStreamIdentity&) {}
  /// `ends`: the connection is closed for it. Over UDP, the channel is {0, 0}. Of a flood, twenty a second; the next
  /// one says how many were left out.
  virtual void misbehaved(const emmg::ChannelId&, const Problem&, bool /*ends*/) {}
  /// The queue was full: so many datagrams, of so many bytes, were lost since the last call; at most one call a second.
  virtual void data_lost(std::uint64_t /*datagrams*/, std::uint64_t /*bytes*/) {}
};

/// The MUX's side of EMMG/PDG <-> MUX on TCP and UDP: what generators send goes into a DataQueue. On the loop's thread
/// only; goes before its loop.
class MuxListener {
 public:
  struct UdpCounts {
    std::uint64_t taken = 0, malformed = 0, refused = 0, exceeded_bandwidth = 0;
  };

  /// Keeps `loop`, `queue`, and `observer`, which may be nothing. ErrorKind as TcpServer::listen and UdpSocket::bind.
  [[nodiscard]] static Result<std::unique_ptr<MuxListener>> listen(service::EventLoop& loop,
                                                                   const MuxListening& listening,
                                                                   std::shared_ptr<DataQueue> queue,
                                                                   MuxListenerObserver* observer = nullptr);
  ~MuxListener();
  MuxListener(const MuxListener&) = delete;
  MuxListener& operator=(const MuxListener&) = delete;

  [[nodiscard]] const service::Endpoint& local() const;
  [[nodiscard]] std::uint16_t port() const { return local().port(); }
  /// 0: there is no UDP.
  [[nodiscard]] std::uint16_t udp_port() const;
  [[nodiscard]] const UdpCounts& udp_counts() const;
  [[nodiscard]] std::size_t connection_count() const;

  /// DataQueue::set_total_bandwidth, and tells the generators what they have now.
  void set_total_bandwidth(std::optional<std::uint32_t> kbit_per_second);
  /// Graceful: no new connections; those there are are closed when what waits for them is sent. Then calls `done`.
  void stop(std::function<void()> done);

 private:
  struct State;
  explicit MuxListener(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cas::simulcrypt
