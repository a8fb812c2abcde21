// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro_bench_elements.hpp"

#include <openssl/evp.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "crypto/random.hpp"

namespace cas::bench {

namespace {

using Seconds = std::chrono::duration<double>;

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "bench: %s\n", what.c_str());
  std::exit(EXIT_FAILURE);
}

void require(bool good, const char* what) {
  if (!good) give_up(what);
}

ElementPtr make_element(const char* name) {
  GstElement* element = gst_element_factory_make(name, nullptr);
  if (element == nullptr) give_up(std::string("there is no element ") + name);
  gst_object_ref_sink(element);
  return ElementPtr(element);
}

/// A sink pad that takes everything at once, and answers what a sink would.
GstPad* make_drain(BufferRow* output) {
  GstPad* pad = gst_pad_new("drain", GST_PAD_SINK);
  gst_pad_set_element_private(pad, output);
  gst_pad_set_chain_function(pad, [](GstPad* self, GstObject*, GstBuffer* buffer) -> GstFlowReturn {
    auto* kept = static_cast<BufferRow*>(gst_pad_get_element_private(self));
    if (kept != nullptr)
      kept->emplace_back(buffer);
    else
      gst_buffer_unref(buffer);
    return GST_FLOW_OK;
  });
  gst_pad_set_event_function(pad, [](GstPad*, GstObject*, GstEvent* event) -> gboolean {
    gst_event_unref(event);
    return TRUE;
  });
  return pad;
}

}  // namespace

BufferRow make_content(std::size_t count, std::size_t size) {
  BufferRow row;
  Bytes bytes(size);
  if (!crypto::system_random().fill(bytes)) give_up("no randomness");
  for (std::size_t i = 0; i < count; ++i) {
    bytes[0] = static_cast<std::uint8_t>(i);
    GstBuffer* buffer = gst_buffer_new_allocate(nullptr, size, nullptr);
    gst_buffer_fill(buffer, 0, bytes.data(), size);
    row.emplace_back(buffer);
  }
  return row;
}

Bytes joined(const BufferRow& buffers) {
  Bytes all;
  for (const auto& buffer : buffers) {
    const std::size_t at = all.size();
    all.resize(at + gst_buffer_get_size(buffer.get()));
    gst_buffer_extract(buffer.get(), 0, all.data() + at, all.size() - at);
  }
  return all;
}

BufferRow cut_into(const BufferRow& buffers, std::size_t size) {
  const Bytes all = joined(buffers);
  BufferRow row;
  for (std::size_t at = 0; at < all.size(); at += size) {
    const std::size_t part = std::min(size, all.size() - at);
    GstBuffer* buffer = gst_buffer_new_allocate(nullptr, part, nullptr);
    gst_buffer_fill(buffer, 0, all.data() + at, part);
    row.emplace_back(buffer);
  }
  return row;
}

ElementPtr make_scramble(const test::TestSystem& system, const char* cipher) {
  ElementPtr element = make_element("smartpro-scramble");
  g_object_set(element.get(), "card", system.uri("acquisition").c_str(), "host", system.host_folder().c_str(), nullptr);
  gst_util_set_object_arg(G_OBJECT(element.get()), "cipher", cipher);
  return element;
}

ElementPtr make_descramble(const test::TestSystem& system) {
  ElementPtr element = make_element("smartpro-descramble");
  g_object_set(element.get(), "card", system.uri("renderer").c_str(), "host", system.host_folder().c_str(), nullptr);
  return element;
}

ElementPtr make_aesenc() {
  ElementPtr element = make_element("aesenc");
  const char* sixteen_bytes = "000102030405060708090a0b0c0d0e0f";
  g_object_set(element.get(), "key", sixteen_bytes, "iv", sixteen_bytes, nullptr);
  gst_util_set_object_arg(G_OBJECT(element.get()), "cipher", "aes-128-cbc");
  return element;
}

