// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstdlib>

#include "card/relay_frame.hpp"

namespace {

using namespace cas;
using namespace cas::card;

// What a payload says has one encoding.
void check_payload(const RelayFrame& frame) {
  if (frame.type == RelayFrameType::hello) {
    const auto hello = parse_relay_hello(frame.payload);
    if (hello && hello->version == relay_version && encode_relay_hello(*hello) != frame.payload) std::abort();
  } else if (frame.type == RelayFrameType::error) {
    const auto error = parse_relay_error(frame.payload);
    if (error && error->code != RelayErrorCode::other && encode_relay_error(*error) != frame.payload) std::abort();
  } else if (const auto text = parse_relay_text(frame.payload)) {
    if (encode_relay_text(*text) != frame.payload) std::abort();
  }
}

// The bytes of all frames that are found, each encoded again; what is wrong ends it.
Bytes frames_in(ByteView stream, std::size_t step) {
  RelayFrameParser parser;
  Bytes encoded;
  for (std::size_t at = 0; at < stream.size(); at += step) {
    parser.append(stream.subspan(at, std::min(step, stream.size() - at)));
    for (;;) {
      const auto frame = parser.next();
      if (!frame) return encoded;
      if (!*frame) break;
      check_payload(**frame);
      append(encoded, encode_relay_frame((*frame)->type, (*frame)->payload));
    }
  }
  return encoded;
}

}  // namespace

// The same frames are found however the stream is cut, and they are the stream's own bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView stream(data + 1, size - 1);
  const Bytes whole = frames_in(stream, stream.size() + 1);
  if (whole.size() > stream.size() || !equal(whole, stream.first(whole.size()))) std::abort();
  if (frames_in(stream, std::size_t{data[0]} + 1) != whole) std::abort();
  return 0;
}
