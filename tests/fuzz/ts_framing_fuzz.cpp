// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstdlib>

#include "mpegts/packet_framing.hpp"

namespace {

using namespace cas;
using namespace cas::mpegts;

struct Outcome {
  Bytes packets;
  FramingCounts counts;
};

// All packets of a stream that comes in pieces of `step`; each is touched, to show that it may be written to.
Outcome packets_in(Bytes stream, std::size_t step) {
  PacketFraming framing;
  Outcome outcome;
  std::size_t errors = 0;
  const auto drain = [&] {
    for (;;) {
      const auto run = framing.next();
      if (!run) {
        // Each error is about bytes that it has gone past.
        if (++errors > stream.size()) std::abort();
        continue;
      }
      if (!*run) return;
      if ((*run)->empty() || (*run)->size() % packet_size != 0) std::abort();
      append(outcome.packets, **run);
      std::ranges::fill(**run, std::uint8_t{0});
    }
  };
  for (std::size_t at = 0; at < stream.size(); at += step) {
    framing.push(MutableByteView(stream).subspan(at, std::min(step, stream.size() - at)));
    drain();
  }
  framing.end();
  drain();
  outcome.counts = framing.counts();
  return outcome;
}

}  // namespace

// The same packets are found however the stream is cut, each with its sync byte, and every byte is given or counted as
// skipped.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes stream(data + 1, data + size);
  const Outcome whole = packets_in(stream, stream.size() + 1);
  for (std::size_t at = 0; at < whole.packets.size(); at += packet_size)
    if (whole.packets[at] != sync_byte) std::abort();
  if (whole.counts.packets * packet_size != whole.packets.size()) std::abort();
  if (whole.packets.size() + whole.counts.skipped_bytes != stream.size()) std::abort();
  const Outcome pieces = packets_in(stream, std::size_t{data[0]} * 8 + 1);
  if (pieces.packets != whole.packets || pieces.counts.skipped_bytes != whole.counts.skipped_bytes) std::abort();
  return 0;
}
