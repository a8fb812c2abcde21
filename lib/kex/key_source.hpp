// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "kex/kms_client.hpp"

namespace cas::kex {

/// The keys of one content, for the scramblers of one process.
struct KeySourceSettings {
  KmsClientSettings client;
  std::string content_id;
  std::string track_type, representation, scheme;  ///< As in KeyRequest.
  std::vector<Uuid> systems;
  /// Of a crypto-period; 0: one key for the whole content, of period number 0.
  std::chrono::nanoseconds period{0};
  /// Period numbers count from 1970 in UTC, so that requests can tell their times.
  bool utc = false;
  unsigned prefetch = 2;      ///< Periods that are fetched ahead of the one that is wanted; at most 100.
  bool push = false;          ///< Keys are made here and brought to the server.
  std::size_t key_size = 16;  ///< Of keys that are made here.
};

class KeySourceListener {
 public:
  virtual ~KeySourceListener() = default;
  // As KmsClientListener has them. On the client's thread; must not wait.
  virtual void failed_over(const std::string& from, const std::string& to, const std::string& cause) = 0;
  virtual void recovered(const std::string& url) = 0;
  virtual void negotiated(const std::string& url, const std::string& authentication, bool encrypted) = 0;
  virtual void disagreement(const std::string& one, const std::string& other) = 0;
  /// A key could not be had; it is tried again.
  virtual void not_fetched(std::uint64_t period, const Error& error) = 0;
  /// A key is there that was not.
  virtual void fetched(std::uint64_t period) = 0;
};

struct KeySourceStatistics {
  KmsClientStatistics client;
  std::uint64_t hits = 0;    ///< Keys that were there when they were looked for.
  std::uint64_t misses = 0;  ///< And those that were not.
  std::size_t cached = 0;
};

/// Fetches keys ahead and keeps them. Sources with the same settings are one: they share client, thread and keys. Any
/// thread.
class KeySource {
 public:
  /// The source of these settings: one that somebody in the process has, or a new one. Errors of KmsClient::create;
  /// invalid_argument for a content id, a period or a prefetch that cannot be. Nothing is sent yet. `clock` and
  /// `random` outlive it.
  [[nodiscard]] static Result<std::shared_ptr<KeySource>> open(KeySourceSettings settings, Clock& clock,
                                                               Random& random);
  ~KeySource();
  KeySource(const KeySource&) = delete;
  KeySource& operator=(const KeySource&) = delete;

  /// Whoever uses the source; it is told what happens while the user lives. Goes before the source.
  class User {
   public:
    /// The listener may be called once more after the user is gone, by the client's thread.
    User(std::shared_ptr<KeySource> source, std::shared_ptr<KeySourceListener> listener);
    ~User();
    User(const User&) = delete;
    User& operator=(const User&) = delete;

    /// This period is the present one: its key is fetched and those of the next ones, and older ones go when no other
    /// user has them. Cheap when nothing changes.
    void want(std::uint64_t period);
    /// The key of a period, when it is there; counted as a hit or a miss.
    [[nodiscard]] std::shared_ptr<const FetchedKey> find(std::uint64_t period);
    /// The same, not counted.
    [[nodiscard]] std::shared_ptr<const FetchedKey> peek(std::uint64_t period) const;

   private:
    std::shared_ptr<KeySource> source_;
    std::uint64_t number_;
  };

  /// Changes whenever a key has come: one atomic load.
  [[nodiscard]] std::uint64_t generation() const;
  [[nodiscard]] KeySourceStatistics statistics() const;
  [[nodiscard]] unsigned prefetch() const;

 private:
  struct State;
  explicit KeySource(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace cas::kex
