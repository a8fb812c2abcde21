// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <tl/expected.hpp>
#include <tuple>

#include "simulcrypt/emmg_messages.hpp"
#include "simulcrypt/grammar.hpp"
#include "simulcrypt/leaky_bucket.hpp"
#include "simulcrypt/problem.hpp"
#include "simulcrypt/server_session.hpp"

namespace cas::simulcrypt {

/// A stream that a generator wants to open; over UDP there is no channel and no stream.
struct DataStreamOrder {
  std::uint32_t client_id = 0;
  std::optional<std::uint16_t> channel_id;
  std::optional<std::uint16_t> stream_id;
  std::uint16_t data_id = 0;
  std::uint8_t data_type = emmg::emm;
  /// What the channel's datagrams hold; over UDP the grant says it.
  std::uint8_t section_tspkt_flag = emmg::sections;
};

/// What a stream gets from now on, in kbit/s; nothing: as fast as it likes.
using BandwidthOf = std::function<std::optional<std::uint16_t>(std::uint64_t handle)>;

struct DataStreamGrant {
  /// Whatever the multiplexer knows the stream by; comes back with each datagram.
  std::uint64_t handle = 0;
  /// kbit/s until the generator asks for another; nothing: as fast as it likes. 0: nothing before it has asked.
  std::optional<std::uint16_t> bandwidth;
  /// Of streams that come over UDP alone: what their datagrams hold.
  std::uint8_t section_tspkt_flag = emmg::sections;
};

/// What takes the data into a multiplex. Called by the server and its sessions, in their thread; must not call back
/// into them.
class DataSink {
 public:
  virtual ~DataSink() = default;
  /// Whether a channel whose datagrams hold `section_tspkt_flag` may be opened; an error refuses it.
  [[nodiscard]] virtual tl::expected<void, emmg::Error> open_channel(const emmg::ChannelId& channel,
                                                                     std::uint8_t section_tspkt_flag) = 0;
  /// Called for a stream of a channel, and for the first datagram of a pair of client_id and data_id that comes over
  /// UDP and belongs to no stream.
  [[nodiscard]] virtual tl::expected<DataStreamGrant, emmg::Error> open_stream(const DataStreamOrder& order) = 0;
  virtual void close_stream(std::uint64_t handle) = 0;
  /// What of `wanted` kbit/s the stream gets from now on.
  [[nodiscard]] virtual std::uint16_t allocate_bandwidth(std::uint64_t handle, std::uint16_t wanted) = 0;
  /// One datagram of the announced form, not empty, within the bandwidth. `datagram` is good for the call.
  virtual void take_datagram(std::uint64_t handle, ByteView datagram) = 0;
};

/// What an operator wants to know. Called in the thread of the sessions; must not call back into them.
class MuxServerListener {
 public:
  virtual ~MuxServerListener() = default;
  virtual void channel_opened(const emmg::ChannelId& channel);
  virtual void channel_closed(const emmg::ChannelId& channel);
  /// `ends`: the connection is to be closed for it.
  virtual void peer_misbehaved(const emmg::ChannelId& channel, const Problem& problem, bool ends);
};

struct MuxServerSettings {
  std::size_t max_channels = 100;  ///< On all connections.
  std::size_t max_streams_on_channel = 100;
  std::size_t max_streams = 1000;  ///< On all channels, and over UDP.
  /// OMA BCAST (14.1.1.3.4): section_TSpkt_flag 2, data_type 0 and a client_id of the DRM Profile are demanded, and
  /// refused otherwise; datagrams over UDP are binary messages too.
  bool binary_messages = false;
  /// A stream may burst for so long of its bandwidth, and by least_burst bytes at any bandwidth above 0.
  std::chrono::milliseconds burst{1000};
  std::size_t least_burst = 8 * 1024;
  std::size_t longest_message = max_message_body;  ///< In bytes; of a body.
  std::size_t output_limit = 64 * 1024;            ///< As EcmgServerSettings has it.
  /// A stream that comes over UDP alone is closed when nothing came for so long.
  std::chrono::milliseconds udp_time_out{300000};
  std::chrono::milliseconds set_up_time_out{10000};
  std::chrono::milliseconds test_interval{30000};
  std::chrono::milliseconds test_time_out{10000};
  unsigned max_faults = 3;
};

/// What became of a UDP datagram.
enum class UdpOutcome {
  taken,
  malformed,  ///< It is not one data_provision, or what it carries has not the announced form.
  refused,    ///< Nobody knows its stream, or there are too many.
  exceeded_bandwidth,
};

class MuxSession;

/// What the generators of one multiplexer share. Used by one thread; lives longer than its sessions.
class MuxServer {
 public:
  /// `sink` and `listener` live as long as the server; without a listener nobody is told.
  MuxServer(const MuxServerSettings& settings, DataSink& sink, MuxServerListener* listener = nullptr);
  ~MuxServer();
  MuxServer(const MuxServer&) = delete;
  MuxServer& operator=(const MuxServer&) = delete;

