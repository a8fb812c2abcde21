// SPDX-License-Identifier: LGPL-2.1-or-later
#include "playback.hpp"

#include <glib-unix.h>
#include <gst/gst.h>
#include <gst/sdp/sdp.h>

#include <algorithm>
#include <memory>

#include "gst/cas/pointers.hpp"

namespace cas::apps {

namespace {

using namespace simulcrypt::bcast;
using gst::ObjectPtr;

/// A datagram of a source goes to one of these.
struct Inlet {
  ServiceKeys* keys = nullptr;
  std::optional<std::size_t> media;
  std::optional<std::uint16_t> key_stream;  ///< Neither: long term key messages.
};

GstPadProbeReturn take_buffer(GstPad*, GstPadProbeInfo* info, gpointer data) {
  const auto& inlet = *static_cast<const Inlet*>(data);
  if (inlet.media) {
    GstBuffer* buffer = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
    info->data = buffer;
    std::optional<std::size_t> size;
    {
      gst::MappedBuffer map(buffer, GST_MAP_READWRITE);
      if (map) size = inlet.keys->unprotect(*inlet.media, map.writable());
    }
    if (!size) return GST_PAD_PROBE_DROP;
    gst_buffer_resize(buffer, 0, static_cast<gssize>(*size));
    return GST_PAD_PROBE_OK;
  }
  const gst::MappedBuffer map(GST_PAD_PROBE_INFO_BUFFER(info), GST_MAP_READ);
  if (map && inlet.key_stream) inlet.keys->take_stkm(*inlet.key_stream, map.bytes());
  if (map && !inlet.key_stream) inlet.keys->take_ltkm(map.bytes());
  return GST_PAD_PROBE_DROP;
}

class Player {
 public:
  Player(const PlaybackOptions& options, ServiceKeys& keys)
      : options_(options), keys_(keys), pipeline_(GST_ELEMENT(gst_object_ref_sink(gst_pipeline_new(nullptr)))) {}
  ~Player() { gst_element_set_state(pipeline_.get(), GST_STATE_NULL); }
  Player(const Player&) = delete;
  Player& operator=(const Player&) = delete;

  Status add_media(const sdp::Service& service, const sdp::Media& media, std::size_t index);
  Status add_key_stream(const sdp::Service& service, const sdp::KeyStream& stream);
  Status add_ltkms();
  Status run();

 private:
  /// An element of the pipeline, which owns it.
  Result<GstElement*> add(const char* factory);
  Result<GstElement*> add_source(const std::string& address, std::uint16_t port, Inlet inlet);
  Result<GstElement*> add_depayloader(GstCaps* caps);
  static void link_decoded(GstElement* decoder, GstPad* pad, gpointer player);
  static gboolean end(gpointer player);

