// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/kms_client.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "crypto/constant_time.hpp"
#include "kex/cpix_encryption.hpp"
#include "kex/cpix_reader.hpp"
#include "kex/cpix_writer.hpp"
#include "service/http_client.hpp"

namespace cas::kex {

namespace {

using service::HttpTransferAnswer;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr std::size_t most_servers = 8;
constexpr std::size_t longest_sentence = 300;
constexpr milliseconds idle{60'000};

/// What a server says of an error, for people: one line of printable text.
std::string sentence_of(const HttpTransferAnswer& answer) {
  std::string sentence;
  for (const std::uint8_t byte : answer.body.reveal()) {
    if (sentence.size() == longest_sentence || byte == '\n') break;
    sentence += byte >= 0x20 && byte < 0x7f ? static_cast<char>(byte) : '?';
  }
  return sentence;
}

ErrorKind kind_of_status(int status) {
  switch (status) {
    case 400:
    case 413:
    case 422: return ErrorKind::invalid_argument;
    case 401: return ErrorKind::authentication_failed;
    case 403:
    case 409: return ErrorKind::refused;
    case 404: return ErrorKind::not_found;
    case 429: return ErrorKind::exhausted;
    default: return ErrorKind::io;
  }
}

/// Whether a server that fails so is passed over from now on. What it refuses by its rules says nothing of its health.
bool is_unwell(ErrorKind kind) {
  return kind != ErrorKind::invalid_argument && kind != ErrorKind::refused && kind != ErrorKind::not_found &&
         kind != ErrorKind::exhausted;
}

}  // namespace

class KmsClient::Worker {
 public:
  Worker(KmsClientSettings settings, KmsClientListener& listener, Clock& clock, Random& random,
         std::unique_ptr<service::HttpTransfers> transfers)
      : settings_(std::move(settings)),
        listener_(listener),
        clock_(clock),
        random_(random),
        transfers_(std::move(transfers)),
        roster_(settings_.urls.size(), settings_.roster, random),
        negotiated_(settings_.urls.size()) {}
  ~Worker() { stop(); }

