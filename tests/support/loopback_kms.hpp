// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.hpp"
#include "service/event_loop.hpp"
#include "service/http_server.hpp"

namespace cas::test {

/// A key server of this process with derived keys, on a free port of 127.0.0.1, that can be told to misbehave. It has a
/// thread. For tests alone.
class LoopbackKms {
 public:
  enum class Behaviour {
    well,
    hung,  ///< Takes requests, and never answers.
    slow,  ///< Answers after `delay`.
    error_500,
    refuses,       ///< 403.
    garbage,       ///< 200, and what is no XML.
    truncated,     ///< 200, and half of the answer.
    wrong_key_id,  ///< Rules that name a key which is not there.
    one_key_id,    ///< The same key for all periods.
    other_content,
    huge,  ///< More than a client takes.
  };
  struct Options {
    std::uint8_t seed = 1;
    std::uint16_t port = 0;
    std::optional<service::HttpTls> tls;
    /// Asked first of each request; an answer given here is sent.
    std::function<std::optional<service::HttpResponse>(const service::HttpRequest&)> gate;
  };
  explicit LoopbackKms(Options options);
  LoopbackKms() : LoopbackKms(Options{}) {}
  /// Its connections break, as those of a program that is killed.
  ~LoopbackKms() { stop(); }
  LoopbackKms(const LoopbackKms&) = delete;
  LoopbackKms& operator=(const LoopbackKms&) = delete;

  [[nodiscard]] std::string url() const;
  [[nodiscard]] std::uint16_t port() const { return port_; }
  void set(Behaviour behaviour) { behaviour_ = behaviour; }
  void set_delay(std::chrono::milliseconds delay) { delay_ms_ = delay.count(); }
  [[nodiscard]] std::uint64_t requests() const { return requests_; }
  [[nodiscard]] std::uint64_t pushes() const { return pushes_; }
  void stop();
  /// At the same port again.
  void start();

 private:
  struct Keys;
  void serve(const std::shared_ptr<service::HttpExchange>& exchange);
  void take_push(const std::shared_ptr<service::HttpExchange>& exchange);
  [[nodiscard]] service::HttpResponse answer_to(const service::HttpRequest& request) const;

  Options options_;
  std::shared_ptr<Keys> keys_;
  std::atomic<Behaviour> behaviour_{Behaviour::well};
  std::atomic<std::int64_t> delay_ms_{100};
  std::atomic<std::uint64_t> requests_{0}, pushes_{0};
  std::uint16_t port_ = 0;
  std::unique_ptr<service::EventLoop> loop_;
  std::thread thread_;
};

}  // namespace cas::test
