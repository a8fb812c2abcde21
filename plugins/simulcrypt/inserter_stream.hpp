// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>
#include <gst/cas/pointers.hpp>
#include <gst/cas/stop_switch.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "inserter_keys.hpp"
#include "inserter_network.hpp"
#include "mpegts/packet_framing.hpp"
#include "rtp_stream.hpp"
#include "simulcrypt/head_end.hpp"
#include "simulcrypt/head_end_configuration.hpp"

namespace cas::gst {

/// The way of a stream through simulcrypt-ecm-inserter: buffers in, packets through the head-end, buffers out.
///
/// `start`, `stop`: while nothing streams. `configure`, `stats`: any thread. All else: the streaming thread. Lock:
/// `mutex_` alone, held for copies only.
class InserterStream final : private simulcrypt::HeadEndListener {
 public:
  InserterStream(GstElement* element, GstPad* src) : element_(element), src_(src), rtp_(element, src) {}

  /// Opens the network side, and is ready for packets. `serial`: as for `configure`.
  [[nodiscard]] Status start(const simulcrypt::HeadEndConfiguration& configuration, const RtpProperties& rtp,
                             std::uint64_t serial);
  /// The caps of what comes. Gives those of what goes out; nothing: what was set does not fit, and the bus says so.
  [[nodiscard]] CapsPtr set_caps(GstCaps* caps);
  void stop();
  /// Another configuration, from the next buffer on. `serial` rises with each that is made, and the newest one counts,
  /// whatever the threads do; one from before the start does not.
  void configure(simulcrypt::HeadEndConfiguration configuration, std::uint64_t serial);

  [[nodiscard]] GstFlowReturn push(BufferPtr buffer);
  [[nodiscard]] GstFlowReturn push_list(GstBufferList* list);
  /// The stream ends: what is left goes out.
  [[nodiscard]] GstFlowReturn finish();
  /// FLUSH_STOP. Keys stay as they are: upstream has told of them, and does not again.
  void flush();
  /// A key that comes from upstream, and ends here: nobody behind the scrambler is to have it. False: the event is another
  /// one, or goes past this element.
  [[nodiscard]] bool take_key(GstEvent* event);
  /// Ends waits for ECMs, and allows them again.
  StopSwitch& waits() { return waits_; }

  [[nodiscard]] StructurePtr stats() const;

 private:
  void period_began(const simulcrypt::GroupName& group, std::uint16_t cp_number, const simulcrypt::ContentKey* key,
                    std::uint64_t packet, simulcrypt::StreamTime time) override;
  void went_clear(const simulcrypt::GroupName& group, std::uint64_t packet, simulcrypt::StreamTime time) override;
  void ecm_missing(const simulcrypt::GroupName& group, const std::string& system, std::uint16_t cp_number,
                   simulcrypt::WithoutEcm consequence) override;
  void service_found(std::uint16_t service_id, const std::string& name,
                     const std::vector<simulcrypt::GroupStream>& ecms) override;
  void service_gone(std::uint16_t service_id) override;
  void problem(const std::string& what) override;

  /// False: the caps of an RTP session were refused, and there is nothing for buffers to go through.
  [[nodiscard]] bool is_ready() const { return head_end_ != nullptr || rtp_.started(); }
  [[nodiscard]] Status apply_configuration();
  void take_configuration();
  [[nodiscard]] Status process(MutableByteView bytes, bool& in_place);
  [[nodiscard]] Status process_runs(MutableByteView whole, bool& in_place);
  [[nodiscard]] Status begin_periods_before(MutableByteView& run);
  [[nodiscard]] Status begin_periods_here();
  [[nodiscard]] Status begin_period();
  [[nodiscard]] Result<BufferPtr> process_buffer(BufferPtr buffer);
  [[nodiscard]] GstFlowReturn report(const Error& error);
  void tell();

  GstElement* element_;
  GstPad* src_;
  std::optional<InserterNetwork> network_;
  std::unique_ptr<simulcrypt::HeadEnd> head_end_;
  simulcrypt::HeadEndConfiguration started_with_;
  RtpProperties rtp_properties_;
  RtpStream rtp_;  ///< In the place of head_end_, when RTP packets come.
  mpegts::PacketFraming framing_;
  std::uint64_t bytes_ = 0;  ///< That have come in.
  KeyMarks keys_;            ///< Of periods that have not begun, since packets before them wait for their rest.
  Status key_failed_;        ///< A key that cannot be used: the next buffer ends the stream.
  Bytes out_;                ///< Packets of a buffer that did not stay in their place.
  std::vector<simulcrypt::DataDatagram> data_;
  std::vector<StructurePtr> messages_;
  static constexpr std::size_t most_problems = 20;  ///< Of a buffer.
  std::size_t problems_ = 0;                        ///< Of this one.
  StopSwitch waits_;

  mutable std::mutex mutex_;
  std::atomic<bool> has_configuration_ = false;
  std::optional<simulcrypt::HeadEndConfiguration> configuration_;  ///< Under `mutex_`: the next one.
  std::uint64_t serial_ = 0;                                       ///< Under `mutex_`: of the newest.
  simulcrypt::HeadEndStatus status_;                               ///< Under `mutex_`.
  mpegts::FramingCounts framing_counts_;                           ///< Under `mutex_`.
  simulcrypt::bcast::RtpHeadEndCounts rtp_counts_;                 ///< Under `mutex_`.
  std::uint64_t lost_datagrams_ = 0;                               ///< Under `mutex_`.
  guint mux_port_ = 0;                                             ///< Under `mutex_`.
};

}  // namespace cas::gst
