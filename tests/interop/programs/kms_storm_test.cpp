// SPDX-License-Identifier: LGPL-2.1-or-later
// Keys that were given out stay what they are, however often servers and databases are killed (5.2.2). That is no power
// cut: what the kernel has not written yet survives. For SQLite, tests/unit/kex/power_cut_test.cpp cuts the power; for
// PostgreSQL, whose fsync is on here, its own promises are relied on. For the long run:
//   KMS_STORM_KEYS=1000000 KMS_STORM_KILLS=200 meson test -C build kms-storm --timeout-multiplier 20
#include <fcntl.h>
#include <poll.h>

#include <chrono>
#include <deque>
#include <random>
#include <thread>

#include "crypto/digest.hpp"
#include "kms_program_test.hpp"
#if CAS_HAS_PRIVATE_POSTGRES
#  include "support/private_postgres.hpp"
#endif

namespace cas::test {
namespace {

using std::chrono::milliseconds;

std::size_t number_of(const char* variable, std::size_t fallback) {
  const char* text = std::getenv(variable);
  return text == nullptr ? fallback : std::strtoul(text, nullptr, 10);
}

/// Ids, initialisation vectors and values of all keys of an answer, in one digest.
crypto::Sha256Digest digest_of(const std::vector<kex::FetchedKey>& keys) {
  Bytes all;
  for (const kex::FetchedKey& one : keys) {
    append(all, one.key.kid.bytes);
    append(all, one.key.iv);
    append(all, one.key.value.reveal());
  }
  return value_or_throw(crypto::sha256(all));
}

/// A connection that is asked and read without waiting.
class AsyncConnection {
 public:
  ~AsyncConnection() { close(); }
  AsyncConnection() = default;
  AsyncConnection(const AsyncConnection&) = delete;
  AsyncConnection& operator=(const AsyncConnection&) = delete;

  bool connect(std::uint16_t port) {
    close();
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0) {
      ::fcntl(socket_, F_SETFL, O_NONBLOCK);
      return true;
    }
    close();
    return false;
  }
  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
    out_.clear();
    in_.clear();
  }
  [[nodiscard]] bool is_open() const { return socket_ >= 0; }
  [[nodiscard]] pollfd poll_entry() const {
    return {socket_, static_cast<short>(out_.empty() ? POLLIN : POLLIN | POLLOUT), 0};
  }
  void send(const std::string& text) { out_ += text; }
  /// Sends and receives what can be; false when the connection has ended.
  bool move() {
    while (!out_.empty()) {
      const ssize_t sent = ::send(socket_, out_.data(), out_.size(), MSG_NOSIGNAL);
      if (sent < 0) {
        if (errno == EAGAIN) break;
        return false;
      }
      out_.erase(0, static_cast<std::size_t>(sent));
    }
    char buffer[65'536];
    for (;;) {
      const ssize_t got = ::recv(socket_, buffer, sizeof buffer, 0);
      if (got < 0) return errno == EAGAIN;
      if (got == 0) return false;
      in_.append(buffer, static_cast<std::size_t>(got));
    }
  }
  /// An answer that is there as a whole.
  std::optional<HttpReply> take() {
    const std::size_t end = in_.find("\r\n\r\n");
    if (end == std::string::npos) return std::nullopt;
    const std::size_t field = in_.find("Content-Length: ");
    const std::size_t size = field < end ? std::strtoul(in_.c_str() + field + 16, nullptr, 10) : 0;
    if (in_.size() < end + 4 + size) return std::nullopt;
    HttpReply reply{std::atoi(in_.c_str() + 9), in_.substr(0, end + 2), in_.substr(end + 4, size)};
    in_.erase(0, end + 4 + size);
    return reply;
  }

 private:
  int socket_ = -1;
  std::string out_, in_;
};

class KmsStorm : public KmsProgramTest {
 protected:
  static constexpr std::size_t per_batch = 50;   ///< Keys of a request.
  static constexpr std::size_t connections = 6;  ///< To each server.
  static constexpr std::size_t pipelined = 4;    ///< Requests under way on each.

  /// A server on a folder of its own.
  struct Server {
    std::filesystem::path folder;
    Environment environment = {};  ///< Beside the test's.
    std::unique_ptr<RunningProgram> program = nullptr;
    std::uint16_t port = 0;
  };
  struct Asked {
    AsyncConnection connection;
    std::deque<std::size_t> batches;
    std::size_t server = 0;
  };

  [[nodiscard]] static std::string content(std::size_t batch) { return "content-" + std::to_string(batch % 97); }
  [[nodiscard]] static std::string request_of(std::size_t batch) {
    return http_text("POST", "/cpix", request(content(batch), batch * per_batch, per_batch));
  }
  void start(Server& server) {
    std::filesystem::remove(server.folder / "port");
    Environment with = environment();
    with.insert(server.environment.begin(), server.environment.end());
    server.program = std::make_unique<RunningProgram>(
        Arguments{CAS_KMS, "run", "--config", (server.folder / "cas-kms.toml").string(), "--listen", "127.0.0.1:0",
                  "--port-file", (server.folder / "port").string()},
        with, folder());
    ASSERT_TRUE(server.program->wait_for_error_text("listening at")) << server.program->error_text();
    server.port = static_cast<std::uint16_t>(std::atoi(read_text(server.folder / "port").c_str()));
  }
  void kill(Server& server) {
    server.program->send(SIGKILL);
    EXPECT_EQ(server.program->wait().signal, SIGKILL);
    server.program.reset();
  }

