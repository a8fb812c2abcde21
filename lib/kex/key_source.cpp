// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/key_source.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/writer.hpp"
#include "crypto/digest.hpp"

namespace cas::kex {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr unsigned most_prefetch = 100;
constexpr milliseconds first_retry{100}, longest_retry{2'000};
constexpr std::uint64_t kept_behind = 1;  ///< Periods before the present one: a flush may lead back.

/// What tells sources apart. Secrets go through a digest.
Result<std::string> identity(const KeySourceSettings& settings) {
  ByteWriter all;
  const auto text = [&](std::string_view value) {
    all.u32(static_cast<std::uint32_t>(value.size())).bytes(as_bytes(value));
  };
  for (const std::string& url : settings.client.urls) text(url);
  const auto& credentials = settings.client.credentials;
  for (const std::string* value :
       {&credentials.authority_file, &credentials.certificate_file, &credentials.key_file, &credentials.user,
        &settings.content_id, &settings.track_type, &settings.representation, &settings.scheme})
    text(*value);
  for (const SecretBytes* secret : {&credentials.password, &credentials.bearer_token, &credentials.key_pass_phrase}) {
    CAS_TRY_ASSIGN(const auto digest, crypto::sha256(secret->reveal()));
    all.bytes(digest);
  }
  for (const Uuid& system : settings.systems) all.bytes(system.bytes);
  all.u32(static_cast<std::uint32_t>(settings.client.certificate.size())).bytes(settings.client.certificate);
  all.u64(static_cast<std::uint64_t>(settings.period.count())).u8(settings.utc ? 1 : 0).u8(settings.push ? 1 : 0);
  all.u64(settings.prefetch).u64(settings.key_size);
  all.u64(static_cast<std::uint64_t>(settings.client.timeout.count()));
  all.u64(static_cast<std::uint64_t>(settings.client.give_up.count()));
  return as_text(all.view());
}

Status check(const KeySourceSettings& settings) {
  KeyName name;
  name.content_id = settings.content_id;
  name.track_type = settings.track_type;
  name.representation = settings.representation;
  CAS_TRY(name.check());
  if (settings.period < nanoseconds(0)) return fail(ErrorKind::invalid_argument, "a period is not shorter than 0");
  if (settings.prefetch > most_prefetch)
    return fail(ErrorKind::invalid_argument, "at most 100 periods are fetched ahead");
  if (settings.push && (settings.key_size < 8 || settings.key_size > 32))
    return fail(ErrorKind::invalid_argument, "a key that is made here has 8 to 32 bytes");
  return {};
}

}  // namespace

/// Callbacks of the client come on its thread, and find the state as long as it lives.
struct KeySource::State final : KmsClientListener, std::enable_shared_from_this<KeySource::State> {
  State(KeySourceSettings all, Clock& given_clock, Random& given_random)
      : settings(std::move(all)), clock(given_clock), random(given_random), retry(random, first_retry, longest_retry) {}

  struct Registered {
    std::shared_ptr<KeySourceListener> listener;
    std::optional<std::uint64_t> wanted;
  };

  [[nodiscard]] KeyRequest request_for(const std::vector<std::uint64_t>& periods) const;
  /// What is wanted and neither there nor asked for. With the lock.
  [[nodiscard]] std::vector<std::uint64_t> missing() const;
  void forget_old();
  /// Asks for what is missing. Without the lock.
  void fetch_missing(nanoseconds not_before = {});
  void ask(const std::vector<std::uint64_t>& periods, nanoseconds not_before);
  void bring(std::uint64_t period, nanoseconds not_before);
  void arrived(const std::vector<std::uint64_t>& periods, std::vector<FetchedKey> keys);
  void failed(const std::vector<std::uint64_t>& periods, const Error& error);

  template <typename Tell>
  void tell_all(Tell tell) {
    std::vector<std::shared_ptr<KeySourceListener>> all;
    {
      const std::lock_guard lock(mutex);
      for (const auto& [number, user] : users) all.push_back(user.listener);
    }
    for (const auto& listener : all) tell(*listener);
  }
  void failed_over(const std::string& from, const std::string& to, const std::string& cause) override {
    tell_all([&](KeySourceListener& listener) { listener.failed_over(from, to, cause); });
  }
  void recovered(const std::string& url) override {
    tell_all([&](KeySourceListener& listener) { listener.recovered(url); });
  }
  void negotiated(const std::string& url, const std::string& authentication, bool encrypted) override {
    tell_all([&](KeySourceListener& listener) { listener.negotiated(url, authentication, encrypted); });
  }
  void disagreement(const std::string& one, const std::string& other) override {
    tell_all([&](KeySourceListener& listener) { listener.disagreement(one, other); });
  }

