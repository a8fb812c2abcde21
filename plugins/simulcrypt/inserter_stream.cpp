// SPDX-License-Identifier: LGPL-2.1-or-later
#include "inserter_stream.hpp"

#include <gst/cas/element_error.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

#include "crypto/random.hpp"
#include "inserter_messages.hpp"
#include "inserter_settings.hpp"

GST_DEBUG_CATEGORY_EXTERN(simulcrypt_ecm_inserter_debug);
#define GST_CAT_DEFAULT simulcrypt_ecm_inserter_debug

namespace cas::gst {

using simulcrypt::GroupName;
using simulcrypt::StreamTime;

// ------------------------------------------------------------------------------------------------------ Start and stop

Status InserterStream::start(const simulcrypt::HeadEndConfiguration& configuration, const RtpProperties& rtp,
                             std::uint64_t serial) {
  started_with_ = configuration;
  rtp_properties_ = rtp;
  {
    const std::lock_guard lock(mutex_);
    if (serial > serial_) {
      serial_ = serial;
      configuration_.reset();
      has_configuration_ = false;
    }
    status_ = {};
    rtp_counts_ = {};
    lost_datagrams_ = 0;
    framing_counts_ = {};
  }
  network_.emplace(element_);
  CAS_TRY_ASSIGN(simulcrypt::HeadEndSettings settings, network_->connect(configuration));
  CAS_TRY_ASSIGN(head_end_, simulcrypt::HeadEnd::create(std::move(settings), *this, crypto::system_random()));
  network_->use();
  const std::lock_guard lock(mutex_);
  mux_port_ = network_->mux_port();
  return {};
}

void InserterStream::stop() {
  head_end_.reset();
  rtp_.stop();
  network_.reset();
  framing_ = mpegts::PacketFraming();
  bytes_ = 0;
  keys_.clear();
  key_failed_ = {};
  out_.clear();
  messages_.clear();
  problems_ = 0;
}

CapsPtr InserterStream::set_caps(GstCaps* caps) {
  const bool is_rtp = gst_structure_has_name(gst_caps_get_structure(caps, 0), "application/x-rtp");
  if (!is_rtp) {
    if (!rtp_.started()) return CapsPtr(gst_caps_ref(caps));
    static_cast<void>(report({ErrorKind::unsupported, "a transport stream comes behind an RTP session"}));
    return {};
  }
  if (!rtp_.started()) {
    head_end_.reset();
    Status started = check_keys_for_rtp(started_with_.settings);
    if (started) started = rtp_.start(rtp_properties_, started_with_, *network_);
    if (!started) {
      post_error(element_, error_code_at_start(started.error().kind), started.error());
      return {};
    }
  }
  GstCaps* const out = gst_caps_copy(caps);
  GstStructure* const structure = gst_caps_get_structure(out, 0);
  gint clock_rate = 0;
  if (gst_structure_get_int(structure, "clock-rate", &clock_rate) && clock_rate > 0)
    rtp_.set_clock_rate(static_cast<guint>(clock_rate));
  gst_structure_set_name(structure, "application/x-srtp");
  return CapsPtr(out);
}

void InserterStream::configure(simulcrypt::HeadEndConfiguration configuration, std::uint64_t serial) {
  const std::lock_guard lock(mutex_);
  if (serial < serial_) return;
  serial_ = serial;
  configuration_ = std::move(configuration);
  has_configuration_ = true;
}

Status InserterStream::apply_configuration() {
  std::optional<simulcrypt::HeadEndConfiguration> next;
  {
    const std::lock_guard lock(mutex_);
    next = std::exchange(configuration_, std::nullopt);
    has_configuration_ = false;
  }
  if (!next) return {};
  if (rtp_.started()) {
    rtp_.apply(*next);
    return {};
  }
  auto settings = network_->connect(*next);
  Status applied;
  if (!settings) {
    applied = fail(settings.error());
  } else if (applied = head_end_->apply(std::move(*settings)); applied) {
    network_->use();
  } else {
    network_->give_up();
  }
  const std::lock_guard lock(mutex_);
  mux_port_ = network_->mux_port();
  return applied;
}

// --------------------------------------------------------------------------------------------------------- The packets

/// What was set since.
void InserterStream::take_configuration() {
  if (!has_configuration_) return;
  if (const Status applied = apply_configuration(); !applied)
    problem("the new configuration was not taken, and the old one stays: " + applied.error().message);
}

Status InserterStream::process(MutableByteView bytes, bool& in_place) {
  if (network_->has_data()) {
    data_.clear();
    network_->take_data(data_);
    for (const simulcrypt::DataDatagram& data : data_)
      head_end_->push_data(data.stream->client_id, data.stream->data_id, data.stream->data_type,
                           data.stream->section_tspkt_flag, data.bytes);
  }
  framing_.push(bytes);
  bytes_ += bytes.size();
  return process_runs(bytes, in_place);
}

/// All packets that are there. `in_place`: they are `whole`, and were changed where they are; else they stand in out_.
Status InserterStream::process_runs(MutableByteView whole, bool& in_place) {
  out_.clear();
  in_place = false;
  for (;;) {
    CAS_TRY_ASSIGN(auto run, framing_.next());
    if (!run) return begin_periods_here();
    if (!keys_.empty()) CAS_TRY(begin_periods_before(*run));
    CAS_TRY_ASSIGN(const ByteView packets, head_end_->process(*run, waits_.token()));
    if (packets.data() == whole.data() && packets.size() == whole.size()) {
      in_place = true;
      continue;  // There is nothing more.
    }
    append(out_, packets);
  }
}

Result<BufferPtr> InserterStream::process_buffer(BufferPtr buffer) {
  take_configuration();
  if (!key_failed_) return fail(key_failed_.error());
  if (rtp_.started()) return rtp_.process(std::move(buffer), waits_.token());
  buffer.reset(gst_buffer_make_writable(buffer.release()));
  bool in_place = false;
  {
    MappedBuffer mapped(buffer.get(), GST_MAP_READWRITE);
    if (!mapped) return fail(ErrorKind::io, "a buffer could not be mapped for writing");
    CAS_TRY(process(mapped.writable(), in_place));
  }
  if (in_place) return buffer;
  if (out_.empty()) return BufferPtr();
  BufferPtr made(gst_buffer_new_allocate(nullptr, out_.size(), nullptr));
  gst_buffer_fill(made.get(), 0, out_.data(), out_.size());
  gst_buffer_copy_into(made.get(), buffer.get(), GST_BUFFER_COPY_METADATA, 0, static_cast<gsize>(-1));
  return made;
}

GstFlowReturn InserterStream::report(const Error& error) {
  if (error.kind == ErrorKind::cancelled) return GST_FLOW_FLUSHING;
  const bool is_content = error.kind == ErrorKind::unsupported || error.kind == ErrorKind::malformed;
  // No ECM; no key, or one that does not fit.
  const bool is_scrambling = error.kind == ErrorKind::refused || error.kind == ErrorKind::not_found ||
                             error.kind == ErrorKind::invalid_argument;
  post_error(element_,
             is_content                    ? ErrorCode{GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT}
             : is_scrambling               ? ErrorCode{GST_STREAM_ERROR, GST_STREAM_ERROR_ENCODE}
             : error.kind == ErrorKind::io ? ErrorCode{GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ}
                                           : ErrorCode{GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_FAILED},
             error);
  return GST_FLOW_ERROR;
}

/// Says what has happened, and shows where things stand.
void InserterStream::tell() {
  {
    const std::lock_guard lock(mutex_);
    if (head_end_) status_ = head_end_->status();
    rtp_counts_ = rtp_.counts();
    lost_datagrams_ = rtp_.lost_datagrams();
    framing_counts_ = framing_.counts();
  }
  std::ranges::move(rtp_.messages(), std::back_inserter(messages_));
  rtp_.messages().clear();
  if (problems_ > most_problems)
    messages_.push_back(problem_message(std::to_string(problems_ - most_problems) + " other problems were left out"));
  problems_ = 0;
  for (StructurePtr& message : messages_)
    gst_element_post_message(element_, gst_message_new_element(GST_OBJECT(element_), message.release()));
  messages_.clear();
}

GstFlowReturn InserterStream::push(BufferPtr buffer) {
  if (!is_ready()) return GST_FLOW_NOT_NEGOTIATED;
  auto made = process_buffer(std::move(buffer));
  tell();
  if (!made) return report(made.error());
  return *made ? gst_pad_push(src_, made->release()) : GST_FLOW_OK;
}

GstFlowReturn InserterStream::push_list(GstBufferList* list) {
  if (!is_ready()) return GST_FLOW_NOT_NEGOTIATED;
  const guint count = gst_buffer_list_length(list);
  BufferListPtr out(gst_buffer_list_new_sized(count));
  for (guint number = 0; number < count; ++number) {
    auto made = process_buffer(BufferPtr(gst_buffer_ref(gst_buffer_list_get(list, number))));
    if (!made) {
      tell();
      if (gst_buffer_list_length(out.get()) > 0) static_cast<void>(gst_pad_push_list(src_, out.release()));
      return report(made.error());
    }
    if (*made) gst_buffer_list_add(out.get(), made->release());
  }
  tell();
  return gst_buffer_list_length(out.get()) == 0 ? GST_FLOW_OK : gst_pad_push_list(src_, out.release());
}

GstFlowReturn InserterStream::finish() {
  if (!head_end_) return GST_FLOW_OK;
  framing_.end();
  bool in_place = false;
  const Status processed = process_runs({}, in_place);
  append(out_, head_end_->finish());
  tell();
  GstFlowReturn flow = GST_FLOW_OK;
  if (!out_.empty()) {
    BufferPtr rest(gst_buffer_new_allocate(nullptr, out_.size(), nullptr));
    gst_buffer_fill(rest.get(), 0, out_.data(), out_.size());
    flow = gst_pad_push(src_, rest.release());
  }
  framing_.reset();
  return processed ? flow : report(processed.error());
}

void InserterStream::flush() {
  framing_.reset();
  out_.clear();
  // What they had to wait for is gone.
  static_cast<void>(begin_periods_here());
  if (head_end_) head_end_->discontinuity();
  rtp_.discontinuity();
}

// ------------------------------------------------------------------------------------------------------------- The keys

bool InserterStream::take_key(GstEvent* event) {
  if (started_with_.settings.key_source != simulcrypt::KeySource::upstream) return false;
  gboolean ahead = FALSE;
  const ContentKeyPointer key(gst_cas_event_get_content_key(event, &ahead));
  if (!key) return false;
  std::string other_part;
  if (!head_end_ || !keys_.is_ours(*key, other_part)) {
    if (!other_part.empty()) problem(other_part);
    return true;
  }
  GST_DEBUG_OBJECT(element_, "key %s of crypto-period %" G_GUINT64_FORMAT " %s",
                   gst_cas_content_key_get_key_id(key.get()), gst_cas_content_key_get_period_index(key.get()),
                   ahead ? "is announced" : "comes into force");
  if (!ahead) {
    keys_.add(bytes_, content_key_of(*key));
    static_cast<void>(begin_periods_here());
  } else if (const Status announced = head_end_->key_ahead(content_key_of(*key)); !announced) {
    key_failed_ = announced;
  }
  return true;
}

Status InserterStream::begin_period() {
  const Status begun = head_end_->begin_period(keys_.take());
  if (!begun) key_failed_ = begun;
  return begun;
}

/// Those that begin where the stream is.
Status InserterStream::begin_periods_here() {
  while (!keys_.empty() && keys_.bytes_before(bytes_ - framing_.waiting(), mpegts::packet_size) == 0)
    CAS_TRY(begin_period());
  return {};
}

/// Those that begin at the start of a run, or within: packets before the last of them are processed, and the others left.
Status InserterStream::begin_periods_before(MutableByteView& run) {
  std::uint64_t position = bytes_ - framing_.waiting() - run.size();
  while (!keys_.empty()) {
    const std::size_t before = keys_.bytes_before(position, run.size());
    if (before == run.size()) break;
    if (before > 0) {
      CAS_TRY_ASSIGN(const ByteView packets, head_end_->process(run.first(before), waits_.token()));
      append(out_, packets);
      run = run.subspan(before);
      position += before;
    }
    CAS_TRY(begin_period());
  }
  return {};
}

StructurePtr InserterStream::stats() const {
  const std::lock_guard lock(mutex_);
  StructurePtr stats = inserter_stats(status_, mux_port_, framing_counts_.skipped_bytes, framing_counts_.sync_losses);
  add_rtp_stats(stats.get(), rtp_counts_, lost_datagrams_);
  return stats;
}

// --------------------------------------------------------------------------------------------------- What the bus hears

void InserterStream::period_began(const GroupName& group, std::uint16_t cp_number, const simulcrypt::ContentKey* key,
                                  std::uint64_t packet, StreamTime time) {
  messages_.push_back(period_message(group, cp_number, packet, time));
  if (key != nullptr) add_key(messages_.back().get(), *key);
}
void InserterStream::went_clear(const GroupName& group, std::uint64_t packet, StreamTime time) {
  messages_.push_back(clear_message(group, packet, time));
}
void InserterStream::ecm_missing(const GroupName& group, const std::string& system, std::uint16_t cp_number,
                                 simulcrypt::WithoutEcm consequence) {
  GST_WARNING_OBJECT(element_, "ECMG '%s' has no ECM for crypto-period %u of service %u", system.c_str(), cp_number,
                     group.service_id);
  messages_.push_back(ecm_missing_message(group, system, cp_number, consequence));
}
void InserterStream::service_found(std::uint16_t service_id, const std::string& name,
                                   const std::vector<simulcrypt::GroupStream>& ecms) {
  messages_.push_back(service_message(service_id, name, ecms));
}
void InserterStream::service_gone(std::uint16_t service_id) { messages_.push_back(service_gone_message(service_id)); }
void InserterStream::problem(const std::string& what) {
  // A stream that is made to annoy has something new to complain of in each packet.
  if (++problems_ > most_problems) return;
  GST_WARNING_OBJECT(element_, "%s", what.c_str());
  messages_.push_back(problem_message(what));
}

}  // namespace cas::gst
