// SPDX-License-Identifier: LGPL-2.1-or-later
// CA client images: whatever comes, in whatever pieces, gives the same answer and takes no more memory than it may. The
// first byte is the size of the pieces; every signature is right, so that what stands behind it is reached.
#include <cstdlib>

#include "dcas/client_image.hpp"

namespace {

using namespace cas;
using namespace cas::dcas;

class NoCounters final : public RollbackCounters {
 public:
  Result<std::uint32_t> newest(const std::string&, std::uint16_t) override { return 3U; }
  Status advance(const std::string&, std::uint16_t, std::uint32_t) override { return {}; }
};

/// The error's kind, or nothing.
std::optional<ErrorKind> read(ByteView image, std::size_t piece) {
  NoCounters counters;
  ClientImageReader reader({"mso-1", "SM-1", {"group-1"}, {}}, [](ByteView, ByteView, ByteView) { return Status(); },
                           counters, {4096, 512});
  for (std::size_t at = 0; at < image.size(); at += piece)
    if (const Status taken = reader.write(image.subspan(at, std::min(piece, image.size() - at))); !taken)
      return taken.error().kind;
  const auto image_read = reader.finish(SecretBytes(image_key_size));
  if (!image_read) return image_read.error().kind;
  if (image_read->program.empty() || image_read->program.size() > 4096) std::abort();
  return {};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView image(data + 1, size - 1);
  if (read(image, std::size_t{data[0]} + 1) != read(image, size)) std::abort();
  return 0;
}
