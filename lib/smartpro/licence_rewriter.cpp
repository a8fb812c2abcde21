// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/licence_rewriter.hpp"

#include <algorithm>
#include <cassert>
#include <limits>
#include <string>
#include <utility>

#include "smartpro/licence_slot.hpp"

namespace cas::smartpro {

namespace {

constexpr std::uint64_t max_file_size = std::numeric_limits<std::int64_t>::max();
constexpr std::uint32_t last_possible_period = std::numeric_limits<std::uint32_t>::max();

}  // namespace

/// Bytes of the run at hand that have not come yet.
std::uint64_t LicenceRewriter::run_size() const {
  switch (place_) {
    case Place::preamble: return preamble_size - seen_.size();
    case Place::header: return preamble_size + Preamble::parse(seen_).value_or(Preamble{}).header_size - seen_.size();
    case Place::slot: return layout_->slot_offset(period_) + layout_->slot_size() - position_;
    case Place::content: return content_end_ - position_;
    case Place::end: break;
  }
  return 0;
}

Result<LicenceRewriter::Run> LicenceRewriter::next() const {
  if (failure_) return fail(*failure_);
  if (place_ == Place::end)
    return fail(ErrorKind::malformed,
                "the content is complete, but bytes that do not belong to the protected file follow it");
  return Run{place_ == Place::content ? Action::pass : Action::see, run_size()};
}

bool LicenceRewriter::converts(std::uint64_t size) const { return place_ == Place::slot && size >= run_size(); }

Result<Bytes> LicenceRewriter::see(ByteView bytes) {
  CAS_TRY_ASSIGN(const Run run, next());
  if (run.action != Action::see || bytes.size() > run.size)
    return failed({ErrorKind::invalid_argument, "these bytes of the protected file are not to be seen, but to go on"});
  append(seen_, bytes);
  position_ += bytes.size();
  if (bytes.size() < run.size) return Bytes();
  auto out = take();
  if (!out) return failed(std::move(out).error());
  written_ += out->size();
  return out;
}

Status LicenceRewriter::pass(std::uint64_t size) {
  CAS_TRY_ASSIGN(const Run run, next());
  if (run.action != Action::pass || size > run.size)
    return failed({ErrorKind::invalid_argument, "these bytes of the protected file must not go on as they are"});
  position_ += size;
  written_ += size;
  if (size == run.size) leave_content();
  return {};
}

/// A run that was to be seen is there.
Result<Bytes> LicenceRewriter::take() {
  switch (place_) {
    case Place::preamble: {
      CAS_TRY(Preamble::parse(seen_));
      place_ = Place::header;
      return Bytes();
    }
    case Place::header: CAS_TRY(read_header()); return Bytes();
    case Place::slot: return convert_slot();
    case Place::content:
    case Place::end: break;
  }
  return Bytes();
}

Status LicenceRewriter::read_header() {
  CAS_TRY_ASSIGN(header_, ReadHeader::parse(seen_));
  layout_.emplace(header_->header, header_->body_offset);
  if (const auto& stated = header_->header.plain_size) {
    CAS_TRY_ASSIGN(whole_, layout_->file_size(*stated));
  }
  place_ = Place::slot;
  return {};
}

Result<Bytes> LicenceRewriter::convert_slot() {
  CAS_TRY_ASSIGN(const ByteView content, parse_licence_slot(ByteView(seen_).last(layout_->slot_size())));
  CAS_TRY_ASSIGN(const Bytes converted, converter_.convert(period_, content, *header_));
  Bytes out;
  if (period_ == 0) {
    CAS_TRY_ASSIGN(out, new_start(converted.size()));
  }
  const auto slot = encode_licence_slot(converted, slot_size_out_);
  if (!slot && slot.error().kind == ErrorKind::exhausted)
    return fail(ErrorKind::exhausted,
                "the new licence of key period " + std::to_string(period_) + " has " +
                    std::to_string(converted.size()) +
                    " bytes, and the first one made the licence slots too small for it: begin anew with slots of " +
                    std::to_string(converted.size() + licence_slot_overhead) + " bytes at least");
  if (!slot) return fail(slot.error());
  append(out, *slot);
  seen_.clear();
  ++licences_;
  enter_content();
  return out;
}

/// Preamble and header of the new file, once the first licence tells how large slots have to be.
Result<Bytes> LicenceRewriter::new_start(std::size_t content_size) {
  if (content_size > max_licence_slot_size - licence_slot_overhead)
    return fail(ErrorKind::exhausted, "the new licence has " + std::to_string(content_size) +
                                          " bytes, and no licence slot takes more than " +
                                          std::to_string(max_licence_slot_size - licence_slot_overhead));
  const auto needed = static_cast<std::uint32_t>(content_size) + licence_slot_overhead;
  slot_size_out_ = std::max({header_->header.licence_slot_size, needed, least_slot_size_});
  FileHeader changed = header_->header;
  changed.licence_slot_size = slot_size_out_;
  if (const Status possible = changed.check(); !possible)
    return fail(ErrorKind::exhausted, "with licence slots of " + std::to_string(slot_size_out_) +
                                          " bytes, no file can be: " + possible.error().message);
  layout_out_.emplace(changed, header_->body_offset);

  const ByteView fields =
      ByteView(seen_).subspan(preamble_size, static_cast<std::size_t>(header_->body_offset) - preamble_size);
  Bytes start = Preamble{static_cast<std::uint32_t>(fields.size()), slot_size_out_}.encode();
  append(start, fields);
  return start;
}

void LicenceRewriter::enter_content() {
  const std::uint64_t segments = header_->header.period_segments;
  content_end_ = whole_.value_or(max_file_size);
  if (segments != 0) {
    // The slot of the next period stands before that period's first segment.
    const std::uint64_t next_segment = layout_->segment_offset((std::uint64_t{period_} + 1) * segments);
    content_end_ = std::min(content_end_, next_segment - layout_->slot_size());
  }
  place_ = Place::content;
  if (content_end_ <= position_) leave_content();
}

/// The period is complete, and with it the file, unless another period may follow.
void LicenceRewriter::leave_content() {
  const bool complete = position_ >= whole_.value_or(max_file_size) || header_->header.period_segments == 0 ||
                        period_ == last_possible_period;
  place_ = complete ? Place::end : Place::slot;
  if (!complete) ++period_;
}

Status LicenceRewriter::finish() const {
  if (failure_) return fail(*failure_);
  if (!layout_) {
    // Too little for a preamble or a header: this says so, or that it is no protected file.
    const auto read = ReadHeader::parse(seen_);
    return fail(read ? Error{ErrorKind::internal, "a whole header was not read"} : read.error());
  }
  if (layout_->extent(position_).cut || position_ < whole_.value_or(0))
    return fail(ErrorKind::truncated, "the protected file was cut: it ends at byte " + std::to_string(position_) +
                                          ", before the end of its content");
  return {};
}

std::optional<std::uint64_t> LicenceRewriter::size_out(std::uint64_t size_in) const {
  if (!layout_out_) return std::nullopt;
  const FileLayout::Extent extent = layout_->extent(size_in);
  if (extent.cut) return std::nullopt;
  const auto size = layout_out_->file_size(extent.plain_size);
  return size ? std::optional(*size) : std::nullopt;
}

tl::unexpected<Error> LicenceRewriter::failed(Error error) {
  failure_ = std::move(error);
  return fail(*failure_);
}

}  // namespace cas::smartpro
