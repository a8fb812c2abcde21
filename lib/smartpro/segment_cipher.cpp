// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/segment_cipher.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/writer.hpp"
#include "crypto/aes.hpp"
#include "crypto/kdf.hpp"
#include "smartpro/file_layout.hpp"

namespace cas::smartpro {

namespace {

constexpr std::size_t content_key_size = 16;
constexpr std::size_t counter_iv_size = 8;
constexpr std::size_t usual_pieces = 64;

using Nonce = std::array<std::uint8_t, crypto::gcm_nonce_size>;

Nonce nonce_of(std::uint64_t segment) {
  Nonce nonce{};
  for (std::size_t i = nonce.size(); segment != 0; segment >>= 8) nonce[--i] = static_cast<std::uint8_t>(segment);
  return nonce;
}

std::array<std::uint8_t, 1> last_flag(bool last) { return {static_cast<std::uint8_t>(last ? 1 : 0)}; }

std::size_t size_of(std::span<const ByteView> pieces) {
  std::size_t size = 0;
  for (const ByteView piece : pieces) size += piece.size();
  return size;
}

/// The same failure in words for people; which of the causes it was, nobody can tell.
tl::unexpected<Error> fail_segment(std::uint64_t segment, Error error) {
  if (error.kind != ErrorKind::authentication_failed)
    return fail_in("segment " + std::to_string(segment), std::move(error));
  return fail(ErrorKind::authentication_failed,
              "segment " + std::to_string(segment) +
                  " does not verify: the file was changed, damaged or cut there, or its licence is another file's");
}

}  // namespace

struct SegmentCipher::State {
  std::variant<std::monostate, crypto::AesGcm, crypto::AesCtr> cipher;
  std::uint32_t segment_size = 0;
  std::uint32_t tag_size = 0;
  std::uint64_t first_segment = 0;
  std::uint64_t end_segment = 0;  ///< Behind the last one of the period.
  std::uint64_t next_to_seal = 0;
  std::vector<ByteView> cipher_text;  ///< Room for pieces without the tag.

