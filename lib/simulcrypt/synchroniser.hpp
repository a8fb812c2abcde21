// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"
#include "simulcrypt/control_words.hpp"
#include "simulcrypt/ecm_stream_terms.hpp"
#include "simulcrypt/key_periods.hpp"

namespace cas::simulcrypt {

/// Time of the stream itself, as its PCRs tell it, from any beginning; never goes back.
using StreamTime = std::chrono::nanoseconds;

/// What becomes of a service when an ECMG has not answered by the end of a crypto-period.
enum class WithoutEcm {
  hold,   ///< The period goes on, with its word and its ECMs, until the answer is there.
  go_on,  ///< The next period begins; who depends on that ECMG sees nothing until it answers.
  stop,   ///< The period goes on, and the one who drives is told to end the service.
};

/// Whose ECMs a service needs.
enum class ServicePolicy {
  all,    ///< Those of each ECMG, by its own WithoutEcm.
  any,    ///< At least one, whichever it is.
  clear,  ///< Those of each ECMG; the service goes on in clear where one has to be waited for.
};

/// What one ECM stream is asked for: the ECM of a period (CW_provision, TS 103 197, 5.5.7).
struct EcmRequest {
  struct Word {
    std::uint16_t cp_number = 0;
    SecretBytes word;
  };
  std::uint16_t cp_number = 0;
  std::vector<Word> words;               ///< CW_per_msg of them, in the order of their periods.
  std::chrono::milliseconds duration{};  ///< The period's nominal one.
  ByteView access_criteria;              ///< Those in force for the period; empty: none were ever given.
};

/// What a synchroniser wants done, called from within its own functions and on their thread. No call back into it
/// that changes it.
class SynchroniserActions {
 public:
  virtual ~SynchroniserActions() = default;
  /// Ask ECM stream `stream` for an ECM; the next request comes after ecm_arrived or ecm_refused.
  virtual void request_ecm(std::size_t stream, const EcmRequest& request) = 0;
  /// Packets from now on are scrambled with `word`, whose parity is that of `cp_number`.
  virtual void begin_period(std::uint16_t cp_number, const SecretBytes& word) = 0;
  /// Packets from now on are clear.
  virtual void go_clear() = 0;
  /// Put an ECM on the air, now.
  virtual void send_ecm(std::size_t stream, ByteView ecm) = 0;
  /// The ECM of `cp_number` is not there at the end of the period before, or the first period begins without it. Once
  /// for each stream and period. `consequence`: what becomes of the period for want of this ECM.
  virtual void ecm_missing(std::size_t stream, std::uint16_t cp_number, WithoutEcm consequence) = 0;
};

/// The SimulCrypt synchroniser of one word for one service or component (SCS; TS 103 197, 4.3 and annex on delays):
/// draws the line between crypto-periods, asks each ECM stream for its ECMs in time, and puts them on the air when their
/// ECMGs want it. All of it in stream time, which the caller gives; there is no other clock in it, and no thread.
///
/// A period begins when it is due and the ECMs that the policies ask for are there, and have been on the air for as long
/// as a negative delay_start says. ECMs of an earlier period stay on the air until then.
///
/// Or else keys come from outside, and with them the line between periods: a period is due when the stream has come to it
/// (`begin`), and `announce` tells of it in time for its ECMs. What is held up while the stream comes to the period after
/// it never begins. Where CP_numbers jump, so that a word may take the place of one that is in use, ECMs go out neither
/// before their period begins nor after it has ended, whatever the delays are.
class Synchroniser {
 public:
  struct Options {
    std::chrono::milliseconds period{10'000};  ///< Nominal; a longer min_CP_duration of an ECMG prevails.
    ServicePolicy policy = ServicePolicy::all;
    std::chrono::milliseconds clear_lead{};  ///< Clear at the beginning, at least for so long.
    std::chrono::milliseconds request_ahead{
        500};  ///< So long before it is needed an ECM is asked for, beside max_comp_time.
    PeriodIndex first_period = 0;
  };
  /// `actions` and `words` outlive the synchroniser.
  Synchroniser(const Options& options, SynchroniserActions& actions, ControlWordSource& words);
  /// With keys from outside. The nominal period is then that of periods of which no other is announced, and no ECMG's
  /// min_CP_duration makes one longer.
  Synchroniser(const Options& options, SynchroniserActions& actions);
  ~Synchroniser();
  Synchroniser(const Synchroniser&) = delete;
  Synchroniser& operator=(const Synchroniser&) = delete;

  /// One more ECM stream, which is not open yet. Gives its number: 0, 1, ...
  [[nodiscard]] std::size_t add_stream(WithoutEcm without);

  /// The ECMG has opened the stream, or opened it again. Errors: check_ecm_stream_terms.
  [[nodiscard]] Status stream_opened(std::size_t stream, const EcmStreamTerms& terms);
  /// The ECMG is gone. What it has answered stays in use.
  void stream_lost(std::size_t stream);
  /// The answer to the last request. An ECM for another period than the one asked for is left aside:
  /// ErrorKind::malformed, and the request stands.
  [[nodiscard]] Status ecm_arrived(std::size_t stream, std::uint16_t cp_number, Bytes ecm);
  /// There will be no answer to the last request; it is given again when the next advance comes.
  void ecm_refused(std::size_t stream);
  /// For the next period that has not been asked for.
  void set_access_criteria(std::size_t stream, Bytes criteria);
  /// With keys from outside: a period to come, in the order of periods. ErrorKind::exhausted: too many at once; it is
  /// left aside.
  [[nodiscard]] Status announce(ContentKey key);
  /// With keys from outside: from the next advance on the stream is in this period. Announced or not; nothing for the one
  /// that it is in.
  void begin(ContentKey key);
  /// With keys from outside: the ECMG is told which key it is (key_announcement), behind the access criteria.
  void announce_keys(std::size_t stream);
  /// With keys from outside: none is in force yet.
  [[nodiscard]] bool lacks_key() const { return keys_ && !keys_->in_force(); }
  /// With keys from outside: that of the period that is on, while scrambling; else nullptr.
  [[nodiscard]] const ContentKey* key() const { return keys_ && scrambling_ ? keys_->find(current_) : nullptr; }

