// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/ts_cipher.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mpegts/packet.hpp"
#include "mpegts/payload_cipher.hpp"

namespace cas::mpegts {

namespace {

/// "DVBTMCPTAESCISSA" (TS 103 127, 6.3.1.2).
constexpr Iv cissa_iv = {0x44, 0x56, 0x42, 0x54, 0x4d, 0x43, 0x50, 0x54,
                         0x41, 0x45, 0x53, 0x43, 0x49, 0x53, 0x53, 0x41};

Status check_no_iv(const Iv& iv) {
  if (iv == Iv{}) return {};
  return fail(ErrorKind::invalid_argument, "Only aes_128_cbc and aes_128_ctr take an IV: leave it out");
}

Result<std::unique_ptr<PayloadCipher>> make_payload_cipher(TsCipher cipher, const TsCipherOptions& options) {
  switch (cipher) {
    case TsCipher::cissa:
      CAS_TRY(check_no_iv(options.iv));
      return make_aes_cbc_payload_cipher(cissa_iv, options.workload);
    case TsCipher::aes_128_cbc: return make_aes_cbc_payload_cipher(options.iv, options.workload);
    case TsCipher::csa2: CAS_TRY(check_no_iv(options.iv)); return make_csa2_payload_cipher();
    case TsCipher::aes_128_ctr: return make_aes_ctr_payload_cipher(options.iv, options.workload);
  }
  return fail(ErrorKind::invalid_argument, "There is no such cipher of transport packets");
}

ScramblingControl control_of(Parity parity) {
  return parity == Parity::even ? ScramblingControl::even : ScramblingControl::odd;
}

}  // namespace

TsCipherCounts& TsCipherCounts::operator+=(const TsCipherCounts& other) {
  done += other.done;
  residue_only += other.residue_only;
  without_payload += other.without_payload;
  other_state += other.other_state;
  without_word += other.without_word;
  damaged += other.damaged;
  return *this;
}

// --------------------------------------------------------------------------------------- What both directions do alike

namespace {

/// A cipher, and which words it has got.
struct Words {
  explicit Words(std::unique_ptr<PayloadCipher> made) : cipher(std::move(made)) {}

  Status set(Parity parity, const SecretBytes& word) {
    if (word.size() != cipher->word_size()) {
      return fail(ErrorKind::invalid_argument, "A control word of this cipher has " +
                                                   std::to_string(cipher->word_size()) + " bytes, not " +
                                                   std::to_string(word.size()));
    }
    known[static_cast<std::size_t>(parity)] = false;  // a half-set word enciphers nothing
    CAS_TRY(cipher->set_word(parity, word));
    known[static_cast<std::size_t>(parity)] = true;
    return {};
  }
  [[nodiscard]] bool has(Parity parity) const { return known[static_cast<std::size_t>(parity)]; }

  std::unique_ptr<PayloadCipher> cipher;
  std::array<bool, 2> known{};
};

/// Payloads of one parity that wait for a full batch.
class Batch {
 public:
  explicit Batch(std::size_t size) : payloads_(size) {}
  void clear() { count_ = 0; }
  /// Whether the batch is full with it.
  [[nodiscard]] bool add(MutableByteView payload) {
    payloads_[count_++] = payload;
    return count_ == payloads_.size();
  }
  /// What waits; the batch is empty then.
  [[nodiscard]] std::span<const MutableByteView> take() {
    return std::span<const MutableByteView>(payloads_).first(std::exchange(count_, 0));
  }

