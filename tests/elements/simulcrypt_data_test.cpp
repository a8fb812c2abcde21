// SPDX-License-Identifier: LGPL-2.1-or-later
//
// EMMs that generators send to simulcrypt-ecm-inserter over TCP and UDP.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mpegts/ca_descriptor.hpp"
#include "simulcrypt/emmg_client.hpp"
#include "simulcrypt_element_test.hpp"

namespace cas::test {
namespace {

using simulcrypt::Instant;
using simulcrypt::Problem;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}

/// An EMMG on a blocking socket: says what it has to say, and waits for answers.
class BlockingEmmg final : private simulcrypt::EmmgClientListener {
 public:
  BlockingEmmg(std::uint16_t port, std::uint32_t client_id)
      : socket_(::socket(AF_INET, SOCK_STREAM, 0)), client_({.channel = {client_id, 1}}, *this) {
    const sockaddr_in at = loopback(port);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0)
      throw std::runtime_error("cannot connect to the MUX");
    client_.start(now());
    wait_until([this] { return client_.is_open(); });
  }
  ~BlockingEmmg() override { ::close(socket_); }
  BlockingEmmg(const BlockingEmmg&) = delete;
  BlockingEmmg& operator=(const BlockingEmmg&) = delete;

  void open_stream(std::uint16_t data_id) {
    ASSERT_OK(client_.open_stream(data_id, data_id, simulcrypt::emmg::emm, now()));
    wait_until([this] { return streams_opened > 0; });
  }
  void ask_for_bandwidth(std::uint16_t stream, std::uint16_t kbit_per_second) {
    allocated.reset();
    ASSERT_OK(client_.request_bandwidth(stream, kbit_per_second, now()));
    wait_until([this] { return allocated.has_value(); });
  }
  void send(std::uint16_t stream, ByteView emm) {
    ASSERT_OK(client_.provide(stream, std::span(&emm, 1)));
    speak();
  }
  void wait_until(const std::function<bool()>& done) {
    const Instant limit = now() + std::chrono::minutes(1);
    while (!done() && now() < limit) {
      speak();
      pollfd waiting{socket_, POLLIN, 0};
      if (::poll(&waiting, 1, 1000) <= 0) continue;
      std::array<std::uint8_t, 4096> buffer;
      const ssize_t got = ::recv(socket_, buffer.data(), buffer.size(), 0);
      if (got <= 0) break;
      client_.receive(ByteView(buffer).first(static_cast<std::size_t>(got)), now());
    }
    EXPECT_TRUE(done());
  }

  int streams_opened = 0;
  std::optional<std::uint16_t> allocated;
  std::vector<std::uint16_t> errors;

 private:
  static Instant now() { return system_clock().monotonic(); }
  void speak() {
    while (!client_.output().empty()) {
      const ssize_t sent = ::send(socket_, client_.output().data(), client_.output().size(), MSG_NOSIGNAL);
      if (sent <= 0) throw std::runtime_error("the MUX has gone");
      client_.sent(static_cast<std::size_t>(sent));
    }
  }
  void channel_opened() override {}
  void stream_opened(std::uint16_t) override { ++streams_opened; }
  void stream_closed(std::uint16_t, const Problem*) override {}
  void bandwidth_allocated(std::uint16_t, std::optional<std::uint16_t> kbit_per_second) override {
    allocated = kbit_per_second.value_or(0);
  }
  void stream_error(std::uint16_t, const Problem& problem) override { errors.push_back(problem.error_status); }
  void peer_misbehaved(const Problem& problem) override { ADD_FAILURE() << problem.message; }
  void channel_closed(const Problem& why) override { ADD_FAILURE() << why.message; }

  int socket_;
  simulcrypt::EmmgClient client_;
};