  [[nodiscard]] Status check(std::uint64_t segment, bool last, std::size_t plain_size) const;
  [[nodiscard]] Status seal_gcm(crypto::AesGcm& gcm, std::uint64_t segment, bool last, std::span<const ByteView> plain,
                                MutableByteView stored);
  [[nodiscard]] Status open_gcm(crypto::AesGcm& gcm, std::uint64_t segment, bool last, std::span<const ByteView> stored,
                                MutableByteView plain);
  [[nodiscard]] Status apply_ctr(crypto::AesCtr& ctr, std::uint64_t segment, std::span<const ByteView> in,
                                 MutableByteView out) const;
};

Status SegmentCipher::State::check(std::uint64_t segment, bool last, std::size_t plain_size) const {
  if (segment < first_segment || segment >= end_segment)
    return fail(ErrorKind::invalid_argument,
                "segment " + std::to_string(segment) + " is not in this cipher's key period");
  const bool empty_file = segment == 0 && last && plain_size == 0;
  if (plain_size > segment_size || (!last && plain_size != segment_size) || (plain_size == 0 && !empty_file))
    return fail(ErrorKind::invalid_argument,
                "segment " + std::to_string(segment) + " cannot have " + std::to_string(plain_size) + " bytes");
  return {};
}

Status SegmentCipher::State::seal_gcm(crypto::AesGcm& gcm, std::uint64_t segment, bool last,
                                      std::span<const ByteView> plain, MutableByteView stored) {
  const auto tag = stored.last<crypto::gcm_tag_size>();
  return gcm.seal(nonce_of(segment), last_flag(last), plain, stored.first(stored.size() - tag.size()), tag);
}

Status SegmentCipher::State::open_gcm(crypto::AesGcm& gcm, std::uint64_t segment, bool last,
                                      std::span<const ByteView> stored, MutableByteView plain) {
  // The tag may lie across pieces.
  std::array<std::uint8_t, crypto::gcm_tag_size> tag{};
  std::size_t tag_filled = 0;
  std::size_t cipher_text_left = plain.size();
  cipher_text.clear();
  for (const ByteView piece : stored) {
    const ByteView body = piece.first(std::min(piece.size(), cipher_text_left));
    const ByteView behind = piece.subspan(body.size());
    if (!body.empty()) cipher_text.push_back(body);
    cipher_text_left -= body.size();
    std::ranges::copy(behind, tag.begin() + tag_filled);
    tag_filled += behind.size();
  }
  return gcm.open(nonce_of(segment), last_flag(last), cipher_text, tag, plain);
}

Status SegmentCipher::State::apply_ctr(crypto::AesCtr& ctr, std::uint64_t segment, std::span<const ByteView> in,
                                       MutableByteView out) const {
  CAS_TRY(ctr.seek((segment - first_segment) * segment_size));
  for (const ByteView piece : in) {
    CAS_TRY(ctr.apply(piece, out.first(piece.size())));
    out = out.subspan(piece.size());
  }
  return {};
}

SegmentCipher::SegmentCipher(std::unique_ptr<State> state) : state_(std::move(state)) {}
SegmentCipher::~SegmentCipher() = default;
SegmentCipher::SegmentCipher(SegmentCipher&&) noexcept = default;
SegmentCipher& SegmentCipher::operator=(SegmentCipher&&) noexcept = default;

Result<SegmentCipher> SegmentCipher::create(const FileHeader& header, const SecretBytes& control_word,
                                            std::uint32_t period) {
  CAS_TRY(header.check());
  if (control_word.size() != control_word_size)
    return fail(ErrorKind::invalid_argument, "a control word has 16 bytes, not " + std::to_string(control_word.size()));
  if (header.period_segments == 0 && period != 0)
    return fail(ErrorKind::invalid_argument,
                "the file has one key period, so there is no period " + std::to_string(period));

  auto state = std::make_unique<State>();
  state->segment_size = header.segment_size;
  state->tag_size = segment_tag_size(header.cipher);
  state->first_segment = std::uint64_t{period} * header.period_segments;
  state->end_segment = header.period_segments == 0 ? UINT64_MAX : state->first_segment + header.period_segments;
  state->next_to_seal = state->first_segment;
  state->cipher_text.reserve(usual_pieces);

  const Bytes context =
      ByteWriter().bytes(header.file_id).u32(period).u8(static_cast<std::uint8_t>(header.cipher)).take();
  CAS_TRY_ASSIGN(const SecretBytes key,
                 crypto::kbkdf_cmac(control_word, "SmartPRO content", context, content_key_size));
  if (header.cipher == ContentCipher::aes_128_gcm) {
    CAS_TRY_ASSIGN(state->cipher, crypto::AesGcm::create(key, crypto::Workload::bulk));
  } else {
    CAS_TRY_ASSIGN(const SecretBytes iv,
                   crypto::kbkdf_cmac(control_word, "SmartPRO counter", context, counter_iv_size));
    std::array<std::uint8_t, crypto::aes_block_size> counter{};
    std::ranges::copy(iv.reveal(), counter.begin());
    CAS_TRY_ASSIGN(state->cipher, crypto::AesCtr::create(key, counter, crypto::Workload::bulk));
  }
  return SegmentCipher(std::move(state));
}

Status SegmentCipher::seal(std::uint64_t segment, bool last, std::span<const ByteView> plain, MutableByteView stored) {
  const std::size_t plain_size = size_of(plain);
  CAS_TRY(state_->check(segment, last, plain_size));
  if (stored.size() != plain_size + state_->tag_size)
    return fail(ErrorKind::invalid_argument, "the room for a stored segment is not of its size");
  if (segment < state_->next_to_seal)
    return fail(ErrorKind::invalid_argument, "segment " + std::to_string(segment) +
                                                 " was sealed already: a second time would give the key stream away");
  // A segment that was given up half way counts as sealed.
  state_->next_to_seal = segment + 1;
  if (auto* gcm = std::get_if<crypto::AesGcm>(&state_->cipher))
    return state_->seal_gcm(*gcm, segment, last, plain, stored);
  return state_->apply_ctr(std::get<crypto::AesCtr>(state_->cipher), segment, plain, stored);
}

Status SegmentCipher::open(std::uint64_t segment, bool last, std::span<const ByteView> stored, MutableByteView plain) {
  if (size_of(stored) != plain.size() + state_->tag_size)
    return fail(ErrorKind::invalid_argument, "the room for a segment's content is not of its size");
  CAS_TRY(state_->check(segment, last, plain.size()));
  Status opened;
  if (auto* gcm = std::get_if<crypto::AesGcm>(&state_->cipher))
    opened = state_->open_gcm(*gcm, segment, last, stored, plain);
  else
    opened = state_->apply_ctr(std::get<crypto::AesCtr>(state_->cipher), segment, stored, plain);
  if (!opened) return fail_segment(segment, std::move(opened).error());
  return opened;
}

Result<bool> SegmentCipher::open_either(std::uint64_t segment, bool expected_last, std::span<const ByteView> stored,
                                        MutableByteView plain) {
  Status opened = open(segment, expected_last, stored, plain);
  if (opened) return expected_last;
  if (opened.error().kind != ErrorKind::authentication_failed || plain.size() != state_->segment_size)
    return fail(std::move(opened).error());
  CAS_TRY(open(segment, !expected_last, stored, plain));
  return !expected_last;
}

}  // namespace cas::smartpro
