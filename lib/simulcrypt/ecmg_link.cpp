// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/ecmg_link.hpp"

#include <utility>

namespace cas::simulcrypt {

namespace {

using service::TcpConnection;
using std::chrono::milliseconds;

/// Hands what a connection does to the link, for as long as that is there.
class LinkHandler final : public service::TcpHandler {
 public:
  explicit LinkHandler(std::weak_ptr<EcmgLink> link) : link_(std::move(link)) {}
  void on_receive(TcpConnection& connection, ByteView bytes) override {
    if (const auto link = link_.lock()) link->received(connection, bytes);
  }
  void on_drained(TcpConnection& connection) override {
    if (const auto link = link_.lock()) link->drained(connection);
  }
  void on_close(TcpConnection& connection, const Status& why) override {
    if (const auto link = link_.lock()) link->ended(connection, why);
  }

 private:
  std::weak_ptr<EcmgLink> link_;
};

service::TcpLimits connection_limits() {
  service::TcpLimits limits;
  limits.idle = milliseconds(0);  // the client tests the channel
  limits.farewell = milliseconds(1'000);
  return limits;
}

}  // namespace

EcmgLink::EcmgLink(service::EventLoop& loop, Random& random, EcmgConnectorSettings settings,
                   EcmgConnectorListener* listener, std::shared_ptr<EcmMailbox> mailbox)
    : loop_(loop),
      settings_(std::move(settings)),
      listener_(listener),
      mailbox_(std::move(mailbox)),
      streams_(
          loop, random, {settings_.first_delay, settings_.longest_delay, settings_.client.max_late_ecms}, mailbox_,
          [this] { settle_soon(); }, [this](const Problem& problem) { report(problem); }),
      versions_(settings_.addresses.size(), settings_.client.version),
      delay_(random, settings_.first_delay, settings_.longest_delay) {}

void EcmgLink::report(const Problem& problem) {
  if (listener_ == nullptr) return;
  if (const auto told = reports_.pass(problem, loop_.now())) listener_->misbehaved(*told);
}

// ---------------------------------------------------------------------------------------------------------- addresses

void EcmgLink::start() {
  if (over_ || closing_) return;
  try_address();
}

// The attempt goes with this link: what it calls has one.
void EcmgLink::try_address() {
  if (listener_ != nullptr) listener_->connecting(address());
  attempt_ = service::TcpAttempt::start(
      loop_, address(), settings_.connect_limit, connection_limits(),
      [this](const std::shared_ptr<TcpConnection>& connection) { return take(connection); },
      [this](const Error& error) {
        attempt_.reset();
        versions_[present_] = settings_.client.version;
        try_next(error.message);
      });
}

std::unique_ptr<service::TcpHandler> EcmgLink::take(const std::shared_ptr<TcpConnection>& connection) {
  attempt_.reset();
  connection_ = connection;
  was_open_ = false;
  failure_.reset();
  EcmgClientSettings settings = settings_.client;
  settings.version = versions_[present_];
  client_ = std::make_unique<EcmgClient>(settings, *this);
  client_->start(loop_.now());
  settle_soon();
  return std::make_unique<LinkHandler>(weak_from_this());
}

// After a failure the next address is tried at once; after one of each, the primary again when some time has passed.
void EcmgLink::try_next(const std::string& why) {
  const service::TcpAddress failed = address();
  milliseconds after{0};
  if (++failures_ < settings_.addresses.size()) {
    present_ = (present_ + 1) % settings_.addresses.size();
  } else {
    failures_ = 0;
    present_ = 0;
    after = delay_.next();
  }
  retry_ = loop_.after(after, [this] { try_address(); });
  if (listener_ != nullptr) listener_->lost(failed, why, after);
}

// The channel is gone, or has not come about: lets go of client and connection. Not from within the client.
void EcmgLink::fall() {
  const Problem why = *std::exchange(failure_, std::nullopt);
  const std::uint8_t tried = versions_[present_];
  const std::uint8_t other = client_->version();
  streams_.channel_gone();
  proven_.cancel();
  tick_.cancel();
  client_.reset();
  if (const auto connection = std::exchange(connection_, nullptr)) {
    connection->close();
    std::erase_if(parting_, [](const auto& each) { return each.expired(); });
    parting_.push_back(connection);
  }
  // Some ECMGs of version 2 hang up without a word when they are asked for 3: the same one again, with 2.
  if (!was_open_ && why.what == Misbehaviour::connection_lost && other < tried) {
    versions_[present_] = other;
    return try_address();
  }
  versions_[present_] = was_open_ ? other : settings_.client.version;
  try_next(why.message);
}

// --------------------------------------------------------------------------------------------------------- connection

void EcmgLink::received(const TcpConnection& connection, ByteView bytes) {
  if (&connection != connection_.get() || !client_) return;
  client_->receive(bytes, loop_.now());
  settle();
}

void EcmgLink::drained(const TcpConnection& connection) {
  if (&connection == connection_.get()) settle();
}

void EcmgLink::ended(const TcpConnection& connection, const Status& why) {
  if (&connection != connection_.get()) return;
  connection_.reset();
  if (closing_) return finish();
  client_->connection_lost();
  if (!why && failure_ && failure_->what == Misbehaviour::connection_lost)
    failure_->message += ": " + why.error().message;
  settle();
}

// Many requests come at once when a crypto-period begins: their messages go out together.
void EcmgLink::settle_soon() {
  if (std::exchange(settling_soon_, true)) return;
  loop_.post([weak = weak_from_this()] {
    const auto link = weak.lock();
    if (!link) return;
    link->settling_soon_ = false;
    link->settle();
  });
}

// Whatever the client has been told, it may have something to send, another deadline, or be at its end.
void EcmgLink::settle() {
  if (over_ || !client_) return;
  if (streams_.is_deaf() && !failure_ && client_->is_open()) {
    client_->close_channel();
    failure_ = Problem{Misbehaviour::no_answer, 0, "the ECMG answers no stream_setup"};
  }
  flush();
  if (closing_) return settle_closing();
  if (failure_) return fall();
  if (const auto next = client_->next_deadline()) {
    tick_ = loop_.after(*next - loop_.now(), [this] {
      client_->tick(loop_.now());
      settle();
    });
  }
}

void EcmgLink::flush() {
  const ByteView out = client_->output();
  if (!connection_ || out.empty()) return;
  const Status sent = connection_->send(out);
  client_->sent(out.size());
  if (sent || failure_) return;
  // What an ECMG has not read it will not answer in time.
  failure_ = Problem{Misbehaviour::no_answer, 0, "the ECMG cannot be sent anything: " + sent.error().message};
  std::exchange(connection_, nullptr)->abort();
}

void EcmgLink::look_at(std::uint16_t stream_id) {
  if (over_ || closing_) return;
  streams_.look_at(stream_id);
  settle_soon();
}

void EcmgLink::request(const OwnedEcmRequest& request) {
  if (over_ || closing_) return;
  streams_.request(request);
  settle_soon();
}

// ------------------------------------------------------------------------------------------------------------- client

void EcmgLink::channel_opened(const ecmg::ChannelParameters& parameters) {
  if (closing_) return;
  if (const Status terms = check_channel_terms(parameters); !terms) {
    failure_ = Problem{Misbehaviour::unusable_parameters, static_cast<std::uint16_t>(ecmg::Error::invalid_value),
                       "the ECMG asks for what cannot be served: " + terms.error().message};
    report(*failure_);
    return client_->close_channel();
  }
  was_open_ = true;
  proven_ = loop_.after(settings_.proven_after, [this] {
    failures_ = 0;
    delay_.reset();
  });
  if (listener_ != nullptr) listener_->connected(address(), client_->version(), parameters);
  streams_.channel_opened(*client_);
}

void EcmgLink::stream_opened(std::uint16_t stream_id) { streams_.stream_opened(stream_id); }

void EcmgLink::stream_closed(std::uint16_t stream_id, const Problem* why) { streams_.stream_closed(stream_id, why); }

void EcmgLink::ecm_received(std::uint16_t stream_id, std::uint16_t cp_number, ByteView ecm) {
  streams_.ecm_received(stream_id, cp_number, ecm);
}

void EcmgLink::provision_failed(std::uint16_t stream_id, std::uint16_t cp_number, const Problem& why) {
  streams_.provision_failed(stream_id, cp_number, why);
}

void EcmgLink::peer_misbehaved(const Problem& problem) { report(problem); }

void EcmgLink::channel_closed(const Problem& why) {
  if (!failure_) failure_ = why;
}

// ------------------------------------------------------------------------------------------------------------- ending

void EcmgLink::close(std::function<void()> done) {
  if (over_) return loop_.post(std::move(done));
  done_.push_back(std::move(done));
  if (std::exchange(closing_, true)) return;
  listener_ = nullptr;
  retry_.cancel();
  proven_.cancel();
  attempt_.reset();
  streams_.close_all();
  if (!client_) return finish();
  farewell_ = loop_.after(settings_.close_limit, [this] { finish(); });
  settle();
}

// TS 103 197, 5.1.6 and 5.1.5: first the streams, then the channel.
void EcmgLink::settle_closing() {
  if (!failure_ && client_->is_open() && !streams_.none_at_ecmg()) {
    if (const auto next = client_->next_deadline())
      tick_ = loop_.after(*next - loop_.now(), [this] {
        client_->tick(loop_.now());
        settle();
      });
    return;
  }
  tick_.cancel();
  if (!client_->is_closed()) {
    client_->close_channel();
    flush();
  }
  if (!connection_) return finish();
  connection_->close();  // ended() follows
}

void EcmgLink::finish() {
  for (auto& done : std::exchange(done_, {})) loop_.post(std::move(done));
  drop();
}

void EcmgLink::drop() {
  if (over_.exchange(true)) return;
  const auto self = shared_from_this();
  listener_ = nullptr;
  done_.clear();
  streams_.close_all();
  streams_.channel_gone();
  mailbox_->leave_loop();
  for (service::Timer* const timer : {&retry_, &tick_, &proven_, &farewell_}) timer->cancel();
  attempt_.reset();
  if (const auto connection = std::exchange(connection_, nullptr)) connection->drop();
  for (const auto& each : parting_)
    if (const auto connection = each.lock()) connection->drop();
  parting_.clear();
  // Its destruction may have to wait: it is perhaps the client that called.
  if (client_) loop_.post([client = std::shared_ptr<EcmgClient>(std::move(client_))] {});
}

}  // namespace cas::simulcrypt
