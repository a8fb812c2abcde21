// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to simulcrypt/, not installed.

#include <algorithm>
#include <functional>
#include <utility>

#include "service/event_loop.hpp"
#include "service/tcp_connection.hpp"
#include "simulcrypt/problem.hpp"

namespace cas::simulcrypt {

/// Moves bytes and time between a TCP connection and the session of a server: EcmgSession or MuxSession. Back-pressure
/// goes through: while the peer does not read its answers, nothing is read from it.
template <typename Session>
class SessionHandler final : public service::TcpHandler {
 public:
  /// `server` makes the session; `after_input` is called when a piece of input has been dealt with; `gone` last.
  template <typename Server>
  SessionHandler(service::EventLoop& loop, Server& server, service::TcpConnection& connection,
                 std::function<void()> after_input, std::function<void(SessionHandler&, const Status&)> gone)
      : loop_(loop),
        connection_(connection),
        session_(server, loop.now()),
        after_input_(std::move(after_input)),
        gone_(std::move(gone)) {
    settle();
  }

  void on_receive(service::TcpConnection&, ByteView bytes) override {
    session_.receive(bytes, loop_.now());
    settle();
    if (after_input_) after_input_();
  }
  void on_drained(service::TcpConnection&) override { settle(); }
  void on_close(service::TcpConnection&, const Status& why) override {
    if (gone_) gone_(*this, why);
  }

  [[nodiscard]] Session& session() { return session_; }
  [[nodiscard]] service::TcpConnection& connection() { return connection_; }

  /// The session has been made to say something.
  void settle() {
    send();
    const bool all_sent = session_.output().empty();
    if (session_.is_closed()) {
      deadline_.cancel();
      if (all_sent) connection_.close();
      return;
    }
    if (all_sent && session_.wants_input()) {
      connection_.resume_receiving();
    } else {
      connection_.pause_receiving();
    }
    watch();
  }

 private:
  // What has no room stays with the session until on_drained.
  void send() {
    const ByteView out = session_.output();
    const ByteView now = out.first(std::min(out.size(), connection_.room()));
    if (now.empty()) return;
    // After close() nothing can be sent, and nobody waits for it.
    static_cast<void>(connection_.send(now));
    session_.sent(now.size());
  }

  // Deadlines mostly move away: the timer is set anew when it comes too early, and a busy session does not touch it.
  void watch() {
    const auto next = session_.next_deadline();
    if (!next || (deadline_.active() && armed_for_ <= *next)) return;
    armed_for_ = *next;
    deadline_ = loop_.after(*next - loop_.now(), [this] {
      session_.tick(loop_.now());
      settle();
    });
  }

  service::EventLoop& loop_;
  service::TcpConnection& connection_;
  Session session_;
  std::function<void()> after_input_;
  std::function<void(SessionHandler&, const Status&)> gone_;
  service::Timer deadline_;
  Instant armed_for_{};
};

}  // namespace cas::simulcrypt
