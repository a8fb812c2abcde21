// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>
#include <cstring>
#include <vector>

#include "mpegts/ts_cipher.hpp"

// Packets as they come from a stream, into the descrambler and the scrambler. What they take on they give back unchanged
// the other way round; what they count as left is left.

namespace {

using namespace cas;
using namespace cas::mpegts;

constexpr std::size_t packet_size = 188;

void expect(bool good) {
  if (!good) std::abort();
}

/// All packets in memory of their own: what is read behind one is found.
struct Packets {
  Packets(const std::uint8_t* data, std::size_t size) {
    for (; size >= packet_size; data += packet_size, size -= packet_size) {
      packets.emplace_back(data, data + packet_size);
    }
    for (Bytes& packet : packets) pointers.push_back(packet.data());
  }
  std::vector<Bytes> packets;
  std::vector<std::uint8_t*> pointers;
};

std::size_t total(const TsCipherCounts& counts) {
  return counts.done + counts.residue_only + counts.without_payload + counts.other_state + counts.without_word +
         counts.damaged;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr TsCipher ciphers[] = {TsCipher::cissa, TsCipher::aes_128_cbc, TsCipher::aes_128_ctr, TsCipher::csa2};
  const TsCipher cipher = ciphers[data[0] % std::size(ciphers)];
  const bool one_word_only = (data[0] & 0x80) != 0;
  auto scrambler = TsScrambler::create(cipher);
  auto descrambler = TsDescrambler::create(cipher);
  if (!scrambler || !descrambler) return 0;  // a build without DVB-CSA2
  const SecretBytes word(scrambler->word_size());
  expect(scrambler->set_word(Parity::even, word).has_value() && descrambler->set_word(Parity::even, word).has_value());
  if (!one_word_only) expect(descrambler->set_word(Parity::odd, word).has_value());

  Packets input(data + 1, size - 1);
  const std::vector<Bytes> before = input.packets;
  const auto descrambled = descrambler->descramble(input.pointers);
  expect(descrambled.has_value() && total(*descrambled) == input.packets.size());
  expect(!one_word_only || descrambled->without_word + descrambled->done <= input.packets.size());

  // Scrambled again, what was even is as it was; whatever was left for its form or state is left again.
  Packets again(data + 1, size - 1);
  const auto scrambled = scrambler->scramble(again.pointers, Parity::even);
  expect(scrambled.has_value() && total(*scrambled) == again.packets.size());
  expect(scrambled->without_payload == descrambled->without_payload);
  for (std::size_t i = 0; i < before.size(); ++i) {
    // No header byte but the two bits, and no adaptation field, ever changes.
    for (const Bytes& packet : {input.packets[i], again.packets[i]}) {
      expect(std::memcmp(packet.data(), before[i].data(), 3) == 0 && ((packet[3] ^ before[i][3]) & 0x3f) == 0);
      const std::size_t clear = (before[i][3] & 0x20) != 0 ? std::size_t{5} + before[i][4] : 4;
      expect(clear > packet_size || std::memcmp(packet.data() + 4, before[i].data() + 4, clear - 4) == 0);
    }
    if ((before[i][3] & 0xc0) != 0) expect(again.packets[i] == before[i]);
  }
  const auto back = descrambler->descramble(again.pointers);
  expect(back.has_value());
  for (std::size_t i = 0; i < before.size(); ++i)
    if ((before[i][3] & 0xc0) == 0) expect(again.packets[i] == before[i]);
  return 0;
}
