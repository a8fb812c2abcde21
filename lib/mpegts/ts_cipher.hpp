// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/error.hpp"
#include "base/secret.hpp"
#include "crypto/aes.hpp"

// Scrambling of transport packets at the level of packets (docs/formats/ts-scrambling.md): the payload is enciphered in
// place, header and adaptation field stay clear, and transport_scrambling_control tells which of two control words it
// was (ISO/IEC 13818-1, 2.4.3.3; TS 100 289, 5.1).

namespace cas::mpegts {

class PayloadCipher;

/// How payloads are enciphered.
enum class TsCipher {
  csa2,         ///< DVB-CSA2, by libdvbcsa. A control word has 8 bytes.
  cissa,        ///< DVB-CISSA version 1 (TS 103 127, 6.3): AES-128-CBC with the IV "DVBTMCPTAESCISSA"; 16 bytes.
  aes_128_cbc,  ///< The same with an IV of the user; 16 bytes.
  /// AES-128-CTR from the same counter block in each packet, with the residue; 16 bytes. For receivers that have
  /// nothing else: all packets of a control word have one key stream, so one packet whose content is known opens all.
  aes_128_ctr,
};

/// Which of the two control words.
enum class Parity { even = 0, odd = 1 };

struct TsCipherOptions {
  /// IV of aes_128_cbc, and counter block of aes_128_ctr, whose last four bytes are at most FFFFFFF4 (a packet takes 12
  /// counts, and receivers differ in how many bits carry). The other ciphers take none: it stays zero.
  std::array<std::uint8_t, crypto::aes_block_size> iv{};
  /// Workload::messages takes OpenSSL for AES also where there is a faster library. CSA2 has one only.
  crypto::Workload workload = crypto::Workload::bulk;
};

/// What became of the packets of a call: each is counted once.
struct TsCipherCounts {
  std::size_t done = 0;             ///< Scrambled, or descrambled.
  std::size_t residue_only = 0;     ///< Marked as such, but its payload is too short for a block and is clear anyway.
  std::size_t without_payload = 0;  ///< Untouched: an adaptation field alone, or a null packet.
  std::size_t other_state = 0;      ///< Untouched: scrambled already, or, for the descrambler, clear.
  std::size_t without_word = 0;     ///< Untouched by the descrambler: no control word of its parity has come yet.
  std::size_t damaged = 0;          ///< Untouched: no sync byte, an adaptation field that overruns, a reserved value.

  TsCipherCounts& operator+=(const TsCipherCounts& other);
  [[nodiscard]] bool operator==(const TsCipherCounts&) const = default;
};

/// Scrambles packets. No allocation and no lock after `create`. One thread at a time.
class TsScrambler {
 public:
  /// ErrorKind::unsupported for csa2 in a build without libdvbcsa, invalid_argument for an IV that cannot be.
  [[nodiscard]] static Result<TsScrambler> create(TsCipher cipher, const TsCipherOptions& options = {});
  ~TsScrambler();
  TsScrambler(TsScrambler&&) noexcept;
  TsScrambler& operator=(TsScrambler&&) noexcept;

  /// Size of a control word in bytes.
  [[nodiscard]] std::size_t word_size() const;
  /// The control word of a parity from now on. ErrorKind::invalid_argument for another size.
  [[nodiscard]] Status set_word(Parity parity, const SecretBytes& word);

  /// Any number of packets, each of 188 bytes that no other overlaps, anywhere in memory; multiples of `batch_size` are
  /// fastest. Scrambles them in place and marks them. ErrorKind::invalid_argument, and no change, before the first word
  /// of this parity. After any other error the packets are to be thrown away.
  [[nodiscard]] Result<TsCipherCounts> scramble(std::span<std::uint8_t* const> packets, Parity parity);
  /// Packets that are computed together.
  [[nodiscard]] std::size_t batch_size() const;

 private:
  struct State;
  explicit TsScrambler(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Descrambles packets, each with the word of the parity that it is marked with. Nothing tells whether a word was the
/// right one: none of the ciphers authenticates. No allocation and no lock after `create`. One thread at a time.
class TsDescrambler {
 public:
  /// As TsScrambler's.
  [[nodiscard]] static Result<TsDescrambler> create(TsCipher cipher, const TsCipherOptions& options = {});
  ~TsDescrambler();
  TsDescrambler(TsDescrambler&&) noexcept;
  TsDescrambler& operator=(TsDescrambler&&) noexcept;

  [[nodiscard]] std::size_t word_size() const;
  [[nodiscard]] Status set_word(Parity parity, const SecretBytes& word);

  /// As TsScrambler::scramble: descrambles in place and marks as clear. Packets for which there is no word yet are left
  /// as they are, and counted.
  [[nodiscard]] Result<TsCipherCounts> descramble(std::span<std::uint8_t* const> packets);
  [[nodiscard]] std::size_t batch_size() const;

 private:
  struct State;
  explicit TsDescrambler(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cas::mpegts
