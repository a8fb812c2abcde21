// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <string>
#include <utility>

#include "mpegts/csa2_word.hpp"
#include "simulcrypt/head_end.hpp"
#include "simulcrypt/key_announcement.hpp"

// Keys that come from outside, and with them the line between crypto-periods.
namespace cas::simulcrypt {

/// The control word that a key is. Key servers give 16 bytes, whatever they are for: CSA2 takes the first 8 of them.
Status HeadEnd::make_word(ContentKey& key) const {
  if (settings_.key_source != KeySource::upstream)
    return fail(ErrorKind::invalid_argument, "a key came from outside, and control words are drawn here");
  const std::size_t size = key.key.size();
  const bool is_cut = word_size_ == mpegts::csa2_word_size && size == 2 * mpegts::csa2_word_size;
  if (size != word_size_ && !is_cut)
    return fail(ErrorKind::invalid_argument,
                "the key of crypto-period " + std::to_string(key.period) + " has " + std::to_string(size) +
                    " bytes, and the cipher takes " + std::to_string(word_size_) +
                    (word_size_ == mpegts::csa2_word_size ? ", or the first 8 of 16" : "") +
                    ": have the key server make keys of that size, or choose a cipher that fits (property 'cipher')");
  if (is_cut) key.key = SecretBytes::copy_of(key.key.reveal().first(word_size_));
  if (settings_.cipher == mpegts::TsCipher::csa2 && settings_.csa2_checksum) {
    CAS_TRY_ASSIGN(key.key, mpegts::with_csa2_checksum(key.key));
  }
  return {};
}

Status HeadEnd::key_ahead(ContentKey key) {
  CAS_TRY(make_word(key));
  if (const auto known = keys_.announce(key.clone()); !known) {
    listener_.problem(known.error().message);
    return {};
  }
  for (ScramblingGroup* group : order_)
    if (const Status announced = group->announce(key.clone()); !announced) listener_.problem(announced.error().message);
  next_event_ticks_ = 0;
  return {};
}

Status HeadEnd::begin_period(ContentKey key) {
  CAS_TRY(make_word(key));
  if (!keys_.begin(key.clone(), keys_.in_force().value_or(0))) return {};
  keys_.forget_before(*keys_.in_force());
  for (ScramblingGroup* group : order_) group->begin(key.clone());
  announce_content(key);
  period_changes_ = true;
  next_event_ticks_ = 0;
  return {};
}

/// What is known when a group is made.
void HeadEnd::tell_keys(ScramblingGroup& group) {
  if (!keys_.in_force()) return;
  group.begin(keys_.find(*keys_.in_force())->clone());
  for (PeriodIndex ahead = *keys_.in_force() + 1; keys_.find(ahead) != nullptr; ++ahead)
    if (const Status announced = group.announce(keys_.find(ahead)->clone()); !announced)
      listener_.problem(announced.error().message);
}

/// The tables change when the content does, and not with each of its keys.
void HeadEnd::announce_content(const ContentKey& key) {
  if (key.content_id == content_id_ && key.scheme == scheme_) return;
  content_id_ = key.content_id;
  scheme_ = key.scheme;
  auto announcement = content_announcement(key);
  const bool is_wanted = std::ranges::any_of(settings_.services, [](const ServiceSettings& service) {
    return std::ranges::any_of(service.systems, &CaUse::announce_content);
  });
  if (!announcement && is_wanted) listener_.problem(announcement.error().message);
  content_announcement_ = announcement ? std::move(*announcement) : Bytes();
  signal_services();
}

/// The first packet of a period is a clock reference that nothing may move: its word counts all the same. What has not begun
/// needs not begin here, and nobody waits for it.
Status HeadEnd::change_period(StreamTime now, const std::stop_token& stop) {
  without_ecms_ = true;
  now_ = now;
  Status changed = advance_groups(now);
  if (changed && waits_for_ecms() && is_overdue(now)) changed = wait_for_ecms(now, stop);
  without_ecms_ = false;
  period_changes_ = false;
  next_event_ticks_ = 0;
  return changed;
}

}  // namespace cas::simulcrypt
