// SPDX-License-Identifier: LGPL-2.1-or-later
#include "element_test.hpp"

#include <stdlib.h>

#include <fstream>
#include <iterator>
#include <stdexcept>

#include "smartpro/default_places.hpp"

namespace cas::test {

namespace {

constexpr GstClockTime patience = 60 * GST_SECOND;

PostedError posted_error(GstMessage* message) {
  PostedError posted;
  GError* error = nullptr;
  gst_message_parse_error(message, &error, nullptr);
  posted.domain = g_quark_to_string(error->domain);
  posted.code = error->code;
  posted.text = error->message;
  g_error_free(error);
  const GstStructure* details = nullptr;
  gst_message_parse_error_details(message, &details);
  if (details != nullptr && gst_structure_has_field(details, "error-kind"))
    posted.kind = gst_structure_get_string(details, "error-kind");
  return posted;
}

struct ReleaseMessage {
  void operator()(GstMessage* message) const { gst_message_unref(message); }
};
using MessagePtr = std::unique_ptr<GstMessage, ReleaseMessage>;

}  // namespace

TestSystem& usual_system() {
  static const auto system = [] {
    auto made = std::make_unique<TestSystem>();
    made->found_usual_domain();
    setenv("CAS_HOME", made->folder().c_str(), 1);
    unsetenv("CAS_CARD");
    value_or_throw(smartpro::set_default_card_uri(smartpro::TokenKind::acquisition, made->uri("acquisition")));
    value_or_throw(smartpro::set_default_card_uri(smartpro::TokenKind::renderer, made->uri("renderer")));
    return made;
  }();
  return *system;
}

gst::ObjectPtr<GstElement> make_element(const char* factory, Properties properties) {
  GstElement* element = gst_element_factory_make(factory, nullptr);
  if (element == nullptr) throw std::runtime_error(std::string("no element ") + factory);
  gst::ObjectPtr<GstElement> owned(GST_ELEMENT(gst_object_ref_sink(element)));
  for (const auto& [name, value] : properties) gst_util_set_object_arg(G_OBJECT(element), name, value.c_str());
  return owned;
}

ElementHarness::ElementHarness(const char* factory, Properties properties)
    : element_(make_element(factory, properties)), bus_(gst_bus_new()) {
  gst_element_set_bus(element_.get(), bus_.get());
  harness_.reset(gst_harness_new_with_element(element_.get(), "sink", "src"));
}

ElementHarness::~ElementHarness() {
  harness_.reset();
  gst_element_set_bus(element_.get(), nullptr);
}

void ElementHarness::start(const char* caps, std::uint64_t first_byte) {
  gst_harness_push_event(harness_.get(), gst_event_new_stream_start("test"));
  if (caps != nullptr) {
    const gst::CapsPtr parsed(gst_caps_from_string(caps));
    gst_harness_push_event(harness_.get(), gst_event_new_caps(parsed.get()));
  }
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_BYTES);
  segment.start = segment.position = segment.time = first_byte;
  gst_harness_push_event(harness_.get(), gst_event_new_segment(&segment));
}

GstFlowReturn ElementHarness::push(ByteView bytes) {
  return gst_harness_push(harness_.get(), gst_buffer_new_memdup(bytes.data(), bytes.size()));
}

GstFlowReturn ElementHarness::push_in_pieces(ByteView bytes, std::size_t size) {
  GstFlowReturn flow = GST_FLOW_OK;
  while (!bytes.empty() && flow == GST_FLOW_OK) {
    const std::size_t count = std::min(size, bytes.size());
    flow = push(bytes.first(count));
    bytes = bytes.subspan(count);
  }
  return flow;
}

bool ElementHarness::end() { return gst_harness_push_event(harness_.get(), gst_event_new_eos()) != FALSE; }

Bytes ElementHarness::output() {
  Bytes all;
  while (GstBuffer* pulled = gst_harness_try_pull(harness_.get())) {
    const gst::BufferPtr buffer(pulled);
    const gst::MappedBuffer map(buffer.get(), GST_MAP_READ);
    append(all, map.bytes());
  }
  return all;
}

