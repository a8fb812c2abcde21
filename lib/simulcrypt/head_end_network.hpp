// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "simulcrypt/data_queue.hpp"
#include "simulcrypt/ecmg_connector.hpp"
#include "simulcrypt/mux_listener.hpp"

namespace cas::simulcrypt {

/// Everything of a head-end that has sockets, on one thread of its own: connections to ECMGs, and the MUX that EMM
/// generators send to. What scrambles packets talks to it through EcmSupply and DataQueue, which may outlive it and are
/// silent then.
///
/// Listeners and observers are called on the network's thread, and must live until what they were given for is removed
/// or stopped. Functions are for any thread, unless they say otherwise; those that wait for the network's thread say so.
class HeadEndNetwork {
 public:
  /// What generators send comes out of `queue`.
  struct DataInput {
    std::shared_ptr<DataQueue> queue;
    std::uint16_t port = 0;
    std::uint16_t udp_port = 0;  ///< 0: there is no UDP.
  };
  /// Something broke the handler of an event: out of memory, most likely. The network goes on.
  using OnFailure = std::function<void(const Error& error)>;

  /// Starts the thread. Keeps `clock` and `random`. ErrorKind::io, exhausted: no descriptors or threads are left.
  [[nodiscard]] static Result<std::unique_ptr<HeadEndNetwork>> create(Clock& clock, Random& random,
                                                                      OnFailure on_failure = nullptr);
  /// As stop, with no time at all. Not on the network's thread.
  ~HeadEndNetwork();
  HeadEndNetwork(const HeadEndNetwork&) = delete;
  HeadEndNetwork& operator=(const HeadEndNetwork&) = delete;

  /// Connects to an ECMG, from now on. Errors: EcmgConnector::create; refused: it was stopped.
  [[nodiscard]] Result<std::shared_ptr<EcmSupply>> add_ecmg(EcmgConnectorSettings settings,
                                                            EcmgConnectorListener* listener = nullptr);
  /// Closes its streams and channel, in the background; open streams are lost at once. Waits until the listener is in no
  /// call and will not be called any more; on the network's thread, that is so when the present call has ended.
  void remove(const std::shared_ptr<EcmSupply>& supply);

  /// Listens for generators. Waits; not on the network's thread. Errors: MuxListener::listen; refused: it listens
  /// already, or was stopped.
  [[nodiscard]] Result<DataInput> listen_for_data(const MuxListening& listening, DataQueueSettings settings,
                                                  MuxListenerObserver* observer = nullptr);
  /// Ends it; connections are closed. Waits as `remove` does, for the observer.
  void stop_listening();
  /// MuxListener::set_total_bandwidth; nothing happens while it does not listen.
  void set_total_bandwidth(std::optional<std::uint32_t> kbit_per_second);

  /// Closes all gracefully, as far as `limit` allows, and ends the thread. Waits; not on the network's thread. A name
  /// that is being looked up may hold it up for as long as the system's resolver waits.
  void stop(std::chrono::milliseconds limit);

 private:
  struct State;
  explicit HeadEndNetwork(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cas::simulcrypt