  /// A data_provision that came over UDP, with or without channel and stream (TS 103 197, 6.3). It belongs to the
  /// stream of its client_id and data_id, and counts to its bandwidth; there is no answer.
  UdpOutcome receive_datagram(ByteView bytes, Instant now);
  /// Closes the streams over UDP that went silent; call it now and then.
  void tick(Instant now);
  /// The multiplexer has shared its bandwidth out anew: for the streams over UDP alone. Those of sessions:
  /// MuxSession::reallocate.
  void reallocate(const BandwidthOf& bandwidth, Instant now);

  [[nodiscard]] std::size_t channel_count() const { return channels_.size(); }
  [[nodiscard]] std::size_t stream_count() const { return stream_count_; }

 private:
  friend class MuxSession;
  struct Stream {
    DataStreamGrant grant;
    emmg::ChannelId channel;
    std::optional<std::uint16_t> stream_id;
    std::uint16_t data_id = 0;
    std::uint8_t data_type = 0;
    std::optional<LeakyBucket> bucket;
    Instant last_heard{};  // over UDP alone
  };
  /// client_id, data_id and data_type name a stream of data in the whole system.
  using DataKey = std::tuple<std::uint32_t, std::uint16_t, std::uint8_t>;

  [[nodiscard]] std::size_t depth_of(std::uint16_t kbit_per_second) const;
  [[nodiscard]] Stream make_stream(const DataStreamGrant& grant, Instant now) const;
  void set_bandwidth(Stream& stream, std::optional<std::uint16_t> kbit_per_second, Instant now) const;
  [[nodiscard]] Stream* find_udp_stream(const emmg::DataProvision& provision, Instant now);
  [[nodiscard]] bool are_well_formed(const MessageView& message, std::uint8_t section_tspkt_flag) const;
  void deliver(const Stream& stream, const MessageView& message);
  /// Gives the one behind it.
  std::map<DataKey, Stream>::iterator close_udp_stream(std::map<DataKey, Stream>::iterator stream);

  MuxServerSettings settings_;
  DataSink& sink_;
  MuxServerListener* listener_;
  std::set<emmg::ChannelId> channels_;
  std::map<DataKey, Stream*> by_data_;     // all streams
  std::map<DataKey, Stream> udp_streams_;  // those without a channel
  std::size_t stream_count_ = 0;
};

/// The MUX's side of one TCP connection, which carries one channel (TS 103 197, clause 6). Bytes and the time in, bytes
/// out, and datagrams into the sink. Destroying it closes its streams.
class MuxSession final : public ServerSession {
 public:
  MuxSession(MuxServer& server, Instant now);
  ~MuxSession() override;

  /// The multiplexer has shared its bandwidth out anew: those whose streams get another are told so by a
  /// stream_BW_allocation that nobody asked for (TS 103 197, clause 6).
  void reallocate(const BandwidthOf& bandwidth, Instant now);

 private:
  using Streams = std::map<std::uint16_t, MuxServer::Stream>;

  void dispatch(const MessageView& message, Instant now) override;
  void refuse_message(const Fault& fault) override { refuse(std::nullopt, fault); }
  void send_channel_test() override;
  void close_channel() override;
  void report(Misbehaviour what, std::uint16_t error_status, std::string message) override;
  void set_up_channel(const emmg::ChannelSetup& setup);
  void set_up_stream(const emmg::StreamSetup& setup, Instant now);
  void take_stream_message(const MessageView& message, Instant now);
  void take_bandwidth(Streams::iterator stream, const emmg::StreamBandwidth& request, Instant now);
  void tell_bandwidth(const Streams::value_type& stream);
  void take_data(const MessageView& message, Instant now);
  void close_stream(Streams::iterator stream);
  void refuse(std::optional<std::uint16_t> stream_id, const Fault& fault);
  void refuse(std::optional<std::uint16_t> stream_id, emmg::Error error);

  MuxServer& server_;
  emmg::ChannelId channel_;
  std::uint8_t section_tspkt_flag_ = 0;
  Streams streams_;
};

}  // namespace cas::simulcrypt