  const KeySourceSettings settings;  ///< Without the client's, which the client has.
  Clock& clock;
  Random& random;
  std::atomic<std::uint64_t> generation{0};

  mutable std::mutex mutex;  ///< Of all below.
  service::ReconnectDelay retry;
  std::map<std::uint64_t, Registered> users;
  std::uint64_t last_user = 0;
  std::map<std::uint64_t, std::shared_ptr<const FetchedKey>> keys;
  std::map<std::uint64_t, KeyMaterial> made;  ///< Drawn here, and not taken by a server yet.
  std::set<std::uint64_t> asked;
  std::set<std::uint64_t> others;  ///< Periods of which somebody else was first to bring a key.
  std::uint64_t hits = 0, misses = 0;

  std::unique_ptr<KmsClient> client;  ///< Goes first: its thread uses the rest.
};

// ------------------------------------------------------------------------------------------------------------- fetching

KeyRequest KeySource::State::request_for(const std::vector<std::uint64_t>& periods) const {
  KeyRequest request;
  request.content_id = settings.content_id;
  request.track_type = settings.track_type;
  request.representation = settings.representation;
  request.scheme = settings.scheme;
  request.systems = settings.systems;
  for (const std::uint64_t period : periods) {
    KeyPeriod asked_for;
    if (settings.period > nanoseconds(0)) {
      asked_for.index = period;
      // 5.1.4: the time stamp in each request.
      if (settings.utc) {
        asked_for.start = UtcTime(static_cast<std::int64_t>(period) * settings.period.count());
        asked_for.end = *asked_for.start + settings.period;
      }
    }
    request.periods.push_back(asked_for);
  }
  return request;
}

std::vector<std::uint64_t> KeySource::State::missing() const {
  std::set<std::uint64_t> wanted;
  const unsigned ahead = settings.period > nanoseconds(0) ? settings.prefetch : 0;
  for (const auto& [number, user] : users)
    for (unsigned offset = 0; user.wanted && offset <= ahead; ++offset) wanted.insert(*user.wanted + offset);
  std::erase_if(wanted, [&](std::uint64_t period) { return keys.contains(period) || asked.contains(period); });
  return {wanted.begin(), wanted.end()};
}

void KeySource::State::forget_old() {
  std::optional<std::uint64_t> oldest;
  for (const auto& [number, user] : users)
    if (user.wanted) oldest = std::min(oldest.value_or(*user.wanted), *user.wanted);
  if (!oldest) return;
  const std::uint64_t from = *oldest < kept_behind ? 0 : *oldest - kept_behind;
  keys.erase(keys.begin(), keys.lower_bound(from));
  made.erase(made.begin(), made.lower_bound(from));
  others.erase(others.begin(), others.lower_bound(from));
}

void KeySource::State::fetch_missing(nanoseconds not_before) {
  std::vector<std::uint64_t> pull, push;
  {
    const std::lock_guard lock(mutex);
    for (const std::uint64_t period : missing()) {
      asked.insert(period);
      (settings.push && !others.contains(period) ? push : pull).push_back(period);
    }
  }
  if (!pull.empty()) ask(pull, not_before);
  for (const std::uint64_t period : push) bring(period, not_before);
}

void KeySource::State::ask(const std::vector<std::uint64_t>& periods, nanoseconds not_before) {
  client->fetch(
      request_for(periods),
      [weak = weak_from_this(), periods](Result<std::vector<FetchedKey>> fetched, const std::string&) {
        const auto self = weak.lock();
        if (!self) return;
        if (fetched)
          self->arrived(periods, std::move(*fetched));
        else
          self->failed(periods, fetched.error());
      },
      not_before);
}

void KeySource::State::bring(std::uint64_t period, nanoseconds not_before) {
  KeyMaterial key;
  {
    const std::lock_guard lock(mutex);
    auto drawn = made.find(period);
    if (drawn == made.end()) {
      auto kid = Uuid::draw(random);
      auto value = random_secret(random, settings.key_size);
      InitialisationVector iv{};
      if (!kid || !value || !random.fill(iv)) {
        asked.erase(period);
        return;
      }
      drawn = made.emplace(period, KeyMaterial{*kid, iv, std::move(*value), {}}).first;
    }
    key = drawn->second.clone();
  }
  std::vector<KeyMaterial> keys_of_push;
  keys_of_push.push_back(std::move(key));
  client->push(
      request_for({period}), std::move(keys_of_push),
      [weak = weak_from_this(), period](const Status& status, const std::string&) {
        const auto self = weak.lock();
        if (!self) return;
        std::vector<FetchedKey> taken(1);
        {
          const std::lock_guard lock(self->mutex);
          // Somebody was quicker: their key is the one (5.2.2).
          if (!status && status.error().kind == ErrorKind::refused) self->others.insert(period);
          const auto drawn = self->made.find(period);
          if (status && drawn != self->made.end()) taken[0].key = drawn->second.clone();
        }
        taken[0].period = self->request_for({period}).periods[0];
        taken[0].scheme = self->settings.scheme;
        if (status && !taken[0].key.value.empty())
          self->arrived({period}, std::move(taken));
        else
          self->failed({period}, status ? Error{ErrorKind::cancelled, "the period is over"} : status.error());
      },
      not_before);
}

void KeySource::State::arrived(const std::vector<std::uint64_t>& periods, std::vector<FetchedKey> fetched) {
  {
    const std::lock_guard lock(mutex);
    for (std::size_t at = 0; at < periods.size(); ++at) {
      asked.erase(periods[at]);
      made.erase(periods[at]);
      keys.emplace(periods[at], std::make_shared<const FetchedKey>(std::move(fetched[at])));
    }
    retry.reset();
    forget_old();
  }
  generation.fetch_add(1, std::memory_order_release);
  for (const std::uint64_t period : periods) tell_all([&](KeySourceListener& listener) { listener.fetched(period); });
  fetch_missing();
}

void KeySource::State::failed(const std::vector<std::uint64_t>& periods, const Error& error) {
  milliseconds delay{0};
  {
    const std::lock_guard lock(mutex);
    for (const std::uint64_t period : periods) asked.erase(period);
    delay = retry.next();
  }
  tell_all([&](KeySourceListener& listener) { listener.not_fetched(periods.front(), error); });
  fetch_missing(clock.monotonic() + delay);
}

// --------------------------------------------------------------------------------------------------------------- source

Result<std::shared_ptr<KeySource>> KeySource::open(KeySourceSettings settings, Clock& clock, Random& random) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<KeySource>> known;
  CAS_TRY(check(settings));
  CAS_TRY_ASSIGN(const std::string which, identity(settings));
  const std::lock_guard lock(mutex);
  std::erase_if(known, [](const auto& entry) { return entry.second.expired(); });
  if (const auto found = known.find(which); found != known.end())
    if (auto source = found->second.lock()) return source;
  KmsClientSettings of_client = std::move(settings.client);
  settings.client = {};
  auto state = std::make_shared<State>(std::move(settings), clock, random);
  CAS_TRY_ASSIGN(state->client, KmsClient::create(std::move(of_client), *state, clock, random));
  std::shared_ptr<KeySource> source(new KeySource(std::move(state)));
  known.insert_or_assign(which, source);
  return source;
}

