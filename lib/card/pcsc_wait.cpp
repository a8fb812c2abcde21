// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/pcsc_wait.hpp"

#include <winscard.h>

#include <condition_variable>
#include <mutex>

#include "card/pcsc_context.hpp"
#include "card/pcsc_error.hpp"

namespace cas::card {

namespace {

using std::chrono::milliseconds;

// PC/SC part 10 and pcsc-lite: the pseudo reader whose state changes when readers come and go.
constexpr const char* reader_list_changes = "\\\\?PnP?\\Notification";

constexpr milliseconds cancel_retry{1};
constexpr int cancel_attempts = 100;

void pause(const std::stop_token& stop, milliseconds time) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  (void)never.wait_for(lock, stop, time, [] { return false; });
}

// SCardCancel does nothing unless the other thread is already inside its wait, and nobody can tell when that is. So the
// thread that requests the stop cancels again and again until the waiting thread says that it is out.
LONG get_status_change(SCARDCONTEXT context, milliseconds time, std::vector<SCARD_READERSTATE>& states,
                       const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable out_of_wait;
  bool waiting = false;
  const std::stop_callback cancel(stop, [&] {
    std::unique_lock lock(mutex);
    for (int attempt = 0; waiting && attempt < cancel_attempts; ++attempt) {
      (void)SCardCancel(context);
      (void)out_of_wait.wait_for(lock, cancel_retry, [&] { return !waiting; });
    }
  });
  {
    const std::lock_guard lock(mutex);
    // A callback that ran before this saw no wait to cancel.
    if (stop.stop_requested()) return SCARD_E_CANCELLED;
    waiting = true;
  }
  const LONG code =
      SCardGetStatusChange(context, static_cast<DWORD>(time.count()), states.data(), static_cast<DWORD>(states.size()));
  const std::lock_guard lock(mutex);
  waiting = false;
  out_of_wait.notify_all();
  return code;
}

// What ends one wait, or one look at the readers, but not the waiting.
bool is_passing(LONG code) {
  return code == SCARD_E_TIMEOUT || code == SCARD_E_CANCELLED || code == SCARD_E_UNKNOWN_READER ||
         code == SCARD_E_READER_UNAVAILABLE;
}

// Waits until anything differs from `known`.
LONG wait_for_change(const PcscContext& context, const ReaderStates& known, milliseconds time,
                     const std::stop_token& stop) {
  std::vector<SCARD_READERSTATE> states = known.states;
  for (SCARD_READERSTATE& state : states)
    state.dwCurrentState = state.dwEventState & ~static_cast<DWORD>(SCARD_STATE_CHANGED);
  // pcsc-lite takes so many states and no more; when there are so many readers, no further one can come.
  if (states.size() < PCSCLITE_MAX_READERS_CONTEXTS) {
    SCARD_READERSTATE list{};
    list.szReader = reader_list_changes;
    states.push_back(list);
  }
  return get_status_change(context.get(), time, states, stop);
}

}  // namespace

Status wait_for_readers(const ReaderCondition& condition, const PcscWaitTimes& times, const std::stop_token& stop) {
  PcscContext context;
  bool woken = false;
  while (!stop.stop_requested()) {
    LONG code = context.established() ? SCARD_S_SUCCESS : context.establish();
    ReaderStates known;
    if (code == SCARD_S_SUCCESS) code = context.read_states(known);
    if (code == SCARD_S_SUCCESS) {
      CAS_TRY_ASSIGN(const bool holds, condition.holds(known.readers()));
      if (holds) return {};
      // A state that pcscd reports as changed again and again must not become a busy loop.
      if (woken) pause(stop, times.settle);
      code = wait_for_change(context, known, times.slice, stop);
      woken = code != SCARD_E_TIMEOUT;
    } else if (is_passing(code)) {
      pause(stop, times.settle);
    }
    if (pcsc_service_is_gone(code)) {
      context.release();
      condition.service_lost();
      pause(stop, times.service_retry);
    } else if (code != SCARD_S_SUCCESS && !is_passing(code)) {
      return fail(pcsc_error(code, PcscPhase::connecting, {}));
    }
  }
  return fail(ErrorKind::cancelled, "waiting for the card was given up");
}

}  // namespace cas::card
