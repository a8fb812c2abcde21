// SPDX-License-Identifier: LGPL-2.1-or-later
#include <dvbcsa/dvbcsa.h>

#include <array>
#include <utility>
#include <vector>

#include "mpegts/packet.hpp"
#include "mpegts/payload_cipher.hpp"

// DVB-CSA2 as libdvbcsa computes it: bit-sliced, a packet in each bit of a vector.

namespace cas::mpegts {

namespace {

struct FreeBitSlicedKey {
  void operator()(dvbcsa_bs_key_t* key) const {
    constexpr dvbcsa_cw_t zero = {};
    dvbcsa_bs_key_set(zero, key);  // the library frees the schedule of a word as it is
    dvbcsa_bs_key_free(key);
  }
};
using BitSlicedKey = std::unique_ptr<dvbcsa_bs_key_t, FreeBitSlicedKey>;

class Csa2PayloadCipher final : public PayloadCipher {
 public:
  explicit Csa2PayloadCipher(std::array<BitSlicedKey, 2> keys)
      : keys_(std::move(keys)), batch_(std::size_t{dvbcsa_bs_batch_size()} + 1) {}

  std::size_t word_size() const override { return sizeof(dvbcsa_cw_t); }
  std::size_t min_payload() const override { return 8; }
  std::size_t batch_size() const override { return batch_.size() - 1; }

  Status set_word(Parity parity, const SecretBytes& word) override {
    dvbcsa_bs_key_set(word.reveal().data(), key(parity));
    return {};
  }

  Status encipher(std::span<const MutableByteView> payloads, Parity parity) override {
    dvbcsa_bs_encrypt(key(parity), batch_of(payloads), max_payload_size);
    return {};
  }
  Status decipher(std::span<const MutableByteView> payloads, Parity parity) override {
    dvbcsa_bs_decrypt(key(parity), batch_of(payloads), max_payload_size);
    return {};
  }

 private:
  static_assert(max_payload_size % 8 == 0, "libdvbcsa counts in blocks");

  [[nodiscard]] dvbcsa_bs_key_t* key(Parity parity) const { return keys_[static_cast<std::size_t>(parity)].get(); }

  /// As the library wants it: an entry without data ends the batch.
  const dvbcsa_bs_batch_s* batch_of(std::span<const MutableByteView> payloads) {
    for (std::size_t i = 0; i < payloads.size(); ++i)
      batch_[i] = {payloads[i].data(), static_cast<unsigned>(payloads[i].size())};
    batch_[payloads.size()] = {nullptr, 0};
    return batch_.data();
  }

  std::array<BitSlicedKey, 2> keys_;
  std::vector<dvbcsa_bs_batch_s> batch_;
};

}  // namespace

Result<std::unique_ptr<PayloadCipher>> make_csa2_payload_cipher() {
  std::array<BitSlicedKey, 2> keys{BitSlicedKey(dvbcsa_bs_key_alloc()), BitSlicedKey(dvbcsa_bs_key_alloc())};
  if (!keys[0] || !keys[1]) return fail(ErrorKind::exhausted, "There is no memory for the key schedules of DVB-CSA2");
  return std::make_unique<Csa2PayloadCipher>(std::move(keys));
}

}  // namespace cas::mpegts
