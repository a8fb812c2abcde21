// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/protected_reader.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace cas::smartpro {

Result<std::unique_ptr<ProtectedReader>> ProtectedReader::open(ByteSource& source, LicenceOpener& opener) {
  CAS_TRY_ASSIGN(const std::uint64_t file_size, source.size());
  CAS_TRY_ASSIGN(const ByteView first, source.read_at(0, preamble_size));
  CAS_TRY_ASSIGN(const Preamble preamble, Preamble::parse(first));
  CAS_TRY_ASSIGN(const ByteView start, source.read_at(0, preamble_size + preamble.header_size));
  CAS_TRY_ASSIGN(ReadHeader header, ReadHeader::parse(start));
  return std::unique_ptr<ProtectedReader>(new ProtectedReader(source, opener, std::move(header), file_size));
}

ProtectedReader::ProtectedReader(ByteSource& source, LicenceOpener& opener, ReadHeader header, std::uint64_t file_size)
    : source_(source),
      opener_(opener),
      header_(std::move(header)),
      layout_(header_.header, header_.body_offset),
      file_size_(file_size),
      extent_(layout_.extent(file_size)) {
  compare_sizes();
}

ProtectedReader::~ProtectedReader() {
  for (CachedSegment& entry : cache_) cleanse(entry.content);
}

/// Settles what the sizes alone tell about the end.
void ProtectedReader::compare_sizes() {
  if (const auto& stated = header_.header.plain_size) {
    // A header whose size makes an impossible file was refused when it was read.
    const std::uint64_t whole = layout_.file_size(*stated).value_or(UINT64_MAX);
    if (file_size_ > whole) {
      extent_ = layout_.extent(whole);
      end_ = fail(ErrorKind::malformed, "the content is complete, but " + std::to_string(file_size_ - whole) +
                                            " bytes that do not belong to the protected file follow it");
      return;
    }
    if (file_size_ < whole) {
      end_ = fail(ErrorKind::truncated, "the file was cut: " + std::to_string(*stated) +
                                            " bytes of content were announced, and at most " +
                                            std::to_string(extent_.plain_size) + " are there");
      return;
    }
  }
  if (extent_.cut)
    end_ = fail(ErrorKind::truncated, "the file was cut behind its content byte " + std::to_string(extent_.plain_size));
  else if (layout_.tag_size() == 0)
    end_ = Status{};
}

std::uint32_t ProtectedReader::plain_size_of(std::uint64_t segment) const {
  return segment + 1 == extent_.segments ? extent_.last_plain_size : layout_.segment_size();
}

Result<std::size_t> ProtectedReader::read(std::uint64_t plain_offset, MutableByteView out) {
  std::size_t done = 0;
  while (done < out.size()) {
    // The content's end may come nearer on the way.
    if (plain_offset >= extent_.plain_size || done >= extent_.plain_size - plain_offset) {
      if (done == 0) return answer_at_end();
      break;
    }
    const auto count = read_in_segment(plain_offset + done, out.subspan(done));
    if (!count) {
      // The next read starts at the damage and tells.
      if (done != 0) break;
      return count;
    }
    done += *count;
  }
  return done;
}

Result<std::size_t> ProtectedReader::read_in_segment(std::uint64_t plain_offset, MutableByteView out) {
  const std::uint64_t segment = layout_.segment_of(plain_offset);
  const std::size_t within = plain_offset % layout_.segment_size();
  const std::size_t plain_size = plain_size_of(segment);
  const std::size_t count = std::min(plain_size - within, out.size());
  const bool is_cached =
      std::ranges::any_of(cache_, [&](const CachedSegment& entry) { return entry.segment == segment; });
  if (count == plain_size && !is_cached) {
    CAS_TRY(open_segment(segment, out.first(count)));
    return count;
  }
  CAS_TRY_ASSIGN(const ByteView content, cached(segment));
  std::ranges::copy(content.subspan(within, count), out.begin());
  return count;
}

