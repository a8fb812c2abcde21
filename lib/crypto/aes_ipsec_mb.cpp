// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <utility>

#include "crypto/aes_engine.hpp"
#include "crypto/constant_time.hpp"
#include "crypto/ipsec_mb_manager.hpp"

// AES as libipsec-mb computes it, with the widest vectors of the processor.

namespace cas::crypto {

namespace {

class IpsecMbGcm final : public GcmEngine {
 public:
  IpsecMbGcm(IpsecMbManager manager, const SecretBytes& key) : manager_(std::move(manager)), wide_(key.size() == 32) {
    if (wide_) {
      IMB_AES256_GCM_PRE(manager_.get(), key.reveal().data(), &key_);
    } else {
      IMB_AES128_GCM_PRE(manager_.get(), key.reveal().data(), &key_);
    }
  }
  ~IpsecMbGcm() override {
    cleanse(bytes_of(key_));
    cleanse(bytes_of(message_));
  }

  Status begin(Direction direction, std::span<const std::uint8_t, gcm_nonce_size> nonce, ByteView associated) override {
    direction_ = direction;
    static constexpr std::uint8_t nothing = 0;
    const std::uint8_t* first = associated.empty() ? &nothing : associated.data();
    if (wide_) {
      IMB_AES256_GCM_INIT(manager_.get(), &key_, &message_, nonce.data(), first, associated.size());
    } else {
      IMB_AES128_GCM_INIT(manager_.get(), &key_, &message_, nonce.data(), first, associated.size());
    }
    return {};
  }

  Status feed(ByteView in, std::uint8_t* out) override {
    if (in.empty()) return {};
    if (direction_ == Direction::encrypt && wide_) {
      IMB_AES256_GCM_ENC_UPDATE(manager_.get(), &key_, &message_, out, in.data(), in.size());
    } else if (direction_ == Direction::encrypt) {
      IMB_AES128_GCM_ENC_UPDATE(manager_.get(), &key_, &message_, out, in.data(), in.size());
    } else if (wide_) {
      IMB_AES256_GCM_DEC_UPDATE(manager_.get(), &key_, &message_, out, in.data(), in.size());
    } else {
      IMB_AES128_GCM_DEC_UPDATE(manager_.get(), &key_, &message_, out, in.data(), in.size());
    }
    return {};
  }

  Status give_tag(std::span<std::uint8_t, gcm_tag_size> tag) override {
    finalize(tag.data());
    return {};
  }

  bool check_tag(std::span<const std::uint8_t, gcm_tag_size> tag) override {
    std::array<std::uint8_t, gcm_tag_size> computed{};
    finalize(computed.data());
    const bool same = constant_time_equal(computed, tag);
    cleanse(computed);  // the right tag of what may be a forgery
    return same;
  }

 private:
  void finalize(std::uint8_t* tag) {
    if (direction_ == Direction::encrypt && wide_) {
      IMB_AES256_GCM_ENC_FINALIZE(manager_.get(), &key_, &message_, tag, gcm_tag_size);
    } else if (direction_ == Direction::encrypt) {
      IMB_AES128_GCM_ENC_FINALIZE(manager_.get(), &key_, &message_, tag, gcm_tag_size);
    } else if (wide_) {
      IMB_AES256_GCM_DEC_FINALIZE(manager_.get(), &key_, &message_, tag, gcm_tag_size);
    } else {
      IMB_AES128_GCM_DEC_FINALIZE(manager_.get(), &key_, &message_, tag, gcm_tag_size);
    }
  }

  alignas(64) gcm_key_data key_{};
  gcm_context_data message_{};
  IpsecMbManager manager_;
  const bool wide_;
  Direction direction_ = Direction::encrypt;
};

class IpsecMbCtr final : public CtrEngine {
 public:
  IpsecMbCtr(IpsecMbManager manager, const SecretBytes& key) : manager_(std::move(manager)), key_size_(key.size()) {
    RoundKeys unused{};  // the schedule of decryption, which CTR does not need
    if (key_size_ == 32) {
      IMB_AES_KEYEXP_256(manager_.get(), key.reveal().data(), round_keys_.words, unused.words);
    } else {
      IMB_AES_KEYEXP_128(manager_.get(), key.reveal().data(), round_keys_.words, unused.words);
    }
    cleanse(bytes_of(unused));
  }
  ~IpsecMbCtr() override { cleanse(bytes_of(round_keys_)); }

