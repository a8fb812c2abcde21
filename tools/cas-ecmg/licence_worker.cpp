// SPDX-License-Identifier: LGPL-2.1-or-later
#include "licence_worker.hpp"

#include <utility>

namespace cas::ecmg_program {

LicenceWorker::LicenceWorker(std::size_t most_waiting, Make make, Finished finished)
    : most_waiting_(most_waiting),
      make_(std::move(make)),
      finished_(std::move(finished)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

LicenceWorker::~LicenceWorker() {
  thread_.request_stop();
  thread_.join();
}

bool LicenceWorker::order(LicenceOrder order) {
  {
    const std::lock_guard lock(mutex_);
    if (orders_.size() >= most_waiting_) return false;
    orders_.push_back(std::move(order));
  }
  wake_.notify_one();
  return true;
}

void LicenceWorker::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (wake_.wait(lock, stop, [this] { return !orders_.empty(); }) && !stop.stop_requested()) {
    const LicenceOrder order = std::move(orders_.front());
    orders_.pop_front();
    lock.unlock();
    Result<Bytes> section = make_(order.request, order.word);
    if (section) section = smartpro::write_broadcast_ecm(order.place, order.cp_number, *section);
    finished_(order, std::move(section));
    lock.lock();
  }
}

}  // namespace cas::ecmg_program