std::optional<std::string> ElementHarness::output_caps() {
  const gst::CapsPtr caps(gst_pad_get_current_caps(harness_.get()->sinkpad));
  if (!caps) return std::nullopt;
  const gst::TextPtr text(gst_caps_to_string(caps.get()));
  return std::string(text.get());
}

std::optional<PostedError> next_error(GstBus* bus) {
  const MessagePtr message(gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR));
  if (!message) return std::nullopt;
  return posted_error(message.get());
}

gst::StructurePtr next_element_message(GstBus* bus, const char* name) {
  while (const MessagePtr message{gst_bus_pop_filtered(bus, GST_MESSAGE_ELEMENT)}) {
    const GstStructure* structure = gst_message_get_structure(message.get());
    if (gst_structure_has_name(structure, name)) return gst::StructurePtr(gst_structure_copy(structure));
  }
  return nullptr;
}

Bytes noise(std::size_t size, std::uint64_t seed) {
  SeededRandom random(seed);
  Bytes bytes(size);
  value_or_throw(random.fill(bytes));
  return bytes;
}

Bytes protect(ByteView content, Properties properties, const char* caps) {
  usual_system();
  ElementHarness scramble("smartpro-scramble", properties);
  scramble.start(caps);
  if (!content.empty() && scramble.push(content) != GST_FLOW_OK) throw std::runtime_error("scrambling failed");
  if (!scramble.end()) throw std::runtime_error("scrambling failed at the end");
  return scramble.output();
}

std::filesystem::path write_file(const std::string& name, ByteView bytes) {
  const std::filesystem::path path = usual_system().folder() / name;
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
  return path;
}

Bytes read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Pipeline::Pipeline(const std::string& description) {
  GError* problem = nullptr;
  GstElement* parsed = gst_parse_launch(description.c_str(), &problem);
  if (problem != nullptr) {
    const std::string text = problem->message;
    g_error_free(problem);
    if (parsed != nullptr) gst_object_unref(parsed);
    throw std::runtime_error(description + ": " + text);
  }
  if (!GST_IS_PIPELINE(parsed)) {  // A line with a single element.
    GstElement* pipeline = gst_pipeline_new(nullptr);
    gst_bin_add(GST_BIN(pipeline), parsed);
    parsed = pipeline;
  }
  element_.reset(GST_ELEMENT(gst_object_ref_sink(parsed)));
  bus_.reset(gst_element_get_bus(parsed));
}

Pipeline::~Pipeline() { gst_element_set_state(element_.get(), GST_STATE_NULL); }

bool Pipeline::set_state(GstState state) {
  if (gst_element_set_state(element_.get(), state) != GST_STATE_CHANGE_FAILURE) return true;
  if (auto posted = next_error(bus_.get())) error = posted;
  return false;
}

bool Pipeline::reach(GstState state) {
  if (!set_state(state)) return false;
  const bool reached = gst_element_get_state(element_.get(), nullptr, nullptr, patience) == GST_STATE_CHANGE_SUCCESS;
  if (!reached)
    if (auto posted = next_error(bus_.get())) error = posted;
  return reached;
}

bool Pipeline::wait_for_end() {
  const MessagePtr message(gst_bus_timed_pop_filtered(
      bus_.get(), patience, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
  if (!message) {
    ADD_FAILURE() << "neither an end nor an error within a minute";
    return false;
  }
  if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_EOS) return true;
  error = posted_error(message.get());
  return false;
}

gst::StructurePtr Pipeline::wait_for_element_message(const char* name) {
  while (const MessagePtr message{gst_bus_timed_pop_filtered(
      bus_.get(), patience, static_cast<GstMessageType>(GST_MESSAGE_ELEMENT | GST_MESSAGE_ERROR | GST_MESSAGE_EOS))}) {
    if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_ERROR) {
      error = posted_error(message.get());
      return nullptr;
    }
    if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_EOS) return nullptr;
    const GstStructure* structure = gst_message_get_structure(message.get());
    if (gst_structure_has_name(structure, name)) return gst::StructurePtr(gst_structure_copy(structure));
  }
  return nullptr;
}

}  // namespace cas::test

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
