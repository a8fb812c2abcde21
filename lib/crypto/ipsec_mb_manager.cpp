// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/ipsec_mb_manager.hpp"

#include <mutex>
#include <utility>
#include <vector>

namespace cas::crypto {

namespace {

using ManagerPtr = std::unique_ptr<IMB_MGR, FreeIpsecMbManager>;

/// Nothing if the library cannot be used here.
ManagerPtr make_manager() {
  ManagerPtr manager(alloc_mb_mgr(0));
  if (!manager) return nullptr;
  IMB_ARCH arch = IMB_ARCH_NONE;
  init_mb_mgr_auto(manager.get(), &arch);
  const bool usable = imb_get_errno(manager.get()) == 0 && (manager->features & IMB_FEATURE_AESNI) != 0;
  return usable ? std::move(manager) : nullptr;
}

bool has_vector_aes(const IMB_MGR& manager) {
  constexpr std::uint64_t vector_aes = IMB_FEATURE_AVX512_SKX | IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ;
  return (manager.features & vector_aes) == vector_aes;
}

/// Managers that nobody uses at the moment. Making one takes 150 microseconds, and the first of a process, which tests
/// the library, 5 milliseconds: too much for each key of a stream. They keep nothing of a key.
class ManagerStock {
 public:
  [[nodiscard]] ManagerPtr take() {
    {
      const std::lock_guard lock(mutex_);
      if (useless_) return nullptr;
      if (!idle_.empty()) {
        ManagerPtr manager = std::move(idle_.back());
        idle_.pop_back();
        return manager;
      }
    }
    ManagerPtr manager = make_manager();
    if (!manager) {
      const std::lock_guard lock(mutex_);
      useless_ = true;
    }
    return manager;
  }

  void give_back(ManagerPtr manager) {
    const std::lock_guard lock(mutex_);
    if (idle_.size() < max_idle) idle_.push_back(std::move(manager));
  }

  /// Never destroyed: a cipher may outlive the static objects.
  static ManagerStock& instance() {
    static auto* const stock = new ManagerStock;
    return *stock;
  }

 private:
  static constexpr std::size_t max_idle = 16;  // of 200 KB each

  ManagerStock() { idle_.reserve(max_idle); }

  std::mutex mutex_;
  bool useless_ = false;
  std::vector<ManagerPtr> idle_;
};

}  // namespace

IpsecMbManager::IpsecMbManager(Needs needs) : manager_(ManagerStock::instance().take()) {
  if (manager_ && needs == Needs::vector_aes && !has_vector_aes(*manager_))
    ManagerStock::instance().give_back(std::move(manager_));
}

IpsecMbManager::~IpsecMbManager() {
  if (manager_) ManagerStock::instance().give_back(std::move(manager_));
}

}  // namespace cas::crypto
