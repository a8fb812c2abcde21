// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "mpegts/ts_cipher.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"

// Packets for the tests of scramblers, built by hand after ISO/IEC 13818-1, 2.4.3.

namespace cas::mpegts {

using Packet = std::array<std::uint8_t, 188>;

inline Bytes random_bytes(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  test::SeededRandom random(seed);
  EXPECT_OK(random.fill(bytes));
  return bytes;
}

inline SecretBytes word_of(std::size_t size, std::uint64_t seed) {
  return SecretBytes::copy_of(random_bytes(size, seed));
}

/// A clear packet of PID 0x100 with this payload, 0 to 184 bytes, behind an adaptation field that fills the rest.
inline Packet packet_with(ByteView payload) {
  Packet packet{};
  packet.fill(0xff);
  packet[0] = 0x47;
  packet[1] = 0x01;
  packet[2] = 0x00;
  packet[3] = static_cast<std::uint8_t>((payload.size() < 184 ? 0x20 : 0) | (payload.empty() ? 0 : 0x10) | 0x07);
  if (payload.size() < 184) packet[4] = static_cast<std::uint8_t>(183 - payload.size());
  if (payload.size() < 183) packet[5] = 0;
  std::copy(payload.begin(), payload.end(), packet.end() - static_cast<std::ptrdiff_t>(payload.size()));
  return packet;
}

inline Bytes payload_of(const Packet& packet, std::size_t size) {
  return Bytes(packet.end() - static_cast<std::ptrdiff_t>(size), packet.end());
}

inline std::vector<std::uint8_t*> pointers_to(std::vector<Packet>& packets) {
  std::vector<std::uint8_t*> pointers;
  pointers.reserve(packets.size());
  for (Packet& packet : packets) pointers.push_back(packet.data());
  return pointers;
}

/// What this build can do.
inline std::vector<TsCipher> ciphers_of_this_build() {
  std::vector<TsCipher> ciphers = {TsCipher::cissa, TsCipher::aes_128_cbc, TsCipher::aes_128_ctr};
#ifdef CAS_WITH_CSA
  ciphers.push_back(TsCipher::csa2);
#endif
  return ciphers;
}

inline std::string name_of(TsCipher cipher) {
  switch (cipher) {
    case TsCipher::csa2: return "csa2";
    case TsCipher::cissa: return "cissa";
    case TsCipher::aes_128_cbc: return "aes_128_cbc";
    case TsCipher::aes_128_ctr: return "aes_128_ctr";
  }
  return "unknown";
}

}  // namespace cas::mpegts