KeySource::~KeySource() {
  // The client's thread ends here, unless this is a callback on it. The client itself stays as long as the state: a
  // callback may be about to ask it for more.
  if (state_->client->is_own_thread())
    std::thread([state = state_] { state->client->stop(); }).detach();
  else
    state_->client->stop();
}

KeySource::User::User(std::shared_ptr<KeySource> source, std::shared_ptr<KeySourceListener> listener)
    : source_(std::move(source)) {
  State& state = *source_->state_;
  const std::lock_guard lock(state.mutex);
  number_ = ++state.last_user;
  state.users.emplace(number_, State::Registered{std::move(listener), {}});
}

KeySource::User::~User() {
  State& state = *source_->state_;
  const std::lock_guard lock(state.mutex);
  state.users.erase(number_);
}

void KeySource::User::want(std::uint64_t period) {
  State& state = *source_->state_;
  {
    const std::lock_guard lock(state.mutex);
    auto& user = state.users.at(number_);
    if (user.wanted == period) return;
    user.wanted = period;
    state.forget_old();
  }
  state.fetch_missing();
}

std::shared_ptr<const FetchedKey> KeySource::User::find(std::uint64_t period) {
  State& state = *source_->state_;
  const std::lock_guard lock(state.mutex);
  const auto found = state.keys.find(period);
  ++(found == state.keys.end() ? state.misses : state.hits);
  return found == state.keys.end() ? nullptr : found->second;
}

std::shared_ptr<const FetchedKey> KeySource::User::peek(std::uint64_t period) const {
  const State& state = *source_->state_;
  const std::lock_guard lock(state.mutex);
  const auto found = state.keys.find(period);
  return found == state.keys.end() ? nullptr : found->second;
}

std::uint64_t KeySource::generation() const { return state_->generation.load(std::memory_order_acquire); }
unsigned KeySource::prefetch() const {
  return state_->settings.period > nanoseconds(0) ? state_->settings.prefetch : 0;
}

KeySourceStatistics KeySource::statistics() const {
  KeySourceStatistics statistics;
  statistics.client = state_->client->statistics();
  const std::lock_guard lock(state_->mutex);
  statistics.hits = state_->hits;
  statistics.misses = state_->misses;
  statistics.cached = state_->keys.size();
  return statistics;
}

}  // namespace cas::kex
