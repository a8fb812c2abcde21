// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <span>

#include "simulcrypt/ecmg_messages.hpp"
#include "simulcrypt/grammar.hpp"
#include "simulcrypt/message_framing.hpp"
#include "simulcrypt/problem.hpp"

namespace cas::simulcrypt {

struct EcmgClientSettings {
  std::uint16_t channel_id = 1;
  std::uint32_t super_cas_id = 0;
  /// The version of the protocol that is tried first: 3 or 2.
  std::uint8_t version = 3;
  /// OMA BCAST: section_TSpkt_flag 2 is demanded, and refused otherwise (14.1.1.3.1).
  bool binary_messages = false;
  /// The longest body of a message that is taken, in bytes.
  std::size_t longest_message = max_message_body;
  /// For channel_status and stream_status to come.
  std::chrono::milliseconds set_up_time_out{5000};
  /// An ECM is late when max_comp_time and this have passed.
  std::chrono::milliseconds answer_slack{500};
  /// The channel is tested when nothing came for so long, and given up when the test is not answered in time.
  std::chrono::milliseconds test_interval{10000};
  std::chrono::milliseconds test_time_out{5000};
  /// Messages one after another that are not valid, and ECMs of a stream one after another that are late, which end the
  /// channel.
  unsigned max_faults = 3;
  unsigned max_late_ecms = 3;
};

/// What happens on a channel. Called from within the client's own functions; may call the client's open_stream,
/// provision, close_stream and close_channel, and must not destroy it.
class EcmgClientListener {
 public:
  virtual ~EcmgClientListener() = default;
  /// The ECMG has said what it asks for; streams may be opened.
  virtual void channel_opened(const ecmg::ChannelParameters& parameters) = 0;
  /// Words may be provisioned.
  virtual void stream_opened(std::uint16_t stream_id) = 0;
  /// `why` is nothing when close_stream was called. A provision in flight has failed before.
  virtual void stream_closed(std::uint16_t stream_id, const Problem* why) = 0;
  /// The ECM, or short term key message, of a crypto-period: of the form that section_TSpkt_flag says, possibly empty.
  /// `ecm` is good for the call.
  virtual void ecm_received(std::uint16_t stream_id, std::uint16_t cp_number, ByteView ecm) = 0;
  /// There will be no ECM for this; the stream takes the next provision.
  virtual void provision_failed(std::uint16_t stream_id, std::uint16_t cp_number, const Problem& why) = 0;
  /// The peer did what it must not do, and the channel goes on.
  virtual void peer_misbehaved(const Problem& problem) = 0;
  /// The channel and its streams are gone, with no further event. When output() is empty, the connection is to be
  /// closed.
  virtual void channel_closed(const Problem& why) = 0;
};

/// The words for one crypto-period.
struct CwProvisionRequest {
  std::uint16_t cp_number = 0;
  /// Of the crypto-periods that words_for() says, in this order.
  std::span<const ecmg::ControlWord> words;
  std::optional<std::uint16_t> cp_duration;  ///< 100 ms; when it is not the nominal one.
  /// Those in force for this crypto-period. They go out when the ECMG wants them: the first time, when they changed, or
  /// always. Empty ones, where there were never others, do not: the ECMG may have some of its own.
  ByteView access_criteria;
  std::optional<ByteView> cw_encryption;  ///< Version 3 only.
};

/// The synchroniser's side of one channel to an ECMG over one TCP connection (TS 103 197, clause 5). Bytes and the time
/// in, bytes and events out. A new connection takes a new client.
class EcmgClient {
 public:
  /// `listener` lives as long as the client.
  EcmgClient(const EcmgClientSettings& settings, EcmgClientListener& listener);

  /// The connection is there: sets up the channel.
  void start(Instant now);
  void receive(ByteView bytes, Instant now);
  /// Call it at next_deadline() or whenever it suits.
  void tick(Instant now);
  /// When tick() has something to do next; nothing: never.
  [[nodiscard]] std::optional<Instant> next_deadline() const;
  /// The connection has ended.
  void connection_lost();

  /// Bytes to be sent; take off what was sent by sent().
  [[nodiscard]] ByteView output() const { return out_.view(); }
  void sent(std::size_t count) { out_.consume(count); }

