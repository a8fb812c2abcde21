// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"
#include "smartpro/protected_file.hpp"

namespace cas::smartpro {

/// Where the bytes of a protected file come from: a file, an HTTP server with ranges, a GStreamer pad in pull mode.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// `size` bytes (never more than max_licence_slot_size or a stored segment) from `offset`; fewer only where the
  /// source ends. The view is valid until the next call.
  [[nodiscard]] virtual Result<ByteView> read_at(std::uint64_t offset, std::size_t size) = 0;
  /// The size of the whole file in bytes.
  [[nodiscard]] virtual Result<std::uint64_t> size() = 0;
};

/// Who opens licences: a token session, or a test.
class LicenceOpener {
 public:
  virtual ~LicenceOpener() = default;
  /// The control word (16 bytes) out of the licence of `period`, for a file with this header and digest. The views are
  /// valid during the call. What it fails with comes out of ProtectedReader::read as it is.
  [[nodiscard]] virtual Result<SecretBytes> control_word(std::uint32_t period, ByteView lecm,
                                                         const ReadHeader& header) = 0;
};

/// Reads the content of a protected file at any offset, as if it were not protected.
///
/// Right bytes only: with aes-128-gcm, each byte that comes out was authenticated, position included. Damage is met
/// where it is: what lies before it is given, then an error, and other places can still be read. A file that was cut,
/// or has bytes behind its end, gives all that is intact, and an error in place of the end. With aes-128-ctr only what
/// the sizes tell is found.
///
/// Memory: two segments and what the source takes. A read touches the segments that it covers and nothing else, and one
/// licence slot when it enters a key period that is neither the current nor the previous one. One thread at a time.
class ProtectedReader {
 public:
  /// Reads preamble and header. No licence is opened before the first read, so the header is a claim until then.
  /// `source` and `opener` outlive the reader. Fails as Preamble::parse, ReadHeader::parse and the source do.
  [[nodiscard]] static Result<std::unique_ptr<ProtectedReader>> open(ByteSource& source, LicenceOpener& opener);
  ~ProtectedReader();
  ProtectedReader(const ProtectedReader&) = delete;
  ProtectedReader& operator=(const ProtectedReader&) = delete;

  [[nodiscard]] const ReadHeader& header() const { return header_; }
  [[nodiscard]] const FileLayout& layout() const { return layout_; }
  /// How much content is there by the sizes of file and header; less than the header says, if the file was cut. Shrinks
  /// when a segment before turns out to be the file's last one.
  [[nodiscard]] std::uint64_t plain_size() const { return extent_.plain_size; }

  /// Content from `plain_offset` into `out`. Gives how many bytes: fewer than asked at the end and before damage, 0
  /// only at the end of a file that is whole (or when `out` is empty). Errors:
  ///   authentication_failed  the segment at `plain_offset` was changed, or the file was cut within it
  ///   truncated              all that is there was read, and it is not all that was written
  ///   malformed              a licence slot is damaged; or all content was read, and bytes that do not belong to it follow
  ///   others                 of the source and the licence opener; the next read tries again
  [[nodiscard]] Result<std::size_t> read(std::uint64_t plain_offset, MutableByteView out);

 private:
  struct CachedSegment {
    std::optional<std::uint64_t> segment;
    Bytes content;
  };
  struct PeriodCipher {
    std::uint32_t period = 0;
    SegmentCipher cipher;
  };

  ProtectedReader(ByteSource& source, LicenceOpener& opener, ReadHeader header, std::uint64_t file_size);

  void compare_sizes();
  [[nodiscard]] std::uint32_t plain_size_of(std::uint64_t segment) const;
  [[nodiscard]] Result<std::size_t> read_in_segment(std::uint64_t plain_offset, MutableByteView out);
  [[nodiscard]] Result<std::size_t> answer_at_end();
  [[nodiscard]] Result<ByteView> cached(std::uint64_t segment);
  [[nodiscard]] Status open_segment(std::uint64_t segment, MutableByteView plain);
  void note_last(std::uint64_t segment, bool sealed_as_last);
  [[nodiscard]] Result<SegmentCipher*> cipher_for(std::uint32_t period);
  [[nodiscard]] Result<ByteView> read_exactly(std::uint64_t offset, std::size_t size);

  ByteSource& source_;
  LicenceOpener& opener_;
  ReadHeader header_;
  FileLayout layout_;
  std::uint64_t file_size_;
  FileLayout::Extent extent_;
  /// What a read at the end gives, once it is known.
  std::optional<Status> end_;
  /// The most recently used comes first.
  std::array<CachedSegment, 2> cache_;
  std::array<std::optional<PeriodCipher>, 2> ciphers_;
};

}  // namespace cas::smartpro
