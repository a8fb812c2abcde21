// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "simulcrypt/mux_server.hpp"

namespace cas::simulcrypt {

/// A stream of EMMs or private data, by which an element chooses its PID.
struct DataStreamIdentity {
  std::uint64_t handle = 0;  ///< Of this opening; never comes again.
  std::uint32_t client_id = 0;
  std::optional<std::uint16_t> channel_id;  ///< Nothing over UDP alone, as stream_id.
  std::optional<std::uint16_t> stream_id;
  std::uint16_t data_id = 0;
  std::uint8_t data_type = emmg::emm;
  std::uint8_t section_tspkt_flag = emmg::sections;  ///< The form of its datagrams.
};

struct DataDatagram {
  std::shared_ptr<const DataStreamIdentity> stream;  ///< Good for longer than the stream.
  Bytes bytes;                                       ///< Of the stream's form; not empty.
};

struct DataQueueSettings {
  std::vector<std::uint32_t> client_ids;  ///< That are served; empty: all.
  bool emms = true;                       ///< Streams of data_type 0 are taken,
  bool private_data = true;               ///< and of data_type 1. ECMs (2) come another way.
  bool udp = true;                        ///< Streams that nobody has set up are taken, over UDP.
  std::uint8_t udp_section_tspkt_flag = emmg::sections;
  /// kbit/s for all streams together; nothing: no limit.
  std::optional<std::uint32_t> total_bandwidth;
  /// kbit/s of a stream that has not asked for any, as all over UDP, as far as they are free.
  std::uint16_t unasked_bandwidth = 100;
  /// Bytes that wait at most; each datagram counts queue_overhead more.
  std::size_t capacity = 1024 * 1024;
};

/// What generators send to a multiplexer, between the network's thread, which puts it in, and the packets' thread, which
/// takes it out. Grants each stream what it asks for, as long as the total bandwidth has it.
///
/// DataSink's functions are for the network's thread, all others for any.
class DataQueue final : public DataSink {
 public:
  static constexpr std::size_t queue_overhead = 64;
  struct Counts {
    std::uint64_t datagrams = 0;          ///< That came in and were kept.
    std::uint64_t bytes = 0;              ///< Of them.
    std::uint64_t lost_datagrams = 0;     ///< For which there was no room.
    std::uint64_t lost_bytes = 0;         ///< Of them.
    std::size_t waiting_bytes = 0;        ///< Now, with queue_overhead.
    std::uint32_t granted_bandwidth = 0;  ///< kbit/s, now.
  };

  explicit DataQueue(DataQueueSettings settings) : settings_(std::move(settings)) {}

  /// Whether `take` would give something: cheap enough to be asked for each packet.
  [[nodiscard]] bool has_data() const { return has_data_.load(std::memory_order_acquire); }
  /// Moves datagrams to the end of `datagrams`, oldest first: all, or until they have `most` bytes or more together.
  void take(std::vector<DataDatagram>& datagrams, std::size_t most = std::numeric_limits<std::size_t>::max());
  [[nodiscard]] Counts counts() const;

  /// Shares another total out, to the oldest streams first. What each has then has to be told to server and sessions:
  /// MuxServer::reallocate, MuxSession::reallocate.
  void set_total_bandwidth(std::optional<std::uint32_t> kbit_per_second);

  [[nodiscard]] tl::expected<void, emmg::Error> open_channel(const emmg::ChannelId& channel,
                                                             std::uint8_t section_tspkt_flag) override;
  [[nodiscard]] tl::expected<DataStreamGrant, emmg::Error> open_stream(const DataStreamOrder& order) override;
  void close_stream(std::uint64_t handle) override;
  [[nodiscard]] std::uint16_t allocate_bandwidth(std::uint64_t handle, std::uint16_t wanted) override;
  void take_datagram(std::uint64_t handle, ByteView datagram) override;
  /// As DataStreamGrant has it.
  [[nodiscard]] std::optional<std::uint16_t> bandwidth(std::uint64_t handle) const;
  /// Nothing: there is no such stream, or not any more.
  [[nodiscard]] std::shared_ptr<const DataStreamIdentity> stream(std::uint64_t handle) const;

 private:
  struct Stream {
    std::shared_ptr<const DataStreamIdentity> identity;
    std::uint16_t wanted = 0;
    std::uint16_t granted = 0;
    bool asked = false;
  };

  [[nodiscard]] bool serves(std::uint32_t client_id) const;
  [[nodiscard]] std::optional<std::uint16_t> limit_of(const Stream& stream) const;
  [[nodiscard]] std::uint16_t grant(std::uint16_t wanted, std::uint32_t taken) const;

  const DataQueueSettings settings_;
  mutable std::mutex mutex_;
  std::map<std::uint64_t, Stream> streams_;
  std::optional<std::uint32_t> total_ = settings_.total_bandwidth;
  std::uint32_t granted_ = 0;
  std::uint64_t next_handle_ = 1;
  std::vector<DataDatagram> waiting_;
  std::size_t first_ = 0;  // of waiting_ that has not been taken
  Counts counts_;
  std::atomic<bool> has_data_ = false;
};

}  // namespace cas::simulcrypt
