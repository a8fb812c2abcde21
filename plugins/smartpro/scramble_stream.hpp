// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>
#include <gst/cas/card_session.hpp>
#include <gst/cas/held_buffers.hpp>
#include <gst/cas/pointers.hpp>
#include <gst/cas/pool.hpp>

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "smartpro/bridge_converters.hpp"
#include "smartpro/protected_file.hpp"
#include "smartpro/usage_rights.hpp"
#include "source_licence.hpp"
#include "upstream_key.hpp"

namespace cas::gst {

/// What a protected file is made with; checked before streaming.
struct ScrambleSettings {
  std::optional<smartpro::ContentId> content_id;  ///< Nothing: the file id.
  smartpro::ContentCipher cipher = smartpro::ContentCipher::aes_128_gcm;
  std::uint32_t segment_size = smartpro::default_segment_size;
  std::uint32_t period_segments = 0;
  smartpro::UsageRights rights;          ///< Of licences for clear content.
  bool reissue = false;                  ///< The content was opened before: its licence is issued anew.
  std::optional<Bytes> source_licence;   ///< Then: that licence; nothing: upstream tells.
  smartpro::RightsChange change_rights;  ///< Then: what becomes of its rights; nothing: they stay.
  bool key_from_upstream = false;        ///< The control word is the key that a key source upstream sends.
};

/// Content in, a protected file out, in one pass: the streaming side of smartpro-scramble.
///
/// Everything but the counters belongs to the streaming thread (the sink pad's STREAM_LOCK). No lock is taken here.
class ScrambleStream {
 public:
  ScrambleStream(GstElement* element, GstPad* sink, GstPad* src)
      : element_(element), sink_(sink), src_(src), source_(sink), key_(element) {}
  ~ScrambleStream() { reset(); }
  ScrambleStream(const ScrambleStream&) = delete;
  ScrambleStream& operator=(const ScrambleStream&) = delete;

  /// Before streaming; `session` is kept.
  void configure(const ScrambleSettings& settings, CardSessionPtr session);
  /// Forgets the stream: what comes next starts a new protected file. The counters go on.
  void reset();
  /// Gives the session back and clears the counters: after streaming.
  void close();

  void set_caps(GstCaps* caps);
  /// What a smartpro-descramble upstream says of the licence that content comes under.
  void note_licence(const GstStructure* announced) { source_.note(announced); }
  /// An event of a key source upstream. False when the file cannot go on, and an error has been posted.
  [[nodiscard]] bool note_key(GstEvent* event);
  /// A segment event from upstream; sends ours when it is the first one.
  void start_segment(const GstSegment& segment);
  [[nodiscard]] GstFlowReturn push(BufferPtr buffer);
  [[nodiscard]] GstFlowReturn push_list(GstBufferList* list);
  /// The content is complete: writes the rest.
  [[nodiscard]] GstFlowReturn finish();
  [[nodiscard]] bool finished() const { return finished_; }

  /// For other threads.
  struct Counters {
    std::atomic<std::uint64_t> bytes_in{0};
    std::atomic<std::uint64_t> bytes_out{0};
    std::atomic<std::uint64_t> segments{0};
    std::atomic<std::uint64_t> licences{0};
    std::atomic<std::uint64_t> position{0};   ///< In the file that is being written.
    std::atomic<std::uint64_t> file_size{0};  ///< Of the file that is being written; 0 when not known.
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }
  /// For other threads, under the object lock.
  [[nodiscard]] const UpstreamKey& key() const { return key_; }

 private:
  [[nodiscard]] bool has_key();
  [[nodiscard]] bool refuse_key(const Error& error);
  void warn_once(const char* text);
  [[nodiscard]] bool hold(BufferPtr buffer);
  [[nodiscard]] GstFlowReturn drain(bool at_end);
  [[nodiscard]] Status write_start();
  [[nodiscard]] Status start_period(std::uint32_t period);
  [[nodiscard]] Result<smartpro::ContentId> content_id();
  [[nodiscard]] Result<smartpro::CreatedLicence> make_licence(std::uint32_t period);
  [[nodiscard]] Status seal_segment(std::size_t plain_size, bool last);
  [[nodiscard]] std::string media_type();
  [[nodiscard]] std::optional<std::uint64_t> plain_size() const;
  void announce();
  void emit_bytes(ByteView bytes);
  void emit(BufferPtr buffer);
  [[nodiscard]] GstFlowReturn flush_output();

  GstElement* const element_;
  GstPad* const sink_;
  GstPad* const src_;

  ScrambleSettings settings_;
  CardSessionPtr session_;
  SourceLicence source_;
  UpstreamKey key_;
  bool key_refused_ = false;  // Nothing more of this file is written: upstream was told, and may not have listened.
  bool warned_ = false;       // Of a key that is not used, or will change.

  CapsPtr caps_;                                // Of upstream, if it tells.
  bool announced_ = false;                      // Our caps and segment have gone out.
  bool from_byte_zero_ = false;                 // Upstream sends all of its content.
  std::optional<std::uint64_t> expected_byte_;  // Where upstream's next byte stands, when it counts bytes.
  bool rewound_ = false;                        // Upstream wants to go on elsewhere.
  bool finished_ = false;

  HeldBuffers held_;
  smartpro::FileHeader header_;
  smartpro::HeaderDigest digest_{};
  std::optional<smartpro::FileLayout> layout_;  // Once header and first licence are written.
  std::optional<smartpro::SegmentCipher> cipher_;
  std::uint64_t next_segment_ = 0;
  std::uint64_t received_ = 0;  // Content bytes of this file.
  BufferPoolPtr pool_;
  std::vector<BufferPtr> output_;

  Counters counters_;
};

}  // namespace cas::gst
