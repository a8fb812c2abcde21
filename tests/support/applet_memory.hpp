// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <map>

#include "card/applet.hpp"

namespace cas::test {

/// An applet's memory without a card around it: no transactions, no limit.
class PlainAppletMemory final : public card::AppletMemory {
 public:
  SecretBytes read(std::uint16_t object) const override {
    const auto found = objects_.find(object);
    return found == objects_.end() ? SecretBytes() : found->second.clone();
  }
  Status write(std::uint16_t object, ByteView value) override {
    objects_[object] = SecretBytes::copy_of(value);
    return {};
  }
  void erase(std::uint16_t object) override { objects_.erase(object); }

 private:
  std::map<std::uint16_t, SecretBytes> objects_;
};

}  // namespace cas::test
