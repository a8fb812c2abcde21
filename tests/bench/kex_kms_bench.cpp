// SPDX-License-Identifier: LGPL-2.1-or-later
// The real cas-kms on loopback: what a CPU-second of the server's process is good for, with clients that always wait (CPIX,
// one key a request, connections that stay), over http: and https:; how long clients wait at 1,000 requests a second;
// and both kinds of keys, stored ones with a thousand and with a million in the store.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "base/durable_file.hpp"
#include "base/hex.hpp"
#include "crypto/random.hpp"
#include "kex/key_store.hpp"
#include "measure.hpp"
#include "measured_daemon.hpp"
#include "support/temporary_folder.hpp"

namespace {

using namespace cas;
using bench::MeasuredDaemon;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t connections = 32;
constexpr std::uint64_t first_period = 1'000'000;  // so that all numbers have seven digits

[[noreturn]] void give_up(const std::string& why) {
  std::cerr << "bench_kex_kms: " << why << '\n';
  std::exit(1);
}
template <typename T>
T must(Result<T> result) {
  if (!result) give_up(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// cas-kms in a folder of its own.
class Server {
 public:
  enum class Keys { derived, stored };
  Server(Keys keys, bool secure) : folder_path_(folder_.path() / "kms") {
    const std::string kind = keys == Keys::derived ? "derived" : "stored";
    MeasuredDaemon::run({CAS_KMS, "init", "--folder", folder_path_.string(), "--keys", kind});
    std::string configuration = "listen = \"127.0.0.1:0\"\nkeys = \"" + kind +
                                "\"\n[limits]\nrequests_per_second = 1000000\n[audit]\nfile = \"audit.log\"\n"
                                "[authentication]\nschemes = [\"" +
                                (secure ? "Bearer" : "none") + "\"]\n";
    if (secure) configuration += "[tls]\n";
    if (keys == Keys::stored) configuration += "[store]\nurl = \"sqlite:keys.db\"\n";
    std::ofstream(folder_path_ / "cas-kms.toml") << configuration;
    if (secure) {
      std::ifstream(folder_path_ / "credentials/encoder.token") >> token_;
    }
  }
  void start() {
    daemon_.start({CAS_KMS, "run", "--config", (folder_path_ / "cas-kms.toml").string()}, folder_.path() / "port");
  }

  [[nodiscard]] std::uint16_t port() const { return daemon_.port(); }
  [[nodiscard]] const std::string& token() const { return token_; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_path_; }
  [[nodiscard]] double cpu_seconds() const { return daemon_.cpu_seconds(); }

 private:
  test::TemporaryFolder folder_;
  std::filesystem::path folder_path_;
  std::string token_;
  MeasuredDaemon daemon_;
};

/// A request for one key of the live channel, as a scrambler sends it.
std::string request(std::uint64_t period, const std::string& token) {
  const std::string number = std::to_string(period);
  const std::string body =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<cpix:CPIX xmlns:cpix=\"urn:dashif:org:cpix\" "
      "xmlns:pskc=\"urn:ietf:params:xml:ns:keyprov:pskc\" contentId=\"channel-1\" version=\"2.3\"><cpix:ContentKeyList>"
      "<cpix:ContentKey kid=\"98ee5596-cd3e-4a20-963a-e38242" +
      number.substr(1) +
      "\"/></cpix:ContentKeyList>"
      "<cpix:ContentKeyPeriodList><cpix:ContentKeyPeriod id=\"p\" index=\"" +
      number +
      "\"/></cpix:ContentKeyPeriodList>"
      "<cpix:ContentKeyUsageRuleList><cpix:ContentKeyUsageRule kid=\"98ee5596-cd3e-4a20-963a-e38242" +
      number.substr(1) +
      "\" intendedTrackType=\"HD\"><cpix:KeyPeriodFilter periodId=\"p\"/></cpix:ContentKeyUsageRule>"
      "</cpix:ContentKeyUsageRuleList></cpix:CPIX>";
  return "POST /cpix HTTP/1.1\r\nHost: localhost\r\nX-Speke-Version: 2.0\r\nContent-Type: application/xml\r\n" +
         (token.empty() ? std::string() : "Authorization: Bearer " + token + "\r\n") +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

class Connection {
 public:
  Connection(std::uint16_t port, bool secure) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) give_up("cannot connect");
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!secure) return;
    context_.reset(SSL_CTX_new(TLS_client_method()));
    session_.reset(SSL_new(context_.get()));
    SSL_set_fd(session_.get(), socket_);
    if (SSL_connect(session_.get()) != 1) give_up("no TLS");
  }
  ~Connection() { ::close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void ask(const std::string& what) {
    const int size = static_cast<int>(what.size());
    const auto sent = session_ ? SSL_write(session_.get(), what.data(), size)
                               : ::send(socket_, what.data(), what.size(), MSG_NOSIGNAL);
    if (sent != size) give_up("cannot send");
  }
  void take_answer() {
    std::size_t have = 0, end = 0;
    while (end == 0 || have < end) {
      const auto room = buffer_.size() - have;
      const auto got = session_ ? SSL_read(session_.get(), buffer_.data() + have, static_cast<int>(room))
                                : ::recv(socket_, buffer_.data() + have, room, 0);
      if (got <= 0) give_up("the server hung up");
      have += static_cast<std::size_t>(got);
      const std::string_view answer(buffer_.data(), have);
      const auto head = answer.find("\r\n\r\n");
      if (end != 0 || head == std::string_view::npos) continue;
      constexpr std::string_view field = "Content-Length: ";
      const auto at = answer.find(field);
      std::size_t body = 0;
      if (!answer.starts_with("HTTP/1.1 200 ") || at == std::string_view::npos ||
          std::from_chars(answer.data() + at + field.size(), answer.data() + head, body).ec != std::errc())
        give_up("the server answers " + std::string(answer.substr(0, 200)));
      end = head + 4 + body;
    }
    if (have != end || std::string_view(buffer_.data(), have).find("PlainValue") == std::string_view::npos)
      give_up("an answer without a key");
  }

 private:
  int socket_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{nullptr, &SSL_CTX_free};
  std::unique_ptr<SSL, decltype(&SSL_free)> session_{nullptr, &SSL_free};
  std::array<char, 16384> buffer_{};
};

/// Clients that all ask, and then all wait, and so on.
class Load {
 public:
  /// Keys of so many periods are asked for, in an order that no cache knows.
  Load(const Server& server, bool secure, std::uint64_t periods) : server_(server), periods_(periods) {
    for (std::size_t i = 0; i < connections; ++i)
      connections_.push_back(std::make_unique<Connection>(server.port(), secure));
  }
  void run(std::size_t rounds) {
    for (std::size_t round = 0; round < rounds; ++round) {
      for (const auto& connection : connections_) connection->ask(request(next(), server_.token()));
      for (const auto& connection : connections_) connection->take_answer();
    }
  }
  /// Milliseconds that 99 of 100 clients wait at most, at a steady rate, counted from when they were due.
  double p99_ms(std::size_t rate, std::size_t seconds) {
    std::vector<double> waits;
    auto due = SteadyClock::now();
    for (std::size_t i = 0; i < rate * seconds; ++i, due += std::chrono::microseconds(1'000'000 / rate)) {
      while (SteadyClock::now() < due) ::usleep(50);
      Connection& connection = *connections_[i % connections];
      connection.ask(request(next(), server_.token()));
      connection.take_answer();
      waits.push_back(std::chrono::duration<double, std::milli>(SteadyClock::now() - due).count());
    }
    const auto at = waits.begin() + static_cast<std::ptrdiff_t>(waits.size() * 99 / 100);
    std::nth_element(waits.begin(), at, waits.end());
    return *at;
  }
  /// Requests for a CPU-second of the server: the median of nine.
  double per_cpu_second() {
    run(50);
    std::vector<double> rates;
    for (int round = 0; round < bench::rounds; ++round) {
      constexpr std::size_t asks = 100;
      const double before = server_.cpu_seconds();
      run(asks);
      rates.push_back(static_cast<double>(asks * connections) / (server_.cpu_seconds() - before));
    }
    return bench::median(std::move(rates));
  }

 private:
  std::uint64_t next() {
    constexpr std::uint64_t prime = 7'368'787;
    at_ = (at_ + prime) % periods_;
    return first_period + at_;
  }
  const Server& server_;
  std::uint64_t periods_, at_ = 0;
  std::vector<std::unique_ptr<Connection>> connections_;
};

void fill(const Server& server, std::uint64_t count) {
  Random& random = crypto::system_random();
  const Bytes text = must(read_file(server.folder() / "storage.key", 256));
  const Bytes key = must(from_hex(as_text(ByteView(text).first(64)), 32));
  const auto store = must(kex::open_sqlite_key_store(server.folder() / "keys.db", SecretBytes::copy_of(key), random));
  constexpr std::uint64_t batch = 20'000;
  for (std::uint64_t from = 0; from < count; from += batch) {
    std::vector<kex::KeyProposal> proposals;
    for (std::uint64_t period = from; period < std::min(count, from + batch); ++period) {
      kex::KeyProposal one;
      one.name.content_id = "channel-1";
      one.name.track_type = "HD";
      one.name.period_index = first_period + period;
      one.key.kid = must(kex::Uuid::draw(random));
      one.key.value = must(random_secret(random, kex::content_key_size));
      proposals.push_back(std::move(one));
    }
    must(store->settle(proposals));
  }
}

double measure_derived(bool secure, const std::string& prefix) {
  Server server(Server::Keys::derived, secure);
  server.start();
  Load load(server, secure, 1'000'000);
  const double rate = load.per_cpu_second();
  bench::print_figure("cas-kms", prefix + "_requests_per_cpu_s", rate, "requests/s");
  bench::print_figure("cas-kms", secure ? "https_p99_ms_at_1000" : "p99_ms_at_1000", load.p99_ms(1'000, 5), "ms");
  return rate;
}

double measure_stored(std::uint64_t keys, const std::string& field) {
  Server server(Server::Keys::stored, false);
  fill(server, keys);
  server.start();
  Load load(server, false, keys);
  const double rate = load.per_cpu_second();
  bench::print_figure("cas-kms", field, rate, "requests/s");
  return rate;
}

}  // namespace

int main() {
  measure_derived(false, "http");
  measure_derived(true, "https");
  const double few = measure_stored(1'000, "stored_requests_per_cpu_s");
  const double many = measure_stored(1'000'000, "million_stored_requests_per_cpu_s");
  bench::print_figure("cas-kms", "million_stored_ratio", many / few, "ratio");
  return EXIT_SUCCESS;
}