  /// Asks for all batches at each server, and kills something now and then (`calamity`, which brings it back, too).
  void storm(std::vector<Server>& servers, std::size_t kills, const std::function<void(std::mt19937&)>& calamity) {
    const std::size_t batches = number_of("KMS_STORM_KEYS", 20'000) / per_batch;
    std::mt19937 random(static_cast<std::uint32_t>(number_of("KMS_STORM_SEED", 7)));
    std::vector<std::optional<crypto::Sha256Digest>> known(batches);
    // What each server is still to be asked, and is asked again where the answer was lost.
    std::vector<std::deque<std::size_t>> waiting(servers.size());
    for (std::size_t batch = 0; batch < batches; ++batch)
      for (auto& queue : waiting) queue.push_back(batch);
    std::vector<Asked> asked(servers.size() * connections);
    for (std::size_t at = 0; at < asked.size(); ++at) asked[at].server = at % servers.size();
    std::size_t answered = 0, killed = 0, repeated = 0;
    const std::size_t all = batches * servers.size();
    // After how many answers the next one strikes: anywhere in the part that is its own, whatever the machine's speed.
    const auto next_strike = [&]() -> std::size_t {
      return killed == kills ? all : (killed * 1000 + random() % 1000) * all / (kills * 1000);
    };
    std::size_t strike_at = next_strike();
    while (answered < all) {
      std::vector<pollfd> entries;
      for (Asked& one : asked) {
        auto& queue = waiting[one.server];
        if (!one.connection.is_open() && !one.connection.connect(servers[one.server].port)) continue;
        while (one.batches.size() < pipelined && !queue.empty()) {
          one.batches.push_back(queue.front());
          queue.pop_front();
          one.connection.send(request_of(one.batches.back()));
        }
        entries.push_back(one.connection.poll_entry());
      }
      ::poll(entries.data(), entries.size(), 2);
      for (Asked& one : asked) {
        if (!one.connection.is_open()) continue;
        const bool stands = one.connection.move();
        // What came after the answer at which something is killed is read afterwards.
        while (answered < strike_at) {
          const auto reply = one.connection.take();
          if (!reply) break;
          const std::size_t batch = one.batches.front();
          one.batches.pop_front();
          if (reply->status != 200) {
            ASSERT_EQ(reply->status, 503) << reply->body;
            waiting[one.server].push_back(batch);
            continue;
          }
          const auto keys = keys_of(*reply, content(batch), batch * per_batch, per_batch);
          const auto digest = digest_of(keys);
          if (known[batch]) {
            ++repeated;
            ASSERT_EQ(*known[batch], digest) << "two keys for one name, batch " << batch;
          }
          known[batch] = digest;
          ++answered;
          // Now and then what was answered before is asked for again, in the midst of it.
          if (random() % 16 == 0 && answered + 1 < all) {
            waiting[one.server].push_front(random() % (batch + 1));
            --answered;
          }
        }
        if (stands) continue;
        for (const std::size_t batch : one.batches) waiting[one.server].push_front(batch);
        one.batches.clear();
        one.connection.close();
      }
      if (answered < strike_at || answered == all) continue;
      ++killed;
      // The servers are at work on what they were asked: at any moment of that.
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
      calamity(random);
      if (HasFatalFailure()) return;
      strike_at = next_strike();
    }
    EXPECT_EQ(killed, kills);
    EXPECT_GT(repeated, 0U);
    // And once more all of it, of servers that were killed at last.
    for (Server& server : servers) {
      kill(server);
      start(server);
      PlainConnection connection(server.port);
      std::size_t sent = 0;
      for (std::size_t batch = 0; batch < batches; ++batch) {
        for (; sent < batches && sent < batch + pipelined; ++sent) connection.send(request_of(sent));
        const HttpReply reply = connection.receive();
        ASSERT_EQ(reply.status, 200) << reply.body;
        ASSERT_EQ(digest_of(keys_of(reply, content(batch), batch * per_batch, per_batch)), *known[batch])
            << "batch " << batch;
      }
      std::cout << batches * per_batch << " keys are the same after " << killed << " kills, " << repeated * per_batch
                << " were asked for again meanwhile\n";
    }
  }
  /// What a power cut leaves.
  static UnsyncedWrites::Left any_of(std::mt19937& random) {
    return std::array{UnsyncedWrites::Left::nothing, UnsyncedWrites::Left::first_half,
                      UnsyncedWrites::Left::scattered}[random() % 3];
  }
  void make(const std::filesystem::path& at, const Arguments& more) {
    Arguments arguments{"init", "--folder", at.string(), "--keys", "stored"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    expect_done(arguments);
    std::string text = read_text(at / "cas-kms.toml");
    for (const auto& [from, to] :
         {std::pair("[tls]\ncertificate = \"tls/server.pem\"\nkey = \"tls/server.key\"\nclient_authority = "
                    "\"tls/ca.pem\"\n",
                    ""),
          std::pair("\"mutual-TLS\", \"Digest\", \"Bearer\"", "\"Digest\", \"none\""),
          std::pair("requests_per_second = 1000", "requests_per_second = 1000000"),
          std::pair("burst = 2000", "burst = 1000000")}) {
      const std::size_t place = text.find(from);
      ASSERT_NE(place, std::string::npos) << from;
      text.replace(place, std::string(from).size(), to);
    }
    write_text(at / "cas-kms.toml", text);
  }
};

TEST_F(KmsStorm, R5_2_2_OnSqlite) {
  std::vector<Server> servers(1);
  servers[0].folder = folder() / "a";
  make(servers[0].folder, {});
  start(servers[0]);
  storm(servers, number_of("KMS_STORM_KILLS", 10), [&](std::mt19937&) {
    kill(servers[0]);
    start(servers[0]);
  });
}

// On a disk that keeps what was synced, and anything or nothing of the rest.
TEST_F(KmsStorm, R5_2_2_OnSqliteWithPowerCuts) {
  const TemporaryFolder for_journal;
  UnsyncedWrites disk = value_or_throw(UnsyncedWrites::watch(CAS_UNSYNCED_WRITES, for_journal.path()));
  std::vector<Server> servers(1);
  servers[0].folder = folder() / "a";
  servers[0].environment = disk.environment();
  make(servers[0].folder, {});
  start(servers[0]);
  std::size_t lost = 0;
  storm(servers, number_of("KMS_STORM_KILLS", 10), [&](std::mt19937& random) {
    kill(servers[0]);
    lost += value_or_throw(disk.lose(servers[0].folder, any_of(random), static_cast<std::uint32_t>(random())));
    start(servers[0]);
  });
  EXPECT_GT(disk.syncs(), 0U);
  std::cout << "  with " << lost << " of " << disk.writes() << " writes at stake\n";
}

// Two servers of one machine that share the file.
TEST_F(KmsStorm, R5_2_2_TwoServersOnOneSqliteFile) {
  std::vector<Server> servers(2);
  servers[0].folder = folder() / "a";
  servers[1].folder = folder() / "b";
  make(servers[0].folder, {});
  make(servers[1].folder,
       {"--join", servers[0].folder.string(), "--store", "sqlite:" + (folder() / "a/keys.db").string()});
  for (Server& server : servers) start(server);
  storm(servers, number_of("KMS_STORM_KILLS", 6), [&](std::mt19937& random) {
    Server& one = servers[random() % 2];
    kill(one);
    start(one);
  });
}

#if CAS_HAS_PRIVATE_POSTGRES
TEST_F(KmsStorm, R5_2_2_TwoServersOnPostgres) {
  if (!PrivatePostgres::missing().empty()) GTEST_SKIP() << PrivatePostgres::missing();
  const auto database = value_or_throw(PrivatePostgres::start());  // durable: fsync is on
  std::vector<Server> servers(2);
  servers[0].folder = folder() / "a";
  servers[1].folder = folder() / "b";
  make(servers[0].folder, {"--store", database->url()});
  make(servers[1].folder, {"--store", database->url(), "--join", servers[0].folder.string()});
  for (Server& server : servers) start(server);
  std::size_t strikes = 0;
  storm(servers, number_of("KMS_STORM_KILLS", 6), [&](std::mt19937& random) {
    if (strikes++ % 3 == 1) {  // the database
      database->kill();
      std::this_thread::sleep_for(milliseconds(random() % 20));
      ASSERT_OK(database->restart());
      return;
    }
    Server& one = servers[random() % 2];
    kill(one);
    start(one);
  });
}

TEST_F(KmsStorm, R5_2_2_OnPostgresWithPowerCuts) {
  if (!PrivatePostgres::missing().empty()) GTEST_SKIP() << PrivatePostgres::missing();
  const auto database = value_or_throw(PrivatePostgres::start({.power_cuts = CAS_UNSYNCED_WRITES}));
  std::vector<Server> servers(2);
  servers[0].folder = folder() / "a";
  servers[1].folder = folder() / "b";
  make(servers[0].folder, {"--store", database->url()});
  make(servers[1].folder, {"--store", database->url(), "--join", servers[0].folder.string()});
  for (Server& server : servers) start(server);
  std::size_t lost = 0;
  storm(servers, number_of("KMS_STORM_KILLS", 6), [&](std::mt19937& random) {
    lost += value_or_throw(database->cut_power(any_of(random), static_cast<std::uint32_t>(random())));
    ASSERT_OK(database->restart());
  });
  EXPECT_GT(lost, 0U);
  std::cout << "  with " << lost << " writes at stake\n";
}
#endif

}  // namespace
}  // namespace cas::test
