// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/card_memory.hpp"

namespace cas::card {

class CardMemory::View final : public AppletMemory {
 public:
  View(CardMemory& memory, std::size_t applet) : memory_(memory), applet_(applet) {}
  SecretBytes read(std::uint16_t object) const override { return memory_.read(applet_, object); }
  Status write(std::uint16_t object, ByteView value) override { return memory_.write(applet_, object, value); }
  void erase(std::uint16_t object) override { memory_.erase(applet_, object); }

 private:
  CardMemory& memory_;
  std::size_t applet_;
};

CardMemory::CardMemory(std::unique_ptr<CardStore> store, CardImage image)
    : store_(std::move(store)), image_(std::move(image)), used_(card_memory_used(image_)) {
  for (std::size_t i = 0; i < image_.size(); ++i) views_.push_back(std::make_unique<View>(*this, i));
}

CardMemory::~CardMemory() = default;

Result<std::unique_ptr<CardMemory>> CardMemory::load(std::unique_ptr<CardStore> store) {
  CAS_TRY_ASSIGN(CardImage image, store->load());
  return std::unique_ptr<CardMemory>(new CardMemory(std::move(store), std::move(image)));
}

AppletMemory* CardMemory::of(const std::string& applet) {
  for (std::size_t i = 0; i < image_.size(); ++i)
    if (image_[i].applet == applet) return views_[i].get();
  return nullptr;
}

SecretBytes CardMemory::read(std::size_t applet, std::uint16_t object) const {
  if (const auto written = written_.find({applet, object}); written != written_.end())
    return written->second ? written->second->clone() : SecretBytes();
  const auto& objects = image_[applet].objects;
  const auto found = objects.find(object);
  return found != objects.end() ? found->second.clone() : SecretBytes();
}

std::size_t CardMemory::cost_of(std::size_t applet, std::uint16_t object) const {
  if (const auto written = written_.find({applet, object}); written != written_.end())
    return written->second ? written->second->size() + object_overhead : 0;
  const auto& objects = image_[applet].objects;
  const auto found = objects.find(object);
  return found != objects.end() ? found->second.size() + object_overhead : 0;
}

Status CardMemory::write(std::size_t applet, std::uint16_t object, ByteView value) {
  const std::size_t others = used_ - cost_of(applet, object);
  if (value.size() > card_memory_size || others + object_overhead + value.size() > card_memory_size)
    return fail(ErrorKind::exhausted, "the memory of the card is full");
  written_.insert_or_assign({applet, object}, SecretBytes::copy_of(value));
  used_ = others + object_overhead + value.size();
  return {};
}

void CardMemory::erase(std::size_t applet, std::uint16_t object) {
  const std::size_t cost = cost_of(applet, object);
  if (cost == 0) return;
  written_.insert_or_assign({applet, object}, std::nullopt);
  used_ -= cost;
}

Status CardMemory::commit() {
  if (broken_)
    return fail(ErrorKind::io, "the memory of the card could neither be written nor read again: open the card anew");
  if (written_.empty()) return {};
  for (auto& [key, value] : written_) {
    auto& objects = image_[key.first].objects;
    if (value)
      objects.insert_or_assign(key.second, std::move(*value));
    else
      objects.erase(key.second);
  }
  written_.clear();
  auto committed = store_->commit(image_);
  if (!committed && !reload()) broken_ = true;
  return committed;
}

Status CardMemory::reload() {
  CAS_TRY_ASSIGN(CardImage image, store_->load());
  // The views know their applets by place.
  if (image.size() != image_.size())
    return fail(ErrorKind::internal, "the store has changed the applets that it holds");
  for (std::size_t i = 0; i < image.size(); ++i)
    if (image[i].applet != image_[i].applet)
      return fail(ErrorKind::internal, "the store has changed the applets that it holds");
  image_ = std::move(image);
  used_ = card_memory_used(image_);
  return {};
}

void CardMemory::roll_back() {
  if (written_.empty()) return;
  written_.clear();
  used_ = card_memory_used(image_);
}

}  // namespace cas::card