  const PlaybackOptions& options_;
  ServiceKeys& keys_;
  ObjectPtr<GstElement> pipeline_;
  std::vector<std::unique_ptr<Inlet>> inlets_;
};

Result<GstElement*> Player::add(const char* factory) {
  GstElement* const element = gst_element_factory_make(factory, nullptr);
  if (element == nullptr) {
    return fail(ErrorKind::not_found,
                std::string("GStreamer has no ") + factory + ": install the plugins that have it");
  }
  gst_bin_add(GST_BIN(pipeline_.get()), element);
  return element;
}

Result<GstElement*> Player::add_source(const std::string& address, std::uint16_t port, Inlet inlet) {
  CAS_TRY_ASSIGN(GstElement* const source, add("udpsrc"));
  g_object_set(source, "address", address.c_str(), "port", static_cast<gint>(port), nullptr);
  inlets_.push_back(std::make_unique<Inlet>(inlet));
  const ObjectPtr<GstPad> pad(gst_element_get_static_pad(source, "src"));
  gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_BUFFER, take_buffer, inlets_.back().get(), nullptr);
  return source;
}

/// What RTP's caps say of a payload type, as the SDP has it.
gst::CapsPtr caps_of(const sdp::Media& media) {
  GstSDPMedia* described = nullptr;
  gst_sdp_media_new(&described);
  gst_sdp_media_set_media(described, media.kind.c_str());
  gst_sdp_media_set_proto(described, "RTP/AVP");
  gst_sdp_media_add_format(described, media.formats.front().c_str());
  for (const std::string& attribute : media.attributes) {
    const std::size_t colon = attribute.find(':');
    const std::string value = colon == std::string::npos ? "" : attribute.substr(colon + 1);
    gst_sdp_media_add_attribute(described, attribute.substr(0, colon).c_str(), value.c_str());
  }
  gst::CapsPtr caps(gst_sdp_media_get_caps_from_media(
      described, static_cast<gint>(g_ascii_strtoll(media.formats.front().c_str(), nullptr, 10))));
  gst_sdp_media_free(described);
  if (caps) {
    caps.reset(gst_caps_make_writable(caps.release()));
    gst_structure_set_name(gst_caps_get_structure(caps.get(), 0), "application/x-rtp");
  }
  return caps;
}

Result<GstElement*> Player::add_depayloader(GstCaps* caps) {
  GList* const all = gst_element_factory_list_get_elements(GST_ELEMENT_FACTORY_TYPE_DEPAYLOADER, GST_RANK_MARGINAL);
  GList* const fitting = gst_element_factory_list_filter(all, caps, GST_PAD_SINK, FALSE);
  GstElement* const element =
      fitting == nullptr ? nullptr : gst_element_factory_create(GST_ELEMENT_FACTORY(fitting->data), nullptr);
  gst_plugin_feature_list_free(fitting);
  gst_plugin_feature_list_free(all);
  if (element == nullptr) return fail(ErrorKind::unsupported, "GStreamer has no depayloader for this media");
  gst_bin_add(GST_BIN(pipeline_.get()), element);
  return element;
}

void Player::link_decoded(GstElement*, GstPad* pad, gpointer data) {
  auto& player = *static_cast<Player*>(data);
  const gst::CapsPtr caps(gst_pad_query_caps(pad, nullptr));
  const char* const name = gst_structure_get_name(gst_caps_get_structure(caps.get(), 0));
  const bool is_video = g_str_has_prefix(name, "video/");
  const auto converter = player.add(is_video ? "videoconvert" : "audioconvert");
  const auto sink = player.add(is_video ? "autovideosink" : "autoaudiosink");
  if (!converter || !sink || !gst_element_link(*converter, *sink)) return;
  const ObjectPtr<GstPad> target(gst_element_get_static_pad(*converter, "sink"));
  gst_pad_link(pad, target.get());
  gst_element_sync_state_with_parent(*sink);
  gst_element_sync_state_with_parent(*converter);
}

Status Player::add_media(const sdp::Service& service, const sdp::Media& media, std::size_t index) {
  const gst::CapsPtr caps = caps_of(media);
  if (!caps) return fail(ErrorKind::unsupported, "The SDP does not say what the payload of a media is (rtpmap)");
  CAS_TRY_ASSIGN(GstElement* const source, add_source(service.connection_of(media.connection)->address, media.port,
                                                      {&keys_, index, std::nullopt}));
  g_object_set(source, "caps", caps.get(), nullptr);
  CAS_TRY_ASSIGN(GstElement* const buffer, add("rtpjitterbuffer"));
  g_object_set(buffer, "latency", static_cast<guint>(options_.latency.count()), nullptr);
  if (options_.output.empty()) {
    CAS_TRY_ASSIGN(GstElement* const decoder, add("decodebin"));
    g_signal_connect(decoder, "pad-added", G_CALLBACK(link_decoded), this);
    if (gst_element_link_many(source, buffer, decoder, nullptr)) return {};
  } else {
    CAS_TRY_ASSIGN(GstElement* const depayloader, add_depayloader(caps.get()));
    CAS_TRY_ASSIGN(GstElement* const sink, add("filesink"));
    g_object_set(sink, "location", options_.output.c_str(), "async", FALSE, "sync", FALSE, nullptr);
    if (gst_element_link_many(source, buffer, depayloader, sink, nullptr)) return {};
  }
  return fail(ErrorKind::internal, "The elements of the pipeline cannot be linked");
}

Status Player::add_key_stream(const sdp::Service& service, const sdp::KeyStream& stream) {
  CAS_TRY_ASSIGN(GstElement* const source, add_source(service.connection_of(stream.connection)->address, stream.port,
                                                      {&keys_, std::nullopt, stream.id}));
  CAS_TRY_ASSIGN(GstElement* const sink, add("fakesink"));
  g_object_set(sink, "async", FALSE, nullptr);
  if (!gst_element_link(source, sink)) return fail(ErrorKind::internal, "A key stream cannot be linked");
  return {};
}

Status Player::add_ltkms() {
  CAS_TRY_ASSIGN(GstElement* const source,
                 add_source(options_.ltkm_address, *options_.ltkm_port, {&keys_, std::nullopt, std::nullopt}));
  CAS_TRY_ASSIGN(GstElement* const sink, add("fakesink"));
  g_object_set(sink, "async", FALSE, nullptr);
  if (!gst_element_link(source, sink)) return fail(ErrorKind::internal, "Long term key messages cannot be linked");
  return {};
}

gboolean Player::end(gpointer data) {
  gst_element_send_event(static_cast<Player*>(data)->pipeline_.get(), gst_event_new_eos());
  return G_SOURCE_CONTINUE;  // a second signal ends nothing twice
}

struct Ending {
  GMainLoop* loop;
  Status status;
};

gboolean take_message(GstBus*, GstMessage* message, gpointer data) {
  auto& ending = *static_cast<Ending*>(data);
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS) g_main_loop_quit(ending.loop);
  if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_ERROR) return G_SOURCE_CONTINUE;
  GError* error = nullptr;
  gst_message_parse_error(message, &error, nullptr);
  const gst::TextPtr name(gst_object_get_path_string(GST_MESSAGE_SRC(message)));
  ending.status = fail(ErrorKind::io, std::string(name.get()) + ": " + error->message);
  g_error_free(error);
  g_main_loop_quit(ending.loop);
  return G_SOURCE_CONTINUE;
}

