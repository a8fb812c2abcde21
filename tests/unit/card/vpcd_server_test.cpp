// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/vpcd_server.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>

#include "support/result_matchers.hpp"

namespace cas::card {
namespace {

using namespace std::chrono_literals;
using test::hex;

// The listening side of the protocol, as the driver in pcscd is it, but with any bytes at all.
class FakeDriver {
 public:
  FakeDriver() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback();
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 4), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~FakeDriver() {
    close();
    ::close(listener_);
  }
  FakeDriver(const FakeDriver&) = delete;
  FakeDriver& operator=(const FakeDriver&) = delete;

  VpcdAddress address() const { return {"127.0.0.1", port_}; }
  void accept() {
    close();
    connection_ = ::accept(listener_, nullptr, nullptr);
    const int on = 1;
    (void)::setsockopt(connection_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  void close() {
    if (connection_ >= 0) ::close(connection_);
    connection_ = -1;
  }
  void send(ByteView bytes) const {
    ASSERT_EQ(::send(connection_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  void send_message(ByteView payload) const {
    Bytes message{static_cast<std::uint8_t>(payload.size() >> 8), static_cast<std::uint8_t>(payload.size() & 0xff)};
    append(message, payload);
    send(message);
  }
  // The next answer's payload; empty when the card has gone.
  Bytes receive() const {
    const Bytes length = take(2);
    return length.size() < 2 ? Bytes() : take(static_cast<std::size_t>(length[0] << 8 | length[1]));
  }

 private:
  static sockaddr_in loopback() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  Bytes take(std::size_t size) const {
    Bytes bytes(size);
    const ssize_t got = ::recv(connection_, bytes.data(), size, MSG_WAITALL);
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
  }

  int listener_;
  int connection_ = -1;
  std::uint16_t port_ = 0;
};

class RecordingCard final : public VirtualCard {
 public:
  void power_on() override { events += "on "; }
  void power_off() override { events += "off "; }
  void reset() override { events += "reset "; }
  Bytes atr() override { return answer_to_reset; }
  std::optional<Bytes> transmit(ByteView command) override {
    events += to_hex(command.first(std::min<std::size_t>(command.size(), 8))) + " ";
    last = copy_of(command);
    return response;
  }

  std::string events;
  Bytes answer_to_reset = hex("3b00");
  Bytes last;
  std::optional<Bytes> response = hex("9000");
};

class VpcdServerTest : public ::testing::Test {
 protected:
  void serve(VpcdServing serving = {}) {
    served_ = std::async(std::launch::async,
                         [this, serving] { return serve_vpcd(driver_.address(), card_, serving, stop_.get_token()); });
    driver_.accept();
  }
  Status finish() {
    stop_.request_stop();
    return served_.get();
  }

  FakeDriver driver_;
  RecordingCard card_;
  std::stop_source stop_;
  std::future<Status> served_;
};

TEST_F(VpcdServerTest, AnswersTheDriver) {
  serve();
  driver_.send_message(hex("01"));
  driver_.send_message(hex("04"));
  EXPECT_EQ(driver_.receive(), hex("3b00"));
  driver_.send_message(hex("02"));
  driver_.send_message(hex("00a40400"));
  EXPECT_EQ(driver_.receive(), hex("9000"));
  driver_.send_message(hex("00"));
  driver_.send_message(hex("04"));
  EXPECT_EQ(driver_.receive(), hex("3b00"));
  EXPECT_OK(finish());
  EXPECT_EQ(card_.events, "on reset 00a40400 off off ") << "the last is the end of serving";
}

TEST_F(VpcdServerTest, PutsMessagesTogetherHoweverTheyArrive) {
  serve();
  for (const std::uint8_t byte : hex("0005 8010000000")) driver_.send(ByteView(&byte, 1));
  EXPECT_EQ(driver_.receive(), hex("9000"));
  driver_.send(hex("0001 01 0001 04 0004 80110000 0004 8012"));
  EXPECT_EQ(driver_.receive(), hex("3b00"));
  EXPECT_EQ(driver_.receive(), hex("9000"));
  driver_.send(hex("0000"));
  EXPECT_EQ(driver_.receive(), hex("9000"));
  EXPECT_OK(finish());
  EXPECT_EQ(card_.events, "8010000000 on 80110000 80120000 off ");
}

TEST_F(VpcdServerTest, CarriesTheLongestMessages) {
  serve();
  Bytes longest(65'535, 0x5a);
  card_.response = Bytes(65'535, 0xa5);
  driver_.send_message(longest);
  EXPECT_EQ(driver_.receive(), *card_.response);
  EXPECT_EQ(card_.last, longest);
  EXPECT_OK(finish());
}

// Nothing that the driver says reaches the card as an APDU unless it could be one, and nothing leaves the driver
// waiting for an answer that it expects.
TEST_F(VpcdServerTest, IsNotImpressedByNonsense) {
  serve();
  driver_.send_message({});
  driver_.send_message(hex("03"));
  driver_.send_message(hex("ff"));
  driver_.send_message(hex("8010"));
  EXPECT_EQ(driver_.receive(), hex("6700"));
  driver_.send_message(hex("801000"));
  EXPECT_EQ(driver_.receive(), hex("6700"));
  EXPECT_OK(finish());
  EXPECT_EQ(card_.events, "off ");
}

TEST_F(VpcdServerTest, TakesTheCardOutWhenItDies) {
  for (const std::optional<Bytes>& response :
       {std::optional<Bytes>(), std::optional<Bytes>(hex("90")), std::optional<Bytes>(Bytes(65'536, 1))}) {
    card_.response = response;
    serve();
    driver_.send_message(hex("80100000"));
    EXPECT_EQ(driver_.receive(), Bytes());
    EXPECT_FAILS(served_.get(), ErrorKind::card_absent);
  }
  for (const Bytes& atr : {Bytes(), Bytes(34, 0x3b)}) {
    card_.answer_to_reset = atr;
    serve();
    driver_.send_message(hex("04"));
    EXPECT_EQ(driver_.receive(), Bytes());
    EXPECT_FAILS(served_.get(), ErrorKind::card_absent);
  }
}

TEST_F(VpcdServerTest, TellsThatTheDriverWentAway) {
  serve();
  driver_.send_message(hex("04"));
  EXPECT_EQ(driver_.receive(), hex("3b00"));
  driver_.send(hex("0004 80"));
  driver_.close();
  EXPECT_FAILS(served_.get(), ErrorKind::io);
  EXPECT_EQ(card_.events, "off ") << "half a command was not carried out";
}

TEST_F(VpcdServerTest, PutsTheCardInAgainWhenAsked) {
  VpcdServing serving;
  serving.reinsert = true;
  serving.reinsert_after = 0ms;
  std::atomic<int> insertions = 0;
  serving.inserted = [&] { ++insertions; };
  serve(serving);
  driver_.accept();  // The first connection is closed, and the second comes.
  card_.response.reset();
  driver_.send_message(hex("80100000"));
  driver_.accept();
  driver_.send_message(hex("04"));
  EXPECT_EQ(driver_.receive(), hex("3b00"));
  EXPECT_OK(finish());
  EXPECT_EQ(insertions, 3);
}

TEST_F(VpcdServerTest, TellsThatNothingListens) {
  VpcdAddress address;
  {
    const FakeDriver gone;
    address = gone.address();
  }
  const Status status = serve_vpcd(address, card_, {}, {});
  EXPECT_FAILS(status, ErrorKind::io);
  EXPECT_NE(status.error().message.find("install vsmartcard-vpcd"), std::string::npos) << status.error().message;
  EXPECT_EQ(card_.events, "");
  EXPECT_FAILS(serve_vpcd({"no such host", 1}, card_, {}, {}), ErrorKind::not_found);
}

TEST_F(VpcdServerTest, TellsThatTheSlotIsTaken) {
  VpcdServing serving;
  serving.silence_limit = 20ms;
  serve(serving);
  const Status status = served_.get();
  EXPECT_FAILS(status, ErrorKind::io);
  EXPECT_NE(status.error().message.find("has a card already"), std::string::npos) << status.error().message;
}

TEST_F(VpcdServerTest, StopsWhereverItIs) {
  // Before anything.
  stop_.request_stop();
  EXPECT_OK(serve_vpcd(driver_.address(), card_, {}, stop_.get_token()));

  // Waiting for the driver's first word, and for a further one.
  for (const bool heard : {false, true}) {
    stop_ = std::stop_source();
    serve();
    if (heard) {
      driver_.send_message(hex("04"));
      EXPECT_EQ(driver_.receive(), hex("3b00"));
    }
    EXPECT_OK(finish());
  }

  // Between two attempts.
  stop_ = std::stop_source();
  VpcdServing patient;
  patient.reinsert = true;
  patient.reinsert_after = 1h;
  serve(patient);
  driver_.close();
  EXPECT_OK(finish());

  // In an answer that the driver does not take: its receive buffer is full long before these are through.
  stop_ = std::stop_source();
  card_.response = Bytes(65'535, 1);
  serve();
  for (int i = 0; i < 1000; ++i) driver_.send_message(hex("80100000"));
  EXPECT_OK(finish());
}

}  // namespace
}  // namespace cas::card
