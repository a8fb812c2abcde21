// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/durable_file.hpp"
#include "casdemo/entitlement_store.hpp"
#include "casdemo/identifiers.hpp"
#include "program_run.hpp"
#include "service/tcp_server.hpp"
#include "service/udp_socket.hpp"
#include "simulcrypt/ecmg_messages.hpp"
#include "simulcrypt/mux_server.hpp"
#include "synchroniser_by_hand.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/unit/simulcrypt/wire.hpp"

namespace cas::test {

namespace emmg = simulcrypt::emmg;

/// All that a server at ADDRESS:PORT answers.
inline std::string http_get(const std::string& place, const std::string& path) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<std::uint16_t>(std::stoi(place.substr(place.rfind(':') + 1))));
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0) {
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: " + place + "\r\nConnection: close\r\n\r\n";
    static_cast<void>(::send(socket, request.data(), request.size(), MSG_NOSIGNAL));
    char buffer[4096];
    for (ssize_t got = 0; (got = ::recv(socket, buffer, sizeof buffer, 0)) > 0;)
      answer.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(socket);
  return answer;
}

/// A multiplexer that takes what it is given, in a loop of the test.
class Multiplexer final : simulcrypt::DataSink, simulcrypt::MuxServerListener {
 public:
  explicit Multiplexer(std::uint16_t port = 0) {
    loop_ = service::EventLoop::create(system_clock()).value();
    service::TcpListening listening;
    listening.port = port;
    server_ = service::TcpServer::listen(*loop_, listening, [this](service::TcpConnection&) {
                return std::make_unique<Connection>(*this);
              }).value();
  }

  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  /// The same port for UDP.
  void take_udp() {
    service::UdpBinding binding;
    binding.port = port();
    udp_ = service::UdpSocket::bind(*loop_, binding, [this](ByteView datagram, const service::Endpoint&) {
             if (mux_.receive_datagram(datagram, loop_->now()) != simulcrypt::UdpOutcome::taken) ++refused;
             happened();
           }).value();
  }
  /// Runs until `done`; when it never comes about, the time limit of the test program ends it.
  void run_until(const std::function<bool()>& done) {
    while (!done()) loop_->run();
  }
  void run_for(std::chrono::milliseconds time) {
    bool over = false;
    const service::Timer timer = loop_->after(time, [&] {
      over = true;
      happened();
    });
    run_until([&] { return over; });
  }

  std::uint16_t allocated = 1000;  ///< kbit/s at most.
  std::vector<Bytes> datagrams;
  std::size_t bytes = 0;
  std::size_t refused = 0;
  std::vector<std::uint16_t> wanted;
  std::vector<simulcrypt::Problem> problems;
  std::optional<emmg::ChannelId> channel;
  std::size_t channels_opened = 0;
  std::optional<simulcrypt::DataStreamOrder> order;

 private:
  class Connection final : public service::TcpHandler {
   public:
    explicit Connection(Multiplexer& owner) : owner_(owner), session_(owner.mux_, owner.loop_->now()) {}
    void on_receive(service::TcpConnection& connection, ByteView received) override {
      session_.receive(received, owner_.loop_->now());
      static_cast<void>(connection.send(session_.output()));
      session_.sent(session_.output().size());
      if (session_.is_closed()) connection.close();
      owner_.happened();
    }
    void on_close(service::TcpConnection&, const Status&) override { owner_.happened(); }

   private:
    Multiplexer& owner_;
    simulcrypt::MuxSession session_;
  };

  void happened() { loop_->stop(); }
  tl::expected<void, emmg::Error> open_channel(const emmg::ChannelId& opened, std::uint8_t) override {
    channel = opened;
    ++channels_opened;
    return {};
  }
  tl::expected<simulcrypt::DataStreamGrant, emmg::Error> open_stream(const simulcrypt::DataStreamOrder& it) override {
    order = it;
    return simulcrypt::DataStreamGrant{1, it.channel_id ? std::optional<std::uint16_t>(0) : std::nullopt,
                                       emmg::sections};
  }
  void close_stream(std::uint64_t) override {}
  std::uint16_t allocate_bandwidth(std::uint64_t, std::uint16_t kbit_per_second) override {
    wanted.push_back(kbit_per_second);
    return std::min(kbit_per_second, allocated);
  }
  void take_datagram(std::uint64_t, ByteView datagram) override {
    bytes += datagram.size();
    datagrams.push_back(copy_of(datagram));
  }
  void peer_misbehaved(const emmg::ChannelId&, const simulcrypt::Problem& problem, bool) override {
    problems.push_back(problem);
  }

