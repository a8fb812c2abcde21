// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/card_store.hpp"

#include <algorithm>

namespace cas::card {

namespace {

constexpr std::size_t max_applets = 16;
constexpr std::size_t max_applet_name_size = 32;

bool is_applet_name(const std::string& name) {
  return !name.empty() && name.size() <= max_applet_name_size &&
         std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

}  // namespace

std::size_t card_memory_used(const CardImage& image) {
  std::size_t used = 0;
  for (const AppletObjects& applet : image)
    for (const auto& [number, value] : applet.objects) used += value.size() + object_overhead;
  return used;
}

Result<CardImage> empty_card_image(const std::vector<std::string>& applets) {
  if (applets.empty() || applets.size() > max_applets)
    return fail(ErrorKind::invalid_argument,
                "a card holds 1 to " + std::to_string(max_applets) + " applets, not " + std::to_string(applets.size()));
  CardImage image;
  for (const std::string& name : applets) {
    if (!is_applet_name(name))
      return fail(ErrorKind::invalid_argument, "the name of an applet has 1 to 32 characters, each of a-z, 0-9 or '-'");
    if (std::ranges::find(image, name, &AppletObjects::applet) != image.end())
      return fail(ErrorKind::invalid_argument, "the applet " + name + " is named twice");
    image.push_back({name, {}});
  }
  return image;
}

}  // namespace cas::card