double push_through(ElementPtr element, const BufferRow& buffers, BufferRow* output, GstFormat format) {
  GstPad* source = gst_pad_new("source", GST_PAD_SRC);
  GstPad* drain = make_drain(output);
  GstPad* in = gst_element_get_static_pad(element.get(), "sink");
  GstPad* out = gst_element_get_static_pad(element.get(), "src");
  require(gst_pad_link(source, in) == GST_PAD_LINK_OK && gst_pad_link(out, drain) == GST_PAD_LINK_OK,
          "pads do not link");
  gst_pad_set_active(drain, TRUE);
  require(gst_element_set_state(element.get(), GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE,
          "the element does not start");
  gst_pad_set_active(source, TRUE);
  GstSegment segment;
  gst_segment_init(&segment, format);
  gst_pad_push_event(source, gst_event_new_stream_start("bench"));
  GstCaps* caps = gst_pad_query_caps(in, nullptr);
  if (gst_caps_is_any(caps)) {
    gst_caps_unref(caps);
    caps = gst_caps_new_empty_simple("application/octet-stream");
  }
  gst_pad_push_event(source, gst_event_new_caps(caps));
  gst_caps_unref(caps);
  gst_pad_push_event(source, gst_event_new_segment(&segment));

  std::chrono::steady_clock::time_point start;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    // The second one: the first may wait for the card, and an element may hold it until it knows that it is not the
    // last.
    if (i == 2) start = std::chrono::steady_clock::now();
    require(gst_pad_push(source, gst_buffer_ref(buffers[i].get())) == GST_FLOW_OK, "a buffer is refused");
  }
  gst_pad_push_event(source, gst_event_new_eos());
  const double seconds = Seconds(std::chrono::steady_clock::now() - start).count();

  gst_pad_set_active(source, FALSE);
  gst_element_set_state(element.get(), GST_STATE_NULL);
  gst_pad_set_active(drain, FALSE);
  gst_pad_unlink(source, in);
  gst_pad_unlink(out, drain);
  gst_object_unref(in);
  gst_object_unref(out);
  gst_object_unref(source);
  gst_object_unref(drain);
  return seconds;
}

struct RawCipher::State {
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  EVP_CIPHER* cipher = nullptr;
  bool gcm = false;
  Bytes out = Bytes(1U << 20);
};

RawCipher::RawCipher(const std::string& name) : state_(std::make_unique<State>()) {
  state_->gcm = name == "aes-128-gcm";
  state_->cipher = EVP_CIPHER_fetch(nullptr, name.c_str(), nullptr);
}

RawCipher::~RawCipher() {
  EVP_CIPHER_CTX_free(state_->context);
  EVP_CIPHER_free(state_->cipher);
}

double RawCipher::run(const BufferRow& buffers, bool encrypting) {
  static constexpr std::uint8_t key[16] = {1};
  std::uint8_t iv[16] = {};
  std::uint8_t tag[16] = {};
  State& state = *state_;
  const auto init = encrypting ? EVP_EncryptInit_ex2 : EVP_DecryptInit_ex2;
  const auto update = encrypting ? EVP_EncryptUpdate : EVP_DecryptUpdate;
  require(init(state.context, state.cipher, key, iv, nullptr) == 1, "the cipher does not start");
  std::chrono::steady_clock::time_point start;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    if (i == 2) start = std::chrono::steady_clock::now();
    GstMapInfo map;
    gst_buffer_map(buffers[i].get(), &map, GST_MAP_READ);
    std::memcpy(iv, &i, sizeof i);
    int size = 0;
    if (state.gcm) require(init(state.context, nullptr, nullptr, iv, nullptr) == 1, "no new IV");
    require(update(state.context, state.out.data(), &size, map.data, static_cast<int>(map.size)) == 1,
            "the cipher fails");
    if (state.gcm) {
      int rest = 0;
      if (!encrypting) EVP_CIPHER_CTX_ctrl(state.context, EVP_CTRL_AEAD_SET_TAG, 16, tag);
      const int final_result =
          (encrypting ? EVP_EncryptFinal_ex : EVP_DecryptFinal_ex)(state.context, state.out.data(), &rest);
      require(final_result == 1 || !encrypting, "the cipher does not end");
      if (encrypting) EVP_CIPHER_CTX_ctrl(state.context, EVP_CTRL_AEAD_GET_TAG, 16, tag);
    }
    gst_buffer_unmap(buffers[i].get(), &map);
  }
  return Seconds(std::chrono::steady_clock::now() - start).count();
}

double RawCipher::encrypt(const BufferRow& buffers) { return run(buffers, true); }
double RawCipher::decrypt(const BufferRow& buffers) { return run(buffers, false); }

}  // namespace cas::bench
