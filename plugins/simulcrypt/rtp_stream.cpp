// SPDX-License-Identifier: LGPL-2.1-or-later
#include "rtp_stream.hpp"

#include <algorithm>
#include <utility>

#include "base/durable_file.hpp"
#include "crypto/random.hpp"
#include "inserter_messages.hpp"
#include "simulcrypt/bcast/profile.hpp"

namespace cas::gst {

namespace {

namespace bcast = simulcrypt::bcast;
namespace sdp = simulcrypt::bcast::sdp;
using simulcrypt::StreamTime;

/// Packets are at most so long, as they travel in UDP over everyday networks; longer ones get buffers of their own.
constexpr std::size_t usual_packet_size = 2048;
constexpr std::size_t rtp_timestamp_at = 4;

struct FreeError {
  void operator()(GError* error) const { g_error_free(error); }
};

/// The packets of the service are of no bearer but this one.
simulcrypt::GroupName service_of_session() { return {}; }

/// Each system of the service with the stkmstream of its profile, in the order of the SDP.
Result<std::vector<const sdp::KeyStream*>> key_streams_for(const simulcrypt::HeadEndConfiguration& configuration,
                                                           const sdp::Service& service, const sdp::Media& media) {
  std::vector<const sdp::KeyStream*> free = service.key_streams_of(media);
  std::vector<const sdp::KeyStream*> chosen;
  for (const simulcrypt::EcmgConfiguration& ecmg : configuration.ecmgs) {
    const auto profile = bcast::profile_of(ecmg.super_cas_id);
    if (!profile)
      return fail(ErrorKind::invalid_argument,
                  "the ECMG '" + ecmg.name +
                      "' is none of OMA BCAST's: its Super_CAS_id has to be 0x0001.... for the "
                      "DRM Profile or 0x0002.... for the Smartcard Profile");
    const auto found =
        std::ranges::find_if(free, [&](const sdp::KeyStream* stream) { return stream->profile == *profile; });
    if (found == free.end())
      return fail(ErrorKind::invalid_argument,
                  "the SDP has no stkmstream for the ECMG '" + ecmg.name + "' and its profile");
    chosen.push_back(*found);
    free.erase(found);
  }
  return chosen;
}

}  // namespace

// ------------------------------------------------------------------------------------------------------------ Datagrams

Result<DatagramSender> DatagramSender::create(const simulcrypt::HostPort& to, std::optional<std::uint8_t> ttl) {
  GSocketAddress* const address = g_inet_socket_address_new_from_string(to.host.c_str(), to.port);
  if (address == nullptr)
    return fail(ErrorKind::invalid_argument, "'" + to.host + "' is no address: key messages go to numeric ones");
  GError* error = nullptr;
  GSocket* const socket =
      g_socket_new(g_socket_address_get_family(address), G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, &error);
  if (socket == nullptr) {
    const std::unique_ptr<GError, FreeError> owned(error);
    g_object_unref(address);
    return fail(ErrorKind::io, std::string("no socket for key messages: ") + owned->message);
  }
  g_socket_set_blocking(socket, FALSE);
  if (ttl) g_socket_set_multicast_ttl(socket, *ttl);
  return DatagramSender(socket, address);
}

bool DatagramSender::send(ByteView message) {
  return g_socket_send_to(socket_.get(), to_.get(), reinterpret_cast<const gchar*>(message.data()), message.size(),
                          nullptr, nullptr) == static_cast<gssize>(message.size());
}

// ------------------------------------------------------------------------------------------------------- Start and stop

Status RtpStream::start(const RtpProperties& properties, const simulcrypt::HeadEndConfiguration& configuration,
                        InserterNetwork& network) {
  if (properties.sdp.empty())
    return fail(ErrorKind::invalid_argument,
                "RTP packets come, and the property 'sdp' names no file that says how the service is described");
  CAS_TRY_ASSIGN(const Bytes text, read_file(properties.sdp, sdp::max_size));
  CAS_TRY_ASSIGN(const sdp::Service service, sdp::Service::parse(as_text(text)));
  if (properties.media >= service.media.size())
    return fail(ErrorKind::invalid_argument, "the SDP has no media " + std::to_string(properties.media) +
                                                 ": see the property 'sdp-media', which counts from 0");
  const sdp::Media& media = service.media[properties.media];
  bcast::RtpHeadEndSettings settings;
  CAS_TRY_ASSIGN(settings.srtp, sdp::srtp_options_of(media));
  CAS_TRY_ASSIGN(const auto key_streams, key_streams_for(configuration, service, media));
  CAS_TRY_ASSIGN(const simulcrypt::HeadEndSettings connected, network.connect(configuration));
  settings.systems = connected.systems;
  settings.service = connected.services.front();
  settings.before_first_period = connected.before_first_period;
  settings.wait_for_ecms = connected.wait_for_ecms;
  key_streams_.clear();
  systems_.clear();
  for (simulcrypt::CaUse& use : settings.service.systems) {
    const auto at = std::ranges::find(configuration.ecmgs, use.system, &simulcrypt::EcmgConfiguration::name) -
                    configuration.ecmgs.begin();
    const sdp::KeyStream& stream = *key_streams[static_cast<std::size_t>(at)];
    use.ecm_id = stream.id;
    const sdp::Connection* const connection = service.connection_of(stream.connection);
    CAS_TRY_ASSIGN(DatagramSender sender, DatagramSender::create({connection->address, stream.port}, connection->ttl));
    key_streams_.push_back(std::move(sender));
    systems_.push_back(use.system);
  }
  if (!properties.ltkm_to.empty()) {
    CAS_TRY_ASSIGN(const simulcrypt::HostPort to, simulcrypt::parse_host_port(properties.ltkm_to, 0));
    CAS_TRY_ASSIGN(ltkms_, DatagramSender::create(to, std::nullopt));
  }
  network_ = &network;
  CAS_TRY_ASSIGN(head_end_, bcast::RtpHeadEnd::create(std::move(settings), *this, crypto::system_random()));
  network.use();
  pool_ = make_buffer_pool(usual_packet_size);
  return {};
}

void RtpStream::stop() {
  head_end_.reset();
  key_streams_.clear();
  ltkms_.reset();
  clock_.reset();
  first_time_.reset();
  resumed_ = {};
  latest_ = {};
  pool_.reset();
  messages_.clear();
  lost_datagrams_ = 0;
  network_ = nullptr;
}

/// What can change while a session passes.
void RtpStream::apply(const simulcrypt::HeadEndConfiguration& configuration) {
  const simulcrypt::ServiceSettings& service = configuration.settings.services.front();
  head_end_->set_scrambling(service.scramble);
  // By name: a file that is read again may have them in another order.
  for (const simulcrypt::CaUse& use : service.systems)
    if (const auto system = std::ranges::find(systems_, use.system); system != systems_.end())
      head_end_->set_access_criteria(static_cast<std::size_t>(system - systems_.begin()), use.access_criteria);
}

void RtpStream::discontinuity() {
  first_time_.reset();
  resumed_ = latest_;
}

// ---------------------------------------------------------------------------------------------------------- The packets

/// By the buffer's times, or by the RTP time stamp where it has none.
StreamTime RtpStream::time_of(GstBuffer* buffer, ByteView packet) {
  const GstClockTime time = GST_BUFFER_DTS_OR_PTS(buffer);
  if (GST_CLOCK_TIME_IS_VALID(time)) {
    if (!first_time_) first_time_ = time;
    const StreamTime since(static_cast<std::int64_t>(time) - static_cast<std::int64_t>(*first_time_));
    latest_ = std::max(latest_, resumed_ + since);
  } else if (clock_ && packet.size() >= rtp_timestamp_at + 4) {
    std::uint32_t timestamp = 0;
    for (const std::uint8_t byte : packet.subspan(rtp_timestamp_at, 4)) timestamp = timestamp << 8 | byte;
    latest_ = std::max(latest_, clock_->at(timestamp));
  }
  return latest_;
}

void RtpStream::forward_ltkms() {
  data_.clear();
  network_->take_data(data_);
  for (const simulcrypt::DataDatagram& data : data_)
    if (ltkms_ && !ltkms_->send(data.bytes)) ++lost_datagrams_;
}

Result<BufferPtr> RtpStream::process(BufferPtr buffer, const std::stop_token& stop) {
  if (network_->has_data()) forward_ltkms();
  const std::size_t size = gst_buffer_get_size(buffer.get());
  const std::size_t needed = size + head_end_->trailer_size();
  GstBuffer* made = nullptr;
  if (needed > usual_packet_size) {
    made = gst_buffer_new_allocate(nullptr, needed, nullptr);
  } else if (gst_buffer_pool_acquire_buffer(pool_.get(), &made, nullptr) != GST_FLOW_OK) {
    return fail(ErrorKind::cancelled, "the session was stopped");
  }
  BufferPtr out(made);
  std::size_t out_size = 0;
  {
    MappedBuffer mapped(out.get(), GST_MAP_READWRITE);
    if (!mapped) return fail(ErrorKind::io, "a buffer could not be mapped for writing");
    gst_buffer_extract(buffer.get(), 0, mapped.writable().data(), size);
    const StreamTime now = time_of(buffer.get(), mapped.bytes().first(size));
    CAS_TRY_ASSIGN(out_size, head_end_->protect(mapped.writable().first(needed), size, now, stop));
  }
  if (out_size == 0) return BufferPtr();
  gst_buffer_set_size(out.get(), static_cast<gssize>(out_size));
  gst_buffer_copy_into(out.get(), buffer.get(), GST_BUFFER_COPY_METADATA, 0, static_cast<gsize>(-1));
  return out;
}

// ------------------------------------------------------------------------------------------------- What the head-end says

void RtpStream::send_stkm(std::size_t system, ByteView message) {
  if (!key_streams_[system].send(message)) ++lost_datagrams_;
}
void RtpStream::period_began(std::uint16_t cp_number, std::uint64_t packet, StreamTime time) {
  messages_.push_back(period_message(service_of_session(), cp_number, packet, time));
}
void RtpStream::went_clear(std::uint64_t packet, StreamTime time) {
  messages_.push_back(clear_message(service_of_session(), packet, time));
}
void RtpStream::stkm_missing(const std::string& system, std::uint16_t cp_number, simulcrypt::WithoutEcm consequence) {
  messages_.push_back(ecm_missing_message(service_of_session(), system, cp_number, consequence));
}
void RtpStream::problem(const std::string& what) { messages_.push_back(problem_message(what)); }

}  // namespace cas::gst
