// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to service/, not installed.

#include <memory>
#include <optional>

#include "base/byte_queue.hpp"
#include "service/http_exchange_state.hpp"
#include "service/http_request_parser.hpp"
#include "service/http_server_state.hpp"

namespace cas::service {

/// One connection of a server: takes requests one after the other, and sends their answers. While an answer is awaited
/// or on its way no other request is looked at, and what the client sends ahead is bounded.
class HttpSession final : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(HttpServer::State& server, TcpConnection& connection, std::optional<crypto::TlsSession> tls);
  ~HttpSession();
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  void start();
  void receive(ByteView bytes);
  void drained();
  void closed();
  /// The answer to the request that is under way; nothing when it is another one by now.
  void complete(const HttpExchange::State& exchange, HttpResponse response);
  /// Ends when nothing is under way any more.
  void finish();
  void abort();

 private:
  enum class Phase { handshake, open, closing };

  // TLS
  void receive_tls(ByteView bytes);
  [[nodiscard]] bool shake_hands();
  void flush_tls();
  void write(ByteView bytes);

  // Requests
  void process();
  [[nodiscard]] bool take_request();
  void dispatch();
  void call_handler(const std::shared_ptr<HttpExchange::State>& exchange);
  [[nodiscard]] bool is_busy() const;
  [[nodiscard]] bool is_idle() const;

  // Answers
  void send(HttpResponse response, bool last);
  void send_more();
  void finish_answer();
  void refuse(int status, std::string_view sentence);
  void say_goodbye();
  void tell(int status, std::size_t size);
  void end_exchange();

  // Limits
  void settle();
  void watch();
  [[nodiscard]] std::chrono::nanoseconds deadline() const;
  void on_deadline();

  HttpServer::State& server_;
  TcpConnection* connection_;  ///< Null when it is gone.
  Endpoint peer_;
  std::optional<crypto::TlsSession> tls_;
  std::shared_ptr<const crypto::TlsPeer> client_;
  Phase phase_;
  ByteQueue in_;
  HttpRequestParser parser_;
  bool processing_ = false;
  bool paused_ = false;
  bool finishing_ = false;

  std::shared_ptr<HttpExchange::State> exchange_;  ///< The request that is under way.
  bool waiting_ = false;                           ///< Its answer is not there yet.
  bool keep_alive_ = false;
  bool http_1_0_ = false;

  std::optional<HttpResponse> outgoing_;
  ByteView rest_;  ///< Of its body.
  std::size_t body_size_ = 0;
  bool last_ = false;
  ByteQueue scratch_;

  Timer timer_;
  std::chrono::nanoseconds armed_for_{0};
  std::chrono::nanoseconds since_{0};       ///< Of what is waited for.
  std::chrono::nanoseconds request_at_{0};  ///< The present request was complete.
};

}  // namespace cas::service
