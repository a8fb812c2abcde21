// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/csa2_word.hpp"

#include <string>

namespace cas::mpegts {

namespace {

/// The sum of three bytes from `first` on.
std::uint8_t checksum(ByteView word, std::size_t first) {
  return static_cast<std::uint8_t>(word[first] + word[first + 1] + word[first + 2]);
}

}  // namespace

Result<SecretBytes> with_csa2_checksum(const SecretBytes& word) {
  if (word.size() != csa2_word_size) {
    return fail(ErrorKind::invalid_argument,
                "A control word of DVB-CSA2 has 8 bytes, not " + std::to_string(word.size()));
  }
  SecretBytes whole = word.clone();
  const MutableByteView bytes = whole.reveal_mutable();
  bytes[3] = checksum(bytes, 0);
  bytes[7] = checksum(bytes, 4);
  return whole;
}

bool has_csa2_checksum(const SecretBytes& word) {
  if (word.size() != csa2_word_size) return false;
  const ByteView bytes = word.reveal();
  return bytes[3] == checksum(bytes, 0) && bytes[7] == checksum(bytes, 4);
}

}  // namespace cas::mpegts
