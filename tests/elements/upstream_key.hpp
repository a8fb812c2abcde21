// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/cas/content_key.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "element_test.hpp"
#include "smartpro/protected_file.hpp"

namespace cas::test {

/// A key as a key source upstream sends it.
struct SentKey {
  Bytes key = Bytes(16, 0x5a);
  std::string key_id = "a2b3c4d5-0001-4000-8000-0123456789ab";
  std::string content_id = "channel-1";
  guint64 period_index = 7;
  bool rotates = false;
  bool ahead = false;
};

inline gst::EventPtr event_of(const SentKey& sent) {
  const gst::ContentKeyPointer key(gst_cas_content_key_new(
      sent.key.data(), sent.key.size(),
      gst_structure_new(GST_CAS_CONTENT_KEY_INFO, "key-id", G_TYPE_STRING, sent.key_id.c_str(), "content-id",
                        G_TYPE_STRING, sent.content_id.c_str(), "period-index", G_TYPE_UINT64, sent.period_index,
                        "rotates", G_TYPE_BOOLEAN, static_cast<gboolean>(sent.rotates), nullptr)));
  return gst::EventPtr(gst_cas_event_new_content_key(key.get(), static_cast<gboolean>(sent.ahead)));
}

inline constexpr char another_id[] = "a2b3c4d5-0002-4000-8000-0123456789ab";

/// Of the next period.
inline SentKey another() {
  SentKey sent;
  sent.key = Bytes(16, 0xa5);
  sent.key_id = another_id;
  sent.period_index = 8;
  return sent;
}

/// Hands an event to the element itself, whose answer this is: a pad that pushes a sticky event keeps it, sends it again
/// before the next buffer, and says that all is well.
inline bool send_event(ElementHarness& harness, gst::EventPtr event) {
  const gst::ObjectPtr<GstPad> sink(gst_element_get_static_pad(harness.element(), "sink"));
  return gst_pad_send_event(sink.get(), event.release()) != FALSE;
}
inline bool send(ElementHarness& harness, const SentKey& sent) { return send_event(harness, event_of(sent)); }

/// The card of a head-end token of the usual domain.
inline std::string head_end_card() {
  static const std::string uri = [] {
    usual_system().enrol("progenitor", "key wrapper", smartpro::TokenKind::head_end);
    return usual_system().uri("key wrapper");
  }();
  return uri;
}

/// smartpro-scramble that takes its keys from upstream, playing.
class KeyScramble : public ElementHarness {
 public:
  explicit KeyScramble(const std::string& cipher = "aes-128-gcm", guint segment_size = 1024)
      : ElementHarness("smartpro-scramble", {{"key-source", "upstream"},
                                             {"card", head_end_card()},
                                             {"cipher", cipher},
                                             {"segment-size", std::to_string(segment_size)}}) {}
  /// Up to the first buffer.
  KeyScramble& begin(const SentKey& sent) {
    start("application/x-noise");
    if (!send(*this, sent)) ADD_FAILURE() << "the key was refused";
    return *this;
  }
  /// The rest of a file.
  Bytes protect(ByteView content) {
    if (!content.empty() && push_in_pieces(content, 700) != GST_FLOW_OK) ADD_FAILURE() << "scrambling failed";
    if (!end()) ADD_FAILURE() << "scrambling failed at the end";
    return output();
  }
};

inline smartpro::ReadHeader header_of(const Bytes& file) { return value_or_throw(smartpro::ReadHeader::parse(file)); }

/// What a renderer card of the domain gives of a file, with the error that came in place of the rest.
struct Played {
  Bytes content;
  std::optional<PostedError> error;
};
inline Played played(const Bytes& file) {
  ElementHarness descramble("smartpro-descramble", {{"card", usual_system().uri("renderer")}});
  descramble.start("application/x-smartpro");
  if (descramble.push(file) == GST_FLOW_OK) descramble.end();
  return {descramble.output(), next_error(descramble.bus())};
}

/// The next warning's text; empty without one.
inline std::string next_warning(GstBus* bus) {
  GstMessage* message = gst_bus_pop_filtered(bus, GST_MESSAGE_WARNING);
  if (message == nullptr) return {};
  GError* error = nullptr;
  gst_message_parse_warning(message, &error, nullptr);
  const std::string text = error->message;
  g_error_free(error);
  gst_message_unref(message);
  return text;
}

inline void flush(ElementHarness& scramble) {
  gst_harness_push_event(*scramble, gst_event_new_flush_start());
  gst_harness_push_event(*scramble, gst_event_new_flush_stop(TRUE));
}

/// filesrc ! identity ! smartpro-scramble ! filesink, in buffers of 1,000 bytes, with keys in front of some of them as a
/// key source in the place of identity sends them.
class KeyPipeline {
 public:
  explicit KeyPipeline(ByteView content)
      : out(usual_system().folder() / "keys.spro"),
        pipeline("filesrc blocksize=1000 location=" + write_file("keys.bin", content).string() +
                 " ! identity name=source ! smartpro-scramble key-source=upstream segment-size=1024 card=\"" +
                 head_end_card() + "\" ! filesink location=" + out.string()),
        pad_(gst_element_get_static_pad(pipeline.child("source").get(), "src")) {
    gst_pad_add_probe(pad_.get(), GST_PAD_PROBE_TYPE_BUFFER, note, this, nullptr);
  }
  bool run() {
    buffers_ = 0;
    return pipeline.run();
  }

  const std::filesystem::path out;
  std::map<int, SentKey> keys;  ///< By number of the buffer. Streaming reads it until the pipeline has ended.
  Pipeline pipeline;

 private:
  static GstPadProbeReturn note(GstPad* pad, GstPadProbeInfo*, gpointer self) {
    auto* line = static_cast<KeyPipeline*>(self);
    const auto sent = line->keys.find(line->buffers_++);
    if (sent != line->keys.end()) gst_pad_push_event(pad, event_of(sent->second).release());
    return GST_PAD_PROBE_OK;
  }

  gst::ObjectPtr<GstPad> pad_;
  int buffers_ = 0;  // Of the streaming thread, while it runs.
};

class KeyTest : public testing::Test {
 protected:
  KeyTest() { usual_system(); }
  const Bytes content = noise(10'000);
};

}  // namespace cas::test
