// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "smartpro/licence.hpp"
#include "smartpro/protected_file.hpp"
#include "smartpro/protected_reader.hpp"
#include "support/seeded_random.hpp"

namespace cas::test {

/// The value of something that a test's preparation needs to succeed.
template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}
inline void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}

inline Bytes random_bytes(SeededRandom& random, std::size_t size) {
  Bytes bytes(size);
  must(random.fill(bytes));
  return bytes;
}

/// A protected file in memory and what it was made of, with licences as a token makes them.
struct ProtectedFixture {
  smartpro::FileHeader header;
  Bytes content;
  SecretBytes domain_key;
  std::vector<SecretBytes> control_words;  ///< By period.
  Bytes file;

  [[nodiscard]] smartpro::ReadHeader read_header() const { return must(smartpro::ReadHeader::parse(file)); }
  [[nodiscard]] smartpro::FileLayout layout() const { return {header, read_header().body_offset}; }
};

/// What distinguishes the files that tests need. The slot is small, so that tests which try every byte stay fast.
struct FileShape {
  smartpro::ContentCipher cipher = smartpro::ContentCipher::aes_128_gcm;
  std::size_t plain_size = 0;
  std::uint32_t segment_size = smartpro::min_segment_size;
  std::uint32_t period_segments = 0;
  bool states_size = false;
  std::uint32_t slot_size = 320;
  std::optional<smartpro::KeyOrigin> key_origin = std::nullopt;
};

inline std::string describe(const FileShape& shape) {
  return std::string(smartpro::content_cipher_name(shape.cipher)) + ", " + std::to_string(shape.plain_size) +
         " bytes in segments of " + std::to_string(shape.segment_size) + ", " + std::to_string(shape.period_segments) +
         " a period" + (shape.states_size ? ", size stated" : "");
}

/// What GoogleTest calls a shape.
inline void PrintTo(const FileShape& shape, std::ostream* out) { *out << describe(shape); }

inline ProtectedFixture make_protected(const FileShape& shape, std::uint64_t seed = 1) {
  SeededRandom random(seed);
  ProtectedFixture made;
  made.header.cipher = shape.cipher;
  made.header.segment_size = shape.segment_size;
  made.header.period_segments = shape.period_segments;
  made.header.licence_slot_size = shape.slot_size;
  made.header.media_type = "video/quicktime";
  made.header.key_origin = shape.key_origin;
  must(random.fill(made.header.file_id));
  made.header.content_id = made.header.file_id;
  if (shape.states_size) made.header.plain_size = shape.plain_size;
  made.content = random_bytes(random, shape.plain_size);
  made.domain_key = must(random_secret(random, smartpro::domain_key_size));
  made.file = must(made.header.encode());

  const auto digest = must(made.header.digest());
  const smartpro::FileLayout layout(made.header, made.file.size());
  std::optional<smartpro::SegmentCipher> cipher;
  ByteView left = made.content;
  for (std::uint64_t segment = 0; segment == 0 || !left.empty(); ++segment) {
    if (layout.starts_period(segment)) {
      const auto period = layout.period_of(segment);
      made.control_words.push_back(must(random_secret(random, smartpro::control_word_size)));
      smartpro::LicenceTerms terms;
      must(random.fill(terms.licence_id));
      terms.vdid = {0x8f, 0x21, 0xc0, 0x5e, 0x77, 0x12, 0xab, 0x40};
      terms.issuer = 0x3f2;
      terms.content_id = made.header.content_id;
      terms.cipher = shape.cipher;
      terms.key_period = period;
      terms.header_digest = digest;
      const Bytes lecm = must(smartpro::seal_licence(made.domain_key, terms, made.control_words.back()));
      append(made.file, must(smartpro::encode_licence_slot(lecm, shape.slot_size)));
      cipher.emplace(must(smartpro::SegmentCipher::create(made.header, made.control_words.back(), period)));
    }
    const ByteView plain = left.first(std::min<std::size_t>(left.size(), shape.segment_size));
    left = left.subspan(plain.size());
    Bytes stored(plain.size() + layout.tag_size());
    must(cipher->seal(segment, left.empty(), std::span(&plain, 1), stored));
    append(made.file, stored);
  }
  return made;
}

/// A file in memory that says how it was read.
class MemorySource final : public smartpro::ByteSource {
 public:
  explicit MemorySource(ByteView bytes) : bytes_(bytes) {}
  Result<ByteView> read_at(std::uint64_t offset, std::size_t size) override {
    if (failure) return fail(*failure);
    largest_request = std::max(largest_request, size);
    if (offset >= bytes_.size()) return ByteView();
    const ByteView rest = bytes_.subspan(static_cast<std::size_t>(offset));
    // A copy that dies with the next call, so that a reader which keeps a view is found by the sanitizers.
    last_ = copy_of(rest.first(std::min(size, rest.size())));
    bytes_read += last_.size();
    return ByteView(last_);
  }
  Result<std::uint64_t> size() override { return claimed_size.value_or(bytes_.size()); }

  std::uint64_t bytes_read = 0;
  std::size_t largest_request = 0;
  std::optional<std::uint64_t> claimed_size;
  std::optional<Error> failure;

 private:
  ByteView bytes_;
  Bytes last_;
};

/// Does with a licence what a token does: verifies it, and refuses it for another header, cipher or period.
class DomainOpener final : public smartpro::LicenceOpener {
 public:
  explicit DomainOpener(const SecretBytes& domain_key) : domain_key_(domain_key) {}
  Result<SecretBytes> control_word(std::uint32_t period, ByteView lecm, const smartpro::ReadHeader& header) override {
    periods.push_back(period);
    if (failure) return fail(*failure);
    CAS_TRY_ASSIGN(const smartpro::LicenceView view, smartpro::LicenceView::parse(lecm));
    CAS_TRY_ASSIGN(smartpro::UnsealedLicence licence, smartpro::unseal_licence(domain_key_, view));
    if (licence.terms.header_digest != header.digest || licence.terms.cipher != header.header.cipher ||
        licence.terms.key_period != period)
      return fail(ErrorKind::refused, "the licence is for another file or period");
    return std::move(licence.control_word);
  }

  std::vector<std::uint32_t> periods;  ///< Of all calls.
  std::optional<Error> failure;

 private:
  const SecretBytes& domain_key_;
};

/// All that a file gives, and what came in place of its end.
struct ReadOut {
  Bytes content;
  std::optional<Error> error;
};

/// Reads from the start to the end or an error, in steps of `step` bytes.
inline ReadOut read_out(ByteView file, const SecretBytes& domain_key, std::size_t step = 1500) {
  MemorySource source(file);
  DomainOpener opener(domain_key);
  ReadOut out;
  const auto reader = smartpro::ProtectedReader::open(source, opener);
  if (!reader) {
    out.error = reader.error();
    return out;
  }
  Bytes piece(step);
  for (;;) {
    const auto count = (*reader)->read(out.content.size(), piece);
    if (!count) {
      out.error = count.error();
      return out;
    }
    if (*count == 0) return out;
    append(out.content, ByteView(piece).first(*count));
  }
}

}  // namespace cas::test
