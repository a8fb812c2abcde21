// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/ecm_mailbox.hpp"

#include <algorithm>
#include <utility>

namespace cas::simulcrypt {

bool EcmMailbox::want(const EcmStreamWish& wish) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(wish.stream_id);
  if (found != entries_.end() && found->second.wish == wish) return false;
  forget_events(wish.stream_id);
  entries_.insert_or_assign(wish.stream_id, Entry{wish, next_number_++, 0});
  return true;
}

bool EcmMailbox::want_no_more(std::uint16_t stream_id) {
  const std::lock_guard lock(mutex_);
  forget_events(stream_id);
  return entries_.erase(stream_id) != 0;
}

void EcmMailbox::forget_events(std::uint16_t stream_id) {
  std::erase_if(events_, [stream_id](const Item& item) { return item.event.stream_id == stream_id; });
  has_events_.store(!events_.empty(), std::memory_order_release);
}

std::optional<EcmMailbox::Asked> EcmMailbox::asked(std::uint16_t stream_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(stream_id);
  if (found == entries_.end()) return std::nullopt;
  return Asked{found->second.number, found->second.opening_taken};
}

void EcmMailbox::take(std::vector<EcmEvent>& events) {
  const std::lock_guard lock(mutex_);
  events.reserve(events.size() + events_.size());
  for (Item& item : events_) {
    if (item.event.kind == EcmEvent::Kind::opened || item.event.kind == EcmEvent::Kind::lost)
      entries_.at(item.event.stream_id).opening_taken = item.opening;
    events.push_back(std::move(item.event));
  }
  events_.clear();
  has_events_.store(false, std::memory_order_release);
}

void EcmMailbox::on_events(std::function<void()> ring) {
  const std::lock_guard lock(ring_mutex_);
  ring_ = std::move(ring);
}

void EcmMailbox::ring() {
  const std::lock_guard lock(ring_mutex_);
  if (ring_) ring_();
}

// Under the lock: the loop is there for as long as this takes.
void EcmMailbox::post(std::function<void()> handler) const {
  const std::lock_guard lock(mutex_);
  if (loop_ != nullptr) loop_->post(std::move(handler));
}

void EcmMailbox::leave_loop() {
  const std::lock_guard lock(mutex_);
  loop_ = nullptr;
}

std::optional<EcmMailbox::Wanted> EcmMailbox::wanted(std::uint16_t stream_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(stream_id);
  if (found == entries_.end()) return std::nullopt;
  return Wanted{found->second.wish, found->second.number};
}

bool EcmMailbox::is_wanted(std::uint16_t stream_id, std::uint64_t wish) const {
  const auto found = entries_.find(stream_id);
  return found != entries_.end() && found->second.number == wish;
}

void EcmMailbox::push(Item item) {
  events_.push_back(std::move(item));
  has_events_.store(true, std::memory_order_release);
}

std::uint64_t EcmMailbox::opened(std::uint64_t wish, EcmEvent event) {
  std::uint64_t opening = 0;
  {
    const std::lock_guard lock(mutex_);
    opening = next_number_++;
    if (!is_wanted(event.stream_id, wish)) return opening;
    push({std::move(event), opening});
  }
  ring();
  return opening;
}

void EcmMailbox::answered(std::uint64_t wish, EcmEvent event) {
  {
    const std::lock_guard lock(mutex_);
    if (!is_wanted(event.stream_id, wish)) return;
    push({std::move(event), 0});
  }
  ring();
}

void EcmMailbox::lost(std::uint64_t wish, std::uint16_t stream_id) {
  {
    const std::lock_guard lock(mutex_);
    if (!is_wanted(stream_id, wish)) return;
    // Opened and lost before anybody looked: as if it had never been. Nobody can have asked of it.
    const auto unseen = std::ranges::find_if(events_, [stream_id](const Item& item) {
      return item.event.stream_id == stream_id && item.event.kind == EcmEvent::Kind::opened;
    });
    if (unseen != events_.end()) {
      events_.erase(unseen);
      has_events_.store(!events_.empty(), std::memory_order_release);
      return;
    }
    EcmEvent event;
    event.kind = EcmEvent::Kind::lost;
    event.stream_id = stream_id;
    push({std::move(event), 0});
  }
  ring();
}

}  // namespace cas::simulcrypt
