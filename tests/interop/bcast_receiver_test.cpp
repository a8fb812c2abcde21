// SPDX-License-Identifier: LGPL-2.1-or-later
// cas-bcast-receiver as a user runs it, with a head-end on this machine: RTP and key messages as UDP datagrams.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <fstream>
#include <iterator>
#include <mutex>
#include <thread>

#include "crypto/random.hpp"
#include "interop/programs/program_run.hpp"
#include "simulcrypt/bcast/ltkm_generator.hpp"
#include "simulcrypt/bcast/rtp_protector.hpp"
#include "simulcrypt/bcast/sdp.hpp"
#include "simulcrypt/bcast/stkm_generator.hpp"
#include "simulcrypt/control_words.hpp"
#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"

namespace cas::simulcrypt::bcast {
namespace {

using cas::test::value_or_throw;

constexpr std::uint32_t bsm = 0x00010001;
constexpr std::uint16_t key_stream = 1;
constexpr const char* key_text = "000102030405060708090a0b0c0d0e0f";

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

/// A UDP socket of this test; the port that the system gave it is free once it is closed.
class Udp {
 public:
  Udp() : file_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    ::bind(file_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  }
  ~Udp() { ::close(file_); }
  Udp(const Udp&) = delete;
  Udp& operator=(const Udp&) = delete;
  [[nodiscard]] std::uint16_t port() const {
    sockaddr_in address{};
    socklen_t size = sizeof(address);
    ::getsockname(file_, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
  }
  void send(std::uint16_t port, ByteView bytes) const {
    const sockaddr_in address = loopback(port);
    ::sendto(file_, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  }

 private:
  int file_;
};

std::pair<std::uint16_t, std::uint16_t> free_ports() {
  const Udp first, second;
  return {first.port(), second.port()};
}

/// A head-end that sends a transport stream under TEKs that change twice a second, from before the receiver starts.
class HeadEnd {
 public:
  HeadEnd(Profile profile, const SrtpOptions& options, std::uint16_t media_port, std::uint16_t stkm_port)
      : media_port_(media_port),
        stkm_port_(stkm_port),
        protector_(value_or_throw(RtpProtector::create(options))),
        words_(crypto::system_random(), RtpProtector::word_size(options.suite), ControlWordGenerator::Form::plain),
        generator_(value_or_throw(StkmGenerator::create(stream_options(profile, options.suite), service_key().clone(),
                                                        std::nullopt, system_clock()))),
        thread_([this] { run(); }) {}
  ~HeadEnd() { stop(); }
  HeadEnd(const HeadEnd&) = delete;
  HeadEnd& operator=(const HeadEnd&) = delete;

  static const ServiceKey& service_key() {
    static const ServiceKey key = {ServiceKey::Kind::service,
                                   1,
                                   value_or_throw(random_secret(crypto::system_random(), 16)),
                                   value_or_throw(random_secret(crypto::system_random(), 16)),
                                   system_clock().now() - 3600,
                                   system_clock().now() + 3600};
    return key;
  }
  /// All that was sent, in clear.
  std::string stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    stop_.notify_all();
    if (thread_.joinable()) thread_.join();
    return sent_;
  }

 private:
  static StkmStreamOptions stream_options(Profile profile, SrtpSuite suite) {
    StkmStreamOptions options;
    options.profile = profile;
    options.stream = key_stream;
    options.suite = suite;
    options.key_domain = {0x00, 0xf1, 0x10};
    return options;
  }
  void begin_period(PeriodIndex period, bool two_words) {
    const SecretBytes now = value_or_throw(words_.word(period));
    const SecretBytes next = value_or_throw(words_.word(period + 1));
    value_or_throw(protector_.begin_period(cp_number(period), now));
    const ecmg::ControlWord words[] = {{cp_number(period), now.reveal()}, {cp_number(period + 1), next.reveal()}};
    stkm_.resize(longest_stkm);
    stkm_.resize(value_or_throw(
        generator_.make(std::span(words).first(two_words ? 2 : 1), std::chrono::milliseconds(500), {}, stkm_)));
  }
  Bytes packet(unsigned index) {
    // The sequence numbers turn over soon, and have done so before.
    const auto sequence = static_cast<std::uint16_t>(65000 + index);
    const std::uint32_t timestamp = index * 450;
    Bytes rtp = {0x80, 33, static_cast<std::uint8_t>(sequence >> 8), static_cast<std::uint8_t>(sequence)};
    for (int shift = 24; shift >= 0; shift -= 8) rtp.push_back(static_cast<std::uint8_t>(timestamp >> shift));
    append(rtp, Bytes{1, 2, 3, 4});
    Bytes ts(188, static_cast<std::uint8_t>(index));
    ts[0] = 0x47;
    for (std::size_t i = 0; i < 4; ++i) ts[10 + i] = static_cast<std::uint8_t>(index >> (24 - 8 * i));
    append(rtp, ts);
    sent_ += as_text(ts);
    return rtp;
  }
  void run() {
    const bool drm = generator_.options().profile == Profile::drm;
    std::unique_lock lock(mutex_);
    for (unsigned index = 0; !stopped_; ++index) {
      if (index % 100 == 0) begin_period(index / 100, drm);
      if (index % 10 == 0) socket_.send(stkm_port_, stkm_);
      Bytes buffer = packet(index);
      const std::size_t size = buffer.size();
      buffer.resize(size + protector_.trailer_size());
      const SrtpResult result = protector_.protect(buffer, size);
      socket_.send(media_port_, ByteView(buffer).first(result.size));
      stop_.wait_for(lock, std::chrono::milliseconds(5), [this] { return stopped_; });
    }
  }

  std::uint16_t media_port_, stkm_port_;
  Udp socket_;
  RtpProtector protector_;
  ControlWordGenerator words_;
  StkmGenerator generator_;
  Bytes stkm_;
  std::string sent_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopped_ = false;
  std::thread thread_;
};

class BcastReceiverProgram : public ::testing::Test {
 protected:
  static constexpr std::size_t packet_size = 188;
  void write(const std::string& name, ByteView bytes) const {
    std::ofstream(folder.path() / name, std::ios::binary) << as_text(bytes);
  }
  void write_sdp(Profile profile, const SrtpOptions& options) {
    sdp::Service service;
    service.connection = sdp::Connection{"127.0.0.1", false, std::nullopt};
    sdp::Media media;
    media.kind = "video";
    media.port = media_port;
    media.formats = {"33"};
    media.attributes = {"rtpmap:33 MP2T/90000"};
    media.key_streams = {key_stream};
    sdp::set_srtp_options(media, options);
    service.media.push_back(media);
    service.key_stream_list.push_back({key_stream, profile, stkm_port, std::nullopt, ""});
    const auto text = service.write();
    ASSERT_OK(text);
    write("service.sdp", as_bytes(*text));
  }
  /// Runs the program until some TEKs have changed. What it wrote is a part of what was sent.
  void receive(Profile profile, const SrtpOptions& options, std::vector<std::string> more) {
    write_sdp(profile, options);
    write("key", as_bytes(key_text));
    HeadEnd head_end(profile, options, media_port, stkm_port);
    std::vector<std::string> command = {CAS_BCAST_RECEIVER, "service.sdp", "--ltkm", "ltkm", "--output", "out.ts"};
    command.insert(command.end(), more.begin(), more.end());
    cas::test::RunningProgram program(command, {}, folder.path());
    ASSERT_TRUE(program.wait_for_error_text("the first packet is open")) << program.error_text();
    ASSERT_TRUE(program.wait_for_error_text(": TEK ", 6)) << program.error_text();
    program.send(SIGINT);
    const auto outcome = program.wait();
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_NE(outcome.err.find(" 0 refused"), std::string::npos) << outcome.err;
    std::ifstream file(folder.path() / "out.ts", std::ios::binary);
    const std::string received((std::istreambuf_iterator<char>(file)), {});
    EXPECT_GT(received.size(), 188U * 100);
    // In order, and nothing else. A datagram may be lost or too late on a machine that is busy: some packets may be missing.
    const std::string sent = head_end.stop();
    std::size_t at = sent.find(received.substr(0, packet_size)), missing = 0;
    ASSERT_NE(at, std::string::npos) << "something else came out than was sent";
    for (std::size_t read = packet_size; read < received.size(); read += packet_size) {
      const std::size_t next = sent.find(received.substr(read, packet_size), at + packet_size);
      ASSERT_NE(next, std::string::npos) << "something else came out than was sent, at " << read;
      missing += next - at - packet_size;
      at = next;
    }
    EXPECT_LE(missing, received.size() / 4);
  }

