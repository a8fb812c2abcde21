// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

#include "simulcrypt/ecmg_server.hpp"
#include "smartpro/broadcast_ecm.hpp"
#include "smartpro/token_session.hpp"

namespace cas::ecmg_program {

/// A licence that a token is to make, and who waits for it.
struct LicenceOrder {
  simulcrypt::EcmTicket ticket;
  std::chrono::nanoseconds asked{};  ///< Clock::monotonic.
  smartpro::BroadcastPlace place;
  std::uint16_t cp_number = 0;
  smartpro::LicenceRequest request;
  SecretBytes word;
};

/// Has licences made one after another, in a thread of its own: a card may be slow, and may not be there.
class LicenceWorker {
 public:
  /// TokenSession::wrap_control_word. Called in the worker's thread, and so is Finished, with the ECM or with the error.
  using Make = std::function<Result<Bytes>(const smartpro::LicenceRequest& request, const SecretBytes& word)>;
  using Finished = std::function<void(const LicenceOrder& order, Result<Bytes> section)>;

  /// `most_waiting`: orders that wait at the same time.
  LicenceWorker(std::size_t most_waiting, Make make, Finished finished);
  /// What was not begun is dropped.
  ~LicenceWorker();
  LicenceWorker(const LicenceWorker&) = delete;
  LicenceWorker& operator=(const LicenceWorker&) = delete;

  /// Any thread. False: too many wait already. A stream has one order at a time, but those of streams that were closed
  /// wait, too: a synchroniser that opens and closes them again and again must not fill the memory.
  [[nodiscard]] bool order(LicenceOrder order);

 private:
  void run(const std::stop_token& stop);

  const std::size_t most_waiting_;
  Make make_;
  Finished finished_;
  std::mutex mutex_;  // of what follows
  std::condition_variable_any wake_;
  std::deque<LicenceOrder> orders_;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace cas::ecmg_program
