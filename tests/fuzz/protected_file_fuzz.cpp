// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstdlib>

#include "smartpro/protected_reader.hpp"

namespace {

using namespace cas::smartpro;

class Memory final : public ByteSource {
 public:
  explicit Memory(cas::ByteView bytes) : bytes_(bytes) {}
  cas::Result<cas::ByteView> read_at(std::uint64_t offset, std::size_t size) override {
    if (offset >= bytes_.size()) return cas::ByteView{};
    const auto from = static_cast<std::size_t>(offset);
    return bytes_.subspan(from, std::min(size, bytes_.size() - from));
  }
  cas::Result<std::uint64_t> size() override { return bytes_.size(); }

 private:
  cas::ByteView bytes_;
};

/// Gives the control word of the seeds for every licence.
class Opener final : public LicenceOpener {
 public:
  cas::Result<cas::SecretBytes> control_word(std::uint32_t, cas::ByteView, const ReadHeader&) override {
    return cas::SecretBytes(control_word_size);
  }
};

}  // namespace

// Whatever the file says, reading ends, stays within bounds, and never gives more than the file could hold.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Memory source({data, size});
  Opener opener;
  auto reader = ProtectedReader::open(source, opener);
  if (!reader) return 0;
  if ((*reader)->plain_size() > size) std::abort();
  // What a reader has of a header, a writer writes so that it comes back.
  const FileHeader& header = (*reader)->header().header;
  const auto written = header.encode();
  if (!written) std::abort();
  const auto read = ReadHeader::parse(*written);
  if (!read || read->header != header) std::abort();
  cas::Bytes out(5000);
  std::uint64_t offset = 0;
  while (true) {
    const auto count = (*reader)->read(offset, out);
    if (!count || *count == 0) break;
    offset += *count;
    if (offset > size) std::abort();
  }
  static_cast<void>((*reader)->read(size / 2, cas::MutableByteView(out).first(4)));
  static_cast<void>((*reader)->read(UINT64_MAX - 3, cas::MutableByteView(out).first(4)));
  return 0;
}
