// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "service/tcp_server.hpp"
#include "simulcrypt/ecmg_listener.hpp"
#include "simulcrypt/message_framing.hpp"
#include "unit/simulcrypt/fake_generator.hpp"
#include "unit/simulcrypt/wire.hpp"

namespace cas::simulcrypt::test {

/// A real ECMG on 127.0.0.1, in the test's loop, that can be killed and started again at its port.
class EcmgOnSocket final : public EcmgServerListener {
 public:
  EcmgOnSocket(service::EventLoop& loop, std::function<void()> happened) : loop_(loop), happened_(std::move(happened)) {
    start();
  }
  void start() {
    EcmgListening listening;
    listening.port = port_;
    auto made = EcmgListener::listen(loop_, listening, generator, this);
    if (!made) throw std::runtime_error(made.error().message);
    listener = std::move(*made);
    port_ = listener->port();
  }
  /// Connections see a reset or an end; nothing listens at the port any more.
  void kill() {
    if (listener) listener->abort_all();
    listener.reset();
  }
  [[nodiscard]] service::TcpAddress address() const { return {"127.0.0.1", port_}; }

  void channel_opened(std::uint64_t, std::uint32_t, std::uint16_t) override { happened_(); }
  void channel_closed(std::uint64_t, std::uint16_t) override {
    ++channels_closed;
    happened_();
  }
  void peer_misbehaved(std::uint64_t, const Problem& problem, bool) override {
    problems.push_back(problem.message);
    happened_();
  }

  FakeGenerator generator;
  std::unique_ptr<EcmgListener> listener;
  std::vector<std::string> problems;
  int channels_closed = 0;

 private:
  service::EventLoop& loop_;
  std::function<void()> happened_;
  std::uint16_t port_ = 0;
};

/// An ECMG that says whatever the test wants: each whole message goes to `answer`, which gives the bytes to send back.
/// An empty `answer` keeps silent.
class ScriptedEcmg {
 public:
  using Answer = std::function<Bytes(const MessageHeader& header, ByteView body, service::TcpConnection& connection)>;

  ScriptedEcmg(service::EventLoop& loop, Answer answer) : answer_(std::move(answer)) {
    auto made = service::TcpServer::listen(loop, {}, [this](service::TcpConnection&) {
      ++connections;
      return std::make_unique<Handler>(*this);
    });
    if (!made) throw std::runtime_error(made.error().message);
    server_ = std::move(*made);
  }
  [[nodiscard]] service::TcpAddress address() const { return {"127.0.0.1", server_->port()}; }
  int connections = 0;
  std::vector<std::uint16_t> received;  ///< Types of messages.
  std::function<Bytes()> more;          ///< What is sent each time that much has been taken.

 private:
  class Handler final : public service::TcpHandler {
   public:
    explicit Handler(ScriptedEcmg& owner) : owner_(owner) {}
    void on_receive(service::TcpConnection& connection, ByteView bytes) override {
      framing_.append(bytes);
      for (auto next = framing_.next(); next.found == MessageFraming::Found::message; next = framing_.next()) {
        owner_.received.push_back(next.header.type);
        if (!owner_.answer_) continue;
        const Bytes said = owner_.answer_(next.header, next.body, connection);
        if (!said.empty()) static_cast<void>(connection.send(said));
      }
    }
    void on_drained(service::TcpConnection& connection) override {
      if (owner_.more) static_cast<void>(connection.send(owner_.more()));
    }
    void on_close(service::TcpConnection&, const Status&) override {}

   private:
    ScriptedEcmg& owner_;
    MessageFraming framing_;
  };

  Answer answer_;
  std::unique_ptr<service::TcpServer> server_;
};

/// What an ECMG that keeps to the protocol answers to set-ups, in `version`.
inline Bytes polite_answer(const MessageHeader& header, ByteView body, std::uint8_t version = 3) {
  const auto message = MessageView::of(header, body);
  if (!message) return {};
  ecmg::ChannelParameters parameters;
  parameters.max_streams = 10;
  if (header.type == ecmg::channel_setup || header.type == ecmg::channel_test)
    return wire(ecmg::ChannelStatus{1, parameters}, version);
  if (header.type == ecmg::stream_setup) {
    const auto setup = ecmg::StreamSetup::from(*message);
    return wire(ecmg::StreamStatus{1, setup.stream_id, setup.ecm_id, false}, version);
  }
  if (header.type == ecmg::stream_close_request)
    return wire(ecmg::StreamMessage{1, message->u16(ecmg::ecm_stream_id).value_or(0)}, version,
                ecmg::stream_close_response);
  return {};
}

}  // namespace cas::simulcrypt::test
