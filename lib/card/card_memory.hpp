// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "card/applet.hpp"
#include "card/card_store.hpp"

namespace cas::card {

/// The memory of a card that is powered: the image of its store, and what the command at hand has written so far, which
/// is committed to the store whole or dropped. One thread at a time.
class CardMemory {
 public:
  [[nodiscard]] static Result<std::unique_ptr<CardMemory>> load(std::unique_ptr<CardStore> store);
  ~CardMemory();

  /// What the applet of that name sees, its own writes included; nothing if the card does not hold the applet. Lives as
  /// long as this.
  [[nodiscard]] AppletMemory* of(const std::string& applet);

  /// Ends the transaction: what was written is durable on success. On failure it is gone, memory has been loaded anew
  /// from the store, and so both agree; if that fails as well, every later commit fails and `broken` is true.
  [[nodiscard]] Status commit();
  /// Drops what was written since the last commit.
  void roll_back();
  [[nodiscard]] bool broken() const { return broken_; }

 private:
  class View;
  using ObjectKey = std::pair<std::size_t, std::uint16_t>;  ///< Applet's place in the image, number.

  explicit CardMemory(std::unique_ptr<CardStore> store, CardImage image);
  [[nodiscard]] SecretBytes read(std::size_t applet, std::uint16_t object) const;
  [[nodiscard]] Status write(std::size_t applet, std::uint16_t object, ByteView value);
  void erase(std::size_t applet, std::uint16_t object);
  /// Bytes that the object takes now, overhead included.
  [[nodiscard]] std::size_t cost_of(std::size_t applet, std::uint16_t object) const;
  [[nodiscard]] Status reload();

  std::unique_ptr<CardStore> store_;
  CardImage image_;
  std::map<ObjectKey, std::optional<SecretBytes>> written_;  ///< Nothing: erased.
  std::size_t used_ = 0;                                     ///< With what was written.
  std::vector<std::unique_ptr<View>> views_;
  bool broken_ = false;
};

}  // namespace cas::card