/// The end is the end only if the last segment says so: a file cut between two segments looks whole by its size.
Result<std::size_t> ProtectedReader::answer_at_end() {
  if (!end_) CAS_TRY(cached(extent_.segments - 1));
  if (end_ && !*end_) return fail(end_->error());
  return 0;
}

Result<ByteView> ProtectedReader::cached(std::uint64_t segment) {
  if (cache_[0].segment != segment) std::swap(cache_[0], cache_[1]);
  CachedSegment& entry = cache_[0];
  if (entry.segment != segment) {
    entry.segment.reset();
    entry.content.resize(plain_size_of(segment));
    CAS_TRY(open_segment(segment, entry.content));
    entry.segment = segment;
  }
  return ByteView(entry.content);
}

Status ProtectedReader::open_segment(std::uint64_t segment, MutableByteView plain) {
  CAS_TRY_ASSIGN(SegmentCipher * cipher, cipher_for(layout_.period_of(segment)));
  CAS_TRY_ASSIGN(const ByteView stored,
                 read_exactly(layout_.segment_offset(segment), plain.size() + layout_.tag_size()));
  const bool at_end = segment + 1 == extent_.segments;
  // A short segment can only be the last one; a full one behind which the file was cut is expected not to be.
  const bool expected_last = at_end && !(extent_.cut && plain.size() == layout_.segment_size());
  const auto last = cipher->open_either(segment, expected_last, std::span(&stored, 1), plain);
  if (!last) {
    // The rest of a segment, where the sizes have said already that the file was cut.
    const bool known_cut = end_ && !*end_ && end_->error().kind == ErrorKind::truncated;
    return fail(at_end && known_cut && last.error().kind == ErrorKind::authentication_failed ? end_->error()
                                                                                             : last.error());
  }
  if (layout_.tag_size() != 0 && (*last || at_end)) note_last(segment, *last);
  return {};
}

/// What an authenticated segment tells about the end, when it is the last one by its seal or by the file's size.
void ProtectedReader::note_last(std::uint64_t segment, bool sealed_as_last) {
  if (!sealed_as_last) {
    if (!end_)
      end_ =
          fail(ErrorKind::truncated, "the file was cut behind its content byte " + std::to_string(extent_.plain_size));
    return;
  }
  const std::uint64_t stored_end = layout_.segment_offset(segment) + plain_size_of(segment) + layout_.tag_size();
  if (stored_end < file_size_) {
    extent_.last_plain_size = plain_size_of(segment);
    extent_.segments = segment + 1;
    extent_.plain_size = segment * layout_.segment_size() + extent_.last_plain_size;
    end_ = fail(ErrorKind::malformed, "the content is complete, but " + std::to_string(file_size_ - stored_end) +
                                          " bytes that do not belong to the protected file follow it");
  } else if (!end_) {
    end_ = Status{};
  }
}

Result<SegmentCipher*> ProtectedReader::cipher_for(std::uint32_t period) {
  if (!ciphers_[0] || ciphers_[0]->period != period) std::swap(ciphers_[0], ciphers_[1]);
  auto& current = ciphers_[0];
  if (!current || current->period != period) {
    CAS_TRY_ASSIGN(const ByteView slot, read_exactly(layout_.slot_offset(period), layout_.slot_size()));
    CAS_TRY_ASSIGN(const ByteView lecm, parse_licence_slot(slot));
    CAS_TRY_ASSIGN(const SecretBytes control_word, opener_.control_word(period, lecm, header_));
    CAS_TRY_ASSIGN(SegmentCipher cipher, SegmentCipher::create(header_.header, control_word, period));
    current.emplace(PeriodCipher{period, std::move(cipher)});
  }
  return &current->cipher;
}

Result<ByteView> ProtectedReader::read_exactly(std::uint64_t offset, std::size_t size) {
  CAS_TRY_ASSIGN(const ByteView bytes, source_.read_at(offset, size));
  if (bytes.size() != size)
    return fail(ErrorKind::truncated, "the file became shorter while it was read: " + std::to_string(size) +
                                          " bytes are no longer at byte " + std::to_string(offset));
  return bytes;
}

}  // namespace cas::smartpro
