// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <span>

#include "simulcrypt/emmg_messages.hpp"
#include "simulcrypt/grammar.hpp"
#include "simulcrypt/message_framing.hpp"
#include "simulcrypt/problem.hpp"

namespace cas::simulcrypt {

struct EmmgClientSettings {
  emmg::ChannelId channel;
  /// What the datagrams will hold.
  std::uint8_t section_tspkt_flag = emmg::sections;
  /// The version of the protocol that is tried first: 1 to 5.
  std::uint8_t version = 3;
  std::size_t longest_message = 4096;  ///< In bytes; of a body that comes from the MUX.
  /// For an answer to each request.
  std::chrono::milliseconds answer_time_out{5000};
  /// The channel is tested when nothing came for so long, and given up when the test is not answered in time.
  std::chrono::milliseconds test_interval{10000};
  std::chrono::milliseconds test_time_out{5000};
  /// While more than this waits to be sent, in bytes, provide() takes no more.
  std::size_t output_limit = 1024 * 1024;
  /// Messages one after another that are not valid, which end the channel.
  unsigned max_faults = 3;
};

/// What happens on a channel. Called from within the client's own functions; may call these, and must not destroy the
/// client.
class EmmgClientListener {
 public:
  virtual ~EmmgClientListener() = default;
  virtual void channel_opened() = 0;
  virtual void stream_opened(std::uint16_t stream_id) = 0;
  /// `why` is nothing when close_stream was called.
  virtual void stream_closed(std::uint16_t stream_id, const Problem* why) = 0;
  /// In kbit/s; nothing: the MUX did not say.
  virtual void bandwidth_allocated(std::uint16_t stream_id, std::optional<std::uint16_t> kbit_per_second) = 0;
  /// The MUX reported an error of the stream, which goes on: what was sent last may be lost. error_status 0x000F: too
  /// fast.
  virtual void stream_error(std::uint16_t stream_id, const Problem& problem) = 0;
  /// The peer did what it must not do, and the channel goes on.
  virtual void peer_misbehaved(const Problem& problem) = 0;
  /// The channel and its streams are gone, with no further event. When output() is empty, the connection is to be
  /// closed.
  virtual void channel_closed(const Problem& why) = 0;
};

/// The generator's side of one channel to a MUX over one TCP connection (TS 103 197, clause 6). Bytes and the time in,
/// bytes and events out. A new connection takes a new client. Over UDP there is no session: emmg::DataProvision::write
/// is all.
class EmmgClient {
 public:
  /// `listener` lives as long as the client.
  EmmgClient(const EmmgClientSettings& settings, EmmgClientListener& listener);

  /// The connection is there: sets up the channel.
  void start(Instant now);
  void receive(ByteView bytes, Instant now);
  /// Call it at next_deadline() or whenever it suits.
  void tick(Instant now);
  [[nodiscard]] std::optional<Instant> next_deadline() const;
  /// The connection has ended.
  void connection_lost();

  /// Bytes to be sent; take off what was sent by sent().
  [[nodiscard]] ByteView output() const { return out_.view(); }
  void sent(std::size_t count) { out_.consume(count); }

  /// ErrorKind::refused: the channel is not open, or the stream is.
  [[nodiscard]] Status open_stream(std::uint16_t stream_id, std::uint16_t data_id, std::uint8_t data_type, Instant now);
  /// Asks for so many kbit/s; without a number, what is allocated. ErrorKind::refused: the stream is not open, or its
  /// last request is not answered.
  [[nodiscard]] Status request_bandwidth(std::uint16_t stream_id, std::optional<std::uint16_t> kbit_per_second,
                                         Instant now);
  /// Sends datagrams of the form that section_tspkt_flag says in one message; there is no answer but errors.
  /// ErrorKind::refused: the stream is not open; invalid_argument: none, or not of the form; exhausted: too long for
  /// one message, or too much waits to be sent.
  [[nodiscard]] Status provide(std::uint16_t stream_id, std::span<const ByteView> datagrams);
  [[nodiscard]] Status close_stream(std::uint16_t stream_id, Instant now);
  /// Says so to the MUX. No event follows.
  void close_channel();

  [[nodiscard]] bool is_open() const { return state_ == State::open; }
  [[nodiscard]] bool is_closed() const { return state_ == State::closed; }
  /// The version that is spoken; when the connection was lost during set-up, the one to try next.
  [[nodiscard]] std::uint8_t version() const { return version_; }

 private:
  enum class State { idle, setting_up, open, closed };
  struct Stream {
    enum class State { setting_up, open, closing } state = State::setting_up;
    std::uint16_t data_id = 0;
    std::uint8_t data_type = 0;
    Instant deadline{};  // of set-up and closing
    std::optional<Instant> bandwidth_deadline;
  };
  using Streams = std::map<std::uint16_t, Stream>;

  void send_channel_setup(Instant now);
  void take(const MessageFraming::Next& next, Instant now);
  void dispatch(const MessageView& message, Instant now);
  void take_channel_status(const MessageView& message);
  void take_channel_error(const emmg::ErrorMessage& error, Instant now);
  void take_stream_message(const MessageView& message);
  void take_stream_error(Streams::iterator stream, const emmg::ErrorMessage& error);
  void fault(const Fault& fault, const MessageRule* rule);
  void unexpected(const MessageView& message, const char* why);
  void drop_stream(Streams::iterator stream, const Problem* why);
  void close(Problem why);

  EmmgClientSettings settings_;
  EmmgClientListener& listener_;
  State state_ = State::idle;
  std::uint8_t version_;
  MessageFraming framing_;
  ByteQueue out_;
  Streams streams_;
  Instant set_up_deadline_{};
  Instant last_heard_{};
  std::optional<Instant> test_deadline_;
  unsigned faults_ = 0;
};

}  // namespace cas::simulcrypt
