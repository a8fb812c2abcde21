// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>

#include "simulcrypt/ecmg_messages.hpp"
#include "simulcrypt/grammar.hpp"
#include "simulcrypt/problem.hpp"
#include "simulcrypt/server_session.hpp"

namespace cas::simulcrypt {

/// A stream that a synchroniser wants to open.
struct EcmStreamOrder {
  std::uint32_t super_cas_id = 0;
  std::uint16_t channel_id = 0;
  std::uint16_t stream_id = 0;
  std::uint16_t ecm_id = 0;
  std::uint16_t nominal_cp_duration = 0;  ///< 100 ms
};

struct EcmStreamGrant {
  /// access_criteria_transfer_mode: each CW_provision must carry the access criteria.
  bool access_criteria_each_time = false;
  /// Whatever the generator knows the stream by; comes back with each order.
  std::uint64_t handle = 0;
  /// The generator has criteria of its own for a stream that was never told any: orders come with empty ones then.
  bool access_criteria_optional = false;
};

/// Names one CW_provision whose answer is outstanding.
struct EcmTicket {
  std::uint64_t session = 0;
  std::uint16_t stream_id = 0;
  std::uint16_t cp_number = 0;
  std::uint64_t serial = 0;
};

/// An ECM that is asked for. Views are good for the call only.
struct EcmOrder {
  std::uint64_t handle = 0;
  std::uint16_t cp_number = 0;
  std::span<const ecmg::ControlWord> words;  ///< CW_per_msg of them, of successive crypto-periods. Secret.
  std::uint16_t cp_duration = 0;             ///< 100 ms: of this crypto-period, or the nominal one.
  ByteView access_criteria;                  ///< Those in force.
  bool access_criteria_changed = false;      ///< They came with this order, and differ from those before.
  std::optional<ByteView> cw_encryption;
  EcmTicket ticket;  ///< For an answer that comes later.
};

struct EcmAnswer {
  enum class Kind { ready, later, refused } kind = Kind::ready;
  std::size_t size = 0;            ///< ready: of the ECM in `out`.
  std::uint16_t error_status = 0;  ///< refused: what the stream_error says.

  static EcmAnswer ready(std::size_t size) { return {Kind::ready, size, 0}; }
  static EcmAnswer later() { return {Kind::later, 0, 0}; }
  static EcmAnswer refused(ecmg::Error error) { return {Kind::refused, 0, static_cast<std::uint16_t>(error)}; }
};

/// A CA system behind an ECMG. Called by the server's sessions, in their thread; must not call back into them.
class EcmGenerator {
 public:
  virtual ~EcmGenerator() = default;
  /// What the synchroniser must keep to; an error refuses the channel: unknown_super_cas_id and such.
  [[nodiscard]] virtual tl::expected<ecmg::ChannelParameters, ecmg::Error> open_channel(std::uint32_t super_cas_id) = 0;
  [[nodiscard]] virtual tl::expected<EcmStreamGrant, ecmg::Error> open_stream(const EcmStreamOrder& order) = 0;
  virtual void close_stream(std::uint64_t handle) = 0;
  /// The longest ECM that it makes, in bytes; the same for as long as it lives.
  [[nodiscard]] virtual std::size_t longest_ecm() const = 0;
  /// Writes the ECM of `order` to `out`, which has longest_ecm() bytes. Or `later`: then EcmgServer::complete or refuse
  /// is called with the ticket within max_comp_time; the order's views are gone by then.
  [[nodiscard]] virtual EcmAnswer make_ecm(const EcmOrder& order, MutableByteView out) = 0;
};

/// What an operator wants to know. Called in the thread of the sessions; must not call back into them.
class EcmgServerListener {
 public:
  virtual ~EcmgServerListener() = default;
  virtual void channel_opened(std::uint64_t session, std::uint32_t super_cas_id, std::uint16_t channel_id);
  virtual void channel_closed(std::uint64_t session, std::uint16_t channel_id);
  /// `ends`: the connection is to be closed for it.
  virtual void peer_misbehaved(std::uint64_t session, const Problem& problem, bool ends);
};

struct EcmgServerSettings {
  std::size_t max_channels = 1000;  ///< On all connections.
  std::size_t max_streams = 10000;  ///< On all channels.
  /// Refuse an ECM_channel_id that another connection has. Two synchronisers that choose theirs apart need false.
  bool channel_ids_unique = true;
  /// Refuse an ECM_id that another stream of the same Super_CAS_id has (TS 103 197, 5.3: together they name an ECM
  /// stream).
  bool ecm_ids_unique = true;
  std::size_t longest_message = max_message_body;  ///< In bytes; of a body.
  /// More than this waiting for a client that does not read: read nothing from it (EcmgSession::wants_input).
  std::size_t output_limit = 256 * 1024;
  std::chrono::milliseconds set_up_time_out{10000};  ///< For a channel_setup to come.
  std::chrono::milliseconds test_interval{30000};    ///< A channel on which nothing came for so long is tested.
  std::chrono::milliseconds test_time_out{10000};
  unsigned max_faults = 3;  ///< Messages one after another that are refused for their form, which end the session.
};

class EcmgSession;

/// What the connections of one ECMG share. Used by one thread; lives longer than its sessions.
class EcmgServer {
 public:
  /// `generator` and `listener` live as long as the server; without a listener nobody is told.
  EcmgServer(const EcmgServerSettings& settings, EcmGenerator& generator, EcmgServerListener* listener = nullptr);
  EcmgServer(const EcmgServer&) = delete;
  EcmgServer& operator=(const EcmgServer&) = delete;