Status Player::run() {
  const std::unique_ptr<GMainLoop, decltype(&g_main_loop_unref)> loop(g_main_loop_new(nullptr, FALSE),
                                                                      g_main_loop_unref);
  Ending ending{loop.get(), {}};
  const ObjectPtr<GstBus> bus(gst_element_get_bus(pipeline_.get()));
  gst_bus_add_watch(bus.get(), take_message, &ending);
  std::vector<guint> sources = {g_unix_signal_add(SIGINT, end, this), g_unix_signal_add(SIGTERM, end, this)};
  if (options_.duration) sources.push_back(g_timeout_add(static_cast<guint>(options_.duration->count()), end, this));
  if (gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) {
    // The reason is on the bus.
    g_timeout_add(
        100,
        [](gpointer data) {
          g_main_loop_quit(static_cast<GMainLoop*>(data));
          return G_SOURCE_REMOVE;
        },
        loop.get());
    ending.status = fail(ErrorKind::io, "The pipeline does not start");
  }
  g_main_loop_run(loop.get());
  for (const guint source : sources) g_source_remove(source);
  gst_bus_remove_watch(bus.get());
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  return ending.status;
}

}  // namespace

Status play(const sdp::Service& service, const std::vector<std::size_t>& media, ServiceKeys& keys,
            const PlaybackOptions& options) {
  Player player(options, keys);
  std::vector<std::uint16_t> joined;
  for (std::size_t index = 0; index < media.size(); ++index) {
    const sdp::Media& described = service.media[media[index]];
    CAS_TRY(player.add_media(service, described, index));
    for (const sdp::KeyStream* stream : service.key_streams_of(described)) {
      if (stream->profile != keys.profile() || std::ranges::find(joined, stream->id) != joined.end()) continue;
      joined.push_back(stream->id);
      CAS_TRY(player.add_key_stream(service, *stream));
    }
  }
  if (joined.empty()) {
    return fail(
        ErrorKind::not_found,
        "The SDP describes no key stream of this media (stkmstream) whose kmstype is of the receiver's profile");
  }
  if (options.ltkm_port) CAS_TRY(player.add_ltkms());
  return player.run();
}

}  // namespace cas::apps
