// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>

#include "simulcrypt/bcast/sdp.hpp"

using namespace cas::simulcrypt::bcast::sdp;

// A service that was read can be written, and reads the same then.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto service = Service::parse({reinterpret_cast<const char*>(data), size});
  if (!service) return 0;
  for (const Media& media : service->media) {
    static_cast<void>(srtp_options_of(media));
    for (const KeyStream* stream : service->key_streams_of(media)) {
      if (service->connection_of(stream->connection) == nullptr) std::abort();
    }
  }
  const auto written = service->write();
  // The line of a key stream's parameters may have become longer than a line can be.
  if (!written && !service->key_stream_list.empty()) return 0;
  if (!written) std::abort();
  const auto again = Service::parse(*written);
  if (!again || !(*again == *service)) std::abort();
  return 0;
}
