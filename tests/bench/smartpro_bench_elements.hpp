// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "tests/support/test_system.hpp"

namespace cas::bench {

struct UnrefBuffer {
  void operator()(GstBuffer* buffer) const { gst_buffer_unref(buffer); }
};
using BufferRow = std::vector<std::unique_ptr<GstBuffer, UnrefBuffer>>;

struct UnrefElement {
  void operator()(GstElement* element) const { gst_object_unref(element); }
};
using ElementPtr = std::unique_ptr<GstElement, UnrefElement>;

/// `count` buffers of `size` bytes of content.
[[nodiscard]] BufferRow make_content(std::size_t count, std::size_t size);
/// The same bytes in buffers of `size`, the last one shorter.
[[nodiscard]] BufferRow cut_into(const BufferRow& buffers, std::size_t size);
[[nodiscard]] Bytes joined(const BufferRow& buffers);

[[nodiscard]] ElementPtr make_scramble(const test::TestSystem& system, const char* cipher);
[[nodiscard]] ElementPtr make_descramble(const test::TestSystem& system);
/// GStreamer's own encryptor (AES-128-CBC).
[[nodiscard]] ElementPtr make_aesenc();

/// Pushes the buffers through the element, one by one, and then EOS; what comes out is dropped, or kept in `output`.
/// Gives the seconds from the second buffer on: setting up and the exchange with the card are not what is measured.
/// Ends the program on any failure. `format` is that of the segment.
double push_through(ElementPtr element, const BufferRow& buffers, BufferRow* output,
                    GstFormat format = GST_FORMAT_BYTES);

/// The cipher alone, as an EVP user would call it: one key, an IV and a tag for each buffer, into one buffer that stays
/// in the cache.
class RawCipher {
 public:
  explicit RawCipher(const std::string& name);
  ~RawCipher();
  RawCipher(const RawCipher&) = delete;
  RawCipher& operator=(const RawCipher&) = delete;
  /// Seconds for all buffers but the first. Decryption checks no tag: it is there to take the same work.
  double encrypt(const BufferRow& buffers);
  double decrypt(const BufferRow& buffers);

 private:
  double run(const BufferRow& buffers, bool encrypting);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cas::bench
