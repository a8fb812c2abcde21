// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/byte_queue.hpp"
#include "simulcrypt/grammar.hpp"
#include "simulcrypt/message_framing.hpp"
#include "simulcrypt/problem.hpp"

namespace cas::simulcrypt {

/// What the servers' ends of both interfaces, EcmgSession and MuxSession, do alike: one channel on one TCP connection,
/// with its version, its faults, and its test when it falls silent (TS 103 197, 4.4.1). Bytes and the time in, bytes
/// out.
class ServerSession {
 public:
  ServerSession(const ServerSession&) = delete;
  ServerSession& operator=(const ServerSession&) = delete;

  void receive(ByteView bytes, Instant now);
  /// Call it at next_deadline() or whenever it suits.
  void tick(Instant now);
  [[nodiscard]] std::optional<Instant> next_deadline() const;

  /// Bytes to be sent; take off what was sent by sent().
  [[nodiscard]] ByteView output() const { return out_.view(); }
  void sent(std::size_t count) { out_.consume(count); }
  /// Whether to read from the connection: not while the peer does not read what it was answered.
  [[nodiscard]] bool wants_input() const { return !closed_ && out_.size() < limits_.output; }
  /// When output() is empty too, the connection is to be closed.
  [[nodiscard]] bool is_closed() const { return closed_; }

 protected:
  struct Limits {
    std::size_t message = max_message_body;  // longest body, in bytes
    std::size_t output = 0;
    unsigned faults = 3;
    std::chrono::milliseconds set_up_time_out{}, test_interval{}, test_time_out{};
  };
  /// `peer`: as sentences name it, "synchroniser".
  ServerSession(const Grammar& grammar, const char* peer, const Limits& limits, Instant now);
  virtual ~ServerSession() = default;

  /// A message that is one, of the channel's version.
  virtual void dispatch(const MessageView& message, Instant now) = 0;
  /// Answers with a channel_error, and reports.
  virtual void refuse_message(const Fault& fault) = 0;
  virtual void send_channel_test() = 0;
  /// Closes the streams and the channel; nothing when it is not open.
  virtual void close_channel() = 0;
  virtual void report(Misbehaviour what, std::uint16_t error_status, std::string message) = 0;
  /// What the interface waits for besides.
  [[nodiscard]] virtual std::optional<Instant> next_answer() const { return std::nullopt; }
  virtual void tick_answers(Instant) {}

  /// The peer closed the channel.
  void end() {
    close_channel();
    closed_ = true;
  }
  void test_answered() { test_deadline_.reset(); }

  ByteQueue out_;
  bool open_ = false;  // the channel
  std::uint8_t version_;

 private:
  void take(const MessageFraming::Next& next, Instant now);
  void take_fault(const Fault& fault, const MessageRule* rule);

  const Grammar& grammar_;
  const char* peer_;
  Limits limits_;
  MessageFraming framing_;
  bool closed_ = false;
  Instant last_heard_;
  std::optional<Instant> test_deadline_;
  unsigned faults_ = 0;
};

}  // namespace cas::simulcrypt
