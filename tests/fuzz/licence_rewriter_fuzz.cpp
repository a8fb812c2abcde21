// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstdlib>
#include <optional>

#include "smartpro/licence_rewriter.hpp"
#include "smartpro/licence_slot.hpp"

namespace {

using namespace cas::smartpro;

/// Makes the licence longer by its own last byte.
class Converter final : public LicenceConverter {
 public:
  cas::Result<cas::Bytes> convert(std::uint32_t period, cas::ByteView content, const ReadHeader&) override {
    if (period != periods++) std::abort();
    cas::Bytes out = cas::copy_of(content);
    out.resize(out.size() + content.back());
    return out;
  }
  std::uint32_t periods = 0;
};

struct Rewritten {
  cas::Bytes out;
  std::optional<cas::ErrorKind> error;
};

Rewritten rewrite(cas::ByteView file, std::size_t piece_size) {
  Converter converter;
  LicenceRewriter rewriter(converter);
  Rewritten result;
  while (!file.empty()) {
    const auto run = rewriter.next();
    if (!run) {
      result.error = run.error().kind;
      return result;
    }
    if (run->size == 0) std::abort();
    const cas::ByteView part =
        file.first(static_cast<std::size_t>(std::min<std::uint64_t>({file.size(), piece_size, run->size})));
    file = file.subspan(part.size());
    if (run->action == LicenceRewriter::Action::pass) {
      if (!rewriter.pass(part.size())) std::abort();
      cas::append(result.out, part);
    } else {
      const auto out = rewriter.see(part);
      if (!out) {
        result.error = out.error().kind;
        return result;
      }
      cas::append(result.out, *out);
    }
    if (rewriter.position_out() != result.out.size()) std::abort();
  }
  if (const auto end = rewriter.finish(); !end) result.error = end.error().kind;
  return result;
}

}  // namespace

// Whatever the file says, how it comes makes no difference, and what goes out has the old header with slots at the
// places that it computes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const cas::ByteView file(data, size);
  const Rewritten whole = rewrite(file, SIZE_MAX);
  const Rewritten pieces = rewrite(file, std::size_t{1} + data[size - 1]);
  if (whole.out != pieces.out || whole.error != pieces.error) std::abort();
  if (whole.out.empty()) return 0;
  const auto before = ReadHeader::parse(file);
  const auto after = ReadHeader::parse(whole.out);
  if (!before || !after || before->digest != after->digest) std::abort();
  const FileLayout layout(after->header, after->body_offset);
  for (std::uint32_t period = 0; layout.slot_offset(period) + layout.slot_size() <= whole.out.size(); ++period) {
    const auto place = static_cast<std::size_t>(layout.slot_offset(period));
    if (!parse_licence_slot(cas::ByteView(whole.out).subspan(place, layout.slot_size()))) std::abort();
    if (after->header.period_segments == 0) break;
  }
  return 0;
}
