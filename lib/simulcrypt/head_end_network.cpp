// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/head_end_network.hpp"

#include <algorithm>
#include <future>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "service/event_loop.hpp"

namespace cas::simulcrypt {

struct HeadEndNetwork::State {
  State(std::unique_ptr<service::EventLoop> given_loop, Random& given_random, OnFailure given_on_failure)
      : loop(std::move(given_loop)), random(given_random), on_failure(std::move(given_on_failure)) {}

  void run();
  void leave();
  void call(const std::function<void()>& what);
  void begin_stop(std::chrono::milliseconds limit);
  void one_has_left();
  void remove(const EcmSupply* supply);
  [[nodiscard]] bool is_network_thread() const { return std::this_thread::get_id() == network_thread; }

  std::unique_ptr<service::EventLoop> loop;
  Random& random;
  OnFailure on_failure;
  std::mutex calls;  ///< Held while somebody waits for the thread, so that it does not end meanwhile.
  bool stopped = false;
  std::jthread thread;
  std::thread::id network_thread;

  // Of the network's thread.
  std::vector<std::shared_ptr<EcmgConnector>> connectors;
  std::unique_ptr<MuxListener> mux;
  std::size_t to_leave = 0;
  service::Timer limit_timer;
};

void HeadEndNetwork::State::run() {
  const auto tell = [this](const char* what) {
    if (on_failure)
      on_failure({ErrorKind::internal, std::string("an event of the head-end's network was lost: ") + what});
  };
  for (;;) {
    try {
      loop->run();
      return leave();
    } catch (const std::exception& error) {
      tell(error.what());
    } catch (...) {
      tell("of an unknown kind");
    }
  }
}

// Sockets go before their loop, and observers hear of it on this thread.
void HeadEndNetwork::State::leave() {
  limit_timer.cancel();
  mux.reset();
  for (const auto& connector : connectors) connector->drop();
  connectors.clear();
}

// On the network's thread the present call comes to its end before: what it has in hand may be what goes.
void HeadEndNetwork::State::call(const std::function<void()>& what) {
  if (is_network_thread()) return loop->post(what);
  const std::lock_guard lock(calls);
  if (stopped) return;
  std::promise<void> done;
  loop->post([&what, &done] {
    try {
      what();
    } catch (...) {
      done.set_value();
      throw;
    }
    done.set_value();
  });
  done.get_future().wait();
}

Result<std::unique_ptr<HeadEndNetwork>> HeadEndNetwork::create(Clock& clock, Random& random, OnFailure on_failure) {
  CAS_TRY_ASSIGN(auto loop, service::EventLoop::create(clock));
  auto state = std::make_unique<State>(std::move(loop), random, std::move(on_failure));
  std::promise<void> may_begin;  // what the thread itself reads is set before
  try {
    state->thread = std::jthread([raw = state.get(), begin = may_begin.get_future()] {
      begin.wait();
      raw->run();
    });
  } catch (const std::system_error& error) {
    return fail(ErrorKind::exhausted, std::string("no thread for the head-end's network: ") + error.what());
  }
  state->network_thread = state->thread.get_id();
  may_begin.set_value();
  return std::unique_ptr<HeadEndNetwork>(new HeadEndNetwork(std::move(state)));
}

HeadEndNetwork::HeadEndNetwork(std::unique_ptr<State> state) : state_(std::move(state)) {}
HeadEndNetwork::~HeadEndNetwork() { stop(std::chrono::milliseconds(0)); }

// -------------------------------------------------------------------------------------------------------------- ECMGs

Result<std::shared_ptr<EcmSupply>> HeadEndNetwork::add_ecmg(EcmgConnectorSettings settings,
                                                            EcmgConnectorListener* listener) {
  State& state = *state_;
  CAS_TRY_ASSIGN(auto connector, EcmgConnector::create(*state.loop, state.random, std::move(settings), listener));
  const auto added = std::make_shared<bool>(state.is_network_thread());
  state.call([&state, added, connector] {
    state.connectors.push_back(connector);
    connector->start();
    *added = true;
  });
  if (!*added) return fail(ErrorKind::refused, "the head-end's network has been stopped");
  return std::shared_ptr<EcmSupply>(std::move(connector));
}

void HeadEndNetwork::remove(const std::shared_ptr<EcmSupply>& supply) {
  state_->call([state = state_.get(), supply] { state->remove(supply.get()); });
}

void HeadEndNetwork::State::remove(const EcmSupply* supply) {
  const auto found =
      std::ranges::find_if(connectors, [supply](const auto& connector) { return connector.get() == supply; });
  if (found == connectors.end()) return;
  (*found)->close([this, supply] {
    std::erase_if(connectors, [supply](const auto& connector) { return connector.get() == supply; });
  });
}

// --------------------------------------------------------------------------------------------------------------- data

Result<HeadEndNetwork::DataInput> HeadEndNetwork::listen_for_data(const MuxListening& listening,
                                                                  DataQueueSettings settings,
                                                                  MuxListenerObserver* observer) {
  State& state = *state_;
  if (state.is_network_thread())
    return fail(ErrorKind::refused, "listening for data waits for the network's thread, and cannot begin on it");
  Result<DataInput> made = fail(ErrorKind::refused, "the head-end's network has been stopped");
  auto queue = std::make_shared<DataQueue>(std::move(settings));
  state.call([&] {
    if (state.mux) {
      made = fail(ErrorKind::refused, "the head-end listens for data already: stop that first");
      return;
    }
    auto listener = MuxListener::listen(*state.loop, listening, queue, observer);
    if (!listener) {
      made = fail(std::move(listener).error());
      return;
    }
    state.mux = std::move(*listener);
    made = DataInput{queue, state.mux->port(), state.mux->udp_port()};
  });
  return made;
}

void HeadEndNetwork::stop_listening() {
  state_->call([state = state_.get()] { state->mux.reset(); });
}

void HeadEndNetwork::set_total_bandwidth(std::optional<std::uint32_t> kbit_per_second) {
  state_->call([state = state_.get(), kbit_per_second] {
    if (state->mux) state->mux->set_total_bandwidth(kbit_per_second);
  });
}

// ------------------------------------------------------------------------------------------------------------- ending

void HeadEndNetwork::State::begin_stop(std::chrono::milliseconds limit) {
  limit_timer = loop->after(limit, [this] { loop->stop(); });
  to_leave = connectors.size() + (mux ? 1 : 0);
  if (to_leave == 0) return loop->stop();
  for (const auto& connector : std::vector(connectors)) connector->close([this] { one_has_left(); });
  if (mux) mux->stop([this] { one_has_left(); });
}

void HeadEndNetwork::State::one_has_left() {
  if (--to_leave == 0) loop->stop();
}

void HeadEndNetwork::stop(std::chrono::milliseconds limit) {
  State& state = *state_;
  {
    const std::lock_guard lock(state.calls);
    if (std::exchange(state.stopped, true)) return;
  }
  state.loop->post([&state, limit] { state.begin_stop(limit); });
  state.thread.join();
}

}  // namespace cas::simulcrypt