  /// The ECM of an order that was put off. Gives the session that has something to send now; nothing: nobody waits for
  /// it any more, for the stream, the channel or the connection is gone, or it took too long.
  EcmgSession* complete(const EcmTicket& ticket, ByteView ecm);
  EcmgSession* refuse(const EcmTicket& ticket, ecmg::Error error);

  [[nodiscard]] std::size_t channel_count() const { return channels_; }
  [[nodiscard]] std::size_t stream_count() const { return streams_; }

 private:
  friend class EcmgSession;

  EcmgServerSettings settings_;
  EcmGenerator& generator_;
  EcmgServerListener* listener_;
  std::size_t longest_ecm_;
  std::unordered_map<std::uint64_t, EcmgSession*> sessions_;
  std::uint64_t next_session_ = 1;
  std::multiset<std::uint16_t> channel_ids_;
  std::multiset<std::pair<std::uint32_t, std::uint16_t>> ecm_ids_;
  std::size_t channels_ = 0;
  std::size_t streams_ = 0;
};

/// The ECMG's side of one TCP connection, which carries one channel (TS 103 197, clause 5). Bytes and the time in,
/// bytes out. Destroying it closes its streams. In the steady state a CW_provision is answered without taking memory.
class EcmgSession final : public ServerSession {
 public:
  EcmgSession(EcmgServer& server, Instant now);
  ~EcmgSession() override;

  [[nodiscard]] std::uint64_t number() const { return number_; }

 private:
  friend class EcmgServer;
  struct Pending {
    std::uint16_t cp_number = 0;
    std::uint64_t serial = 0;
    Instant deadline{};
  };
  struct Stream {
    std::uint16_t ecm_id = 0;
    std::uint16_t nominal_cp_duration = 0;
    EcmStreamGrant grant;
    Bytes access_criteria;
    bool has_access_criteria = false;
    std::optional<Pending> pending;
  };
  using Streams = std::map<std::uint16_t, Stream>;

  void dispatch(const MessageView& message, Instant now) override;
  void refuse_message(const Fault& fault) override { refuse(std::nullopt, fault); }
  void send_channel_test() override;
  void close_channel() override;
  void report(Misbehaviour what, std::uint16_t error_status, std::string message) override;
  [[nodiscard]] std::optional<Instant> next_answer() const override;
  void tick_answers(Instant now) override;
  void set_up_channel(const ecmg::ChannelSetup& setup);
  void set_up_stream(const ecmg::StreamSetup& setup);
  void take_stream_message(const MessageView& message, Instant now);
  void take_provision(Streams::iterator stream, const ecmg::CwProvision& provision, Instant now);
  /// Puts the words in the order of their crypto-periods; an error when they are not those of the window.
  [[nodiscard]] std::optional<Fault> order_words(ecmg::CwProvision& provision) const;
  void answer(Streams::iterator stream, const EcmOrder& order, Instant now);
  bool send_ecm(std::uint16_t stream_id, std::uint16_t cp_number, ByteView ecm);
  [[nodiscard]] Streams::iterator find_pending(const EcmTicket& ticket);
  void close_stream(Streams::iterator stream);
  void refuse(std::optional<std::uint16_t> stream_id, const Fault& fault);
  void refuse(std::optional<std::uint16_t> stream_id, ecmg::Error error);

  EcmgServer& server_;
  std::uint64_t number_;
  std::uint16_t channel_id_ = 0;
  std::uint32_t super_cas_id_ = 0;
  ecmg::ChannelParameters parameters_;
  Streams streams_;
  std::size_t pending_count_ = 0;
  std::uint64_t next_serial_ = 1;
};

}  // namespace cas::simulcrypt
