// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"

namespace cas::card {

/// What one applet keeps: its objects by number.
struct AppletObjects {
  std::string applet;  ///< The name of its factory, for example "smartpro-token".
  std::map<std::uint16_t, SecretBytes> objects;
};

/// What all applets of a card keep, in the order in which the card lists them.
using CardImage = std::vector<AppletObjects>;

/// Memory of a card, all applets together: as much as a small JavaCard has.
inline constexpr std::size_t card_memory_size = 65536;
/// What an object costs beside its value: number and length.
inline constexpr std::size_t object_overhead = 4;

/// Bytes of card memory that the image takes.
[[nodiscard]] std::size_t card_memory_used(const CardImage& image);

/// Where a card's memory lives while the power is off. One thread at a time.
class CardStore {
 public:
  virtual ~CardStore() = default;
  /// What the medium holds now: the image that the last successful commit gave, or, after one that failed, that one or
  /// the one before it.
  [[nodiscard]] virtual Result<CardImage> load() = 0;
  /// Makes `image` what the medium holds, all of it or nothing. On success it survives a power cut.
  [[nodiscard]] virtual Status commit(const CardImage& image) = 0;
};

/// An image in which the applets of these names keep nothing yet. Names: 1 to 32 of a-z, 0-9 and '-', at most 16 of
/// them, none twice; otherwise ErrorKind::invalid_argument.
[[nodiscard]] Result<CardImage> empty_card_image(const std::vector<std::string>& applets);

}  // namespace cas::card
