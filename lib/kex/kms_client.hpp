// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "crypto/rsa.hpp"
#include "kex/capabilities.hpp"
#include "kex/key_request.hpp"
#include "kex/server_roster.hpp"
#include "service/http_transfers.hpp"

namespace cas::kex {

struct KmsClientSettings {
  std::vector<std::string> urls;  ///< In the order of preference (5.3.1), one to eight.
  service::HttpCredentials credentials;
  /// For encrypted delivery: the key to the certificate that requests carry. Both or none.
  std::optional<crypto::RsaPrivateKey> private_key;
  Bytes certificate;
  std::chrono::milliseconds timeout{1'000};   ///< Then the next server is asked too.
  std::chrono::milliseconds give_up{10'000};  ///< Then the request has failed.
  ServerRoster::Settings roster;
};

/// What a client has to tell. On the client's thread; must not wait.
class KmsClientListener {
 public:
  virtual ~KmsClientListener() = default;
  /// Another server is asked from now on, and why.
  virtual void failed_over(const std::string& from, const std::string& to, const std::string& cause) = 0;
  /// A server that is preferred is well again.
  virtual void recovered(const std::string& url) = 0;
  /// For the first answer of each server, and when it changes: how the client and the server have proved themselves.
  virtual void negotiated(const std::string& url, const std::string& authentication, bool encrypted) = 0;
  /// Two servers have different keys for one period: they have not the same seeds, or not the same store.
  virtual void disagreement(const std::string& one, const std::string& other) = 0;
};

struct KmsClientStatistics {
  std::uint64_t requests = 0;   ///< Of callers.
  std::uint64_t succeeded = 0;  ///< Of these.
  std::uint64_t failed = 0;     ///< Of these: no server has answered well.
  std::uint64_t hedged = 0;     ///< Another server was asked before the first had answered.
  std::uint64_t fail_overs = 0, recoveries = 0;
  std::chrono::nanoseconds last_latency{0}, longest_latency{0};  ///< Of those that succeeded.
};

/// A scrambler's side of key exchange: asks one key server, and the next one when it fails, answers badly, or takes
/// longer than the time-out; then whoever answers first is taken. Has a thread of its own.
class KmsClient {
 public:
  /// With the server that answered.
  using Done = std::function<void(Result<std::vector<FetchedKey>> keys, const std::string& url)>;
  using PushDone = std::function<void(Status status, const std::string& url)>;

  /// Keeps references to `listener`, `clock` and `random`. ErrorKind::invalid_argument for settings that cannot be;
  /// unsupported without libcurl. Nothing is sent yet.
  [[nodiscard]] static Result<std::unique_ptr<KmsClient>> create(KmsClientSettings settings,
                                                                 KmsClientListener& listener, Clock& clock,
                                                                 Random& random);
  /// Breaks off what is under way; nothing is called back any more.
  ~KmsClient();
  KmsClient(const KmsClient&) = delete;
  KmsClient& operator=(const KmsClient&) = delete;

  /// Any thread; `done` is called once, on the client's. Errors: those of the servers' answers, with each server's
  /// sentence; io when none was reached. Nothing is sent before `not_before` (Clock::monotonic).
  void fetch(KeyRequest request, Done done, std::chrono::nanoseconds not_before = {});
  /// Brings keys that were made here to the first server that takes them (5.3.2). ErrorKind::refused: there is another
  /// key already.
  void push(KeyRequest request, std::vector<KeyMaterial> keys, PushDone done, std::chrono::nanoseconds not_before = {});
  [[nodiscard]] KmsClientStatistics statistics() const;
  /// Whether the caller is called back by it: who is must not destroy it.
  [[nodiscard]] bool is_own_thread() const;
  /// Breaks off what is under way, for good: nothing is called back any more, and what is asked from now on is never
  /// done. Waits for the client's thread, and so is not for it.
  void stop();

 private:
  class Worker;
  explicit KmsClient(std::unique_ptr<Worker> worker);
  std::unique_ptr<Worker> worker_;
};

}  // namespace cas::kex
