// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/socket_wait.hpp"

#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include "base/clock.hpp"

namespace cas::card {

std::string system_error_text(int number) { return std::system_category().message(number); }

Waiter::Waiter(const std::stop_token& stop)
    : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), on_stop_(stop, Wake{wake_.get()}) {}

void Waiter::Wake::operator()() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(descriptor, &one, sizeof one);
}

Waited Waiter::wait(int socket, short events, std::chrono::milliseconds time) const {
  using std::chrono::milliseconds;
  const std::chrono::nanoseconds start = system_clock().monotonic();
  for (;;) {
    milliseconds left = time;
    if (time.count() >= 0) {
      left -= std::chrono::duration_cast<milliseconds>(system_clock().monotonic() - start);
      if (left.count() < 0) left = milliseconds(0);
    }
    std::array<pollfd, 2> polled{pollfd{wake_.get(), POLLIN, 0}, pollfd{socket, events, 0}};
    const int ready = ::poll(polled.data(), polled.size(), static_cast<int>(left.count()));
    if (polled[0].revents != 0 && ready > 0) return Waited::stopped;
    if (ready > 0) return Waited::ready;
    if (ready == 0) return Waited::timed_out;
    if (errno != EINTR) return Waited::ready;  // The call on the socket that follows tells what is wrong.
  }
}

}  // namespace cas::card
