// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "service/event_loop.hpp"
#include "simulcrypt/ecmg_listener.hpp"
#include "support/result_matchers.hpp"

namespace cas::test {

/// The plain CA system (PlainEcmg) behind a real ECMG on 127.0.0.1, on a thread of its own. It can be killed, and started
/// again at its port. For tests alone.
class PlainEcmgServer final : private simulcrypt::EcmGenerator {
 public:
  explicit PlainEcmgServer(std::uint32_t super_cas_id = 0x4a010001, const simulcrypt::EcmgServerSettings& settings = {})
      : super_cas_id_(super_cas_id),
        settings_(settings),
        loop_(value_or_throw(service::EventLoop::create(system_clock()))) {
    parameters.max_streams = 100;
    parameters.min_cp_duration = 1;
    listen();
    thread_ = std::jthread([this] { loop_->run(); });
  }
  ~PlainEcmgServer() override {
    loop_->stop();
    thread_.join();
  }
  PlainEcmgServer(const PlainEcmgServer&) = delete;
  PlainEcmgServer& operator=(const PlainEcmgServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::uint32_t super_cas_id() const { return super_cas_id_; }

  /// Connections are reset, and nobody listens at the port any more, when this returns.
  void kill() {
    call([this] {
      if (listener_) listener_->abort_all();
      listener_.reset();
    });
  }
  void start() {
    call([this] { listen(); });
  }

  /// This and `dress`: before anybody connects.
  simulcrypt::ecmg::ChannelParameters parameters;
  /// What is given out in the place of an ECM, which is given to it; in the network's thread.
  std::function<Bytes(std::uint16_t cp_number, Bytes ecm)> dress;
  /// Requests are left without an answer while it is set.
  std::atomic<bool> silent = false;
  /// So many of the next requests are refused.
  std::atomic<int> refusals = 0;

  [[nodiscard]] std::uint64_t orders() const { return orders_; }
  [[nodiscard]] std::size_t open_streams() const { return open_streams_; }
  /// Waits until so many ECMs were asked for; false: not within a minute.
  bool wait_for_orders(std::uint64_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::minutes(1), [&] { return orders_ >= count; });
  }
  /// The access criteria that came with the last request.
  Bytes criteria() {
    const std::lock_guard lock(mutex_);
    return criteria_;
  }
  /// All ECMs that were given out.
  std::vector<Bytes> ecms() {
    const std::lock_guard lock(mutex_);
    return ecms_;
  }
  /// All control words that have been told so far.
  std::vector<Bytes> words() {
    const std::lock_guard lock(mutex_);
    return words_;
  }

 private:
  void listen() {
    simulcrypt::EcmgListening listening;
    listening.port = port_;
    listening.settings = settings_;
    listener_ = value_or_throw(simulcrypt::EcmgListener::listen(*loop_, listening, *this));
    port_ = listener_->port();
  }
  void call(const std::function<void()>& what) {
    std::promise<void> done;
    loop_->post([&] {
      what();
      done.set_value();
    });
    done.get_future().wait();
  }

  tl::expected<simulcrypt::ecmg::ChannelParameters, simulcrypt::ecmg::Error> open_channel(
      std::uint32_t super_cas_id) override {
    if (super_cas_id != super_cas_id_) return tl::unexpected(simulcrypt::ecmg::Error::unknown_super_cas_id);
    return parameters;
  }
  tl::expected<simulcrypt::EcmStreamGrant, simulcrypt::ecmg::Error> open_stream(
      const simulcrypt::EcmStreamOrder& order) override {
    ++open_streams_;
    return simulcrypt::EcmStreamGrant{false, order.stream_id, true};
  }
  void close_stream(std::uint64_t) override { --open_streams_; }
  [[nodiscard]] std::size_t longest_ecm() const override { return 60'000; }
  simulcrypt::EcmAnswer make_ecm(const simulcrypt::EcmOrder& order, MutableByteView out) override {
    const std::lock_guard lock(mutex_);
    ++orders_;
    criteria_.assign(order.access_criteria.begin(), order.access_criteria.end());
    for (const auto& word : order.words) words_.emplace_back(word.word.begin(), word.word.end());
    changed_.notify_all();
    if (silent) return simulcrypt::EcmAnswer::later();
    if (refusals > 0) {
      --refusals;
      return simulcrypt::EcmAnswer::refused(simulcrypt::ecmg::Error::out_of_computation);
    }
    Bytes ecm{static_cast<std::uint8_t>(0x80 | (order.cp_number & 1)), 0x70, 0};
    const auto put16 = [&](std::uint16_t value) {
      ecm.push_back(static_cast<std::uint8_t>(value >> 8));
      ecm.push_back(static_cast<std::uint8_t>(value));
    };
    put16(order.cp_number);
    put16(order.words.front().cp_number);
    ecm.push_back(static_cast<std::uint8_t>(order.words.size()));
    ecm.push_back(static_cast<std::uint8_t>(order.words.front().word.size()));
    for (const auto& word : order.words) append(ecm, word.word);
    ecm[2] = static_cast<std::uint8_t>(ecm.size() - 3);
    if (dress) ecm = dress(order.cp_number, std::move(ecm));
    std::ranges::copy(ecm, out.begin());
    ecms_.push_back(ecm);
    return simulcrypt::EcmAnswer::ready(ecm.size());
  }

  const std::uint32_t super_cas_id_;
  const simulcrypt::EcmgServerSettings settings_;
  std::unique_ptr<service::EventLoop> loop_;
  std::uint16_t port_ = 0;
  std::unique_ptr<simulcrypt::EcmgListener> listener_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<std::uint64_t> orders_ = 0;
  std::atomic<std::size_t> open_streams_ = 0;
  Bytes criteria_;
  std::vector<Bytes> words_;
  std::vector<Bytes> ecms_;
  std::jthread thread_;
};

}  // namespace cas::test
