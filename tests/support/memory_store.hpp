// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "card/card_store.hpp"

namespace cas::test {

/// What a MemoryStore keeps: outlives the store, as a file outlives the process. Tests look into it and make it fail.
struct MemoryMedium {
  card::CardImage image;
  std::size_t commits = 0;
  bool fail_next_commit = false;          ///< Nothing is written.
  bool lose_word_of_next_commit = false;  ///< Everything is written, and yet a failure is told.
  bool fail_loads = false;

  explicit MemoryMedium(const std::vector<std::string>& applets) {
    auto empty = card::empty_card_image(applets);
    if (!empty) throw std::invalid_argument(empty.error().message);
    image = std::move(*empty);
  }
};

/// A card store in ordinary memory.
class MemoryStore final : public card::CardStore {
 public:
  explicit MemoryStore(std::shared_ptr<MemoryMedium> medium) : medium_(std::move(medium)) {}
  explicit MemoryStore(const std::vector<std::string>& applets) : medium_(std::make_shared<MemoryMedium>(applets)) {}

  Result<card::CardImage> load() override {
    if (medium_->fail_loads) return fail(ErrorKind::io, "the medium cannot be read");
    return copy_of_image(medium_->image);
  }

  Status commit(const card::CardImage& image) override {
    if (std::exchange(medium_->fail_next_commit, false)) return fail(ErrorKind::io, "the medium cannot be written");
    medium_->image = copy_of_image(image);
    ++medium_->commits;
    if (std::exchange(medium_->lose_word_of_next_commit, false))
      return fail(ErrorKind::io, "the medium does not say whether it has written");
    return {};
  }

 private:
  static card::CardImage copy_of_image(const card::CardImage& image) {
    card::CardImage copy;
    for (const card::AppletObjects& applet : image) {
      copy.push_back({applet.applet, {}});
      for (const auto& [number, value] : applet.objects) copy.back().objects.emplace(number, value.clone());
    }
    return copy;
  }

  std::shared_ptr<MemoryMedium> medium_;
};

}  // namespace cas::test
