// SPDX-License-Identifier: LGPL-2.1-or-later
// The real cas-ecmg over TCP on loopback. What a CPU-second of the server's process is good for, with synchronisers
// that always wait (20 channels of 20 streams), and how long 1,000 streams on 100 channels wait at 20,000 a second.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "base/byte_queue.hpp"
#include "casdemo/identifiers.hpp"
#include "measure.hpp"
#include "measured_daemon.hpp"
#include "simulcrypt/ecmg_messages.hpp"
#include "support/temporary_folder.hpp"

namespace {

using namespace cas;
namespace ecmg = simulcrypt::ecmg;
using SteadyClock = std::chrono::steady_clock;

[[noreturn]] void give_up(const std::string& why) {
  std::cerr << "bench_cas-ecmg: " << why << '\n';
  std::exit(1);
}

void must(const Status& status) {
  if (!status) give_up(status.error().message);
}

/// cas-ecmg in a folder of its own.
class Server {
 public:
  Server() {
    const std::string system = (folder_.path() / "ca").string();
    bench::MeasuredDaemon::run({CAS_ECMG, "init", "--system", system});
    daemon_.start({CAS_ECMG, "run", "--system", system, "--listen", "127.0.0.1:0"}, folder_.path() / "port");
  }
  [[nodiscard]] std::uint16_t port() const { return daemon_.port(); }
  [[nodiscard]] double cpu_seconds() const { return daemon_.cpu_seconds(); }

 private:
  test::TemporaryFolder folder_;
  bench::MeasuredDaemon daemon_;
};

/// One channel of a synchroniser, as bare as it can be: what is measured is the server.
class Channel {
 public:
  Channel(std::uint16_t port, std::uint16_t id, std::uint16_t streams) : id_(id), streams_(streams) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) give_up("cannot connect");
    const int yes = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    must(ecmg::ChannelSetup{id, casdemo::default_super_cas_id}.write(out_, 3));
    for (std::uint16_t i = 0; i < streams; ++i)
      must(ecmg::StreamSetup{id, i, static_cast<std::uint16_t>(id * streams + i), 100}.write(out_, 3));
    flush();
    for (std::size_t answers = 0; answers < 1U + streams;) {
      pollfd wait{socket_, POLLIN, 0};
      if (::poll(&wait, 1, 10'000) != 1) give_up("the channel is not set up");
      receive([&](std::uint16_t type, std::uint16_t) {
        if (type != ecmg::channel_status && type != ecmg::stream_status) give_up("the channel is refused");
        ++answers;
      });
    }
    ::fcntl(socket_, F_SETFL, O_NONBLOCK);
    asked_at_.resize(streams);
    periods_.resize(streams);
  }
  ~Channel() { ::close(socket_); }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  [[nodiscard]] int socket() const { return socket_; }
  [[nodiscard]] std::uint16_t streams() const { return streams_; }
  [[nodiscard]] bool waits(std::uint16_t stream) const { return asked_at_[stream] != SteadyClock::time_point(); }
  /// Written at flush().
  void ask(std::uint16_t stream, SteadyClock::time_point at) {
    static constexpr std::array<std::uint8_t, 8> word{1, 2, 3, 6, 5, 6, 7, 18};
    const std::uint16_t cp = periods_[stream]++;
    ecmg::CwProvision provision;
    provision.channel_id = id_;
    provision.stream_id = stream;
    provision.cp_number = cp;
    provision.word_list[0] = {cp, word};
    provision.word_list[1] = {static_cast<std::uint16_t>(cp + 1), word};
    provision.word_count = 2;
    must(provision.write(out_, 3));
    asked_at_[stream] = at;
  }
  void flush() {
    while (!out_.empty()) {
      const ssize_t sent = ::send(socket_, out_.view().data(), out_.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EAGAIN) return;
      if (sent < 0) give_up("the connection broke");
      out_.consume(static_cast<std::size_t>(sent));
    }
  }
  /// `answered(stream, asked at)` for each ECM that is there.
  template <typename Answered>
  void take_answers(Answered answered) {
    receive([&](std::uint16_t type, std::uint16_t stream) {
      if (type != ecmg::ecm_response || stream >= streams_ || !waits(stream)) give_up("no ECM, but something else");
      const auto asked = std::exchange(asked_at_[stream], SteadyClock::time_point());
      answered(stream, asked);
    });
  }

 private:
  // ECM_response begins with ECM_channel_id and ECM_stream_id, as cas-ecmg writes it.
  template <typename Message>
  void receive(Message message) {
    const MutableByteView room = in_.prepare(64 * 1024);
    const ssize_t got = ::recv(socket_, room.data(), room.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) give_up("the connection broke");
    in_.commit(static_cast<std::size_t>(got));
    for (;;) {
      const ByteView all = in_.view();
      if (all.size() < 5) return;
      const std::size_t size = 5U + (all[3] << 8 | all[4]);
      if (all.size() < size) return;
      const auto type = static_cast<std::uint16_t>(all[1] << 8 | all[2]);
      const auto stream = static_cast<std::uint16_t>(size >= 17 ? all[15] << 8 | all[16] : 0);
      in_.consume(size);
      message(type, stream);
    }
  }

  int socket_ = -1;
  std::uint16_t id_, streams_;
  ByteQueue in_, out_;
  std::vector<SteadyClock::time_point> asked_at_;
  std::vector<std::uint16_t> periods_;
};

class Channels {
 public:
  Channels(const Server& server, std::uint16_t channels, std::uint16_t streams)
      : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (std::uint16_t id = 0; id < channels; ++id) {
      all_.push_back(std::make_unique<Channel>(server.port(), id, streams));
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = all_.back().get();
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, all_.back()->socket(), &event);
    }
  }
  ~Channels() { ::close(epoll_); }
  Channels(const Channels&) = delete;
  Channels& operator=(const Channels&) = delete;

  Channel& operator[](std::size_t index) { return *all_[index]; }
  [[nodiscard]] std::size_t size() const { return all_.size(); }
  /// Calls `ready` for each channel that has answers; waits at most so many milliseconds for one.
  template <typename Ready>
  void wait(int milliseconds, Ready ready) {
    std::array<epoll_event, 128> events{};
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), milliseconds);
    for (int i = 0; i < count; ++i) ready(*static_cast<Channel*>(events[static_cast<std::size_t>(i)].data.ptr));
  }

 private:
  int epoll_;
  std::vector<std::unique_ptr<Channel>> all_;
};

