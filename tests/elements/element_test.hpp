// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <gtest/gtest.h>
#include <gst/cas/pointers.hpp>

#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "tests/support/test_system.hpp"

/// What the tests of elements share.
namespace cas::test {

/// The system that all tests of a program use: one root, one domain with the cards "acquisition" and "renderer", which
/// are the default cards of this process; $CAS_HOME is its folder.
TestSystem& usual_system();

struct FreeHarness {
  void operator()(GstHarness* harness) const { gst_harness_teardown(harness); }
};
using HarnessPtr = std::unique_ptr<GstHarness, FreeHarness>;

/// A property of an element as text, as on a launch line.
using Properties = std::initializer_list<std::pair<const char*, std::string>>;

gst::ObjectPtr<GstElement> make_element(const char* factory, Properties properties = {});
/// A harness around a new element, playing, with messages on a bus.
class ElementHarness {
 public:
  explicit ElementHarness(const char* factory, Properties properties = {});
  ~ElementHarness();
  ElementHarness(const ElementHarness&) = delete;
  ElementHarness& operator=(const ElementHarness&) = delete;

  /// stream-start, caps if given, and a segment in bytes.
  void start(const char* caps = nullptr, std::uint64_t first_byte = 0);
  GstFlowReturn push(ByteView bytes);
  /// In buffers of `size` bytes; stops at the first flow that is not OK.
  GstFlowReturn push_in_pieces(ByteView bytes, std::size_t size);
  bool end();
  /// Everything that has come out, in order; the buffers are gone then.
  Bytes output();
  std::optional<std::string> output_caps();

  [[nodiscard]] GstHarness* operator*() const { return harness_.get(); }
  [[nodiscard]] GstElement* element() const { return element_.get(); }
  [[nodiscard]] GstBus* bus() const { return bus_.get(); }

 private:
  gst::ObjectPtr<GstElement> element_;
  gst::ObjectPtr<GstBus> bus_;
  HarnessPtr harness_;
};

/// An error message on a bus.
struct PostedError {
  std::string domain;  ///< "gst-stream-error-quark", ...
  int code = 0;
  std::string kind;  ///< "error-kind" of the details.
  std::string text;
};
/// The next error on the bus, if there is one; other messages are dropped.
std::optional<PostedError> next_error(GstBus* bus);
/// The next element message of that name, likewise.
gst::StructurePtr next_element_message(GstBus* bus, const char* name);

#define EXPECT_POSTED(bus, expected_domain, expected_code, expected_kind)            \
  do {                                                                               \
    const auto posted_ = ::cas::test::next_error(bus);                               \
    ASSERT_TRUE(posted_.has_value()) << "no error was posted";                       \
    EXPECT_EQ(posted_->domain, g_quark_to_string(expected_domain)) << posted_->text; \
    EXPECT_EQ(posted_->code, static_cast<int>(expected_code)) << posted_->text;      \
    EXPECT_EQ(posted_->kind, expected_kind) << posted_->text;                        \
    EXPECT_GT(posted_->text.size(), 20U) << "the sentence tells nothing";            \
  } while (false)

/// Bytes that look like nothing and are the same each time.
Bytes noise(std::size_t size, std::uint64_t seed = 1);

/// Protects bytes with smartpro-scramble.
Bytes protect(ByteView content, Properties properties = {}, const char* caps = "application/x-noise");

/// A file of the test, removed with the usual system's folder.
std::filesystem::path write_file(const std::string& name, ByteView bytes);
Bytes read_file(const std::filesystem::path& path);

/// A pipeline from a launch line.
class Pipeline {
 public:
  explicit Pipeline(const std::string& description);
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  bool set_state(GstState state);
  /// Goes to a state, and waits until it is reached; false when that fails or an error comes.
  bool reach(GstState state);
  /// Waits for the end of the stream: true; or for an error: false, and it is kept.
  bool wait_for_end();
  /// PLAYING until the end of the stream.
  bool run() { return set_state(GST_STATE_PLAYING) && wait_for_end(); }
  /// Waits for an element message.
  gst::StructurePtr wait_for_element_message(const char* name);

  [[nodiscard]] GstElement* element() const { return element_.get(); }
  [[nodiscard]] gst::ObjectPtr<GstElement> child(const char* name) const {
    return gst::ObjectPtr<GstElement>(gst_bin_get_by_name(GST_BIN(element_.get()), name));
  }
  [[nodiscard]] GstBus* bus() const { return bus_.get(); }
  std::optional<PostedError> error;

 private:
  gst::ObjectPtr<GstElement> element_;
  gst::ObjectPtr<GstBus> bus_;
};

}  // namespace cas::test