class InserterData : public ::testing::Test {
 protected:
  InserterData() : inserter_(with(usual_properties(ecmg_), {{"emm-listen", "127.0.0.1:0"}, {"emm-bandwidth", "100"}})) {
    port_ = static_cast<std::uint16_t>(uint_of(inserter_.stats().get(), "emm-port"));
  }
  void play(double seconds) {
    ASSERT_EQ(inserter_.push(multiplex_.seconds(seconds)), GST_FLOW_OK);
    receiver_.push(inserter_.output());
  }
  /// Plays until so many packets of EMMs have come in.
  void play_until_taken(guint64 packets) {
    for (int turn = 0; turn < 2000; ++turn) {
      play(0.05);
      if (uint64_of(inserter_.stats().get(), "data-packets") >= packets) return;
      std::this_thread::yield();
    }
    ADD_FAILURE() << "EMMs do not come in";
  }
  [[nodiscard]] std::optional<mpegts::Pid> emm_pid(std::uint16_t ca_system_id) const {
    const auto* cat = receiver_.tables.conditional_access();
    if (cat == nullptr) return std::nullopt;
    for (const auto& system : mpegts::find_ca_descriptors(cat->descriptors))
      if (system.ca_system_id == ca_system_id) return system.ca_pid;
    return std::nullopt;
  }

  PlainEcmgServer ecmg_;
  InserterHarness inserter_;
  std::uint16_t port_ = 0;
  TestMultiplex multiplex_{{.bit_rate = 2'000'000}};
  TestReceiver receiver_{mpegts::TsCipher::cissa, plain_ca_system_id};
  const Bytes emm_ = test::hex("827005 0102030405");
};

TEST_F(InserterData, OverTcpGoOutOnThePidThatTheCatNames) {
  EXPECT_EQ(text_of(inserter_.wait_for("simulcrypt-data").get(), "state"), "listening");
  BlockingEmmg emmg(port_, 0x4a010007);
  EXPECT_EQ(text_of(inserter_.wait_for("simulcrypt-data").get(), "state"), "connected");
  emmg.open_stream(3);
  const auto opened = inserter_.wait_for("simulcrypt-data");
  EXPECT_EQ(text_of(opened.get(), "state"), "opened");
  EXPECT_EQ(text_of(opened.get(), "who"), "client 0x4a010007, data 3");
  play(1);
  for (int number = 0; number < 5; ++number) emmg.send(3, emm_);
  play_until_taken(5);
  play(1);
  const auto pid = emm_pid(0x4a01);
  ASSERT_TRUE(pid);
  EXPECT_EQ(receiver_.clear[*pid], 5U);
  EXPECT_TRUE(std::ranges::equal(ByteView(receiver_.payloads[*pid]).subspan(1, emm_.size()), emm_));
  EXPECT_EQ(receiver_.continuity_errors, 0U);
  EXPECT_EQ(receiver_.tables.damaged_sections(), 0U);
}

TEST_F(InserterData, OverUdpGoOutToo) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
  ByteQueue message;
  const ByteView emm(emm_);
  ASSERT_OK((simulcrypt::emmg::DataProvision{0x4b010001, std::nullopt, std::nullopt, 9}.write(message, 3,
                                                                                              std::span(&emm, 1))));
  const sockaddr_in at = loopback(port_);
  ASSERT_GT(::sendto(socket, message.view().data(), message.view().size(), 0, reinterpret_cast<const sockaddr*>(&at),
                     sizeof at),
            0);
  ::close(socket);
  play_until_taken(1);
  play(1);
  const auto pid = emm_pid(0x4b01);
  ASSERT_TRUE(pid);
  EXPECT_EQ(receiver_.clear[*pid], 1U);
}

TEST_F(InserterData, HaveTheBandwidthThatIsGrantedAndNoMore) {
  BlockingEmmg emmg(port_, 0x4a010007);
  emmg.open_stream(3);
  emmg.ask_for_bandwidth(3, 400);
  EXPECT_EQ(emmg.allocated, 100);
  // A flood: most of it is refused.
  Bytes big(1000, 0x33);
  big[0] = 0x82;
  big[1] = 0x70 | (997 >> 8);
  big[2] = 997 & 0xff;
  for (int number = 0; number < 200; ++number) emmg.send(3, big);
  emmg.wait_until([&] { return !emmg.errors.empty(); });
  EXPECT_EQ(emmg.errors.front(), 0x000f);
  // While it plays, there may be more.
  set_property(inserter_.element(), "emm-bandwidth", "300");
  play(0.1);
  emmg.ask_for_bandwidth(3, 400);
  EXPECT_EQ(emmg.allocated, 300);
}

}  // namespace
}  // namespace cas::test
