// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gio/gio.h>
#include <gst/gst.h>
#include <gst/cas/pointers.hpp>
#include <gst/cas/pool.hpp>
#include <gst/cas/stop_switch.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "inserter_network.hpp"
#include "simulcrypt/bcast/rtp_head_end.hpp"
#include "simulcrypt/bcast/sdp.hpp"

namespace cas::gst {

/// What the properties say of a service over RTP.
struct RtpProperties {
  std::string sdp;      ///< File: how the service is described to its receivers.
  guint media = 0;      ///< Which m= of it passes here.
  std::string ltkm_to;  ///< HOST:PORT for long term key messages that EMMGs send; empty: nowhere.
  bool operator==(const RtpProperties&) const = default;
};

/// Sends datagrams to one place.
class DatagramSender {
 public:
  /// A numeric address. ErrorKind::invalid_argument, io.
  [[nodiscard]] static Result<DatagramSender> create(const simulcrypt::HostPort& to, std::optional<std::uint8_t> ttl);
  /// False: the system has no room for it now.
  bool send(ByteView message);

 private:
  DatagramSender(GSocket* socket, GSocketAddress* to) : socket_(socket), to_(to) {}
  struct Unref {
    void operator()(gpointer object) const { g_object_unref(object); }
  };
  std::unique_ptr<GSocket, Unref> socket_;
  std::unique_ptr<GSocketAddress, Unref> to_;
};

/// The way of an RTP session through simulcrypt-ecm-inserter (OMA BCAST): RTP packets in, SRTP packets out, and short term
/// key messages to where the SDP says. All functions but `stats`: the streaming thread, or while nothing streams.
class RtpStream final : private simulcrypt::bcast::RtpHeadEndListener {
 public:
  RtpStream(GstElement* element, GstPad* src) : element_(element), src_(src) {}

  /// Reads the SDP, and opens key streams. ErrorKind::invalid_argument says which property is wrong.
  [[nodiscard]] Status start(const RtpProperties& properties, const simulcrypt::HeadEndConfiguration& configuration,
                             InserterNetwork& network);
  void stop();
  [[nodiscard]] bool started() const { return head_end_ != nullptr; }
  void set_clock_rate(guint clock_rate) { clock_.emplace(clock_rate); }
  void apply(const simulcrypt::HeadEndConfiguration& configuration);
  /// The times of buffers begin anew; that of the session goes on.
  void discontinuity();

  /// A packet; nothing: it does not go out.
  [[nodiscard]] Result<BufferPtr> process(BufferPtr buffer, const std::stop_token& stop);
  /// Messages for the bus that have come up since.
  [[nodiscard]] std::vector<StructurePtr>& messages() { return messages_; }
  [[nodiscard]] simulcrypt::bcast::RtpHeadEndCounts counts() const {
    return head_end_ ? head_end_->counts() : simulcrypt::bcast::RtpHeadEndCounts();
  }
  [[nodiscard]] std::uint64_t lost_datagrams() const { return lost_datagrams_; }

 private:
  void send_stkm(std::size_t system, ByteView message) override;
  void period_began(std::uint16_t cp_number, std::uint64_t packet, simulcrypt::StreamTime time) override;
  void went_clear(std::uint64_t packet, simulcrypt::StreamTime time) override;
  void stkm_missing(const std::string& system, std::uint16_t cp_number, simulcrypt::WithoutEcm consequence) override;
  void problem(const std::string& what) override;

  [[nodiscard]] simulcrypt::StreamTime time_of(GstBuffer* buffer, ByteView packet);
  void forward_ltkms();

  GstElement* element_;
  GstPad* src_;
  InserterNetwork* network_ = nullptr;
  std::unique_ptr<simulcrypt::bcast::RtpHeadEnd> head_end_;
  std::vector<DatagramSender> key_streams_;  ///< By system.
  std::vector<std::string> systems_;         ///< Their names.
  std::optional<DatagramSender> ltkms_;
  std::optional<simulcrypt::bcast::RtpStreamTime> clock_;
  std::optional<GstClockTime> first_time_;  ///< Of a buffer since the last discontinuity, which was at `resumed_`.
  simulcrypt::StreamTime resumed_{};
  simulcrypt::StreamTime latest_{};
  BufferPoolPtr pool_;
  std::vector<simulcrypt::DataDatagram> data_;
  std::vector<StructurePtr> messages_;
  std::uint64_t lost_datagrams_ = 0;
};

}  // namespace cas::gst