/// Each stream asks again as soon as it is answered. ECMs a CPU-second of the server.
double closed_loop(const Server& server, Channels& channels, std::chrono::milliseconds time) {
  std::uint64_t ecms = 0;
  const double cpu_before = server.cpu_seconds();
  const auto end = SteadyClock::now() + time;
  bool asking = true;
  std::size_t waiting = 0;
  const auto ask = [&](Channel& channel, std::uint16_t stream) {
    channel.ask(stream, SteadyClock::now());
    ++waiting;
  };
  for (std::size_t i = 0; i < channels.size(); ++i) {
    for (std::uint16_t stream = 0; stream < channels[i].streams(); ++stream) ask(channels[i], stream);
    channels[i].flush();
  }
  while (waiting != 0) {
    asking = asking && SteadyClock::now() < end;
    channels.wait(10'000, [&](Channel& channel) {
      channel.take_answers([&](std::uint16_t stream, SteadyClock::time_point) {
        ++ecms;
        --waiting;
        if (asking) ask(channel, stream);
      });
      channel.flush();
    });
  }
  return static_cast<double>(ecms) / (server.cpu_seconds() - cpu_before);
}

/// So many CW_provisions a second, evenly, whether the server keeps up or not. Milliseconds that 99 of 100 wait at most.
double open_loop(Channels& channels, double rate, std::chrono::milliseconds time) {
  std::vector<double> waits;
  const auto begin = SteadyClock::now();
  const auto total = static_cast<std::uint64_t>(rate * std::chrono::duration<double>(time).count());
  std::uint64_t asked = 0;
  const auto due = [&](std::uint64_t number) {
    return begin + std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(number) * 1e9 / rate));
  };
  while (waits.size() < total) {
    const auto now = SteadyClock::now();
    for (; asked < total && due(asked) <= now; ++asked) {
      Channel& channel = channels[asked % channels.size()];
      const auto stream = static_cast<std::uint16_t>(asked / channels.size() % channel.streams());
      if (channel.waits(stream)) give_up("a stream was not answered within its crypto-period");
      channel.ask(stream, due(asked));
      channel.flush();
    }
    channels.wait(1, [&](Channel& channel) {
      channel.take_answers([&](std::uint16_t, SteadyClock::time_point at) {
        waits.push_back(std::chrono::duration<double, std::milli>(SteadyClock::now() - at).count());
      });
    });
  }
  const auto at = waits.begin() + static_cast<std::ptrdiff_t>(waits.size() * 99 / 100);
  std::nth_element(waits.begin(), at, waits.end());
  return *at;
}

}  // namespace

int main() {
  using std::chrono::milliseconds;
  std::vector<double> rates, tails;
  {
    const Server server;
    Channels channels(server, 20, 20);
    closed_loop(server, channels, milliseconds(300));
    for (int round = 0; round < bench::rounds; ++round)
      rates.push_back(closed_loop(server, channels, milliseconds(1000)));
  }
  {
    const Server server;
    Channels channels(server, 100, 10);
    open_loop(channels, 20'000, milliseconds(300));
    for (int round = 0; round < bench::rounds; ++round)
      tails.push_back(open_loop(channels, 20'000, milliseconds(1000)));
  }
  bench::print_figure("cas-ecmg", "ecm_per_cpu_s", bench::median(rates), "ecm/s");
  bench::print_figure("cas-ecmg", "p99_ms_at_20000", bench::median(tails), "ms");
}