  /// Off: the service goes clear at the next advance. It is on at first.
  void set_scrambling(bool on);

  /// Does what is due at `now`. `patient`: the caller can make the stream wait, so that a period without an ECM that it
  /// is to have does not begin, and nothing is said of it, while it is_overdue. Errors: those of the words' source; what
  /// was due stays due.
  [[nodiscard]] Status advance(StreamTime now, bool patient = false);
  /// As advance, but for ECMs: those that are due go out with the next advance.
  [[nodiscard]] Status advance_without_ecms(StreamTime now, bool patient = false);
  /// Before this time advance does nothing, unless something arrives. Cheap: for each packet.
  [[nodiscard]] StreamTime next_event() const { return next_event_; }

  [[nodiscard]] bool scrambling() const { return scrambling_; }
  /// Whether an ECM that the next period is to have has not come, and should be on the air by `now`, or its period be
  /// on.
  [[nodiscard]] bool is_overdue(StreamTime now) const { return wanted_ && lacks_an_ecm() && now >= wait_from(now); }
  /// The period that is on, while scrambling.
  [[nodiscard]] std::uint16_t cp_number() const { return number_of(current_); }

 private:
  struct Ecm;
  struct Stream;
  /// Later than all that is reckoned with, and far enough from the end of time to be reckoned with.
  static constexpr StreamTime never = StreamTime::max() / 2;

  [[nodiscard]] std::uint16_t number_of(PeriodIndex period) const {
    return keys_ ? keys_->cp_number(period) : simulcrypt::cp_number(period);
  }
  [[nodiscard]] std::chrono::nanoseconds duration() const;
  [[nodiscard]] StreamTime next_due(StreamTime now) const;
  [[nodiscard]] StreamTime next_start(StreamTime now) const;
  [[nodiscard]] StreamTime expected_start(PeriodIndex period, StreamTime now) const;
  [[nodiscard]] StreamTime on_air_from(const Stream& stream, const Ecm& ecm, StreamTime now) const;
  [[nodiscard]] std::optional<StreamTime> off_air_from(const Stream& stream, const Ecm& ecm) const;
  [[nodiscard]] bool is_time_to_ask(const Stream& stream, PeriodIndex period, StreamTime now);
  [[nodiscard]] Status request(std::size_t number, StreamTime now);
  void send_request(std::size_t number, PeriodIndex period, const EcmRequest& request, bool has_stand_in_ahead);
  [[nodiscard]] StreamTime wait_from(StreamTime now) const;
  [[nodiscard]] bool ready(const Stream& stream, StreamTime now);
  [[nodiscard]] bool lacks_an_ecm() const;
  [[nodiscard]] std::chrono::nanoseconds lead_of_missing() const;
  [[nodiscard]] bool may_begin(StreamTime now);
  void report_missing(bool begins);
  [[nodiscard]] Status change_periods(StreamTime now);
  [[nodiscard]] Status change_period(StreamTime now);
  void stop_scrambling(StreamTime now);
  void put_on_air(Stream& stream, StreamTime now);
  void broadcast(std::size_t number, StreamTime now);
  void wake_at(StreamTime time);
  void mark_time(StreamTime now, bool patient);
  [[nodiscard]] Status change_what_is_due(StreamTime now);

  // With keys from outside (synchroniser_keys.cpp).
  void renumber(const KeyPeriods::Change& change);
  [[nodiscard]] StreamTime next_boundary(StreamTime now) const;
  [[nodiscard]] StreamTime announced_start(PeriodIndex period, StreamTime now) const;
  [[nodiscard]] bool may_go_ahead(PeriodIndex period) const;
  [[nodiscard]] bool may_linger(const Ecm& ecm) const;
  [[nodiscard]] bool was_ahead(const Ecm& ecm, std::chrono::nanoseconds lead, StreamTime now);
  void request_with_keys(std::size_t number, PeriodIndex period, StreamTime now);

  Options options_;
  SynchroniserActions& actions_;
  ControlWordSource* words_ = nullptr;  ///< Or else `keys_`.
  std::optional<KeyPeriods> keys_;
  std::optional<StreamTime> boundary_;  ///< Of the key that is in force: when the stream has come to its period.
  bool boundary_is_start_ = false;      ///< At its very start.
  std::vector<Stream> streams_;
  bool wanted_ = true;
  bool scrambling_ = false;
  bool patient_ = false;
  PeriodIndex current_;              ///< While clear: the last one that was on.
  StreamTime started_{};             ///< Of the period that is on.
  std::optional<StreamTime> began_;  ///< The first time that was given.
  StreamTime next_event_ = StreamTime::min();
};

}  // namespace cas::simulcrypt
