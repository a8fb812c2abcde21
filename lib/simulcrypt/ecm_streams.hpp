// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to simulcrypt/, not installed.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/random.hpp"
#include "service/event_loop.hpp"
#include "service/reconnect_delay.hpp"
#include "simulcrypt/ecm_mailbox.hpp"
#include "simulcrypt/ecmg_client.hpp"

namespace cas::simulcrypt {

/// A request that has left the thread of the one who asks.
struct OwnedEcmRequest {
  std::uint16_t stream_id = 0;
  EcmMailbox::Asked asked;
  std::uint16_t cp_number = 0;
  std::vector<EcmRequest::Word> words;
  std::chrono::milliseconds duration{};
  Bytes access_criteria;
};

/// check_ecm_stream_terms of what an ECMG asks for.
[[nodiscard]] Status check_channel_terms(const ecmg::ChannelParameters& parameters);

/// The streams that are wanted of an ECMG, over all its channels: opens them, asks again for those that were refused,
/// and tells the mailbox what becomes of them. On the loop's thread.
class EcmStreams {
 public:
  struct Settings {
    std::chrono::milliseconds first_delay, longest_delay;  ///< Before a stream that was refused is asked for again.
    /// Set-ups one after another without an answer after which the channel is not worth keeping.
    unsigned max_unanswered = 3;
  };
  using Report = std::function<void(const Problem&)>;

  /// `changed` is called when a timer has made the client say something; `report` for what an operator should know.
  EcmStreams(service::EventLoop& loop, Random& random, const Settings& settings, std::shared_ptr<EcmMailbox> mailbox,
             std::function<void()> changed, Report report)
      : loop_(loop),
        random_(random),
        settings_(settings),
        mailbox_(std::move(mailbox)),
        changed_(std::move(changed)),
        report_(std::move(report)) {}

  // From the one who wants ECMs.
  /// The wish for this stream is another now, or gone.
  void look_at(std::uint16_t stream_id);
  void request(const OwnedEcmRequest& request);

  // From the channel; `client` is good until channel_gone.
  void channel_opened(EcmgClient& client);
  void channel_gone();
  void stream_opened(std::uint16_t stream_id);
  void stream_closed(std::uint16_t stream_id, const Problem* why);
  void ecm_received(std::uint16_t stream_id, std::uint16_t cp_number, ByteView ecm);
  void provision_failed(std::uint16_t stream_id, std::uint16_t cp_number, const Problem& why);
  /// The ECMG does not answer set-ups any more: the channel should be given up.
  [[nodiscard]] bool is_deaf() const { return unanswered_ >= settings_.max_unanswered; }

  /// Closes all, and wants none any more.
  void close_all();
  /// Whether the ECMG has, as far as is known, no stream of the channel.
  [[nodiscard]] bool none_at_ecmg() const { return at_ecmg_.empty(); }

 private:
  struct Stream {
    Stream(const EcmMailbox::Wanted& wanted, const service::ReconnectDelay& given)
        : wish(wanted.wish), number(wanted.number), delay(given) {}
    enum class State { waiting, setting_up, open } state = State::waiting;
    EcmStreamWish wish;
    std::uint64_t number;
    std::uint64_t opening = 0;
    std::uint16_t nominal = 0;  // 100 ms
    std::optional<std::uint16_t> in_flight;
    std::optional<std::uint16_t> refused;  // and not told yet
    unsigned refusals = 0;                 // one after another
    bool told_of_no_room = false;
    service::ReconnectDelay delay;
    service::Timer retry, refusal;
  };
  using Streams = std::map<std::uint16_t, Stream>;

  void try_open(Streams::iterator stream);
  void close(Streams::iterator stream);
  void lose(Streams::iterator stream);
  void refuse(Streams::iterator stream, std::uint16_t cp_number);
  void tell_refusal(Streams::iterator stream);
  void answer(const Stream& stream, EcmEvent::Kind kind, std::uint16_t cp_number, ByteView ecm = {});

  service::EventLoop& loop_;
  Random& random_;
  Settings settings_;
  std::shared_ptr<EcmMailbox> mailbox_;
  std::function<void()> changed_;
  Report report_;
  EcmgClient* client_ = nullptr;
  Streams streams_;
  std::set<std::uint16_t> at_ecmg_;  // that the client has, closing ones too
  std::set<std::uint16_t> no_room_;  // that wait for another to close
  unsigned unanswered_ = 0;
};

}  // namespace cas::simulcrypt
