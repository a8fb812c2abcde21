// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>
#include <utility>

#include "crypto/aes_cbc_batch.hpp"
#include "mpegts/payload_cipher.hpp"

namespace cas::mpegts {

namespace {

class AesCbcPayloadCipher final : public PayloadCipher {
 public:
  AesCbcPayloadCipher(std::array<crypto::AesCbcBatch, 2> ciphers, const Iv& iv)
      : ciphers_(std::move(ciphers)), iv_(iv) {}

  std::size_t word_size() const override { return 16; }
  std::size_t min_payload() const override { return crypto::aes_block_size; }
  std::size_t batch_size() const override { return max_batch; }

  Status set_word(Parity parity, const SecretBytes& word) override { return cipher(parity).set_key(word); }

  Status encipher(std::span<const MutableByteView> payloads, Parity parity) override {
    return cipher(parity).encrypt(whole_blocks(payloads));
  }
  Status decipher(std::span<const MutableByteView> payloads, Parity parity) override {
    return cipher(parity).decrypt(whole_blocks(payloads));
  }

 private:
  static constexpr std::size_t max_batch = 64;

  crypto::AesCbcBatch& cipher(Parity parity) { return ciphers_[static_cast<std::size_t>(parity)]; }

  /// TS 103 127, 6.3.2: encrypted_payload_size = payload_size - [payload_size mod 16]; the rest is left unchanged. Each
  /// packet starts from the IV (6.3.1.2).
  std::span<const crypto::CbcMessage> whole_blocks(std::span<const MutableByteView> payloads) {
    for (std::size_t i = 0; i < payloads.size(); ++i) {
      const std::size_t size = payloads[i].size();
      messages_[i] = {payloads[i].data(), size - size % crypto::aes_block_size, iv_.data()};
    }
    return std::span(messages_).first(payloads.size());
  }

  std::array<crypto::AesCbcBatch, 2> ciphers_;
  Iv iv_;
  std::array<crypto::CbcMessage, max_batch> messages_{};
};

}  // namespace

Result<std::unique_ptr<PayloadCipher>> make_aes_cbc_payload_cipher(const Iv& iv, crypto::Workload workload) {
  const SecretBytes none(16);  // nothing is enciphered before a word is set
  CAS_TRY_ASSIGN(crypto::AesCbcBatch even, crypto::AesCbcBatch::create(none, workload));
  CAS_TRY_ASSIGN(crypto::AesCbcBatch odd, crypto::AesCbcBatch::create(none, workload));
  return std::make_unique<AesCbcPayloadCipher>(std::array{std::move(even), std::move(odd)}, iv);
}

}  // namespace cas::mpegts
