// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to crypto/, not installed, and there only where libipsec-mb is built in.

#include <intel-ipsec-mb.h>

#include <memory>

#include "base/bytes.hpp"

namespace cas::crypto {

struct FreeIpsecMbManager {
  void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
};

/// The library's working state, for as long as a cipher lives. Empty if the library cannot be used, or if this
/// processor has not what makes it faster than OpenSSL.
class IpsecMbManager {
 public:
  enum class Needs {
    aes,         ///< AES instructions: several messages at once are faster than one, whose blocks wait for one another.
    vector_aes,  ///< VAES and VPCLMULQDQ with AVX-512, for blocks that do not.
  };
  explicit IpsecMbManager(Needs needs);
  ~IpsecMbManager();
  IpsecMbManager(IpsecMbManager&&) noexcept = default;
  IpsecMbManager& operator=(IpsecMbManager&&) = delete;
  [[nodiscard]] IMB_MGR* get() const { return manager_.get(); }

 private:
  std::unique_ptr<IMB_MGR, FreeIpsecMbManager> manager_;
};

/// An object of the library as bytes, to be cleansed.
template <typename T>
[[nodiscard]] MutableByteView bytes_of(T& object) {
  return {reinterpret_cast<std::uint8_t*>(&object), sizeof object};
}

}  // namespace cas::crypto