  std::unique_ptr<service::EventLoop> loop_;
  simulcrypt::MuxServer mux_{{}, *this, this};
  std::unique_ptr<service::UdpSocket> udp_;
  std::unique_ptr<service::TcpServer> server_;
};

/// Runs cas-ecmg and cas-emmg in a folder of the test's own, with $CAS_HOME in it.
class CaProgramTest : public testing::Test {
 protected:
  using Arguments = std::vector<std::string>;

  [[nodiscard]] Environment environment() const {
    return {{"CAS_HOME", (folder() / "home").string()}, {"HOME", folder().string()}};
  }
  [[nodiscard]] std::filesystem::path folder() const { return folder_.path(); }
  static Arguments command_of(const char* program, const Arguments& arguments) {
    Arguments command{program};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return command;
  }
  Outcome ecmg_program(const Arguments& arguments) {
    return run_program(command_of(CAS_ECMG, arguments), environment(), folder());
  }
  Outcome emmg_program(const Arguments& arguments) {
    return run_program(command_of(CAS_EMMG, arguments), environment(), folder());
  }
  static void expect_done(const Outcome& outcome) {
    EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
    EXPECT_EQ(outcome.err, "");
  }
  static void expect_failure(const Outcome& outcome, int exit_code, const std::string& sentence) {
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.out << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(outcome.err.find(sentence), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << outcome.err;
  }
  /// Starts cas-ecmg at a free port, and waits until it listens.
  void start_ecmg(const Arguments& more = {}) {
    Arguments arguments{"run", "--listen", "127.0.0.1:0", "--port-file", "port"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    ecmg.emplace(command_of(CAS_ECMG, arguments), environment(), folder());
    ASSERT_TRUE(ecmg->wait_for_error_text("listening at ")) << ecmg->error_text();
    port = static_cast<std::uint16_t>(std::stoi(as_text(read_file(folder() / "port", 100).value())));
  }
  void start_emmg(std::uint16_t mux_port, const Arguments& more = {}) {
    Arguments arguments{"run", "--mux", "127.0.0.1:" + std::to_string(mux_port)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    emmg.emplace(command_of(CAS_EMMG, arguments), environment(), folder());
  }
  /// A receiver with the identity that cas-emmg exports.
  casdemo::EntitlementStore receiver(const std::string& number) {
    const std::string file = "card" + number + ".identity";
    expect_done(emmg_program({"card", "export", number, file}));
    const Bytes identity = read_file(folder() / file, 10'000).value();
    return std::move(casdemo::EntitlementStore::parse(identity).value());
  }
  /// Whether it opens the ECM that the ECMG answers with.
  ::testing::AssertionResult opens(casdemo::EntitlementStore& card, std::optional<ByteView> criteria = {}) {
    Synchroniser scs(port);
    if (scs.ask(ecmg::ChannelSetup{1, casdemo::default_super_cas_id}) != "channel_status" ||
        scs.ask(ecmg::StreamSetup{1, 1, 1, 100}) != "stream_status" ||
        scs.ask_for_ecm(1, 1, criteria) != "ECM_response")
      return ::testing::AssertionFailure() << simulcrypt::test::names_in(simulcrypt::ecmg_grammar(), scs.last());
    const auto opened = card.open_ecm(scs.ecm());
    if (!opened) return ::testing::AssertionFailure() << opened.error().message;
    if (!equal(opened->word(0), Synchroniser::word(0)) || !equal(opened->word(1), Synchroniser::word(1)))
      return ::testing::AssertionFailure() << "other words";
    return ::testing::AssertionSuccess();
  }

  std::optional<RunningProgram> ecmg, emmg;
  std::uint16_t port = 0;

 private:
  TemporaryFolder folder_;
};

}  // namespace cas::test
