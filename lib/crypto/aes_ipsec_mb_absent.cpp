// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/aes_engine.hpp"

// Built instead of aes_ipsec_mb.cpp and aes_cbc_batch_ipsec_mb.cpp where libipsec-mb is missing or not wanted.

namespace cas::crypto {

std::unique_ptr<GcmEngine> make_ipsec_mb_gcm(const SecretBytes&) { return nullptr; }
std::unique_ptr<CtrEngine> make_ipsec_mb_ctr(const SecretBytes&) { return nullptr; }
std::unique_ptr<CbcBatchEngine> make_ipsec_mb_cbc_batch() { return nullptr; }

}  // namespace cas::crypto
