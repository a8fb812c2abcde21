// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"
#include "card/card_store.hpp"
#include "crypto/aes.hpp"
#include "crypto/kdf.hpp"

namespace cas::card {

/// The head of a store file, which is in clear and authenticated with the rest. Layout, big-endian, described for
/// second implementers in docs/formats/card-store.md:
///
///   offset  size  field
///        0     8  "CAS-CARD"
///        8     2  version, 1
///       10     1  scrypt: logarithm of N to base 2
///       11     1  scrypt: r
///       12     1  scrypt: p
///       13     1  zero
///       14    32  scrypt: salt
///       46     8  generation: how many times the store has been written
///       54    12  AES-GCM nonce, new for each generation
///       66     1  number of applets, 1 to 16; for each: 1 byte length, name
///       66+n   4  size of the cipher text
///       70+n   c  AES-256-GCM cipher text of the objects, associated data: all before it
///       70+n+c 16 AES-GCM tag, and the end of the file
struct StoreHeader {
  crypto::ScryptCost cost;
  std::array<std::uint8_t, 32> salt{};
  std::uint64_t generation = 0;
  std::array<std::uint8_t, crypto::gcm_nonce_size> nonce{};
  std::vector<std::string> applets;
};

/// A store file taken apart; the views point into it.
struct StoreParts {
  StoreHeader header;
  ByteView associated;
  ByteView cipher_text;
  ByteView tag;
};

/// The largest file that is read: full card memory, a full list of applets, and the fixed fields.
inline constexpr std::size_t max_store_file_size = card_memory_size + 1024;

/// Header and the size field. ErrorKind::invalid_argument for a cost that the layout cannot say.
[[nodiscard]] Result<Bytes> write_store_header(const StoreHeader& header, std::size_t cipher_text_size);
/// ErrorKind::malformed for what is no store, unsupported for one of a later version.
[[nodiscard]] Result<StoreParts> parse_store(ByteView file);

/// The objects: for each applet of the list its number of objects (2 bytes), and for each object in ascending order its
/// number (2), its length (2) and its value.
[[nodiscard]] SecretBytes write_card_image(const CardImage& image);
[[nodiscard]] Result<CardImage> parse_card_image(ByteView bytes, const std::vector<std::string>& applets);

}  // namespace cas::card