  void start() {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
  void stop() {
    if (!thread_.joinable()) return;
    thread_.request_stop();
    transfers_->wake();
    thread_.join();
  }

  struct Job {
    KeyRequest request;
    std::string method;
    SecretBytes body;
    CpixDocument pushed;  ///< What was sent, without its keys: the answer to a push has to name the ids.
    Done done;
    PushDone push_done;

    nanoseconds not_before{0}, begun{0}, hedge_at{0};
    std::vector<bool> asked;
    std::size_t waiting = 0;          ///< Transfers that may still bring its answer.
    std::string causes;               ///< One sentence a server that failed.
    std::optional<ErrorKind> kind;    ///< Of the first of them.
    std::vector<FetchedKey> fetched;  ///< Once it was answered,
    std::optional<std::size_t> by;    ///< by this server.
    bool over = false;                ///< Its caller has been told.

    void write(Result<CpixDocument> document) {
      auto written = document ? write_cpix(*document) : Result<SecretBytes>(fail(document.error()));
      if (written) {
        body = std::move(*written);
        pushed = std::move(*document);
        for (CpixContentKey& key : pushed.keys) key.value.reset();
      } else {
        causes = written.error().message;
        kind = written.error().kind;
      }
    }
  };
  void add(std::shared_ptr<Job> job) {
    {
      const std::lock_guard lock(mutex_);
      added_.push_back(std::move(job));
    }
    transfers_->wake();
  }
  [[nodiscard]] bool is_own_thread() const { return std::this_thread::get_id() == thread_.get_id(); }
  KmsClientStatistics statistics() const {
    const std::lock_guard lock(mutex_);
    return statistics_;
  }

  KmsClientSettings settings_;
  KmsClientListener& listener_;
  Clock& clock_;
  Random& random_;

 private:
  struct Sent {
    std::shared_ptr<Job> job;
    std::size_t server = 0;
    bool probe = false;  ///< Beside the request: its failure costs nobody anything.
    bool slow = false;   ///< It has had its time-out.
  };

  void run(const std::stop_token& stop);
  void begin(const std::shared_ptr<Job>& job);
  bool send(const std::shared_ptr<Job>& job, std::size_t server, bool probe);
  /// To the next server that was not asked yet; false when there is none.
  bool send_next(const std::shared_ptr<Job>& job);
  void hedge(const std::shared_ptr<Job>& job);
  void take(Sent sent, Result<HttpTransferAnswer> result);
  Result<std::vector<FetchedKey>> open(const Job& job, std::size_t server, Result<HttpTransferAnswer>& result);
  void succeed(const Sent& sent, std::vector<FetchedKey> keys);
  void fail_server(const Sent& sent, const Error& error);
  void give_up(Job& job);
  void tell(const std::optional<ServerRoster::Change>& change);
  void compare(const Job& job, std::size_t server, const std::vector<FetchedKey>& keys);
  [[nodiscard]] std::string name(std::size_t server) const { return service::url_for_people(settings_.urls[server]); }

  std::unique_ptr<service::HttpTransfers> transfers_;
  ServerRoster roster_;
  std::vector<std::string> negotiated_;
  std::map<std::uint64_t, Sent> sent_;
  std::vector<std::shared_ptr<Job>> later_;  ///< That are not due yet.
  std::vector<std::shared_ptr<Job>> jobs_;   ///< Whose callers wait.

  mutable std::mutex mutex_;  ///< Of these two.
  std::deque<std::shared_ptr<Job>> added_;
  KmsClientStatistics statistics_;
  std::jthread thread_;
};

void KmsClient::Worker::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::deque<std::shared_ptr<Job>> added;
    {
      const std::lock_guard lock(mutex_);
      added.swap(added_);
    }
    for (auto& job : added) later_.push_back(std::move(job));
    nanoseconds next = clock_.monotonic() + idle;
    for (const auto& job : std::exchange(later_, {})) {
      if (clock_.monotonic() >= job->not_before) {
        begin(job);
      } else {
        next = std::min(next, job->not_before);
        later_.push_back(job);
      }
    }
    for (const auto& job : std::vector(jobs_)) {
      if (!job->over && clock_.monotonic() >= job->hedge_at) hedge(job);
      if (!job->over && clock_.monotonic() >= job->begun + settings_.give_up) give_up(*job);
      if (!job->over) next = std::min({next, job->hedge_at, job->begun + settings_.give_up});
    }
    std::erase_if(jobs_, [](const auto& job) { return job->over; });
    const auto wait = std::chrono::ceil<milliseconds>(next - clock_.monotonic());
    for (auto& finished : transfers_->wait(std::max(wait, milliseconds(0)))) {
      const auto found = sent_.find(finished.transfer);
      if (found == sent_.end()) continue;
      Sent sent = std::move(found->second);
      sent_.erase(found);
      take(std::move(sent), std::move(finished.result));
    }
  }
}

void KmsClient::Worker::begin(const std::shared_ptr<Job>& job) {
  job->begun = clock_.monotonic();
  job->asked.assign(settings_.urls.size(), false);
  jobs_.push_back(job);
  {
    const std::lock_guard lock(mutex_);
    ++statistics_.requests;
  }
  if (job->body.empty()) return give_up(*job);  // it could not be written: the cause is told
  // A push is not sent twice at once: the second server would have to be told what the first has taken.
  if (job->method == "POST")
    for (const std::size_t server : roster_.take_probes(job->begun)) send(job, server, true);
  if (!send_next(job)) give_up(*job);
}

bool KmsClient::Worker::send(const std::shared_ptr<Job>& job, std::size_t server, bool probe) {
  service::HttpTransferRequest request;
  request.method = job->method;
  request.headers = {{"X-Speke-Version", "2.0"}, {"Accept", "application/xml"}};
  request.content_type = "application/xml";
  request.body = job->body.clone();
  request.limit = settings_.give_up;
  const auto number = transfers_->start(server, std::move(request));
  if (!probe) {
    job->asked[server] = true;
    job->hedge_at = clock_.monotonic() + settings_.timeout;
  }
  if (!number) {
    fail_server({job, server, probe, false}, number.error());
    return false;
  }
  ++job->waiting;
  sent_.emplace(*number, Sent{job, server, probe, false});
  return true;
}

bool KmsClient::Worker::send_next(const std::shared_ptr<Job>& job) {
  for (const std::size_t server : roster_.order())
    if (!job->asked[server] && send(job, server, false)) return true;
  return false;
}

/// Those who were asked take too long: the next one is asked beside them.
void KmsClient::Worker::hedge(const std::shared_ptr<Job>& job) {
  for (auto& [number, sent] : sent_) {
    if (sent.job != job || sent.probe || sent.slow) continue;
    sent.slow = true;
    tell(roster_.failed(sent.server, "no answer within " + std::to_string(settings_.timeout.count()) + " ms",
                        clock_.monotonic()));
  }
  job->hedge_at = nanoseconds::max();
  if (!send_next(job)) return;
  const std::lock_guard lock(mutex_);
  ++statistics_.hedged;
}

Result<std::vector<FetchedKey>> KmsClient::Worker::open(const Job& job, std::size_t server,
                                                        Result<HttpTransferAnswer>& result) {
  if (!result) {
    // An answer without end is no matter of rules.
    const bool endless = result.error().kind == ErrorKind::exhausted;
    return fail(endless ? ErrorKind::io : result.error().kind, result.error().message);
  }
  if (result->status != 200) {
    const std::string sentence = sentence_of(*result);
    return fail(kind_of_status(result->status), name(server) + " answers " + std::to_string(result->status) +
                                                    (sentence.empty() ? "" : ": " + sentence));
  }
  const auto in_answer = [&](const Error& error) { return fail_in(name(server), error); };
  auto document = read_cpix(result->body.reveal());
  if (!document) return in_answer(document.error());
  if (job.push_done) {
    if (const Status fine = check_push_answer(job.pushed, *document); !fine) return in_answer(fine.error());
    return std::vector<FetchedKey>();
  }
  // One that is in clear among them is no less one that somebody else may have read, or put there.
  if (settings_.private_key && std::ranges::any_of(document->keys, [](const auto& key) { return !key.value.empty(); }))
    return in_answer({ErrorKind::malformed, "keys come in clear, although encrypted delivery was asked for"});
  if (has_encrypted_keys(*document)) {
    if (!settings_.private_key)
      return in_answer({ErrorKind::refused, "keys come encrypted, and there is no private key here to open them"});
    if (const Status opened = decrypt_keys(*document, *settings_.private_key); !opened)
      return in_answer(opened.error());
  }
  auto keys = read_answer(job.request, std::move(*document));
  if (!keys) return in_answer(keys.error());
  return keys;
}

void KmsClient::Worker::take(Sent sent, Result<HttpTransferAnswer> result) {
  --sent.job->waiting;
  auto keys = open(*sent.job, sent.server, result);
  if (!keys) return fail_server(sent, keys.error());
  const std::string how = result->authentication + (result->encrypted ? " over TLS" : "");
  if (negotiated_[sent.server] != how) {
    negotiated_[sent.server] = how;
    listener_.negotiated(name(sent.server), result->authentication, result->encrypted);
  }
  succeed(sent, std::move(*keys));
}

void KmsClient::Worker::succeed(const Sent& sent, std::vector<FetchedKey> keys) {
  Job& job = *sent.job;
  tell(roster_.succeeded(sent.server));
  if (job.by) return compare(job, sent.server, keys);
  if (job.over) return;
  job.by = sent.server;
  job.over = true;
  {
    const std::lock_guard lock(mutex_);
    ++statistics_.succeeded;
    statistics_.last_latency = clock_.monotonic() - job.begun;
    statistics_.longest_latency = std::max(statistics_.longest_latency, statistics_.last_latency);
  }
  if (job.push_done) return job.push_done({}, name(sent.server));
  // Others that are under way will be compared with them.
  if (job.waiting > 0)
    for (const FetchedKey& key : keys) job.fetched.push_back({key.period, key.key.clone(), key.scheme, {}, {}});
  job.done(std::move(keys), name(sent.server));
}

void KmsClient::Worker::fail_server(const Sent& sent, const Error& error) {
  Job& job = *sent.job;
  // Whose time-out is over has been told of already.
  if (is_unwell(error.kind) && !sent.slow) tell(roster_.failed(sent.server, error.message, clock_.monotonic()));
  if (sent.probe || job.over) return;
  job.causes += (job.causes.empty() ? "" : "; ") + error.message;
  if (!job.kind) job.kind = error.kind;
  // Where one of them has another key, the next one would only hide it (5.2.2).
  if (job.push_done && error.kind == ErrorKind::refused) return give_up(job);
  if (sent.slow) {
    if (job.waiting == 0) give_up(job);
    return;
  }
  if (!send_next(sent.job) && job.waiting == 0) give_up(job);
}

void KmsClient::Worker::give_up(Job& job) {
  if (job.over) return;
  job.over = true;
  {
    const std::lock_guard lock(mutex_);
    ++statistics_.failed;
  }
  const std::string causes =
      job.causes.empty() ? "no key server has answered within " + std::to_string(settings_.give_up.count()) + " ms"
                         : job.causes;
  const Error error{job.kind.value_or(ErrorKind::io), causes};
  if (job.push_done) return job.push_done(fail(error), {});
  job.done(fail(error), {});
}

void KmsClient::Worker::tell(const std::optional<ServerRoster::Change>& change) {
  if (!change) return;
  {
    const std::lock_guard lock(mutex_);
    ++(change->kind == ServerRoster::Change::Kind::failed_over ? statistics_.fail_overs : statistics_.recoveries);
  }
  if (change->kind == ServerRoster::Change::Kind::failed_over)
    listener_.failed_over(name(change->from), name(change->to), change->cause);
  else
    listener_.recovered(name(change->to));
}

void KmsClient::Worker::compare(const Job& job, std::size_t server, const std::vector<FetchedKey>& keys) {
  for (std::size_t at = 0; at < std::min(keys.size(), job.fetched.size()); ++at)
    if (keys[at].key.kid != job.fetched[at].key.kid ||
        !crypto::constant_time_equal(keys[at].key.value.reveal(), job.fetched[at].key.value.reveal()))
      return listener_.disagreement(name(*job.by), name(server));
}

// --------------------------------------------------------------------------------------------------------------- client

KmsClient::KmsClient(std::unique_ptr<Worker> worker) : worker_(std::move(worker)) {}
KmsClient::~KmsClient() = default;

Result<std::unique_ptr<KmsClient>> KmsClient::create(KmsClientSettings settings, KmsClientListener& listener,
                                                     Clock& clock, Random& random) {
  if (settings.urls.empty() || settings.urls.size() > most_servers)
    return fail(ErrorKind::invalid_argument, "one to eight key servers are named");
  if (settings.timeout <= milliseconds(0) || settings.give_up < settings.timeout)
    return fail(ErrorKind::invalid_argument, "the time-out is longer than 0, and not longer than the time to give up");
  if (settings.private_key.has_value() == settings.certificate.empty() ||
      (settings.private_key && !settings.private_key->belongs_to(settings.certificate)))
    return fail(ErrorKind::invalid_argument,
                "encrypted delivery needs an RSA key and the certificate to it, which belong together");
  CAS_TRY_ASSIGN(auto transfers, service::HttpTransfers::create());
  for (const std::string& url : settings.urls) {
    CAS_TRY_ASSIGN(const std::size_t number, transfers->add_target({url, settings.credentials.clone()}));
    static_cast<void>(number);  // it is the position in the list
  }
  auto worker = std::make_unique<Worker>(std::move(settings), listener, clock, random, std::move(transfers));
  worker->start();
  return std::unique_ptr<KmsClient>(new KmsClient(std::move(worker)));
}

void KmsClient::fetch(KeyRequest request, Done done, nanoseconds not_before) {
  request.recipient = worker_->settings_.certificate;
  auto job = std::make_shared<Worker::Job>();
  job->method = "POST";
  job->write(make_request(request, worker_->random_));
  job->request = std::move(request);
  job->done = std::move(done);
  job->not_before = not_before;
  worker_->add(std::move(job));
}

void KmsClient::push(KeyRequest request, std::vector<KeyMaterial> keys, PushDone done, nanoseconds not_before) {
  auto job = std::make_shared<Worker::Job>();
  job->method = "PUT";
  job->write(make_push(request, keys));
  job->request = std::move(request);
  job->push_done = std::move(done);
  job->not_before = not_before;
  worker_->add(std::move(job));
}

void KmsClient::stop() { worker_->stop(); }
bool KmsClient::is_own_thread() const { return worker_->is_own_thread(); }
KmsClientStatistics KmsClient::statistics() const { return worker_->statistics(); }

}  // namespace cas::kex