  cas::test::TemporaryFolder folder;
  const std::pair<std::uint16_t, std::uint16_t> ports = free_ports();
  const std::uint16_t media_port = ports.first;
  const std::uint16_t stkm_port = ports.second;
  SecretBytes key = SecretBytes::copy_of(cas::test::hex(key_text));
};

TEST_F(BcastReceiverProgram, PlaysAServiceOfTheDrmProfile) {
  std::vector<ServiceKey> keys;
  keys.push_back(HeadEnd::service_key().clone());
  write("ltkm", *DrmLtkmGenerator::create(bsm, system_clock())->make({std::nullopt, key.clone()}, keys));
  SrtpOptions options;
  options.roc_carriage = RocCarriage::mode_2;
  options.roc_rate = 16;
  receive(Profile::drm, options, {"--bsm", "00010001", "--domain-key", "file:key"});
}

TEST_F(BcastReceiverProgram, PlaysAServiceOfTheSmartcardProfile) {
  SmartcardSubscription subscription{{0x00, 0xf1, 0x10}, "bsm@example.org", "1@example.org", key.clone()};
  write("ltkm", *SmartcardLtkmGenerator(system_clock()).make(subscription, HeadEnd::service_key()));
  receive(Profile::smartcard, {},
          {"--bsm", "bsm@example.org", "--subscriber", "1@example.org", "--key-domain", "00f110", "--smk", "file:key"});
}

TEST_F(BcastReceiverProgram, SaysWhatIsWrong) {
  write_sdp(Profile::drm, {});
  write("key", as_bytes(key_text));
  write("short", as_bytes("0011"));
  write("ltkm", Bytes(100));
  const auto run = [this](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), CAS_BCAST_RECEIVER);
    return cas::test::run_program(arguments, {}, folder.path());
  };
  EXPECT_EQ(run({}).exit_code, 2);
  EXPECT_EQ(run({"service.sdp", "--bsm", "00010001"}).exit_code, 2);  // no key
  EXPECT_EQ(run({"service.sdp", "--bsm", "x", "--domain-key", "file:key"}).exit_code, 2);
  EXPECT_EQ(run({"service.sdp", "--bsm", "00010001", "--domain-key", "file:short"}).exit_code, 2);
  EXPECT_EQ(run({"service.sdp", "--bsm", "00010001", "--domain-key", "file:key", "--media", "1"}).exit_code, 2);
  // The profiles are not mixed, and an SMK has its size.
  const auto smartcard = [&run](std::vector<std::string> more) {
    std::vector<std::string> all{"service.sdp", "--bsm", "b@example.org", "--subscriber", "1@example.org"};
    all.insert(all.end(), more.begin(), more.end());
    return run(all);
  };
  EXPECT_EQ(smartcard({"--key-domain", "00f110"}).exit_code, 2);
  EXPECT_EQ(smartcard({"--key-domain", "00f1", "--smk", "file:key"}).exit_code, 2);
  EXPECT_EQ(smartcard({"--key-domain", "00f110", "--smk", "file:short"}).exit_code, 2);
  EXPECT_EQ(smartcard({"--key-domain", "00f110", "--smk", key_text}).exit_code, 2);
  EXPECT_EQ(smartcard({"--key-domain", "00f110", "--smk", "file:key", "--domain-key", "file:key"}).exit_code, 2);
  const auto other = smartcard({"--key-domain", "00f110", "--smk", "file:key", "--output", "out.ts"});
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_NE(other.err.find("no key stream"), std::string::npos) << other.err;
  EXPECT_EQ(run({"none.sdp", "--bsm", "00010001", "--domain-key", "file:key"}).exit_code, 1);
  const auto stranger = run({"service.sdp", "--bsm", "00010001", "--domain-key", "file:key", "--ltkm", "ltkm",
                             "--output", "out.ts", "--duration", "0.3"});
  EXPECT_EQ(stranger.exit_code, 0);
  EXPECT_NE(stranger.err.find("ltkm: "), std::string::npos) << stranger.err;
  EXPECT_EQ(stranger.err.find(key_text), std::string::npos);
}

TEST_F(BcastReceiverProgram, SaysWhichLtkmIsOfNoUse) {
  write_sdp(Profile::smartcard, {});
  write("key", as_bytes(key_text));
  SmartcardLtkmGenerator generator(system_clock());
  const auto make = [&](const char* subscriber, std::uint32_t id) {
    ServiceKey service = HeadEnd::service_key().clone();
    service.id = id;
    return *generator.make({{0x00, 0xf1, 0x10}, "bsm@example.org", subscriber, key.clone()}, service);
  };
  write("first", make("1@example.org", 1));
  write("second", make("1@example.org", 2));
  write("other", make("2@example.org", 2));
  const auto told = cas::test::run_program(
      {CAS_BCAST_RECEIVER, "service.sdp", "--bsm",  "bsm@example.org", "--subscriber", "1@example.org",
       "--key-domain",     "00f110",      "--smk",  "file:key",        "--ltkm",       "second",
       "--ltkm",           "first",       "--ltkm", "other",           "--output",     "out.ts",
       "--duration",       "0.1"},
      {}, folder.path());
  EXPECT_EQ(told.exit_code, 0);
  EXPECT_NE(told.err.find("service keys: 1\n"), std::string::npos) << told.err;
  EXPECT_NE(told.err.find("first: The long term key message is older than one that was taken"), std::string::npos)
      << told.err;
  EXPECT_NE(told.err.find("other: The long term key message is for others"), std::string::npos) << told.err;
}

}  // namespace
}  // namespace cas::simulcrypt::bcast
