// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>
#include <utility>

#include "crypto/aes_engine.hpp"
#include "crypto/ipsec_mb_manager.hpp"

// Batches of AES-CBC as libipsec-mb computes them: the messages of a burst fill the lanes of its vectors, each from a
// block of another message.

namespace cas::crypto {

namespace {

/// Jobs of one burst: enough to fill the lanes again and again, few enough to stay in the first cache. 64 were best
/// among 16 to 512 with messages of 176 bytes.
constexpr std::size_t burst_size = 64;

class IpsecMbCbcBatch final : public CbcBatchEngine {
 public:
  explicit IpsecMbCbcBatch(IpsecMbManager manager) : manager_(std::move(manager)) {
    for (IMB_JOB& job : jobs_) {
      job.enc_keys = encrypting_keys_.words.data();
      job.dec_keys = decrypting_keys_.words.data();
      job.key_len_in_bytes = IMB_KEY_128_BYTES;
      job.iv_len_in_bytes = aes_block_size;
      job.cipher_mode = IMB_CIPHER_CBC;
      job.hash_alg = IMB_AUTH_NULL;
      job.chain_order = IMB_ORDER_CIPHER_HASH;
    }
  }
  ~IpsecMbCbcBatch() override {
    cleanse(bytes_of(encrypting_keys_));
    cleanse(bytes_of(decrypting_keys_));
  }
  IpsecMbCbcBatch(const IpsecMbCbcBatch&) = delete;
  IpsecMbCbcBatch& operator=(const IpsecMbCbcBatch&) = delete;

  Status set_key(const SecretBytes& key) override {
    IMB_AES_KEYEXP_128(manager_.get(), key.reveal().data(), encrypting_keys_.words.data(),
                       decrypting_keys_.words.data());
    return {};
  }

  Status run(Direction direction, std::span<const CbcMessage> messages) override {
    const auto way = direction == Direction::encrypt ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
    while (!messages.empty()) {
      const std::size_t taken = std::min(messages.size(), burst_size);
      std::uint32_t count = 0;
      for (const CbcMessage& message : messages.first(taken)) {
        if (message.size == 0) continue;  // the library takes that for a mistake
        IMB_JOB& job = jobs_[count++];
        job.src = message.data;
        job.dst = message.data;
        job.msg_len_to_cipher_in_bytes = message.size;
        job.iv = message.iv;
        job.cipher_direction = way;
      }
      if (count > 0) CAS_TRY(submit(count, way));
      messages = messages.subspan(taken);
    }
    return {};
  }

 private:
  struct alignas(16) RoundKeys {
    std::array<std::uint32_t, 44> words;  // eleven round keys (FIPS 197, 5.2)
  };

  Status submit(std::uint32_t count, IMB_CIPHER_DIRECTION way) {
    const auto done =
        IMB_SUBMIT_CIPHER_BURST(manager_.get(), jobs_.data(), count, IMB_CIPHER_CBC, way, IMB_KEY_128_BYTES);
    if (done != count) return fail(ErrorKind::internal, "AES-CBC failed on a batch of messages");
    return {};
  }

  RoundKeys encrypting_keys_{};
  RoundKeys decrypting_keys_{};
  IpsecMbManager manager_;
  std::array<IMB_JOB, burst_size> jobs_{};
};

}  // namespace

std::unique_ptr<CbcBatchEngine> make_ipsec_mb_cbc_batch() {
  IpsecMbManager manager(IpsecMbManager::Needs::aes);
  return manager.get() != nullptr ? std::make_unique<IpsecMbCbcBatch>(std::move(manager)) : nullptr;
}

}  // namespace cas::crypto
