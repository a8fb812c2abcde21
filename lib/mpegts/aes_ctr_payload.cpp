// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>
#include <utility>

#include "crypto/aes_cbc_batch.hpp"
#include "mpegts/packet.hpp"
#include "mpegts/payload_cipher.hpp"

namespace cas::mpegts {

namespace {

/// Counter blocks of a packet: 184 bytes, rounded up.
constexpr std::size_t counters = (max_payload_size + crypto::aes_block_size - 1) / crypto::aes_block_size;
constexpr std::size_t key_stream_size = counters * crypto::aes_block_size;

/// The counter in the last four bytes, big-endian.
std::uint32_t low_word(const Iv& block) {
  std::uint32_t word = 0;
  for (std::size_t i = block.size() - 4; i < block.size(); ++i) word = word << 8 | block[i];
  return word;
}

class AesCtrPayloadCipher final : public PayloadCipher {
 public:
  AesCtrPayloadCipher(crypto::AesCbcBatch cipher, const Iv& first)
      : cipher_(std::move(cipher)), key_streams_{SecretBytes(key_stream_size), SecretBytes(key_stream_size)} {
    for (std::size_t i = 0; i < counters; ++i) {
      blocks_[i] = first;
      const auto word = static_cast<std::uint32_t>(low_word(first) + i);  // does not carry: see make_aes_ctr...
      for (std::size_t byte = 0; byte < 4; ++byte)
        blocks_[i][first.size() - 1 - byte] = static_cast<std::uint8_t>(word >> 8 * byte);
    }
  }

  std::size_t word_size() const override { return 16; }
  std::size_t min_payload() const override { return 1; }
  std::size_t batch_size() const override { return 64; }

  /// The key stream of every packet under this word (SP 800-38A, 6.5): the counter blocks, enciphered. That is what CBC
  /// makes of a block of zeros whose IV is the counter.
  Status set_word(Parity parity, const SecretBytes& word) override {
    const MutableByteView stream = key_streams_[static_cast<std::size_t>(parity)].reveal_mutable();
    std::ranges::fill(stream, std::uint8_t{0});
    std::array<crypto::CbcMessage, counters> messages{};
    for (std::size_t i = 0; i < counters; ++i)
      messages[i] = {stream.data() + i * crypto::aes_block_size, crypto::aes_block_size, blocks_[i].data()};
    CAS_TRY(cipher_.set_key(word));
    return cipher_.encrypt(messages);
  }

  Status encipher(std::span<const MutableByteView> payloads, Parity parity) override {
    const ByteView stream = key_streams_[static_cast<std::size_t>(parity)].reveal();
    for (const MutableByteView payload : payloads)
      for (std::size_t i = 0; i < payload.size(); ++i) payload[i] ^= stream[i];
    return {};
  }
  Status decipher(std::span<const MutableByteView> payloads, Parity parity) override {
    return encipher(payloads, parity);
  }

 private:
  crypto::AesCbcBatch cipher_;
  std::array<Iv, counters> blocks_{};
  std::array<SecretBytes, 2> key_streams_;
};

}  // namespace

Result<std::unique_ptr<PayloadCipher>> make_aes_ctr_payload_cipher(const Iv& iv, crypto::Workload workload) {
  if (low_word(iv) > 0xffffffffU - (counters - 1)) {
    return fail(ErrorKind::invalid_argument,
                "The counter block of aes_128_ctr would carry out of its last four bytes within a packet, which "
                "receivers do differently: choose one that ends in FFFFFFF4 or less");
  }
  CAS_TRY_ASSIGN(crypto::AesCbcBatch cipher, crypto::AesCbcBatch::create(SecretBytes(16), workload));
  return std::make_unique<AesCtrPayloadCipher>(std::move(cipher), iv);
}

}  // namespace cas::mpegts