 private:
  std::vector<MutableByteView> payloads_;
  std::size_t count_ = 0;
};

/// The payload of a packet that could be worked on. Nothing: it has been counted as one that is left as it is.
std::optional<MutableByteView> payload_to_work_on(MutablePacketView packet, TsCipherCounts& counts) {
  if (packet[0] != sync_byte) {
    ++counts.damaged;
    return std::nullopt;
  }
  // 2.4.3.3: transport_scrambling_control of a null packet is 00.
  if (pid_of(packet) == null_pid || (has_adaptation_field(packet) && !has_payload(packet))) {
    ++counts.without_payload;
    return std::nullopt;
  }
  // 2.4.3.5: adaptation_field_length leaves room for a payload that is announced; table 2-5: 00 is reserved.
  const auto offset = payload_offset(packet);
  if (!offset) {
    ++counts.damaged;
    return std::nullopt;
  }
  return MutableByteView(packet).subspan(*offset);
}

}  // namespace

// -------------------------------------------------------------------------------------------------------- TsScrambler

struct TsScrambler::State {
  explicit State(std::unique_ptr<PayloadCipher> cipher) : words(std::move(cipher)), batch(words.cipher->batch_size()) {}
  Words words;
  Batch batch;
};

TsScrambler::TsScrambler(std::unique_ptr<State> state) : state_(std::move(state)) {}
TsScrambler::~TsScrambler() = default;
TsScrambler::TsScrambler(TsScrambler&&) noexcept = default;
TsScrambler& TsScrambler::operator=(TsScrambler&&) noexcept = default;

Result<TsScrambler> TsScrambler::create(TsCipher cipher, const TsCipherOptions& options) {
  CAS_TRY_ASSIGN(std::unique_ptr<PayloadCipher> made, make_payload_cipher(cipher, options));
  return TsScrambler(std::make_unique<State>(std::move(made)));
}

std::size_t TsScrambler::word_size() const { return state_->words.cipher->word_size(); }
std::size_t TsScrambler::batch_size() const { return state_->words.cipher->batch_size(); }
Status TsScrambler::set_word(Parity parity, const SecretBytes& word) { return state_->words.set(parity, word); }

Result<TsCipherCounts> TsScrambler::scramble(std::span<std::uint8_t* const> packets, Parity parity) {
  if (!state_->words.has(parity)) {
    return fail(ErrorKind::invalid_argument, std::string("There is no ") + (parity == Parity::even ? "even" : "odd") +
                                                 " control word yet: set one before packets are scrambled with it");
  }
  PayloadCipher& cipher = *state_->words.cipher;
  Batch& batch = state_->batch;
  batch.clear();
  const std::size_t min_payload = cipher.min_payload();
  const ScramblingControl control = control_of(parity);
  TsCipherCounts counts;
  for (std::uint8_t* const bytes : packets) {
    const MutablePacketView packet(bytes, packet_size);
    const auto payload = payload_to_work_on(packet, counts);
    if (!payload) continue;
    if (scrambling_control(packet) != ScramblingControl::clear) {
      ++counts.other_state;  // a second time would lose the first
      continue;
    }
    set_scrambling_control(packet, control);
    if (payload->size() < min_payload) {
      ++counts.residue_only;
      continue;
    }
    ++counts.done;
    if (batch.add(*payload)) CAS_TRY(cipher.encipher(batch.take(), parity));
  }
  const auto rest = batch.take();
  if (!rest.empty()) CAS_TRY(cipher.encipher(rest, parity));
  return counts;
}

// ------------------------------------------------------------------------------------------------------ TsDescrambler

struct TsDescrambler::State {
  explicit State(std::unique_ptr<PayloadCipher> cipher)
      : words(std::move(cipher)), batches{Batch(words.cipher->batch_size()), Batch(words.cipher->batch_size())} {}
  Words words;
  std::array<Batch, 2> batches;  // by parity
};

TsDescrambler::TsDescrambler(std::unique_ptr<State> state) : state_(std::move(state)) {}
TsDescrambler::~TsDescrambler() = default;
TsDescrambler::TsDescrambler(TsDescrambler&&) noexcept = default;
TsDescrambler& TsDescrambler::operator=(TsDescrambler&&) noexcept = default;

Result<TsDescrambler> TsDescrambler::create(TsCipher cipher, const TsCipherOptions& options) {
  CAS_TRY_ASSIGN(std::unique_ptr<PayloadCipher> made, make_payload_cipher(cipher, options));
  return TsDescrambler(std::make_unique<State>(std::move(made)));
}

std::size_t TsDescrambler::word_size() const { return state_->words.cipher->word_size(); }
std::size_t TsDescrambler::batch_size() const { return state_->words.cipher->batch_size(); }
Status TsDescrambler::set_word(Parity parity, const SecretBytes& word) { return state_->words.set(parity, word); }

Result<TsCipherCounts> TsDescrambler::descramble(std::span<std::uint8_t* const> packets) {
  PayloadCipher& cipher = *state_->words.cipher;
  for (Batch& batch : state_->batches) batch.clear();
  const std::size_t min_payload = cipher.min_payload();
  TsCipherCounts counts;
  for (std::uint8_t* const bytes : packets) {
    const MutablePacketView packet(bytes, packet_size);
    const auto payload = payload_to_work_on(packet, counts);
    if (!payload) continue;
    const ScramblingControl control = scrambling_control(packet);
    if (control == ScramblingControl::clear || control == ScramblingControl::reserved) {
      ++(control == ScramblingControl::clear ? counts.other_state : counts.damaged);
      continue;
    }
    const Parity parity = control == ScramblingControl::even ? Parity::even : Parity::odd;
    if (!state_->words.has(parity)) {
      ++counts.without_word;
      continue;
    }
    set_scrambling_control(packet, ScramblingControl::clear);
    if (payload->size() < min_payload) {
      ++counts.residue_only;
      continue;
    }
    ++counts.done;
    Batch& batch = state_->batches[static_cast<std::size_t>(parity)];
    if (batch.add(*payload)) CAS_TRY(cipher.decipher(batch.take(), parity));
  }
  for (const Parity parity : {Parity::even, Parity::odd}) {
    const auto rest = state_->batches[static_cast<std::size_t>(parity)].take();
    if (!rest.empty()) CAS_TRY(cipher.decipher(rest, parity));
  }
  return counts;
}

}  // namespace cas::mpegts