  /// ErrorKind::refused: the channel is not open, the stream is, or the ECMG takes no more; invalid_argument: the
  /// duration is shorter than it allows. `nominal_cp_duration` in 100 ms.
  [[nodiscard]] Status open_stream(std::uint16_t stream_id, std::uint16_t ecm_id, std::uint16_t nominal_cp_duration,
                                   Instant now);
  /// Asks for the ECM of a crypto-period. After provision_failed, the same crypto-period may be asked for again with
  /// the same words, for an answer may still be on its way. ErrorKind::refused: the stream is not open, or its last
  /// answer is outstanding (5.5: one at a time); invalid_argument: the words are not those that the ECMG wants;
  /// exhausted: too long.
  [[nodiscard]] Status provision(std::uint16_t stream_id, const CwProvisionRequest& request, Instant now);
  /// ErrorKind::refused: it is not open.
  [[nodiscard]] Status close_stream(std::uint16_t stream_id, Instant now);
  /// Says so to the ECMG. No event follows.
  void close_channel();

  [[nodiscard]] bool is_open() const { return state_ == State::open; }
  [[nodiscard]] bool is_closed() const { return state_ == State::closed; }
  /// The version that is spoken; when the connection was lost during set-up, the one to try next.
  [[nodiscard]] std::uint8_t version() const { return version_; }
  /// Good once the channel was opened.
  [[nodiscard]] const ecmg::ChannelParameters& parameters() const { return parameters_; }
  /// The first crypto-period whose word the provision for `cp_number` carries; parameters().cw_per_msg follow one
  /// another.
  [[nodiscard]] std::uint16_t words_for(std::uint16_t cp_number) const {
    return ecmg::first_word_of(cp_number, parameters_);
  }
  /// Whether provision() would be taken now.
  [[nodiscard]] bool takes_provision(std::uint16_t stream_id) const;

 private:
  enum class State { idle, setting_up, open, closed };
  struct InFlight {
    std::uint16_t cp_number = 0;
    Instant deadline{};
  };
  struct Stream {
    enum class State { setting_up, open, closing } state = State::setting_up;
    std::uint16_t ecm_id = 0;
    Instant deadline{};  // of set-up and closing
    bool access_criteria_each_time = false;
    std::optional<InFlight> in_flight;
    std::optional<Bytes> access_criteria;  // that the ECMG has
    bool access_criteria_given = false;    // at any time
    unsigned late_ecms = 0;
  };
  using Streams = std::map<std::uint16_t, Stream>;

  void send_channel_setup(Instant now);
  void take(const MessageFraming::Next& next, Instant now);
  void dispatch(const MessageView& message, Instant now);
  [[nodiscard]] bool is_for_this_channel(const MessageView& message);
  void take_channel_status(const MessageView& message);
  void take_channel_error(const ecmg::ErrorMessage& error, Instant now);
  void take_stream_message(const MessageView& message);
  void take_stream_status(Streams::iterator stream, const MessageView& message);
  void take_stream_error(Streams::iterator stream, const ecmg::ErrorMessage& error);
  void take_ecm(Streams::iterator stream, const ecmg::EcmResponse& response);
  void stream_timed_out(Streams::iterator stream);
  [[nodiscard]] Status check_words(const CwProvisionRequest& request) const;
  void fault(const Fault& fault, const MessageRule* rule);
  void unexpected(const MessageView& message, const char* why);
  void report(Misbehaviour what, std::uint16_t error_status, std::string message);
  void fail_provision(std::uint16_t stream_id, Stream& stream, const Problem& why);
  void drop_stream(Streams::iterator stream, const Problem* why);
  void close(Problem why);

  EcmgClientSettings settings_;
  EcmgClientListener& listener_;
  State state_ = State::idle;
  std::uint8_t version_;
  ecmg::ChannelParameters parameters_;
  MessageFraming framing_;
  ByteQueue out_;
  Streams streams_;
  Instant set_up_deadline_{};
  Instant last_heard_{};
  std::optional<Instant> test_deadline_;
  unsigned faults_ = 0;
};

}  // namespace cas::simulcrypt
