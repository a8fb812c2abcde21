// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/termination.hpp"

#include <pthread.h>
#include <signal.h>

namespace cas::tools {

namespace {

sigset_t termination_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

}  // namespace

Termination::Termination() {
  const sigset_t signals = termination_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  waiter_ = std::thread([source = source_, signals]() mutable {
    int which = 0;
    sigwait(&signals, &which);
    source.request_stop();
  });
}

Termination::~Termination() {
  pthread_kill(waiter_.native_handle(), SIGTERM);  // blocked there: it only ends sigwait
  waiter_.join();
}

}  // namespace cas::tools
