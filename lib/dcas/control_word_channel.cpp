// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/control_word_channel.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "base/reader.hpp"
#include "base/writer.hpp"
#include "crypto/aes.hpp"
#include "crypto/constant_time.hpp"

namespace cas::dcas {

namespace {

constexpr std::uint8_t version = 1;
constexpr std::uint8_t word_type = 10;
constexpr std::size_t head_size = 4;
constexpr std::size_t max_cipher_text_size = 2 * crypto::aes_block_size;

/// A word message; views into it.
struct Sealed {
  std::uint64_t sequence = 0;
  ByteView covered;  ///< By the MAC.
  ByteView iv;
  ByteView cipher_text;
  ByteView mac;
};

bool is_word_size(std::size_t size) { return size == 8 || size == 16; }

Result<Sealed> parse(ByteView message) {
  ByteReader reader(message);
  CAS_TRY_ASSIGN(const std::uint8_t its_version, reader.u8());
  if (its_version != version)
    return fail(ErrorKind::unsupported,
                "a control word of version " + std::to_string(its_version) + ", and 1 is known");
  CAS_TRY_ASSIGN(const std::uint8_t type, reader.u8());
  if (type != word_type) return fail(ErrorKind::malformed, "this is not a control word");
  Sealed sealed;
  const ByteView rest = message.subspan(reader.position());
  CAS_TRY_ASSIGN(sealed.sequence, reader.u64());
  CAS_TRY_ASSIGN(sealed.iv, reader.bytes(crypto::aes_block_size));
  if (reader.remaining() < crypto::sha1_size) return fail(ErrorKind::truncated, "a control word ends before its MAC");
  const std::size_t size = reader.remaining() - crypto::sha1_size;
  if (size == 0 || size > max_cipher_text_size || size % crypto::aes_block_size != 0)
    return fail(ErrorKind::malformed, "the cipher text of a control word has one or two blocks");
  CAS_TRY_ASSIGN(sealed.cipher_text, reader.bytes(size));
  CAS_TRY_ASSIGN(sealed.mac, reader.bytes(crypto::sha1_size));
  sealed.covered = rest.first(rest.size() - crypto::sha1_size);
  return sealed;
}

Result<ControlWord> parse_plain(const SecretBytes& plain) {
  const ByteView bytes = plain.reveal();
  ByteReader reader(bytes);
  ControlWord word;
  CAS_TRY_ASSIGN(word.service, reader.u16());
  CAS_TRY_ASSIGN(const std::uint8_t parity, reader.u8());
  CAS_TRY_ASSIGN(const std::uint8_t size, reader.u8());
  if (parity > 1 || !is_word_size(size))
    return fail(ErrorKind::malformed, "a control word is even or odd, and has 8 or 16 bytes");
  CAS_TRY_ASSIGN(const ByteView value, reader.bytes(size));
  const ByteView padding = reader.rest();
  if (padding.size() >= crypto::aes_block_size || std::ranges::any_of(padding, [](std::uint8_t b) { return b != 0; }))
    return fail(ErrorKind::malformed, "behind a control word there are zeros to the end of its block");
  word.parity = static_cast<WordParity>(parity);
  word.word = SecretBytes::copy_of(value);
  return word;
}

}  // namespace

Result<ControlWordSender> ControlWordSender::create(ControlWordKeys keys, Random& random) {
  CAS_TRY_ASSIGN(crypto::HmacSha1 mac, crypto::HmacSha1::create(keys.hmac_key));
  return ControlWordSender(std::move(keys.cwek), std::move(mac), random);
}

Result<Bytes> ControlWordSender::seal(const ControlWord& word) {
  if (!is_word_size(word.word.size())) return fail(ErrorKind::invalid_argument, "a control word has 8 or 16 bytes");
  const std::size_t blocks = (head_size + word.word.size() + crypto::aes_block_size - 1) / crypto::aes_block_size;
  SecretBytes plain(blocks * crypto::aes_block_size);
  const MutableByteView out = plain.reveal_mutable();
  out[0] = static_cast<std::uint8_t>(word.service >> 8);
  out[1] = static_cast<std::uint8_t>(word.service);
  out[2] = static_cast<std::uint8_t>(word.parity);
  out[3] = static_cast<std::uint8_t>(word.word.size());
  std::ranges::copy(word.word.reveal(), out.subspan(head_size).begin());
  std::array<std::uint8_t, crypto::aes_block_size> iv{};
  CAS_TRY(random_->fill(iv));
  CAS_TRY_ASSIGN(const Bytes cipher_text, crypto::aes_cbc_encrypt(cwek_, iv, plain.reveal()));
  ByteWriter covered;
  covered.u64(++sequence_).bytes(iv).bytes(cipher_text);
  CAS_TRY_ASSIGN(const auto mac, mac_.compute({covered.view()}));
  return ByteWriter().u8(version).u8(word_type).bytes(covered.view()).bytes(mac).take();
}

Result<ControlWordReceiver> ControlWordReceiver::create(ControlWordKeys keys) {
  CAS_TRY_ASSIGN(crypto::HmacSha1 mac, crypto::HmacSha1::create(keys.hmac_key));
  return ControlWordReceiver(std::move(keys.cwek), std::move(mac));
}

Result<ControlWord> ControlWordReceiver::open(ByteView message) {
  const auto sealed = parse(message);
  if (!sealed) {
    ++counters_.malformed;
    return fail(sealed.error());
  }
  CAS_TRY_ASSIGN(const auto mac, mac_.compute({sealed->covered}));
  if (!crypto::constant_time_equal(mac, sealed->mac)) {
    ++counters_.forged;
    return fail(ErrorKind::authentication_failed, "a control word is forged, or of another session");
  }
  if (sealed->sequence <= last_sequence_) {
    ++counters_.replayed;
    return fail(ErrorKind::refused, "a control word came a second time, or behind a later one");
  }
  CAS_TRY_ASSIGN(const SecretBytes plain,
                 crypto::aes_cbc_decrypt(cwek_, sealed->iv.first<crypto::aes_block_size>(), sealed->cipher_text));
  auto word = parse_plain(plain);
  if (!word) {
    ++counters_.malformed;
    return word;
  }
  last_sequence_ = sealed->sequence;
  ++counters_.accepted;
  return word;
}

}  // namespace cas::dcas