  Status seek(const CounterBlock& counter, std::size_t inside) override {
    counter_ = counter;
    inside_ = inside;
    return {};
  }

  Status apply(ByteView in, std::uint8_t* out) override {
    if (inside_ != 0) {
      const std::size_t count = std::min(in.size(), aes_block_size - inside_);
      CAS_TRY(apply_within_block(in.first(count), out));
      in = in.subspan(count);
      out += count;
    }
    while (in.size() >= aes_block_size) {
      // The library counts in the last four bytes only; a call ends before they would overflow.
      const std::uint64_t to_overflow = (std::uint64_t{1} << 32) - low_word();
      const std::uint64_t blocks = std::min<std::uint64_t>({in.size() / aes_block_size, to_overflow, max_blocks});
      const std::size_t count = blocks * aes_block_size;
      CAS_TRY(add_key_stream(in.first(count), out));
      counter_ = counter_after(counter_, blocks);
      in = in.subspan(count);
      out += count;
    }
    return in.empty() ? Status{} : apply_within_block(in, out);
  }

 private:
  static constexpr std::uint64_t max_blocks = std::uint64_t{1} << 24;
  struct alignas(16) RoundKeys {
    std::uint32_t words[60];
  };

  [[nodiscard]] std::uint64_t low_word() const {
    std::uint64_t word = 0;
    for (std::size_t i = 12; i < aes_block_size; ++i) word = word << 8 | counter_[i];
    return word;
  }

  /// Bytes that do not leave the block of `counter_`.
  Status apply_within_block(ByteView in, std::uint8_t* out) {
    std::array<std::uint8_t, aes_block_size> block{};
    std::copy(in.begin(), in.end(), block.begin() + static_cast<std::ptrdiff_t>(inside_));
    const Status applied = add_key_stream(block, block.data());
    std::copy_n(block.begin() + static_cast<std::ptrdiff_t>(inside_), in.size(), out);
    cleanse(block);
    inside_ = (inside_ + in.size()) % aes_block_size;
    if (inside_ == 0) counter_ = counter_after(counter_, 1);
    return applied;
  }

  Status add_key_stream(ByteView in, std::uint8_t* out) {
    IMB_JOB job{};
    job.enc_keys = round_keys_.words;
    job.key_len_in_bytes = key_size_;
    job.iv = counter_.data();
    job.iv_len_in_bytes = counter_.size();
    job.src = in.data();
    job.dst = out;
    job.msg_len_to_cipher_in_bytes = in.size();
    job.cipher_mode = IMB_CIPHER_CNTR;
    job.cipher_direction = IMB_DIR_ENCRYPT;
    job.hash_alg = IMB_AUTH_NULL;
    job.chain_order = IMB_ORDER_CIPHER_HASH;
    const auto width = key_size_ == 32 ? IMB_KEY_256_BYTES : IMB_KEY_128_BYTES;
    if (IMB_SUBMIT_CIPHER_BURST(manager_.get(), &job, 1, IMB_CIPHER_CNTR, IMB_DIR_ENCRYPT, width) != 1 ||
        job.status != IMB_STATUS_COMPLETED) {
      return fail(ErrorKind::internal, "AES-CTR failed on a message");
    }
    return {};
  }

  RoundKeys round_keys_{};
  CounterBlock counter_{};
  std::size_t inside_ = 0;
  IpsecMbManager manager_;
  const std::size_t key_size_;
};

bool is_key_size(const SecretBytes& key) { return key.size() == 16 || key.size() == 32; }

template <typename Engine>
std::unique_ptr<Engine> make(const SecretBytes& key) {
  if (!is_key_size(key)) return nullptr;  // OpenSSL's engine says what is wrong
  IpsecMbManager manager(IpsecMbManager::Needs::vector_aes);
  return manager.get() != nullptr ? std::make_unique<Engine>(std::move(manager), key) : nullptr;
}

}  // namespace

std::unique_ptr<GcmEngine> make_ipsec_mb_gcm(const SecretBytes& key) { return make<IpsecMbGcm>(key); }
std::unique_ptr<CtrEngine> make_ipsec_mb_ctr(const SecretBytes& key) { return make<IpsecMbCtr>(key); }

}  // namespace cas::crypto
