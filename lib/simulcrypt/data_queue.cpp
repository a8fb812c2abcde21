// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/data_queue.hpp"

#include <algorithm>
#include <utility>

namespace cas::simulcrypt {

bool DataQueue::serves(std::uint32_t client_id) const {
  return settings_.client_ids.empty() ||
         std::ranges::find(settings_.client_ids, client_id) != settings_.client_ids.end();
}

// First come, first served: what is asked for, up to what others have left.
std::uint16_t DataQueue::grant(std::uint16_t wanted, std::uint32_t taken) const {
  if (!total_) return wanted;
  const std::uint32_t free = *total_ - std::min(*total_, taken);
  return static_cast<std::uint16_t>(std::min<std::uint32_t>(wanted, free));
}

tl::expected<void, emmg::Error> DataQueue::open_channel(const emmg::ChannelId& channel, std::uint8_t) {
  if (!serves(channel.client_id)) return tl::unexpected(emmg::Error::unknown_client_id);
  return {};
}

tl::expected<DataStreamGrant, emmg::Error> DataQueue::open_stream(const DataStreamOrder& order) {
  const bool is_udp = !order.stream_id;
  if (!serves(order.client_id)) return tl::unexpected(emmg::Error::unknown_client_id);
  if (is_udp && !settings_.udp) return tl::unexpected(emmg::Error::unknown_stream_id);
  const bool taken =
      order.data_type == emmg::emm ? settings_.emms : order.data_type == emmg::private_data && settings_.private_data;
  if (!taken) return tl::unexpected(emmg::Error::invalid_value);
  auto identity = std::make_shared<DataStreamIdentity>();
  identity->client_id = order.client_id;
  identity->channel_id = order.channel_id;
  identity->stream_id = order.stream_id;
  identity->data_id = order.data_id;
  identity->data_type = order.data_type;
  identity->section_tspkt_flag = is_udp ? settings_.udp_section_tspkt_flag : order.section_tspkt_flag;
  const std::lock_guard lock(mutex_);
  identity->handle = next_handle_++;
  Stream stream;
  stream.wanted = settings_.unasked_bandwidth;
  stream.granted = grant(stream.wanted, granted_);
  granted_ += stream.granted;
  DataStreamGrant made;
  made.handle = identity->handle;
  made.section_tspkt_flag = identity->section_tspkt_flag;
  stream.identity = std::move(identity);
  made.bandwidth = limit_of(stream);
  streams_.emplace(made.handle, std::move(stream));
  return made;
}

// Without a total there is nothing to share, and a generator that never asks is not slowed down. Over UDP, where anybody
// can send, it is.
std::optional<std::uint16_t> DataQueue::limit_of(const Stream& stream) const {
  if (!total_ && !stream.asked && stream.identity->stream_id) return std::nullopt;
  return stream.granted;
}

std::optional<std::uint16_t> DataQueue::bandwidth(std::uint64_t handle) const {
  const std::lock_guard lock(mutex_);
  const auto found = streams_.find(handle);
  return found != streams_.end() ? limit_of(found->second) : std::uint16_t{0};
}

void DataQueue::close_stream(std::uint64_t handle) {
  const std::lock_guard lock(mutex_);
  const auto found = streams_.find(handle);
  if (found == streams_.end()) return;
  granted_ -= found->second.granted;
  streams_.erase(found);
}

std::uint16_t DataQueue::allocate_bandwidth(std::uint64_t handle, std::uint16_t wanted) {
  const std::lock_guard lock(mutex_);
  const auto found = streams_.find(handle);
  if (found == streams_.end()) return 0;
  Stream& stream = found->second;
  granted_ -= stream.granted;
  stream.wanted = wanted;
  stream.asked = true;
  stream.granted = grant(wanted, granted_);
  granted_ += stream.granted;
  return stream.granted;
}

void DataQueue::set_total_bandwidth(std::optional<std::uint32_t> kbit_per_second) {
  const std::lock_guard lock(mutex_);
  total_ = kbit_per_second;
  granted_ = 0;
  for (auto& [handle, stream] : streams_) {
    stream.granted = grant(stream.wanted, granted_);
    granted_ += stream.granted;
  }
}

std::shared_ptr<const DataStreamIdentity> DataQueue::stream(std::uint64_t handle) const {
  const std::lock_guard lock(mutex_);
  const auto found = streams_.find(handle);
  return found != streams_.end() ? found->second.identity : nullptr;
}

void DataQueue::take_datagram(std::uint64_t handle, ByteView datagram) {
  const std::lock_guard lock(mutex_);
  const auto found = streams_.find(handle);
  const std::size_t cost = datagram.size() + queue_overhead;
  if (found == streams_.end() || cost > settings_.capacity - std::min(settings_.capacity, counts_.waiting_bytes)) {
    ++counts_.lost_datagrams;
    counts_.lost_bytes += datagram.size();
    return;
  }
  waiting_.push_back({found->second.identity, copy_of(datagram)});
  ++counts_.datagrams;
  counts_.bytes += datagram.size();
  counts_.waiting_bytes += cost;
  has_data_.store(true, std::memory_order_release);
}

void DataQueue::take(std::vector<DataDatagram>& datagrams, std::size_t most) {
  const std::lock_guard lock(mutex_);
  for (std::size_t taken = 0; first_ < waiting_.size() && taken < most; ++first_) {
    const std::size_t size = waiting_[first_].bytes.size();
    taken += size;
    counts_.waiting_bytes -= size + queue_overhead;
    datagrams.push_back(std::move(waiting_[first_]));
  }
  if (first_ == waiting_.size()) {
    waiting_.clear();
    first_ = 0;
    has_data_.store(false, std::memory_order_release);
  } else if (first_ > waiting_.size() / 2) {  // so that each is moved once more at most
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

DataQueue::Counts DataQueue::counts() const {
  const std::lock_guard lock(mutex_);
  Counts counts = counts_;
  counts.granted_bandwidth = granted_;
  return counts;
}

}  // namespace cas::simulcrypt
