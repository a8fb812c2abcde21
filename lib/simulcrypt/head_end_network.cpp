// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/head_end_network.hpp"

#include <algorithm>
#include <future>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "service/event_loop.hpp"

namespace cas::simulcrypt {

namespace {

constexpr const char* stopped_text = "the head-end's network has been stopped";
constexpr const char* broken_text = "an event of the head-end's network was lost: ";

}  // namespace

struct HeadEndNetwork::State {
  State(std::unique_ptr<service::EventLoop> given_loop, Random& given_random, OnFailure given_on_failure)
      : loop(std::move(given_loop)), random(given_random), on_failure(std::move(given_on_failure)) {}

  void run();
  void leave();
  [[nodiscard]] Status add(const std::shared_ptr<EcmgConnector>& connector);
  [[nodiscard]] std::vector<std::shared_ptr<EcmgConnector>> members();
  bool shielded(const std::function<void()>& what);
  void call(const std::function<void()>& what);
  void begin_stop(std::chrono::milliseconds limit);
  void one_has_left();
  void remove(const EcmSupply* supply);
  [[nodiscard]] bool is_stopped() {
    const std::lock_guard lock(state_mutex);
    return stopped;
  }
  [[nodiscard]] bool is_network_thread() const { return std::this_thread::get_id() == network_thread; }

  std::unique_ptr<service::EventLoop> loop;
  Random& random;
  OnFailure on_failure;
  std::mutex calls;  ///< Held while somebody waits for the thread, so that it does not end meanwhile.
  std::jthread thread;
  std::thread::id network_thread;

  std::mutex state_mutex;  ///< Never held while somebody waits. Of the two that follow.
  bool stopped = false;
  std::vector<std::shared_ptr<EcmgConnector>> connectors;

  // Of the network's thread.
  std::unique_ptr<MuxListener> mux;
  std::size_t to_leave = 0;
  service::Timer limit_timer;
};

// False: it threw.
bool HeadEndNetwork::State::shielded(const std::function<void()>& what) {
  try {
    what();
    return true;
  } catch (const std::exception& error) {
    if (on_failure) on_failure({ErrorKind::internal, std::string(broken_text) + error.what()});
  } catch (...) {
    if (on_failure) on_failure({ErrorKind::internal, std::string(broken_text) + "of an unknown kind"});
  }
  return false;
}

void HeadEndNetwork::State::run() {
  while (!shielded([this] { loop->run(); })) {
  }
  shielded([this] { leave(); });
}

// Sockets go before their loop, and observers hear of it on this thread.
void HeadEndNetwork::State::leave() {
  limit_timer.cancel();
  for (const auto& connector : members()) connector->drop();
  mux.reset();
}

std::vector<std::shared_ptr<EcmgConnector>> HeadEndNetwork::State::members() {
  const std::lock_guard lock(state_mutex);
  return connectors;
}

// What has been added is dropped before the loop goes, even if it never came to start.
Status HeadEndNetwork::State::add(const std::shared_ptr<EcmgConnector>& connector) {
  const std::lock_guard lock(state_mutex);
  if (stopped) return fail(ErrorKind::refused, stopped_text);
  connectors.push_back(connector);
  loop->post([connector] { connector->start(); });
  return {};
}

// On the network's thread the present call comes to its end before: what it has in hand may be what goes.
void HeadEndNetwork::State::call(const std::function<void()>& what) {
  if (is_network_thread()) return loop->post(what);
  const std::lock_guard lock(calls);
  if (is_stopped()) return;
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
  CAS_TRY_ASSIGN(const auto connector, EcmgConnector::create(*state.loop, state.random, std::move(settings), listener));
  CAS_TRY(state.add(connector));
  return std::shared_ptr<EcmSupply>(connector);
}

void HeadEndNetwork::remove(const std::shared_ptr<EcmSupply>& supply) {
  state_->call([state = state_.get(), supply] { state->remove(supply.get()); });
}

void HeadEndNetwork::State::remove(const EcmSupply* supply) {
  const auto is_it = [supply](const auto& connector) { return connector.get() == supply; };
  const auto all = members();
  const auto found = std::ranges::find_if(all, is_it);
  if (found == all.end()) return;
  (*found)->close([this, is_it] {
    const std::lock_guard lock(state_mutex);
    std::erase_if(connectors, is_it);
  });
}

// --------------------------------------------------------------------------------------------------------------- data

Result<HeadEndNetwork::DataInput> HeadEndNetwork::listen_for_data(const MuxListening& listening,
                                                                  DataQueueSettings settings,
                                                                  MuxListenerObserver* observer) {
  State& state = *state_;
  if (state.is_network_thread())
    return fail(ErrorKind::refused, "listening for data waits for the network's thread, and cannot begin on it");
  Result<DataInput> made = fail(ErrorKind::refused, stopped_text);
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
  // Not called when the network stops meanwhile; the loop is there for as long as this.
  state_->loop->post([state = state_.get(), kbit_per_second] {
    if (state->mux) state->mux->set_total_bandwidth(kbit_per_second);
  });
}

// ------------------------------------------------------------------------------------------------------------- ending

void HeadEndNetwork::State::begin_stop(std::chrono::milliseconds limit) {
  limit_timer = loop->after(limit, [this] { loop->stop(); });
  const auto all = members();
  to_leave = all.size() + (mux ? 1 : 0);
  if (to_leave == 0) return loop->stop();
  for (const auto& connector : all) connector->close([this] { one_has_left(); });
  if (mux) mux->stop([this] { one_has_left(); });
}

void HeadEndNetwork::State::one_has_left() {
  if (--to_leave == 0) loop->stop();
}

void HeadEndNetwork::stop(std::chrono::milliseconds limit) {
  State& state = *state_;
  {
    const std::scoped_lock lock(state.calls, state.state_mutex);
    if (std::exchange(state.stopped, true)) return;
  }
  state.loop->post([&state, limit] { state.begin_stop(limit); });
  state.thread.join();
}

}  // namespace cas::simulcrypt
